"""Schedules that drop: PURe's as far as it is known (P18), and the quotient authors' (Q18)."""

from typing import Final

from qpsearch.registry.schedules.base import Schedule, ShareOfPeak, warmed


def _drops(*drops: tuple[float, float]) -> ShareOfPeak:
    """Return a schedule of drops, each a share of all epochs and the factor from there on, the last one first."""
    return warmed(lambda progress, _: next((factor for start, factor in drops if progress >= start), 1.0))


MEMBERS: Final = (
    Schedule(
        name="step",
        order=10,
        doc="divides lr by 10 after 1/2 and after 3/4 of the epochs",
        factor=_drops((3 / 4, 0.01), (1 / 2, 0.1)),
    ),
    Schedule(
        name="step_92_136",
        order=20,
        doc="after 92/182 and after 136/182",
        factor=_drops((136 / 182, 0.01), (92 / 182, 0.1)),
    ),
)
