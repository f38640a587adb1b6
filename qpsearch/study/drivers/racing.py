"""Racing in the database: another run of a trial is written in the transaction in which the last one ends."""

from collections.abc import Mapping

from optuna.trial import TrialState
from sqlalchemy import Connection, delete, select

from qpsearch.protocol import Run
from qpsearch.space.search import Search
from qpsearch.study.search.racing import grouped, needs_seed
from qpsearch.study.storage.tables import runs, trials
from qpsearch.study.trials.open_trial import OpenTrial
from qpsearch.study.trials.rows import insert_runs, seed_of_run


class Racing:
    """Gives trials further seeds; gives none where the study does not race.

    Args:
        study_id: The study.
        search: Its search.
    """

    def __init__(self, study_id: int, search: Search) -> None:
        self._study_id, self._search = study_id, search

    def another(self, connection: Connection, trial: OpenTrial) -> Run | None:
        """Write another run of a trial whose runs are complete and whose rank is in doubt; None for a complete trial.

        Every driver that takes the trial finds the run: until then, the trial waits.
        """
        most, objective = self._search.race, self._search.objective
        if most is None or len(trial.histories) >= most:
            return None
        query = (
            select(runs.c.trial_id, trials.c.state, runs.c.score)
            .join(trials, trials.c.trial_id == runs.c.trial_id)
            .where(trials.c.study_id == self._study_id, runs.c.trial_id != trial.trial_id, runs.c.score.is_not(None))
        )
        others = grouped(
            (row.trial_id, row.state is TrialState.COMPLETE, row.score) for row in connection.execute(query)
        )
        own = [history.score(self._search) for history in trial.histories]
        if not needs_seed(own, others, objective.sign, most):
            return None
        replicate = len(trial.histories)
        run = Run(replicate=replicate, seed=seed_of_run(connection, self._study_id, self._search, trial, replicate))
        insert_runs(connection, trial.trial_id, [run])
        return run

    def stopped(self, trials_open: Mapping[int, OpenTrial]) -> set[int]:
        """Return the numbers of the waiting trials that have a result: as many complete runs as every trial has."""
        if self._search.race is None:
            return set()
        return {
            number
            for number, trial in trials_open.items()
            if trial.holder is None and not trial.is_paused and trial.runs_done >= self._search.replicates
        }

    def give_up(self, connection: Connection, trial: OpenTrial) -> None:
        """Remove the run that is not complete; its epochs stay on record, as work that was done."""
        unfinished = (runs.c.trial_id == trial.trial_id) & (runs.c.replicate >= trial.runs_done)
        connection.execute(delete(runs).where(unfinished))
        del trial.histories[trial.runs_done :]
