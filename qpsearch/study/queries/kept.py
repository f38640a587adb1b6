"""Runs of complete trials whose networks are kept."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import Connection, Row, select

from qpsearch.artifacts import join
from qpsearch.space.search import Search
from qpsearch.study.drivers.stored import find_study, stored_space
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import epochs, facts_of, runs, trials
from qpsearch.study.trials.checkpoints import checkpoints_of, first_there, trial_folder
from qpsearch.study.trials.measured import Values, read_measured


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run of a complete trial with its results.

    Attributes:
        trial: The trial's number.
        replicate: The run, from 0.
        seed: The run's seed.
        folder: Folder or URI of the trial's checkpoints.
        checkpoint: The file of the epoch that counts, or of a later one that is exactly as good, where an earlier
            version kept that one.
        accuracies: Accuracies on validation images, by epoch from 1, of levels of fidelity those of the last one; None
            where there are no such images.
    """

    trial: int
    replicate: int
    seed: int
    folder: str
    checkpoint: str
    accuracies: tuple[float | None, ...]

    @property
    def path(self) -> str:
        """Path or URI of the checkpoint."""
        return join(self.folder, self.checkpoint)


def kept_runs(database: Database, name: str, numbers: Collection[int]) -> list[KeptRun]:
    """Return the runs of some complete trials, by trial and replicate; raises StudyNotFound."""

    def query(connection: Connection) -> list[KeptRun]:
        study = find_study(connection, name)
        facts = facts_of(connection, study)
        rows = (
            select(trials.c.number, runs.c.replicate, runs.c.seed, epochs)
            .join(trials, trials.c.trial_id == runs.c.trial_id)
            .join(epochs, (epochs.c.trial_id == runs.c.trial_id) & (epochs.c.replicate == runs.c.replicate))
            .where(trials.c.study_id == study, trials.c.state == TrialState.COMPLETE, trials.c.number.in_(numbers))
            .order_by(trials.c.number, runs.c.replicate, epochs.c.epoch)
        )
        found: dict[tuple[int, int], list[Row[Any]]] = defaultdict(list)
        for row in connection.execute(rows):
            found[row.number, row.replicate].append(row)
        search = stored_space(facts, name).search
        own = select(trials.c.trial_id).where(trials.c.study_id == study, trials.c.number.in_(numbers))
        beyond = read_measured(connection, own) if search.objective.metric.is_extra else {}
        root = checkpoints_of(database, facts).root
        return [_kept(rows, search, beyond, trial_folder(root, rows[0].number)) for rows in found.values()]

    return database.read(query)


def counting_files(
    rows: Sequence[Row[Any]], search: Search, beyond: Mapping[tuple[int, int, int], Values]
) -> list[str]:
    """Return the checkpoint of the epoch of a complete run that counts, and after it those that are exactly as good.

    Args:
        rows: The run's epochs.
        search: How its study counts.
        beyond: What was measured beyond the columns of epochs, from ``read_measured``.
    """
    recorded = {row.epoch: row for row in rows}
    values = {
        epoch: search.objective.metric.of(row, beyond.get((row.trial_id, row.replicate, epoch), {}))
        for epoch, row in recorded.items()
    }
    return [recorded[epoch].checkpoint for epoch in search.counting_epochs(values)]


def _kept(rows: list[Row[Any]], search: Search, beyond: Mapping[tuple[int, int, int], Values], folder: str) -> KeptRun:
    before = 0 if search.fidelity is None else search.fidelity.before_last
    return KeptRun(
        trial=rows[0].number,
        replicate=rows[0].replicate,
        seed=rows[0].seed,
        folder=folder,
        checkpoint=first_there(folder, counting_files(rows, search, beyond)),
        accuracies=tuple(row.val_accuracy for row in rows if row.epoch > before),
    )
