"""Half a period of a cosine (arXiv 1608.03983, without restarts)."""

import math
from typing import Final

from qpsearch.registry.schedules.base import Schedule, rest, warmed


def _cosine(progress: float, warmup: float) -> float:
    return (1 + math.cos(math.pi * rest(progress, warmup))) / 2


MEMBERS: Final = (Schedule(name="cosine", order=30, doc="lowers lr to zero", factor=warmed(_cosine)),)
