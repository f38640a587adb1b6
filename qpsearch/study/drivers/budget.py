"""How much of its budget a study has spent, over all its drivers and restarts."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, select

from qpsearch.registry.fidelity import Fidelity
from qpsearch.space.search import Budget, SpentBound
from qpsearch.study.storage.tables import attempts, epochs, facts_of, leases, trials

Interval = tuple[float, float]


class Spending:
    """Epochs, wall time and GPU time of a study, as far as this driver knows.

    Args:
        connection: To the database.
        study_id: The study.
        lease_id: This driver's lease.
        fidelity: The levels of the study's runs, whose epochs cost unlike; None where all cost alike.
    """

    def __init__(self, connection: Connection, study_id: int, lease_id: int, fidelity: Fidelity | None = None) -> None:
        self._study_id, self._lease_id, self._fidelity = study_id, lease_id, fidelity
        self.follow(connection)

    def follow(self, connection: Connection) -> None:
        """Read everything again, since other drivers have written."""
        self.budget = read_budget(connection, self._study_id)
        self._recorded = recorded_epochs(connection, self._study_id)
        self._gpu_s = gpu_seconds(connection, self._study_id, but_running_under=self._lease_id)
        held = lease_intervals(connection, self._study_id)
        self._began = held.pop(self._lease_id)[0]
        self._others = list(held.values())

    def add_epoch(self, epoch: int) -> None:
        """Count an epoch that this driver has recorded, by its number in its run."""
        self._recorded[epoch] += 1

    @property
    def _epochs(self) -> float:
        return cost_of(self._recorded, self._fidelity)

    def add_attempt(self, gpu_s: float) -> None:
        """Count an attempt of this driver that has ended."""
        self._gpu_s += gpu_s

    def left(self, *, trials: int) -> Budget:
        """Return what is left of the budget in each of its bounds, not counting what runs; ``trials`` have ended."""
        budget = self.budget
        return Budget(
            trials=max(budget.trials - trials, 0),
            epochs=None if budget.epochs is None else max(math.ceil(budget.epochs - self._epochs), 0),
            seconds=None if budget.seconds is None else max(budget.seconds - covered(self._others), 0.0),
            gpu_seconds=None if budget.gpu_seconds is None else max(budget.gpu_seconds - self._gpu_s, 0.0),
        )

    def over(self, held_s: float, running_gpu_s: float) -> SpentBound | None:
        """Return which bound, other than the number of trials, is reached; None if none of them is reached.

        Args:
            held_s: How long this driver has held its lease.
            running_gpu_s: GPU seconds of the attempts that this driver runs.
        """
        if not self.budget.has_others:  # this is asked at every report
            return None
        own = (self._began, self._began + held_s)
        return self.budget.reached(
            epochs=self._epochs, seconds=covered([*self._others, own]), gpu_seconds=self._gpu_s + running_gpu_s
        )


def read_budget(connection: Connection, study: int) -> Budget:
    """Return a study's budget."""
    return budget_of(facts_of(connection, study))


def budget_of(facts: Row[Any]) -> Budget:
    """Return the budget in a row of the studies' facts."""
    return Budget(trials=facts.asked, epochs=facts.most_epochs, seconds=facts.most_s, gpu_seconds=facts.most_gpu_s)


def recorded_epochs(connection: Connection, study: int) -> Counter[int]:
    """Return how many epochs are recorded over all trials and runs, by their number in their run."""
    query = select(epochs.c.epoch, func.count()).join(trials, trials.c.trial_id == epochs.c.trial_id)
    own = connection.execute(query.where(trials.c.study_id == study).group_by(epochs.c.epoch))
    return Counter({row[0]: row[1] for row in own})


def cost_of(recorded: Mapping[int, int], fidelity: Fidelity | None) -> float:
    """Return what recorded epochs count in a budget: one each, or their cost where runs have levels of fidelity."""
    return sum(recorded.values()) if fidelity is None else fidelity.cost_of(recorded)


def gpu_seconds(connection: Connection, study: int, *, but_running_under: int | None = None) -> float:
    """Return seconds times GPUs of all attempts, of running ones up to their last report.

    Args:
        connection: To the database.
        study: The study's id.
        but_running_under: A lease whose running attempts are left out.
    """
    query = (
        select(func.sum(attempts.c.seconds * func.coalesce(attempts.c.gpus, 0.0)))
        .join(trials, trials.c.trial_id == attempts.c.trial_id)
        .where(trials.c.study_id == study)
    )
    if but_running_under is not None:
        query = query.where((attempts.c.lease_id != but_running_under) | attempts.c.ending.is_not(None))
    return float(connection.execute(query).scalar() or 0.0)


def lease_intervals(connection: Connection, study: int) -> dict[int, Interval]:
    """Return when each lease of a study was held, in Unix seconds."""
    told = [each for each in leases.c if each.name != "steps_json"]  # which earlier schemas do not have
    rows = connection.execute(select(*told).where(leases.c.study_id == study))
    return {row.lease_id: _interval(row) for row in rows}


def covered(intervals: list[Interval]) -> float:
    """Return the length of the union of intervals: drivers that ran side by side spent that time once.

    Where a clock was set back from one driver to the next, both seem to have run side by side: too little is counted.
    """
    total, reached = 0.0, float("-inf")
    for began, ended in sorted(intervals):
        total += max(0.0, ended - max(began, reached))
        reached = max(reached, ended)
    return total


def _interval(row: Row[Any]) -> Interval:
    return (row.began, row.began + row.seconds)
