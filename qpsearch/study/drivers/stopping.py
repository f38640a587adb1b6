"""``search.stop``: ending a study before its budget is spent."""

import math
from collections.abc import Collection, Mapping

from optuna.trial import FrozenTrial, TrialState

from qpsearch.errors import counted
from qpsearch.space.search import Search
from qpsearch.study.storage.optuna_tables import first_value


class Stopping:
    """Which rule of ``search.stop`` holds, as far as this driver knows.

    For patience a trial counts when it first pauses, or else when it ends. One that pauses before any trial is complete
    never counts. A failed trial that is tried again counts as one that has not ended.

    Args:
        search: The rules and the objective.
    """

    def __init__(self, search: Search) -> None:
        self._stop, self._objective = search.stop, search.objective
        self._best: tuple[float, int] | None = None
        self._counted: set[int] = set()
        self._paused: set[int] = set()  # of these, those that were counted when they paused
        self._since: set[int] = set()
        self._failed: set[int] = set()
        self._over: str | None = None

    @property
    def reason(self) -> str | None:
        """Which rule holds, in words; None if none holds. Target and patience, once they hold, hold for good."""
        most = self._stop.failures
        if self._over is None and most is not None and len(self._failed) >= most:
            return f"search.stop.failures: {counted(len(self._failed), 'failed trial')}"
        return self._over

    def follow(self, trials: Collection[FrozenTrial], paused: Mapping[int, float]) -> None:
        """Count what the database says, in the order in which it happened; what was counted before stays as it is.

        Args:
            trials: Trials that have changed, as they stand: those that have ended are counted, and a failure that is or
                was tried again no longer is.
            paused: When trials first paused, in Unix seconds, by number.
        """
        again = self._failed.intersection(trial.number for trial in trials)
        self._failed -= again
        anew = again - self._paused
        self._counted -= anew
        self._since -= anew
        ended = {trial.number: trial for trial in trials if trial.state.is_finished()}
        moments = [(when, number, False) for number, when in paused.items()]
        moments += [(_ended_at(trial), number, True) for number, trial in ended.items()]
        for _, number, is_end in sorted(moments):
            if is_end:
                self.ended(number, ended[number].state.name, first_value(ended[number]))
            else:
                self.paused(number)

    def paused(self, number: int) -> None:
        """Count a trial that is paused at a rung."""
        if number not in self._counted:
            self._counted.add(number)
            self._paused.add(number)
            if self._best is not None:
                self._since.add(number)
            self._judge()

    def ended(self, number: int, state: str, value: float | None) -> None:
        """Count a trial that has ended."""
        gain = None if value is None else self._objective.sign * value
        if number not in self._counted:
            self._counted.add(number)
            self._since.add(number)
        if state == TrialState.FAIL.name:
            self._failed.add(number)
        is_sound = state == TrialState.COMPLETE.name and gain is not None and math.isfinite(gain)
        if gain is not None and is_sound and (self._best is None or gain > self._best[0]):
            self._best = (gain, number)
            self._since.clear()
        self._judge()

    def _judge(self) -> None:
        stop = self._stop
        if self._over is not None:
            return
        if self._best is not None and stop.target is not None and self._best[0] >= self._objective.sign * stop.target:
            reached = self._objective.sign * self._best[0]
            self._over = f"search.stop.target: trial {self._best[1]} has reached {reached:g} of {stop.target:g}"
        elif stop.patience is not None and len(self._since) >= stop.patience:
            than = "a complete one" if self._best is None else f"a better one than trial {self._best[1]}"
            self._over = f"search.stop.patience: {counted(len(self._since), 'trial')} ended without {than}"


def _ended_at(trial: FrozenTrial) -> float:
    """Return when a trial ended, in Unix seconds; first of all where another tool did not say."""
    return trial.datetime_complete.timestamp() if trial.datetime_complete else 0.0
