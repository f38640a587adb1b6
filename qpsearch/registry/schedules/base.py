"""What a learning-rate schedule is, and the warm-up that most begin with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from qpsearch.registry.members import LAST

WARM_FROM: Final = 0.01  # share of the peak at which a warm-up starts, so that its first steps do something
ShareOfPeak = Callable[[float, float], float]
"""Returns the share of the peak, given the share of all steps that are done, in [0, 1), and the share that warms up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule.

    Attributes:
        name: The word in space files.
        order: Its place in lists.
        doc: What it does, to complete a list for users.
        factor: The share of the peak learning rate.
    """

    name: str
    order: int = LAST
    doc: str
    factor: ShareOfPeak


def warmed(after: ShareOfPeak) -> ShareOfPeak:
    """Return a schedule whose learning rate rises evenly to the peak before it begins."""

    def factor(progress: float, warmup: float) -> float:
        if progress < warmup:
            return WARM_FROM + (1 - WARM_FROM) * progress / warmup
        return after(progress, warmup)

    return factor


def rest(progress: float, warmup: float) -> float:
    """Return the share that is done of the steps after the warm-up."""
    return (progress - warmup) / (1 - warmup)
