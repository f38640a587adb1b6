"""Ranges in equal steps, in decimal arithmetic: a number is what its text says, so that three steps of 0.1 are 0.3."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, overload

FINEST: Final = (
    10**6
)  # steps up to the larger end; with 10**8, floats would be too coarse for Optuna's check (1e-8 steps)
NEAR: Final = 1e-8  # steps; Optuna's own values of a step are that near


@dataclass(frozen=True, slots=True)
class Steps(Sequence[float]):
    """The numbers low, low + step, ..., high, each the float nearest to the decimal."""

    low: float
    high: float
    step: float

    def __len__(self) -> int:
        return _parts(self.low, self.high, self.step)[3]

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> list[float]: ...
    def __getitem__(self, index: int | slice) -> float | list[float]:
        places = range(len(self))[index]
        return self._at(places) if isinstance(places, int) else [self._at(place) for place in places]

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float) or not self.low - self.step < value < self.high + self.step:
            return False
        return abs(value - self.nearest(value)) < NEAR * self.step

    def nearest(self, value: float) -> float:
        """Return the step that is nearest to a number."""
        return self._at(min(max(round((value - self.low) / self.step), 0), len(self) - 1))

    def _at(self, index: int) -> float:
        first, size, whole, _ = _parts(self.low, self.high, self.step)
        return (first + index * size) / whole  # of two whole numbers Python gives the nearest float


def check_step(low: float, high: float, step: float) -> None:
    """Check that a whole number of steps leads from one end of a range to the other.

    Raises:
        ValueError: It does not, with the nearest fix.
    """
    if not 0 < step < math.inf:
        raise ValueError(f"step must be above 0, got {step!r}")
    number, span, size = type(low), _exact(high) - _exact(low), _exact(step)
    if size > span:
        raise ValueError(
            f"step {step!r} is larger than the range from {low!r} to {high!r}; use at most {number(span)!r}"
        )
    if span % size:
        end = number(_exact(low) + span // size * size)
        raise ValueError(f"step {step!r} does not lead from {low!r} to {high!r}; the nearest end is {end!r}")
    largest = max(abs(low), abs(high))
    if number is float and largest > FINEST * step:
        raise ValueError(f"step {step!r} is less than a millionth of {largest!r}; leave it out to draw any number")


@lru_cache(maxsize=256)
def _parts(low: float, high: float, step: float) -> tuple[int, int, int, int]:
    """Return low and step as whole numbers of one part, how many parts are 1, and how many numbers there are."""
    first, last, size = _exact(low), _exact(high), _exact(step)
    whole = math.lcm(first.denominator, size.denominator)
    return int(first * whole), int(size * whole), whole, int((last - first) / size) + 1


def _exact(number: float) -> Fraction:
    return Fraction(repr(number))
