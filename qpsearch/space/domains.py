"""What a sampler draws a leaf from: a choice, or a range.

Each kind of domain implements how it is drawn, listed, counted, suggested by Optuna and written into a file. Code that
works with domains need not know their kinds.
"""

import math
import random
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from qpsearch.space.schema.value_types import NONE
from qpsearch.vocabulary import Confidence, Scalar, WithWords

if TYPE_CHECKING:  # distributions are made only after Optuna is loaded
    from optuna.distributions import BaseDistribution

PRIOR_SPREAD: Final = 0.1  # sd of a draw near a prior, as a share of its range


class Suggests(Protocol):
    """The part of an Optuna trial that domains use."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return one of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Return a whole number."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number."""


@dataclass(frozen=True, slots=True)
class Prior(WithWords):
    """The expert's best guess of a parameter, and how sure the expert is; ``study.search.priors`` uses it."""

    value: Scalar
    confidence: Confidence = Confidence.MEDIUM

    def __str__(self) -> str:
        return f", prior: {text_of(self.value)}, confidence: {self.confidence}"


class _Domain:
    """The base of all domains."""

    __slots__ = ()

    @property
    def domain(self) -> Self:
        """What is drawn; every kind of leaf has this property."""
        return self


class _Range(_Domain):
    """The base of all ranges; subclasses declare the ends."""

    __slots__ = ()

    @property
    def options(self) -> None:
        """None: a range has too many values to list them for a user."""
        return None

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low, self.high  # type: ignore[attr-defined]  # fields of each range

    @property
    def upper(self) -> float:
        """The largest value."""
        return float(self.bounds[1])

    def member(self, value: Scalar) -> Scalar:
        """Return a value as it is."""
        return value


