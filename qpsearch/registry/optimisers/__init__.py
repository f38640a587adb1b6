"""The optimisers that a space file may name: the settings of each, and how torch's optimiser is made from them.

A new optimiser is a module here, with its ``MEMBERS``.
"""

from functools import reduce
from operator import or_
from typing import Annotated, Any, Final

from qpsearch.registry.members import members
from qpsearch.registry.optimisers.base import Optimiser, OptimiserSettings

OPTIMISERS: Final[dict[str, type[OptimiserSettings]]] = {
    name: each.settings for name, each in members(__name__, Optimiser).items()
}


class _OneOfTheTable:
    """Lets pydantic read settings as the record of their kind."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return handler.generate_schema(reduce(or_, OPTIMISERS.values()))


AnyOptimiser = Annotated[OptimiserSettings, _OneOfTheTable()]
