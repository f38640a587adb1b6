"""Curves of numbers, drawn with characters."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

BARS: Final = " ▁▂▃▄▅▆▇█"
FULL: Final = len(BARS) - 1


def chart(values: Sequence[float], width: int, height: int) -> list[str]:
    """Return the lines of a chart, the highest first: a column for each value, or for the mean of some neighbours.

    The scale goes from the smallest value, whose column is the lowest bar, to the largest; a value that is not finite
    leaves its column empty.

    Args:
        values: The values, in order.
        width: Columns at most.
        height: Lines.
    """
    columns = _columns(values, width)
    finite = [value for value in columns if math.isfinite(value)]
    if not finite or height < 1:
        return [""] * max(height, 0)
    low, span = min(finite), max(finite) - min(finite)
    most = FULL * height
    heights = [
        0 if not math.isfinite(value) else 1 + round((most - 1) * ((value - low) / span if span else 0.5))
        for value in columns
    ]
    return [
        "".join(BARS[min(max(own - FULL * line, 0), FULL)] for own in heights).rstrip()
        for line in range(height - 1, -1, -1)
    ]


def _columns(values: Sequence[float], width: int) -> list[float]:
    """Return at most ``width`` values, each the mean of neighbours."""
    count, columns = len(values), min(len(values), max(width, 1))
    bounds = [count * index // columns for index in range(columns + 1)] if columns else []
    parts = [values[first:last] for first, last in pairwise(bounds)]
    return [math.fsum(part) / len(part) if all(map(math.isfinite, part)) else math.nan for part in parts]
