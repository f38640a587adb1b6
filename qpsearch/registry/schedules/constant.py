"""The peak learning rate throughout."""

from typing import Final

from qpsearch.registry.schedules.base import Schedule, warmed

MEMBERS: Final = (Schedule(name="constant", order=40, doc="keeps it", factor=warmed(lambda progress, warmup: 1.0)),)
