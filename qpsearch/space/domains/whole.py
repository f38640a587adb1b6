"""Ranges of whole numbers: in equal steps, or evenly in log scale."""

import math
import random
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
from qpsearch.space.domains.steps import check_step
from qpsearch.vocabulary import Scalar

if TYPE_CHECKING:  # distributions are made only after Optuna is loaded
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True, slots=True, kw_only=True)
class IntRange(BaseRange):
    """Whole numbers low, low + step, ..., high: ``{int: [8, 64], step: 8}``."""

    low: int
    high: int
    step: int = 1
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range needs low < high, got [{self.low}, {self.high}]")
        check_step(self.low, self.high, self.step)
        check_prior(self)

    @property
    def values(self) -> range:
        """All values, ascending."""
        return range(self.low, self.high + 1, self.step)

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.values)

    def at(self, share: float) -> int:
        """Return the value at a share of the range, from 0 (its low end) to 1; each value has an equal share."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def share_of(self, value: Scalar) -> float:
        """Return the middle of a value's share of the range."""
        return ((number_of(value) - self.low) / self.step + 0.5) / len(self.values)

    def draw(self, generator: random.Random) -> Scalar:
        """Return a value, each as likely as the others."""
        return generator.randrange(self.low, self.high + 1, self.step)

    def near_prior(self, generator: random.Random) -> Scalar:
        """Return the multiple of the step next to a normal draw around the prior, cut off at the ends."""
        drawn = generator.gauss(prior_number(self.prior), max(PRIOR_SPREAD * (self.high - self.low), self.step))
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
        return {"int": [self.low, self.high]} | step | prior_document(self.prior)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def __str__(self) -> str:
        step = f", step: {self.step}" if self.step != 1 else ""
        return f"{{int: [{self.low}, {self.high}]{step}{self.prior or ''}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIntRange(BaseRange):
    """Whole numbers drawn evenly in log scale from [low, high]: ``{log_int: [8, 512]}``.

    A number n has the share of the logarithm between n - 1/2 and n + 1/2, so that every number can be drawn, and the
    ends as often as their neighbours. Optuna's samplers draw in the same way.
    """

    low: int
    high: int
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.low < self.high:
            raise ValueError(f"a log range of whole numbers needs 1 <= low < high, got [{self.low}, {self.high}]")
        check_prior(self)

    @property
    def values(self) -> range:
        """All values, ascending."""
        return range(self.low, self.high + 1)

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.values)

    @property
    def edges(self) -> tuple[float, float]:
        """The logarithms between which values are drawn."""
        return math.log(self.low - 0.5), math.log(self.high + 0.5)

    def at(self, share: float) -> int:
        """Return the value at a share of the range in log scale, from 0 (its low end) to 1."""
        low, high = self.edges
        return self._nearest(low + (high - low) * share)

    def shares(self, value: float) -> tuple[float, float]:
        """Return between which shares of the range a value lies; ``at`` gives it in between."""
        low, high = self.edges
        return (math.log(value - 0.5) - low) / (high - low), (math.log(value + 0.5) - low) / (high - low)

    def share_of(self, value: Scalar) -> float:
        """Return the middle of a value's share of the range."""
        return sum(self.shares(number_of(value))) / 2

    def draw(self, generator: random.Random) -> Scalar:
        """Return a value, evenly in log scale."""
        return self.at(generator.random())

    def near_prior(self, generator: random.Random) -> Scalar:
        """Return the whole number next to a normal draw around the prior in log scale, cut off at the ends."""
        prior = prior_number(self.prior)
        low, high = self.edges
        spread = max(PRIOR_SPREAD * (high - low), math.log1p(1 / prior))  # at least the distance to the next number
        return self._nearest(generator.gauss(math.log(prior), spread))

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let an Optuna trial choose a value."""
        return trial.suggest_int(name, self.low, self.high, log=True)

    def distribution(self) -> "BaseDistribution":
        """Return the domain as Optuna stores it."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, log=True)

    def document(self) -> dict[str, Any]:
        """Return the domain as a space file spells it."""
        return {"log_int": [self.low, self.high]} | prior_document(self.prior)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{{log_int: [{self.low}, {self.high}]{self.prior or ''}}}"

    def _nearest(self, logarithm: float) -> int:
        low, high = self.edges
        return min(max(round(math.exp(min(max(logarithm, low), high))), self.low), self.high)
