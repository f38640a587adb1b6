"""``search.stop``: ending a study before its budget is spent."""

import math
from collections.abc import Iterable
from datetime import datetime
from functools import partial

from optuna.trial import FrozenTrial, TrialState

from qpsearch.registry.pruners import PrunerKind
from qpsearch.space.search import Search
from qpsearch.study.storage.optuna_tables import first_value


class Stopping:
    """Which rule of ``search.stop`` holds, as far as this driver knows.

    Args:
        search: The rules and the objective.
        ended: The trials that have ended.
        paused: Numbers of the trials that are paused at a rung. For patience a trial counts when it first pauses, and
            only once a trial is complete.
    """

    def __init__(self, search: Search, ended: Iterable[FrozenTrial], paused: Iterable[int] = ()) -> None:
        self._stop, self._objective = search.stop, search.objective
        self._best: tuple[float, int] | None = None
        self._since = self._failures = 0
        self._counted = set(paused)
        self.reason: str | None = None
        for trial in sorted(ended, key=partial(_moment, search)):
            self.ended(trial.number, trial.state.name, first_value(trial))

    def paused(self, number: int) -> None:
        """Count a trial that is paused at a rung."""
        if number not in self._counted:
            self._counted.add(number)
            self._since += self._best is not None
            self._judge()

    def ended(self, number: int, state: str, value: float | None) -> None:
        """Count a trial that has ended."""
        gain = None if value is None else self._objective.sign * value
        self._since += number not in self._counted
        self._counted.add(number)
        self._failures += state == TrialState.FAIL.name
        is_sound = state == TrialState.COMPLETE.name and gain is not None and math.isfinite(gain)
        if gain is not None and is_sound and (self._best is None or gain > self._best[0]):
            self._best, self._since = (gain, number), 0
        self._judge()

    def _judge(self) -> None:
        stop = self._stop
        if self.reason is not None:
            return
        if self._best is not None and stop.target is not None and self._best[0] >= self._objective.sign * stop.target:
            reached = self._objective.sign * self._best[0]
            self.reason = f"search.stop.target: trial {self._best[1]} has reached {reached:g} of {stop.target:g}"
        elif stop.patience is not None and self._since >= stop.patience:
            than = "a complete one" if self._best is None else f"a better one than trial {self._best[1]}"
            self.reason = f"search.stop.patience: {self._since} trials have ended without {than}"
        elif stop.failures is not None and self._failures >= stop.failures:
            self.reason = f"search.stop.failures: {self._failures} trials have failed"


def _moment(search: Search, trial: FrozenTrial) -> tuple[datetime, int]:
    """Return when a trial counted: when it ended, or about when it first paused, since paused ones end together."""
    pauses = search.pruner is PrunerKind.ASHA and trial.state is TrialState.PRUNED
    when = trial.datetime_start if pauses else trial.datetime_complete
    return when or datetime.min, trial.number
