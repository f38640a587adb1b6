"""Making the sampler of a study, draw by draw.

A sampler is made for each draw, from a seed that is a function of the trial's number and the draw alone: after a
restart, a study asks the same.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qpsearch.registry.options import Options
from qpsearch.registry.samplers.base import DrawRequest, Sampler
from qpsearch.space.leaves import Site
from qpsearch.study.search.encoding import Encoding
from qpsearch.study.search.optuna_logging import experimental_on_purpose

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Samplers:
    """The sampler of a study, draw by draw.

    Args:
        sampler: The sampler.
        options: Its options.
        sites: The leaves of the space.
    """

    def __init__(self, sampler: Sampler, options: Options, sites: Sequence[Site]) -> None:
        self._sampler, self._options, self._columns = sampler, options, Encoding(sites)

    def of_draw(self, seed: int) -> "BaseSampler":
        """Return the sampler of one draw."""
        with experimental_on_purpose():  # much of Optuna's is
            return self._sampler.sampler(DrawRequest(seed=seed, options=self._options, columns=self._columns))
