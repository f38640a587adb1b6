"""What a leaf of a space may be: a constant, or a domain that a sampler draws from.

Also the few node types that hold leaves together. A ``Space`` is made of these alone: after reading a
file there are no dicts, no defaults to look up and no unknown keys.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from qpsearch.space.expressions.nodes import Expression, unparse
from qpsearch.space.schema.value_types import ValueType
from qpsearch.vocabulary import Confidence, Scalar


@dataclass(frozen=True, slots=True)
class Prior:
    """The expert's best guess of a parameter, and how sure the expert is; see ``study.priors`` for its use."""

    value: Scalar
    confidence: Confidence = Confidence.MEDIUM

    def __post_init__(self) -> None:
        object.__setattr__(self, "confidence", Confidence(self.confidence))

    def __str__(self) -> str:
        return f", prior: {_text(self.value)}, confidence: {self.confidence}"


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
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("a choice needs at least one option")
        if len(set(map(_text, self.options))) != len(self.options):
            raise ValueError(f"a choice names each option once, got {self}")
        _check_prior(self)

    def __contains__(self, value: object) -> bool:
        return value in self.options

    def __str__(self) -> str:
        return f"{{choice: [{', '.join(map(_text, self.options))}]{self.prior or ''}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntRange:
    """Integer numbers low, low + step, ..., high: ``{int: [8, 64], step: 8}``."""

    low: int
    high: int
    step: int = 1
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range needs low < high, got [{self.low}, {self.high}]")
        if self.step < 1 or (self.high - self.low) % self.step:
            raise ValueError(
                f"step {self.step} does not lead from {self.low} to {self.high}; "
                f"the nearest end is {self.low + (self.high - self.low) // max(self.step, 1) * max(self.step, 1)}"
            )
        _check_prior(self)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def __str__(self) -> str:
        step = f", step: {self.step}" if self.step != 1 else ""
        return f"{{int: [{self.low}, {self.high}]{step}{self.prior or ''}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatRange:
    """Numbers drawn evenly from [low, high]: ``{float: [0.0, 0.5]}``."""

    low: float
    high: float
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"a range needs low < high, both finite, got [{self.low!r}, {self.high!r}]")
        _check_prior(self)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{{float: [{self.low!r}, {self.high!r}]{self.prior or ''}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRange:
    """Numbers drawn evenly in log scale from [low, high]: ``{log: [1.0e-4, 0.1]}``."""

    low: float
    high: float
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ValueError(f"a log range needs 0 < low < high, got [{self.low!r}, {self.high!r}]")
        _check_prior(self)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{{log: [{self.low!r}, {self.high!r}]{self.prior or ''}}}"


Domain = Choice | IntRange | FloatRange | LogRange


@dataclass(frozen=True, slots=True)
class Tied:
    """A leaf that shares one parameter with all others of the same ``name``: ``{int: [1, 9], tie: depth}``."""

    name: str
    domain: Domain

    def __str__(self) -> str:
        return f"{str(self.domain)[:-1]}, tie: {self.name}}}"


@dataclass(frozen=True, slots=True)
class Derived:
    """A constant computed from other leaves: ``"2 * network.stem.width"``; ``type`` says what may come out."""

    expression: Expression
    type: ValueType

    def checked(self, value: Scalar) -> Scalar:
        """Return a result as its leaf takes it.

        Raises:
            ValueError: The leaf may not have that value.
        """
        try:
            return self.type.parse(value, "")
        except ValueError as error:
            is_fraction = isinstance(value, float) and not value.is_integer()
            hint = " round(...) or // makes it whole." if is_fraction and "whole" in self.type.expected else ""
            raise ValueError(f"{error}{hint}") from None

    def __str__(self) -> str:
        return f"= {unparse(self.expression)}"


Leaf = Constant | Domain | Tied | Derived


@dataclass(frozen=True, slots=True)
class Group:
    """Named children, in schema order."""

    children: tuple[tuple[str, "Tree"], ...]

    def get(self, name: str) -> "Tree | None":
        """Return a child, None where there is none of that name."""
        return next((child for key, child in self.children if key == name), None)

    def with_child(self, name: str, tree: "Tree") -> "Group":
        """Return the group with another child of a name that it has."""
        return Group(tuple((key, tree if key == name else child) for key, child in self.children))


@dataclass(frozen=True, slots=True)
class Items:
    """Numbered children: the stages; one of them may itself be a choice of a stage or of lists of stages."""

    children: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A choice that carries what belongs to each branch; only the taken branch is drawn."""

    pick: Constant | Choice | Tied
    branches: tuple[tuple[str, "Tree"], ...]

    def branch(self, name: str) -> "Tree":
        """Return what belongs to a branch."""
        return next(tree for word, tree in self.branches if word == name)


Tree = Leaf | Group | Items | Variant


def domain_of(leaf: Leaf) -> Domain | None:
    """Return what a sampler draws the leaf from; None where nothing is drawn."""
    match leaf:
        case Constant() | Derived():
            return None
        case Tied(domain=domain):
            return domain
        case domain:
            return domain


def possible_values(leaf: Leaf) -> list[object] | None:
    """Return the values that a leaf can take where they can be listed, else None."""
    if isinstance(leaf, Constant):
        return [leaf.value]
    domain = domain_of(leaf)
    return list(domain.options) if isinstance(domain, Choice) else None


def upper_bound(leaf: Leaf) -> float:
    """Return the largest value that a numeric leaf can take, from a constant or a domain."""
    match leaf:
        case Constant(value):
            return float(value)  # type: ignore[arg-type]  # the caller asks for numeric leaves only
        case Derived(type=type_):
            return float(getattr(type_, "high", math.inf))
        case Tied(domain=domain):
            return upper_bound(domain)
        case Choice(options=options):
            return max(float(option) for option in options if option is not None)
        case _:
            return float(leaf.high)


def leaves(path: str, tree: Tree) -> Iterator[tuple[str, Leaf]]:
    """Yield every leaf of a tree with its path, in drawing order; a choice of branches comes before them."""
    match tree:
        case Group(children):
            for name, child in children:
                yield from leaves(f"{path}.{name}", child)
        case Items(items):
            for index, child in enumerate(items):
                yield from leaves(f"{path}.{index}", child)
        case Variant(pick, branches):
            yield path, pick
            for name, branch in branches:
                yield from leaves(f"{path}.{name}", branch)
        case leaf:
            yield path, leaf


def _check_prior(domain: Domain) -> None:
    if domain.prior is None:
        return
    if not isinstance(domain.prior, Prior):
        raise ValueError(f"a prior is Prior(value), got {domain.prior!r}")
    if domain.prior.value not in domain:
        raise ValueError(f"the prior {_text(domain.prior.value)} is not in {replace(domain, prior=None)}")


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    if value is None:
        return "none"
    return repr(value) if isinstance(value, float) else str(value)
