"""What a leaf of a space may be: a constant, or a domain that a sampler draws from.

Also the few node types that hold leaves together. A ``Space`` is made of these alone: after reading a
file there are no dicts, no defaults to look up and no unknown keys.
"""

import math
from dataclasses import dataclass

from qpsearch.records import Scalar


@dataclass(frozen=True, slots=True)
class Constant:
    """A leaf that is not searched. ``value`` may be a tuple of scalars (a list in the file)."""

    value: Scalar | tuple[Scalar, ...]

    def __str__(self) -> str:
        return _text(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a list, unordered: ``{choice: [a, b]}``."""

    options: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("a choice needs at least one option")
        if len(set(map(_text, self.options))) != len(self.options):
            raise ValueError(f"a choice names each option once, got {self}")

    def __contains__(self, value: object) -> bool:
        return value in self.options

    def __str__(self) -> str:
        return f"{{choice: [{', '.join(map(_text, self.options))}]}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntRange:
    """Whole numbers low, low + step, ..., high: ``{int: [8, 64], step: 8}``."""

    low: int
    high: int
    step: int = 1

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range needs low < high, got [{self.low}, {self.high}]")
        if self.step < 1 or (self.high - self.low) % self.step:
            raise ValueError(
                f"step {self.step} does not lead from {self.low} to {self.high}; "
                f"the nearest end is {self.low + (self.high - self.low) // max(self.step, 1) * max(self.step, 1)}"
            )

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def __str__(self) -> str:
        step = f", step: {self.step}" if self.step != 1 else ""
        return f"{{int: [{self.low}, {self.high}]{step}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatRange:
    """Numbers drawn evenly from [low, high]: ``{float: [0.0, 0.5]}``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"a range needs low < high, both finite, got [{self.low!r}, {self.high!r}]")

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{{float: [{self.low!r}, {self.high!r}]}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRange:
    """Numbers drawn evenly in log scale from [low, high]: ``{log: [1.0e-4, 0.1]}``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ValueError(f"a log range needs 0 < low < high, got [{self.low!r}, {self.high!r}]")

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{{log: [{self.low!r}, {self.high!r}]}}"


Domain = Choice | IntRange | FloatRange | LogRange
Leaf = Constant | Domain


@dataclass(frozen=True, slots=True)
class Group:
    """Named children, in schema order."""

    children: tuple[tuple[str, "Tree"], ...]

    def get(self, name: str) -> "Tree | None":
        """Return a child, None where there is none of that name."""
        return next((child for key, child in self.children if key == name), None)


@dataclass(frozen=True, slots=True)
class Items:
    """Numbered children: the stages."""

    children: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A choice that carries what belongs to each branch; only the taken branch is drawn."""

    pick: Constant | Choice
    branches: tuple[tuple[str, Group], ...]


Tree = Leaf | Group | Items | Variant


def upper_bound(leaf: Leaf) -> float:
    """Return the largest value that a numeric leaf can take."""
    match leaf:
        case Constant(value):
            return float(value)  # type: ignore[arg-type]  # the caller asks for numeric leaves only
        case Choice(options=options):
            return max(float(option) for option in options if option is not None)
        case _:
            return float(leaf.high)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    if value is None:
        return "none"
    return repr(value) if isinstance(value, float) else str(value)
