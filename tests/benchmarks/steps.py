"""A trial's steps through the ledger, against plain Optuna: ask, five reports, close."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import optuna
from optuna.pruners import MedianPruner

from qpsearch.registry.samplers.base import Sampler
from qpsearch.registry.samplers.random_draws import RANDOM
from qpsearch.registry.samplers.tpe import TPE
from qpsearch.space import parse_space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from tests.benchmarks.report import Row, alternate, row, timed
from tests.benchmarks.studies import (
    NAME,
    close_trials,
    distributions,
    finished_study,
    plain_sampler,
    resumed,
    space_text,
    suggest_all,
    url_of,
    value_at,
)

EPOCHS: Final = 5


def rows(folder: Path, *, finished: int, batch: int, repetitions: int) -> list[Row]:
    """Compare the steps of a trial in a study that has ``finished`` trials already.

    Args:
        folder: For databases; must be empty.
        finished: Trials in both studies when the first repetition begins.
        batch: Trials a repetition.
        repetitions: See ``Row.n``.
    """
    source = finished_study(folder, finished, EPOCHS)
    settings = {"finished": finished, "batch": batch, "repetitions": repetitions}
    return [
        _against_sqlite(folder, source, journal="DELETE", **settings),
        _against_sqlite(folder, source, journal="WAL", **settings),
        _against_memory(folder, source, **settings),
    ]


def _against_sqlite(folder: Path, source: Path, *, journal: str, finished: int, batch: int, repetitions: int) -> Row:
    theirs = folder / f"optuna-{journal}.db"
    shutil.copy(source, theirs)
    with contextlib.closing(sqlite3.connect(theirs)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
    storage = optuna.storages.RDBStorage(url_of(theirs))
    study = optuna.load_study(study_name=NAME, storage=storage)
    try:
        pairs = _pairs(folder, source, study, RANDOM, batch, repetitions)
    finally:
        storage.engine.dispose()
    kind = "" if journal == "DELETE" else ", its file in WAL mode too"
    return row(
        f"optuna-sqlite: random, ask + {EPOCHS} reports + close at {finished:,} trials{kind}",
        pairs,
        alternative="suggest_*, report and should_prune, tell on Optuna's SQLite storage"
        + (", as create_study makes it" if journal == "DELETE" else ""),
        unit="ms/trial",
        note=f"the same trials, sampler and median pruner on both sides, {batch} trials a repetition",
        target=0.2 if journal == "DELETE" else None,
    )


def _against_memory(folder: Path, source: Path, *, finished: int, batch: int, repetitions: int) -> Row:
    database = Database.open(url_of(source))
    trials = queries.frozen_trials(database, NAME)
    database.close()
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    pairs = _pairs(folder, source, study, TPE, batch, repetitions)
    return row(
        f"optuna-memory: tpe, ask + {EPOCHS} reports + close at {finished:,} trials",
        pairs,
        alternative="suggest_*, report and should_prune, tell in memory, where nothing survives the process",
        unit="ms/trial",
        note=f"ours writes SQLite; same trials, TPE settings and median pruner, {batch} trials a repetition",
        target=1.5,
    )


def _pairs(
    folder: Path, source: Path, study: optuna.Study, sampler: Sampler, batch: int, repetitions: int
) -> list[tuple[float, float]]:
    """Return milliseconds a trial, ours and plain Optuna's."""
    wanted = distributions(parse_space(space_text(sampler=sampler, pruner="median", epochs=EPOCHS)))
    study.sampler = plain_sampler(sampler)
    study.pruner = MedianPruner(n_startup_trials=5, n_warmup_steps=1)  # as ours for five epochs

    def theirs() -> None:
        for _ in range(batch):
            trial = study.ask()
            suggest_all(trial, wanted)
            for epoch in range(1, EPOCHS + 1):
                trial.report(value_at(epoch, EPOCHS, trial.number), epoch)
                assert not trial.should_prune() or epoch == EPOCHS
            study.tell(trial, value_at(EPOCHS, EPOCHS, trial.number))

    with searching_with(sampler, source, folder) as path, resumed(path) as ledger:

        def ours() -> None:
            close_trials(ledger, batch, EPOCHS)

        ours()
        theirs()
        seconds = alternate(repetitions, lambda: timed(ours), lambda: timed(theirs))
    return [(1000 * mine / batch, 1000 * other / batch) for mine, other in seconds]


@contextlib.contextmanager
def searching_with(sampler: Sampler, source: Path, folder: Path) -> Iterator[Path]:
    """Copy a study that was made with the random sampler, and let another sampler go on with it."""
    path = folder / sampler.name / "ours.db"  # a folder of its own: the checkpoints beside the original are not its
    path.parent.mkdir()
    shutil.copy(source, path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE qpsearch_studies SET sampler = ?, space_text = replace(space_text, 'sampler: random', ?)",
            (sampler.name, f"sampler: {sampler.name}"),
        )
    yield path
    shutil.rmtree(path.parent)
