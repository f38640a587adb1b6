"""A straight line from the peak to zero."""

from typing import Final

from qpsearch.registry.schedules.base import Schedule, rest, warmed

MEMBERS: Final = (
    Schedule(
        name="linear",
        order=50,
        doc="lowers lr to zero in a straight line",
        factor=warmed(lambda progress, warmup: 1 - rest(progress, warmup)),
    ),
)
