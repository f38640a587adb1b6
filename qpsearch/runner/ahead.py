"""What a command begins before it loads the rest."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from qpsearch.dispatch.own_ray import begun_early
from qpsearch.vocabulary import Dispatcher


def begins_ray(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command begin the Ray that it will need, as its ``dispatch`` and ``address`` say, before it is called."""

    @wraps(command)
    def beginning(**given: Any) -> None:
        with begun_early(given["dispatch"] is Dispatcher.TUNE and given["address"] is None):
            command(**given)

    return beginning
