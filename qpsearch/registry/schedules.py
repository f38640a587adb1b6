"""The learning-rate schedules that a space file may name: pure functions of progress.

A continued run does not need a schedule's state.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WARM_FROM: Final = 0.01  # share of the peak at which a warm-up starts, so that its first steps do something
ONE_CYCLE_RISE: Final = 0.3  # share of the epochs (arXiv 1708.07120, as torch has it)
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 25 / 1e4


class ScheduleKind(StrEnum):
    """Learning-rate schedules of a recipe."""

    STEP = "step"
    STEP_92_136 = "step_92_136"
    COSINE = "cosine"
    CONSTANT = "constant"
    LINEAR = "linear"
    ONE_CYCLE = "one_cycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule.

    Attributes:
        doc: What it does, to complete a list for users.
        factor: Share of the peak learning rate, given the share of all steps that are done, in [0, 1), and the share
            of all steps that warm up.
    """

    doc: str
    factor: Callable[[float, float], float]


def _warmed(after: Callable[[float, float], float]) -> Callable[[float, float], float]:
    """Return a schedule whose learning rate rises evenly to the peak before it begins."""

    def factor(progress: float, warmup: float) -> float:
        if progress < warmup:
            return WARM_FROM + (1 - WARM_FROM) * progress / warmup
        return after(progress, warmup)

    return factor


def _drops(*drops: tuple[float, float]) -> Callable[[float, float], float]:
    """Return a schedule of drops, each a share of all epochs and the factor from there on, the last one first."""
    return _warmed(lambda progress, _: next((factor for start, factor in drops if progress >= start), 1.0))


def _rest(progress: float, warmup: float) -> float:
    """Return the share that is done of the steps after the warm-up."""
    return (progress - warmup) / (1 - warmup)


def _cosine(progress: float, warmup: float) -> float:
    return (1 + math.cos(math.pi * _rest(progress, warmup))) / 2


def _one_cycle(progress: float, warmup: float) -> float:
    rise = warmup or ONE_CYCLE_RISE
    start, end, done = (
        (ONE_CYCLE_START, 1.0, progress / rise)
        if progress < rise
        else (1.0, ONE_CYCLE_END, (progress - rise) / (1 - rise))
    )
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


SCHEDULES: Final[dict[ScheduleKind, Schedule]] = {
    ScheduleKind.STEP: Schedule(
        doc="divides lr by 10 after 1/2 and after 3/4 of the epochs", factor=_drops((3 / 4, 0.01), (1 / 2, 0.1))
    ),
    ScheduleKind.STEP_92_136: Schedule(
        doc="after 92/182 and after 136/182", factor=_drops((136 / 182, 0.01), (92 / 182, 0.1))
    ),
    ScheduleKind.COSINE: Schedule(doc="lowers lr to zero", factor=_warmed(_cosine)),
    ScheduleKind.CONSTANT: Schedule(doc="keeps it", factor=_warmed(lambda progress, warmup: 1.0)),
    ScheduleKind.LINEAR: Schedule(
        doc="lowers lr to zero in a straight line", factor=_warmed(lambda progress, warmup: 1 - _rest(progress, warmup))
    ),
    ScheduleKind.ONE_CYCLE: Schedule(
        doc="raises lr from 1/25 over the warm-up, or 3/10 of the epochs without one, and lowers it to 1/250000",
        factor=_one_cycle,
    ),
}