class _Continuous(_Range):
    """A range with infinitely many values."""

    __slots__ = ()

    @property
    def values(self) -> None:
        """None: the values cannot be listed."""
        return None

    @property
    def size(self) -> float:
        """How many values there are."""
        return math.inf

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.bounds[0] <= value <= self.bounds[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(_Domain):
    """One of a list, unordered: ``{choice: [a, b]}``."""

    options: tuple[Scalar, ...]
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("a choice needs at least one option")
        if len(set(map(text_of, self.options))) != len(self.options):
            raise ValueError(f"a choice lists each option only once, got {self}")
        _check_prior(self)

    @property
    def values(self) -> tuple[Scalar, ...]:
        """All values, in their order."""
        return self.options

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.options)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest value where all are numbers, else None."""
        numbers = [value for value in self.options if isinstance(value, int | float)]
        return (min(numbers), max(numbers)) if len(numbers) == len(self.options) else None

    @property
    def upper(self) -> float:
        """The largest number among the options."""
        return max(float(option) for option in self.options if option is not None)

    def draw(self, generator: random.Random) -> Scalar:
        """Return an option, each as likely as the others."""
        return generator.choice(self.options)

    def near_prior(self, generator: random.Random) -> Scalar:
        """Return the prior: options have no neighbours."""
        assert self.prior is not None
        return self.prior.value

    def member(self, value: Scalar) -> Scalar:
        """Return the option that equals a value: a member of an enum for its word."""
        equal = [option for option in self.options if option == value]
        return next((option for option in equal if type(stored(option)) is type(stored(value))), equal[0])

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let an Optuna trial choose a value."""
        return self.member(trial.suggest_categorical(name, self._stored()))

    def distribution(self) -> "BaseDistribution":
        """Return the domain as Optuna stores it."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self._stored())

    def document(self) -> dict[str, Any]:
        """Return the domain as a space file spells it."""
        return {"choice": [_in_file(option) for option in self.options]} | _prior_document(self.prior)

    def __contains__(self, value: object) -> bool:
        return value in self.options

    def __str__(self) -> str:
        return f"{{choice: [{', '.join(map(text_of, self.options))}]{self.prior or ''}}}"

    def _stored(self) -> tuple[Scalar, ...]:
        return tuple(map(stored, self.options))


@dataclass(frozen=True, slots=True, kw_only=True)
class IntRange(_Range):
    """Whole numbers low, low + step, ..., high: ``{int: [8, 64], step: 8}``."""

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

    @property
    def values(self) -> range:
        """All values, ascending."""
        return range(self.low, self.high + 1, self.step)

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.values)

    def draw(self, generator: random.Random) -> Scalar:
        """Return a value, each as likely as the others."""
        return generator.randrange(self.low, self.high + 1, self.step)

    def near_prior(self, generator: random.Random) -> Scalar:
        """Return the multiple of the step next to a normal draw around the prior, cut off at the ends."""
        drawn = generator.gauss(_prior_number(self.prior), max(PRIOR_SPREAD * (self.high - self.low), self.step))
        return self.low + self.step * round((min(max(drawn, self.low), self.high) - self.low) / self.step)

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let an Optuna trial choose a value."""
        return trial.suggest_int(name, self.low, self.high, step=self.step)

    def distribution(self) -> "BaseDistribution":
        """Return the domain as Optuna stores it."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, step=self.step)

    def document(self) -> dict[str, Any]:
        """Return the domain as a space file spells it."""
        step = {"step": self.step} if self.step != 1 else {}
        return {"int": [self.low, self.high]} | step | _prior_document(self.prior)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def __str__(self) -> str:
        step = f", step: {self.step}" if self.step != 1 else ""
        return f"{{int: [{self.low}, {self.high}]{step}{self.prior or ''}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatRange(_Continuous):
    """Numbers drawn evenly from [low, high]: ``{float: [0.0, 0.5]}``."""

    low: float
    high: float
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"a range needs low < high, both finite, got [{self.low!r}, {self.high!r}]")
        _check_prior(self)

    def at(self, share: float) -> float:
        """Return the value at a share of the range, from 0 (its low end) to 1."""
        return min(max(self.low + (self.high - self.low) * share, self.low), self.high)

    def draw(self, generator: random.Random) -> Scalar:
        """Return a value, evenly."""
        return self.at(generator.random())

    def near_prior(self, generator: random.Random) -> Scalar:
        """Return a normal draw around the prior, cut off at the ends."""
        drawn = generator.gauss(_prior_number(self.prior), PRIOR_SPREAD * (self.high - self.low))
        return min(max(drawn, self.low), self.high)

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let an Optuna trial choose a value."""
        return trial.suggest_float(name, self.low, self.high)

    def distribution(self) -> "BaseDistribution":
        """Return the domain as Optuna stores it."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high)

    def document(self) -> dict[str, Any]:
        """Return the domain as a space file spells it."""
        return {"float": [self.low, self.high]} | _prior_document(self.prior)

    def __str__(self) -> str:
        return f"{{float: [{self.low!r}, {self.high!r}]{self.prior or ''}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRange(_Continuous):
    """Numbers drawn evenly in log scale from [low, high]: ``{log: [1.0e-4, 0.1]}``."""

    low: float
    high: float
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ValueError(f"a log range needs 0 < low < high, got [{self.low!r}, {self.high!r}]")
        _check_prior(self)

    def at(self, share: float) -> float:
        """Return the value at a share of the range in log scale, from 0 (its low end) to 1."""
        value: float = self.low * (self.high / self.low) ** share
        return min(max(value, self.low), self.high)

    def draw(self, generator: random.Random) -> Scalar:
        """Return a value, evenly in log scale."""
        return self.at(generator.random())

    def near_prior(self, generator: random.Random) -> Scalar:
        """Return a normal draw around the prior in log scale, cut off at the ends."""
        spread = PRIOR_SPREAD * math.log(self.high / self.low)
        drawn = generator.gauss(math.log(_prior_number(self.prior)), spread)
        return min(max(math.exp(drawn), self.low), self.high)

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let an Optuna trial choose a value."""
        return trial.suggest_float(name, self.low, self.high, log=True)

    def distribution(self) -> "BaseDistribution":
        """Return the domain as Optuna stores it."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=True)

    def document(self) -> dict[str, Any]:
        """Return the domain as a space file spells it."""
        return {"log": [self.low, self.high]} | _prior_document(self.prior)

    def __str__(self) -> str:
        return f"{{log: [{self.low!r}, {self.high!r}]{self.prior or ''}}}"


Domain = Choice | IntRange | FloatRange | LogRange


def stored(value: Scalar) -> Scalar:
    """Return a value as the study database stores it: a word without its enum."""
    return value.value if isinstance(value, StrEnum) else value


def _check_prior(domain: Domain) -> None:
    if domain.prior is None:
        return
    if not isinstance(domain.prior, Prior):
        raise ValueError(f"prior must be Prior(value), got {domain.prior!r}")
    if domain.prior.value not in domain:
        raise ValueError(f"the prior {text_of(domain.prior.value)} is not in {replace(domain, prior=None)}")


def _prior_number(prior: Prior | None) -> float:
    assert prior is not None
    assert isinstance(prior.value, int | float)
    return prior.value


def _prior_document(prior: Prior | None) -> dict[str, Any]:
    return {} if prior is None else {"prior": _in_file(prior.value), "confidence": prior.confidence.value}


def _in_file(value: Scalar) -> Scalar:
    return NONE if value is None else stored(value)


def text_of(value: object) -> str:
    """Return a value as messages and fingerprints spell it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(text_of, value))}]"
    if value is None:
        return NONE
    return repr(value) if isinstance(value, float) else str(value)
