"""The other drivers of a study, as far as this driver knows: their trials, and which of them are gone."""

from collections.abc import Callable, Collection

from sqlalchemy import Connection, select, update

from qpsearch.architecture.config import TrialConfig
from qpsearch.space.search import Search
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.lease import Lease
from qpsearch.study.drivers.stopping import Stopping
from qpsearch.study.search.pruning import traits_of
from qpsearch.study.search.replica import Replica
from qpsearch.study.storage.optuna_tables import delete_empty_study, first_value, read_trials
from qpsearch.study.storage.tables import attempts, configs, trials
from qpsearch.study.trials.events import Elsewhere, Event
from qpsearch.study.trials.open_trial import OpenTrial
from qpsearch.study.trials.rows import first_pauses, read_infeasible, read_open_trial
from qpsearch.vocabulary import Ending


class Peers:
    """Open trials of a study that this driver does not run.

    Attributes:
        open: By number: trials that other drivers run, trials that wait for any driver to take them, and paused ones.
    """

    def __init__(
        self,
        study_id: int,
        replica: Replica,
        search: Search,
        stopping: Stopping,
        found: Collection[OpenTrial],
        tell: Callable[[Event], None],
    ) -> None:
        self._study_id, self._replica, self._search = study_id, replica, search
        self._stopping, self._tell = stopping, tell
        self.open: dict[int, OpenTrial] = {trial.number: trial for trial in found}

    @property
    def waiting(self) -> list[int]:
        """Numbers of the trials that wait for a driver."""
        return sorted(n for n, trial in self.open.items() if trial.holder is None and not trial.is_paused)

    @property
    def paused(self) -> set[int]:
        """Numbers of the trials that are paused at a rung."""
        return {number for number, trial in self.open.items() if trial.is_paused}

    @property
    def holders(self) -> set[int]:
        """Leases under which other drivers run trials."""
        return {trial.holder for trial in self.open.values() if trial.holder is not None}

    def follow(self, connection: Connection, since: int, own: Collection[int]) -> None:
        """Read everything that was written after a revision; it stays true even if this transaction is rolled back.

        Args:
            connection: In a transaction that holds the study's row, or in one that only reads.
            since: The revision up to which everything is known.
            own: Numbers of the trials that this driver runs, which only this driver changes.
        """
        query = (
            select(configs.c.trial_id, configs.c.config_json)
            .join(trials, trials.c.trial_id == configs.c.trial_id)
            .where(trials.c.study_id == self._study_id, configs.c.revision > since)
        )
        changed = {row.trial_id: TrialConfig.from_json(row.config_json) for row in connection.execute(query)}
        rejected = read_infeasible(connection, self._study_id, since)
        paused = first_pauses(connection, self._study_id, since)
        found = [
            trial
            for trial in (read_trials(connection, self._study_id, only=changed) if changed else [])
            if trial.number not in own
        ]
        still_open = {
            trial.number: read_open_trial(
                connection, trial._trial_id, trial.number, changed[trial._trial_id], self._search
            )
            for trial in found
            if not trial.state.is_finished()
        }
        # Everything is read: from here on no step can fail half-way, and following twice does not change anything.
        for trial in found:
            if not self._replica.knows(trial.number):
                for drawn in rejected.get(trial.number, []):
                    self._replica.follow_infeasible(drawn)
            known_as = self._replica.ended_as(trial.number)
            self._replica.follow(trial, traits_of(changed[trial._trial_id], self._search))
            if trial.state.is_finished():
                self.open.pop(trial.number, None)
                if known_as is not trial.state:
                    self._tell(Elsewhere(number=trial.number, state=trial.state.name, value=first_value(trial)))
        self.open |= still_open
        self._stopping.follow(found, paused)


def supersede(
    connection: Connection, study_id: int, holder: Lease, now: float, revision: int, *, unless_it_moved: bool
) -> list[int] | None:
    """End the lease of a driver that is gone, and the attempts that it left open.

    The time from an attempt's last report to the driver's last beat is counted as lost.

    Returns:
        Ids of the trials that wait from now on; None where the driver's counter has moved in the meantime.
    """
    if not lease.end(connection, holder.lease_id, lease.SUPERSEDED, now, holder.beat if unless_it_moved else None):
        return None
    left = select(attempts).where(attempts.c.lease_id == holder.lease_id, attempts.c.ending.is_(None))
    found = connection.execute(left).all()
    held = lease.span(connection, holder.lease_id)
    for row in found:
        lost_s = min(max(0.0, held.began + held.seconds - row.began - row.seconds), held.seconds)
        connection.execute(
            update(attempts)
            .where(attempts.c.trial_id == row.trial_id, attempts.c.number == row.number)
            .values(
                ended=now,
                ending=Ending.LOST.value,
                seconds=row.seconds + lost_s,
                repeated_s=row.repeated_s + lost_s,
            )
        )
    ids = [row.trial_id for row in found]
    connection.execute(update(configs).where(configs.c.trial_id.in_(ids)).values(revision=revision))
    return ids


def discard_study(connection: Connection, study_id: int, lease_id: int) -> bool:
    """Delete a study that does not have trials or a driver other than the lease's; return whether it was deleted."""
    is_alone = all(other.lease_id == lease_id for other in lease.standing(connection, study_id))
    return is_alone and delete_empty_study(connection, study_id)
