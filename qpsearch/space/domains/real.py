"""Ranges of numbers: evenly, in equal steps, or evenly in log scale."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qpsearch.space.domains.base import (
    PRIOR_SPREAD,
    BaseRange,
    Prior,
    Suggests,
    check_prior,
    number_of,
    prior_document,
    prior_number,
)
from qpsearch.space.domains.steps import Steps, check_step
from qpsearch.vocabulary import Scalar

if TYPE_CHECKING:  # distributions are made only after Optuna is loaded
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatRange(BaseRange):
    """Numbers drawn evenly from [low, high], or from low, low + step, ..., high: ``{float: [0.0, 1.0], step: 0.1}``."""

    low: float
    high: float
    step: float | None = None
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"a range needs low < high, both finite, got [{self.low!r}, {self.high!r}]")
        if self.step is not None:
            check_step(float(self.low), float(self.high), float(self.step))
        check_prior(self)

    @property
    def values(self) -> Sequence[float] | None:
        """All values, ascending; None without a step, since they cannot be listed."""
        return None if self.step is None else Steps(self.low, self.high, self.step)

    @property
    def size(self) -> float:
        """How many values there are."""
        return math.inf if self.values is None else len(self.values)

    def member(self, value: Scalar) -> Scalar:
        """Return the step that a value stands for: 0.3 for Optuna's 0.30000000000000004."""
        if self.step is None or not isinstance(value, int | float):
            return value
        return Steps(self.low, self.high, self.step).nearest(value)

    def at(self, share: float) -> float:
        """Return the value at a share of the range, from 0 (its low end) to 1; each step has an equal share."""
        if self.values is not None:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        return min(max(self.low + (self.high - self.low) * share, self.low), self.high)

    def share_of(self, value: Scalar) -> float:
        """Return the share of the range at which a value lies; of a step, the middle of its share."""
        number = number_of(value)
        if self.values is not None and self.step is not None:
            return (round((number - self.low) / self.step) + 0.5) / len(self.values)
        return (number - self.low) / (self.high - self.low)

    def draw(self, generator: random.Random) -> Scalar:
        """Return a value, evenly."""
        return self.at(generator.random()) if self.values is None else generator.choice(self.values)

    def near_prior(self, generator: random.Random) -> Scalar:
        """Return a normal draw around the prior, cut off at the ends; the step next to it."""
        spread = max(PRIOR_SPREAD * (self.high - self.low), self.step or 0)
        drawn = generator.gauss(prior_number(self.prior), spread)
        return self.member(min(max(drawn, self.low), self.high))

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let an Optuna trial choose a value."""
        return self.member(trial.suggest_float(name, self.low, self.high, step=self.step))

    def distribution(self) -> "BaseDistribution":
        """Return the domain as Optuna stores it."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, step=self.step)

    def document(self) -> dict[str, Any]:
        """Return the domain as a space file spells it."""
        step = {} if self.step is None else {"step": self.step}
        return {"float": [self.low, self.high]} | step | prior_document(self.prior)

    def __contains__(self, value: object) -> bool:
        if self.values is not None:
            return value in self.values
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        step = "" if self.step is None else f", step: {self.step!r}"
        return f"{{float: [{self.low!r}, {self.high!r}]{step}{self.prior or ''}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRange(BaseRange):
    """Numbers drawn evenly in log scale from [low, high]: ``{log: [1.0e-4, 0.1]}``."""

    low: float
    high: float
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ValueError(f"a log range needs 0 < low < high, got [{self.low!r}, {self.high!r}]")
        check_prior(self)

    @property
    def values(self) -> None:
        """None: the values cannot be listed."""
        return None

    @property
    def size(self) -> float:
        """How many values there are."""
        return math.inf

    def at(self, share: float) -> float:
        """Return the value at a share of the range in log scale, from 0 (its low end) to 1."""
        value: float = self.low * (self.high / self.low) ** share
        return min(max(value, self.low), self.high)

    def share_of(self, value: Scalar) -> float:
        """Return the share of the range, in log scale, at which a value lies."""
        return math.log(number_of(value) / self.low) / math.log(self.high / self.low)

    def draw(self, generator: random.Random) -> Scalar:
        """Return a value, evenly in log scale."""
        return self.at(generator.random())

    def near_prior(self, generator: random.Random) -> Scalar:
        """Return a normal draw around the prior in log scale, cut off at the ends."""
        spread = PRIOR_SPREAD * math.log(self.high / self.low)
        drawn = generator.gauss(math.log(prior_number(self.prior)), spread)
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
        return {"log": [self.low, self.high]} | prior_document(self.prior)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{{log: [{self.low!r}, {self.high!r}]{self.prior or ''}}}"
