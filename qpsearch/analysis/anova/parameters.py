"""The searched parameters and the space's own distribution: how likely a draw has each, and what that hangs on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from qpsearch.space.domains.steps import Steps

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DEGREE: Final = 3  # of the polynomials of one number: a slope, an optimum inside, a shoulder
MOST_LEVELS: Final = 24  # a range of more numbers is taken as continuous
MOST_LOG_LEVELS: Final = 4096  # likewise in log scale, where the first few numbers are a large part of the draws
FRESH: Final = 4096  # even draws of the space
_ABSENT: Final = object()


class Rule(Protocol):
    """When a draw has a parameter."""

    @property
    def asks(self) -> Collection[str]:
        """The parameters that decide it."""

    def holds(self, codes: Mapping[str, Floats]) -> Bools:
        """Return which draws have it, given codes of all parameters before it; NaN for one that a draw lacks."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameter:
    """A searched parameter, as the analysis sees it.

    Attributes:
        name: Its name.
        distribution: What it is drawn from.
        chance: The chance that a draw of the space has it; 1 for one that every draw has.
        flips: For each parameter on which this depends, the chance that this one appears or disappears where that
            one alone is drawn anew.
    """

    name: str
    distribution: BaseDistribution
    chance: float = 1.0
    flips: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_category(self) -> bool:
        """Whether its values are words without an order."""
        return isinstance(self.distribution, CategoricalDistribution)

    @cached_property
    def levels(self) -> tuple[Any, ...] | None:
        """Its values in their order; None where there are too many, or infinitely many."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return tuple(choices)
            case IntDistribution(log=True, low=low, high=high) if high - low < MOST_LOG_LEVELS:
                return tuple(range(low, high + 1))
            case IntDistribution(log=False, low=low, high=high, step=step) if (high - low) // step < MOST_LEVELS:
                return tuple(range(low, high + 1, step))
            case FloatDistribution(low=low, high=high, step=float(step)) if (high - low) / step < MOST_LEVELS:
                return tuple(Steps(low, high, step))
        return None

    @cached_property
    def shares(self) -> Floats:
        """How often a draw has each level, relative to their mean: 1 but for whole numbers in log scale."""
        assert self.levels is not None
        if not self._is_log_int:
            return np.ones(len(self.levels))
        widths = np.diff(np.log(np.arange(self.levels[0], self.levels[-1] + 2) - 0.5))
        return np.asarray(widths / widths.mean())

    @property
    def _is_log_int(self) -> bool:
        return isinstance(self.distribution, IntDistribution) and self.distribution.log

    def codes(self, draws: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the code of each draw's value: the index of its level, or its place in [0, 1]; NaN without a value.

        The place is on the scale on which the parameter is drawn: logarithmic for a log range, and for one of whole
        numbers between the logarithms that are rounded to its ends.
        """
        values = [draw.get(self.name, _ABSENT) for draw in draws]
        there = np.array([value is not _ABSENT for value in values], dtype=bool)
        codes = np.full(len(values), np.nan)
        codes[there] = self._codes([value for value in values if value is not _ABSENT])
        return codes

    def _codes(self, values: Sequence[Any]) -> Floats:
        if isinstance(self.distribution, CategoricalDistribution):
            return np.array([self.distribution.to_internal_repr(value) for value in values], dtype=float)
        numbers = np.asarray(values, dtype=float)
        if self.levels is not None:
            steps = np.asarray(self.levels, dtype=float)
            return np.searchsorted((steps[1:] + steps[:-1]) / 2, numbers).astype(float)
        low, high = self._ends
        if self._is_log:
            numbers, low, high = np.log(numbers), np.log(low), np.log(high)
        return np.asarray(np.clip((numbers - low) / (high - low), 0.0, 1.0))

    def value(self, code: float) -> Any:
        """Return the value of a code."""
        if self.levels is not None:
            return self.levels[int(code)]
        low, high = self._ends
        at = low * (high / low) ** code if self._is_log else low + code * (high - low)
        match self.distribution:
            case IntDistribution(low=least, high=most):
                return min(max(round(at), least), most)
            case FloatDistribution(step=float(step)):
                return Steps(low, high, step).nearest(at)
        return at

    @property
    def _is_log(self) -> bool:
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        return self.distribution.log

    @property
    def _ends(self) -> tuple[float, float]:
        """The ends of the continuous range from which a number is drawn."""
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        low, high = self.distribution.low, self.distribution.high
        return (low - 0.5, high + 0.5) if self._is_log_int else (low, high)

    @cached_property
    def table(self) -> Floats | None:
        """One row for each level, columns that are orthonormal over draws of the levels; None without levels."""
        if self.levels is None:
            return None
        count = len(self.levels)
        if self.is_category:
            columns = np.column_stack([np.ones(count), np.eye(count)[:, : count - 1]])
        else:
            places = np.linspace(-1, 1, count)
            if self._is_log_int:
                places = np.interp(np.log(self.levels), np.log([self.levels[0], self.levels[-1]]), [-1, 1])
            columns = np.vander(places, min(count - 1, DEGREE) + 1, increasing=True)
        root = np.sqrt(self.shares)[:, None]
        ortho, upper = np.linalg.qr(columns * root)
        return np.asarray(ortho[:, 1:] / root * np.sign(np.diag(upper))[1:] * np.sqrt(count))

    def columns(self, codes: Floats) -> Floats:
        """Return codes for a tree: a word's levels as 0 or 1, a number as it is; -1 where it is not active."""
        if self.levels is not None and self.is_category:
            return np.asarray(codes[:, None] == np.arange(len(self.levels)), dtype=float)
        return np.where(np.isnan(codes), -1.0, codes)[:, None]

    def drawn(self, rng: np.random.Generator, count: int) -> Floats:
        """Return codes of values drawn as the space draws them."""
        if self.levels is None:
            return rng.random(count)
        if self._is_log_int:
            return rng.choice(len(self.levels), count, p=self.shares / len(self.levels)).astype(float)
        return rng.integers(0, len(self.levels), count).astype(float)

    def at(self, place: float) -> float:
        """Return the code at a place of the range: 0.5 for the middle of the scale on which it is drawn."""
        if self.levels is None:
            return place
        if self._is_log_int:
            return float(np.searchsorted(np.cumsum(self.shares), place * len(self.levels)))
        return float(round(place * (len(self.levels) - 1)))

    def chance_above(self, code: float) -> float:
        """Return the chance that a value lies above a code, where a draw has the parameter."""
        if self.levels is None:
            return 1.0 - code
        return float(self.shares[int(code) + 1 :].sum() / len(self.levels))

    @property
    def weights(self) -> Floats:
        """How much of the parameter's variance each feature is expected to have; sums to 1."""
        count = DEGREE if self.table is None else self.table.shape[1]
        raw = np.ones(count) if self.is_category else 1.0 / np.arange(1, count + 1)
        return np.asarray(raw / raw.sum())

    def features(self, codes: Floats) -> Floats:
        """Return the features (trials, features) of the parameter's codes; NaN stands for "not active"."""
        active = ~np.isnan(codes)
        filled = np.where(active, codes, 0.0)
        rows = _legendre(filled) if self.table is None else self.table[filled.astype(int)]
        return np.asarray(rows * active[:, None] / np.sqrt(self.chance))


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What a space searches.

    Attributes:
        parameters: The parameters with more than one value.
        even: Codes of even draws of the space, by parameter, NaN where a draw does not have it.
    """

    parameters: tuple[Parameter, ...]
    even: Mapping[str, Floats]


def searched_of(distributions: Mapping[str, BaseDistribution], rules: Mapping[str, Rule]) -> Searched:
    """Return what is searched, with the chances that the space gives, by Monte Carlo.

    Args:
        distributions: The distribution of each parameter; one with a single value is left out.
        rules: For each parameter that a draw may lack, when it has it; each asks only for parameters that every draw
            has, or whose rules come before its own.
    """
    every = {name: Parameter(name=name, distribution=each) for name, each in distributions.items() if not each.single()}
    rules = {name: rule for name, rule in rules.items() if name in every}
    rng = np.random.default_rng(0)
    fresh = {each.name: each.drawn(rng, FRESH) for each in every.values()}
    active = _active(fresh, rules)
    flips: dict[str, dict[str, float]] = {name: {} for name in rules}
    for gate in sorted({name for rule in rules.values() for name in rule.asks} & set(every)):
        other = _active(fresh | {gate: every[gate].drawn(rng, FRESH)}, rules)
        for name in rules:
            chance = float((active[name] != other[name]).mean())
            if chance > 0:
                flips[name][gate] = chance
    parameters = [
        replace(each, chance=max(float(active[name].mean()), 1 / FRESH), flips=flips[name]) if name in rules else each
        for name, each in every.items()
    ]
    even = fresh | {name: np.where(active[name], fresh[name], np.nan) for name in rules}
    return Searched(parameters=tuple(parameters), even=even)


def _active(fresh: Mapping[str, Floats], rules: Mapping[str, Rule]) -> dict[str, Bools]:
    """Return which draws have each conditional parameter, given codes of all parameters."""
    found: dict[str, Bools] = {}
    shown = dict(fresh)
    for name, rule in rules.items():
        found[name] = rule.holds(shown)
        shown[name] = np.where(found[name], fresh[name], np.nan)
    return found


def _legendre(at: Floats) -> Floats:
    """Return the Legendre polynomials of degree 1 and more, orthonormal over [0, 1]."""
    basis = np.polynomial.legendre.legvander(2.0 * at - 1.0, DEGREE)[:, 1:]
    return np.asarray(basis * np.sqrt(2.0 * np.arange(1, DEGREE + 1) + 1.0))
