"""One cycle (arXiv 1708.07120, as torch has it): a rise of its own, and a fall far below where it began."""

import math
from typing import Final

from qpsearch.registry.schedules.base import Schedule

RISE: Final = 0.3  # share of the epochs
START, END = 1 / 25, 1 / 25 / 1e4


def _one_cycle(progress: float, warmup: float) -> float:
    rise = warmup or RISE
    start, end, done = (START, 1.0, progress / rise) if progress < rise else (1.0, END, (progress - rise) / (1 - rise))
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


MEMBERS: Final = (
    Schedule(
        name="one_cycle",
        order=60,
        doc="raises lr from 1/25 over the warm-up, or 3/10 of the epochs without one, and lowers it to 1/250000",
        factor=_one_cycle,
    ),
)
