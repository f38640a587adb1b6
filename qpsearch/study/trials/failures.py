"""Failed trials that get another chance, and failures that look like the machine's and not the trials'."""

from collections.abc import Collection

from optuna.trial import TrialState
from sqlalchemy import Connection, delete, func, select, update

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.second_try import another_recipe, with_half_as_many
from qpsearch.errors import gist
from qpsearch.protocol import Failed
from qpsearch.study.storage.tables import attempts, configs, trials, user_attrs
from qpsearch.study.trials.open_trial import OpenTrial
from qpsearch.vocabulary import Ending, FailReason

MOST_ALIKE = 3
MAY_BE_THE_MACHINES = frozenset({FailReason.ERROR, FailReason.WORKER_LOST, FailReason.OUT_OF_MEMORY})


class Alike:
    """Whether the first trials of a driver all end with one error before their first epoch.

    A driver without a usable device, a data set that cannot be read, or a machine whose memory is full would otherwise
    spend the whole budget. Steps that lack memory are their networks' fault. A trial that had failed before does not
    count: who resumes a study a second time wants its failures.
    """

    def __init__(self) -> None:
        self.trials: list[int] = []
        self.line = self._kind = ""
        self._is_over = False

    def reported(self) -> None:
        """Note an epoch: this machine can train."""
        self._is_over, self.trials = True, []

    def failed(self, trial_id: int, failed: Failed, *, is_first: bool) -> bool:
        """Note a trial's failure; return whether as many as to stop for have failed alike.

        Args:
            trial_id: The trial's id.
            failed: Why it failed.
            is_first: Whether it has no epoch and has not failed before.
        """
        line, may_be = gist(failed.detail), failed.reason in MAY_BE_THE_MACHINES and not failed.in_step
        kind = line if failed.reason is FailReason.ERROR else str(failed.reason)  # the others quote numbers
        if self._is_over or not is_first or not may_be or kind != (self._kind or kind):
            self._is_over = True
            return False
        self.line, self._kind = line, kind
        self.trials.append(trial_id)
        return len(self.trials) == MOST_ALIKE


def tried_again_as(trial: OpenTrial, failed: Failed, *, is_killed: bool) -> TrialConfig | None:
    """Return the recipe with which a trial whose steps lacked memory begins again; None where it has failed for good.

    Epochs of one recipe are not continued with another, and a configuration that was given is not changed.

    Args:
        trial: The trial.
        failed: Why it failed.
        is_killed: Whether its workers were killed. One that was not has itself tried fewer images at once where that is
            the same recipe.
    """
    if not failed.in_step or trial.is_retried or trial.is_given or trial.epochs_done:
        return None
    return with_half_as_many(trial.config) if is_killed else another_recipe(trial.config)


def failed_trials(connection: Connection, study_id: int, reasons: Collection[FailReason]) -> list[int]:
    """Return the ids of a study's failed trials whose last attempt failed for one of these reasons."""
    last = select(attempts.c.trial_id, func.max(attempts.c.number).label("number")).group_by(attempts.c.trial_id)
    ended = last.subquery()
    query = (
        select(trials.c.trial_id)
        .join(ended, ended.c.trial_id == trials.c.trial_id)
        .join(attempts, (attempts.c.trial_id == ended.c.trial_id) & (attempts.c.number == ended.c.number))
        .where(trials.c.study_id == study_id, trials.c.state == TrialState.FAIL, attempts.c.reason.in_(reasons))
    )
    return list(connection.execute(query).scalars())


def has_failed(connection: Connection, trial_id: int) -> bool:
    """Whether an attempt at a trial has failed before."""
    query = select(attempts.c.number).where(attempts.c.trial_id == trial_id, attempts.c.ending == Ending.FAILED)
    return connection.execute(query.limit(1)).first() is not None


def reopen(connection: Connection, ids: Collection[int], revision: int) -> None:
    """Let failed trials be tried again; their attempts stay on record."""
    of_them = trials.c.trial_id.in_(ids)
    connection.execute(
        update(trials)
        .where(of_them, trials.c.state == TrialState.FAIL)
        .values(state=TrialState.RUNNING, datetime_complete=None)
    )
    connection.execute(delete(user_attrs).where(user_attrs.c.trial_id.in_(ids), user_attrs.c.key == "reason"))
    connection.execute(update(configs).where(configs.c.trial_id.in_(ids)).values(revision=revision))
