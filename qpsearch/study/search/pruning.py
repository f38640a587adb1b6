"""What a pruner decides about a trial, for every kind of pruner.

Trials are judged within strata of block kinds, so that a slow starter competes only with other slow starters.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from optuna.trial import FrozenTrial, TrialState

from qpsearch.architecture.blocks import slowest
from qpsearch.architecture.config import TrialConfig
from qpsearch.space.search import Search
from qpsearch.study.trials.open_trial import costs_of


class Verdict(Enum):
    """What becomes of a trial after a report."""

    CONTINUE = auto()
    PAUSE = auto()
    PRUNE = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and what the pruner wrote about the trial.

    Attributes:
        verdict: The verdict.
        attrs: Attributes of the trial that belong in the database: the pruner compares other trials with them.
    """

    verdict: Verdict
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def followed_by(self, other: "Judgement") -> "Judgement":
        """Return both judgements in one; the second verdict counts where the first is to continue."""
        verdict = other.verdict if self.verdict is Verdict.CONTINUE else self.verdict
        return Judgement(verdict, {**self.attrs, **other.attrs})


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a pruner knows of a trial before it trains.

    Attributes:
        stratum: Its slowest kind of block; it is compared with its like alone.
        costs: Its value of each objective that is a cost, smaller is better.
        further: How many objectives are metrics of training, beyond the first.
        is_guess: Whether it is the expert's guess, which rungs do not end.
    """

    stratum: str
    costs: tuple[float, ...] = ()
    further: int = 0
    is_guess: bool = False


def traits_of(config: TrialConfig, search: Search) -> Traits:
    """Return what a pruner knows of a configuration."""
    signs = [-each.sign for each in search.objectives if each.metric.is_cost]
    costs = tuple(sign * cost for sign, cost in zip(signs, costs_of(config, search), strict=True))
    return Traits(stratum=slowest(config.network), costs=costs, further=len(search.further))


class Pruning(Protocol):
    """The trials of a study as its pruner sees them, by number."""

    def follow(self, number: int, traits: Traits, trial: FrozenTrial) -> None:
        """Bring a trial up to the state that it has in the database; a failed one may be open again."""

    def report(self, number: int, epoch: int, value: float, further: tuple[float, ...] = ()) -> Judgement:
        """Take a value in, with the losses of further metrics, and judge the trial."""

    def run_ended(self, number: int, replicate: int, score: float) -> Judgement:
        """Take the score of a run in that has all its epochs, and judge the trial."""

    def close(self, number: int, state: TrialState, value: float | None) -> None:
        """End a trial."""

    def promotable(self, paused: Collection[int], *, is_last: bool) -> int | None:
        """Return the paused trial that should continue next; None where none should.

        Args:
            paused: Numbers of the trials that are paused.
            is_last: Whether no trial runs, and no new one will come.
        """

    def least_promising(self, paused: Collection[int]) -> int | None:
        """Return the paused trial that should be pruned where too many are paused; None where there is room."""

    def last_rung(self, epoch: int) -> int:
        """Return the last rung up to an epoch; 0 for none."""
