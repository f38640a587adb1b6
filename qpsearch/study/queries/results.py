"""What a trial drew, and what each run of a study gave, on validation images and, where evaluated, on test images."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from optuna.trial import TrialState
from sqlalchemy import Connection, inspect, select

from qpsearch.study.drivers.stored import find_study
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import epochs, evaluations, runs, trials
from qpsearch.study.trials.evaluations import read_evaluations
from qpsearch.study.trials.measured import read_measured


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run of a complete trial gave.

    Attributes:
        trial: The trial's number.
        replicate: The run, from 0.
        seed: The run's seed.
        score: The value of the objective; None for a run of an imported trial.
        checkpoint: The file of the weights that were evaluated last on clean test images; None, here and below, where
            none were.
        accuracy: Their accuracy on the test images.
        images: How many test images there are.
        correct: A bit for each image, 1 where it was classified correctly; None too for a look of an earlier version.
        metrics: Values of further metrics on the test images, such as ``test_macro_f1``.
    """

    trial: int
    replicate: int
    seed: int
    score: float | None
    checkpoint: str | None = None
    accuracy: float | None = None
    images: int | None = None
    correct: bytes | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)


EPOCH_COLUMNS: Final = (trials.c.number.name, *epochs.c.keys())  # of every study; others have further metrics too


def epoch_rows(database: Database, name: str) -> list[Mapping[str, Any]]:
    """Return every recorded epoch with its trial's number, in the order of trial, replicate, epoch.

    Metrics that the study asked for beyond the columns of every study come after those, by their words.
    """

    def query(connection: Connection) -> list[Mapping[str, Any]]:
        study = find_study(connection, name)
        beyond = read_measured(connection, select(trials.c.trial_id).where(trials.c.study_id == study))
        rows = (
            select(trials.c.number, epochs)
            .join(trials, trials.c.trial_id == epochs.c.trial_id)
            .where(trials.c.study_id == study)
            .order_by(trials.c.number, epochs.c.replicate, epochs.c.epoch)
        )
        return [
            dict(row) | dict(beyond.get((row["trial_id"], row["replicate"], row["epoch"]), {}))
            for row in connection.execute(rows).mappings()
        ]

    return database.read(query)


def run_results(database: Database, name: str) -> list[RunResult]:
    """Return the runs of a study's complete trials, by trial and replicate; raises StudyNotFound."""

    def query(connection: Connection) -> list[RunResult]:
        study = find_study(connection, name)
        looks = _looks(connection, study)
        rows = (
            select(trials.c.trial_id, trials.c.number, runs.c.replicate, runs.c.seed, runs.c.score)
            .join(trials, trials.c.trial_id == runs.c.trial_id)
            .where(trials.c.study_id == study, trials.c.state == TrialState.COMPLETE)
            .order_by(trials.c.number, runs.c.replicate)
        )
        return [
            RunResult(
                trial=row.number,
                replicate=row.replicate,
                seed=row.seed,
                score=row.score,
                **looks.get((row.trial_id, row.replicate), {}),
            )
            for row in connection.execute(rows)
        ]

    return database.read(query)


def evaluation_rows(database: Database, name: str, numbers: Collection[int]) -> list[dict[str, Any]]:
    """Return the rows about the test images of some trials, of each look, in order, each with the seed of its run.

    Raises:
        StudyNotFound: There is no such study.
    """

    def query(connection: Connection) -> list[dict[str, Any]]:
        own = (trials.c.study_id == find_study(connection, name)) & trials.c.number.in_(numbers)
        those = select(trials.c.trial_id).where(own)
        known = select(runs.c.trial_id, runs.c.replicate, runs.c.seed).where(runs.c.trial_id.in_(those))
        seeds = {(row.trial_id, row.replicate): row.seed for row in connection.execute(known)}
        return [row | {"seed": seeds[row["trial_id"], row["replicate"]]} for row in read_evaluations(connection, those)]

    return database.read(query)


def _looks(connection: Connection, study: int) -> dict[tuple[int, int], dict[str, Any]]:
    """Return what the last look at clean test images gave for each run, as fields of ``RunResult``."""
    if not inspect(connection).has_table(evaluations.name):
        return {}
    known = {column["name"] for column in inspect(connection).get_columns(evaluations.name)}
    told = [each for each in evaluations.c if each.name in known]  # the schema may be an earlier one
    own = select(trials.c.trial_id).where(trials.c.study_id == study)
    rows = (
        select(*told)
        .where(evaluations.c.trial_id.in_(own), evaluations.c.noise == 0)
        .order_by(evaluations.c.evaluation_id)
    )
    wanted = ("checkpoint", "accuracy", "images", "correct")
    return {
        (row["trial_id"], row["replicate"]): {name: row[name] for name in wanted if name in row}
        | {"metrics": json.loads(row.get("values_json") or "{}")}
        for row in connection.execute(rows).mappings()
    }
