"""Measured latency; ``training.latency`` times it."""

from typing import Final

from qpsearch.registry.metrics.base import MetricKind, ValuesFrom
from qpsearch.vocabulary import Direction

MEMBERS: Final = (
    MetricKind(
        name="latency_ms",
        doc="Milliseconds that the network takes for one image, on the device that trains it: the median of up to 50 "
        "forward passes, timed once a run after its first epoch. Other work on the machine makes it larger.",
        direction=Direction.MINIMIZE,
        source=ValuesFrom.CLOCK,
        unit="ms",
    ),
)
