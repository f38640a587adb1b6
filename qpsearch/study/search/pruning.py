"""What a pruner decides about a trial, for every kind of pruner.

Trials are judged within strata of block kinds, so that a slow starter competes only with other slow starters.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from optuna.trial import FrozenTrial, TrialState


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


class Pruning(Protocol):
    """The trials of a study as its pruner sees them, by number."""

    def follow(self, number: int, stratum: str, trial: FrozenTrial) -> None:
        """Bring a trial up to the state that it has in the database; a failed one may be open again."""

    def report(self, number: int, epoch: int, value: float) -> Judgement:
        """Take a value in and judge the trial."""

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
