"""A budget that is spent, in words, and the command that goes on with a larger one."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from qpsearch.display.shown import duration
from qpsearch.errors import command, counted
from qpsearch.space.search import SpentBound


def spent_text(bound: SpentBound) -> str:
    """Say which bound is spent: ``the budget of 90 epochs is spent``."""
    return f"the budget of {_AMOUNTS[bound.name](bound.limit)} is spent"


def resume_command(study: str, bound: SpentBound | None, stop: str | None = None) -> str:
    """Return the command that goes on with a study: with twice the budget that is spent, if any is.

    Args:
        study: The study's name.
        bound: The bound that is reached; None where none is.
        stop: The rule of ``search.stop`` that has ended it, in words; None where none has.
    """
    words = ["resume", study, *(["--ignore-stop"] if stop is not None else [])]
    if bound is not None:
        words += _OPTIONS[bound.name](2 * (bound.limit if bound.spent < 2 * bound.limit else bound.spent))
    return command(*words)


def _time(seconds: float) -> str:
    """Return a time as ``--time`` takes it, rounded up."""
    size, unit = next((each for each in ((3600, "h"), (60, "m")) if seconds >= each[0]), (1, "s"))
    return f"{math.ceil(seconds / size)}{unit}"


_AMOUNTS: Final[Mapping[str, Callable[[float], str]]] = {
    "trials": lambda limit: counted(limit, "trial"),
    "epochs": lambda limit: counted(limit, "epoch"),
    "seconds": lambda limit: f"{duration(limit)} of wall time",
    "gpu_seconds": lambda limit: counted(limit / 3600, "GPU hour"),
}
_OPTIONS: Final[Mapping[str, Callable[[float], list[str]]]] = {
    "trials": lambda asked: ["--trials", f"{math.ceil(asked)}"],
    "epochs": lambda asked: ["--epochs", f"{math.ceil(asked)}"],
    "seconds": lambda asked: ["--time", _time(asked)],
    "gpu_seconds": lambda asked: ["--gpu-hours", f"{asked / 3600:.4g}"],
}
