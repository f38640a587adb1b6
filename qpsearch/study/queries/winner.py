"""The run whose network is used: of the best configuration or of a named trial; and what confirms its score."""

from dataclasses import dataclass

from optuna.trial import TrialState
from sqlalchemy import Connection, select

from qpsearch.errors import UserError, command
from qpsearch.study.drivers.stored import find_study, stored_space
from qpsearch.study.queries.best import best_configurations
from qpsearch.study.queries.detail import trial_detail
from qpsearch.study.queries.kept import KeptRun, kept_runs
from qpsearch.study.records import TrialDetail
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import configs, facts_of, runs, studies, trials


def trained_run(database: Database, name: str, trial: int | None, replicate: int = 0) -> tuple[TrialDetail, KeptRun]:
    """Return a complete trial that was trained here, and one of its runs.

    Args:
        database: The study database.
        name: The study.
        trial: The trial's number; None for the first trial of the best configuration that was trained here.
        replicate: Which of the trial's runs, from 0.

    Raises:
        StudyNotFound: There is no such study.
        UserError: There is no such trial or run, or the trial does not have weights.
    """
    if trial is None:
        best = next(iter(best_configurations(database, name, trained=True)), None)
        found = [] if best is None else kept_runs(database, name, best.trials)
        if not found:
            raise UserError(
                f"study {name!r} does not have a complete trial that was trained here. "
                f"Show its progress: {command('status', name)}."
            )
        trial = found[0].trial
    detail = trial_detail(database, name, trial)
    if detail.record.state != TrialState.COMPLETE.name:
        raise UserError(f"trial {trial} of study {name!r} is {detail.record.state}. Expected a complete one.")
    own = kept_runs(database, name, [trial])
    if not own:
        raise UserError(f"trial {trial} of study {name!r} was imported without weights. Expected one trained here.")
    if not 0 <= replicate < len(own):
        raise UserError(
            f"trial {trial} of study {name!r} does not have replicate {replicate}. Expected 0 to {len(own) - 1}."
        )
    return detail, own[replicate]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshRun:
    """A run of the same configuration that took no part in choosing it.

    Attributes:
        study: The study of the run.
        trial: The trial's number in that study.
        seed: The run's seed, with which the choice did not train.
        score: The run's score, by the same metric and the same rule of the epoch that counts.
    """

    study: str
    trial: int
    seed: int
    score: float


def fresh_runs(database: Database, name: str, config_json: str, seeds: tuple[int, ...]) -> list[FreshRun]:
    """Return the runs of a configuration in the other studies of the database, on other seeds.

    Args:
        database: The study database.
        name: The study that chose the configuration.
        config_json: The configuration, as stored.
        seeds: The seeds on which it was chosen.

    Raises:
        StudyNotFound: There is no such study.
    """

    def query(connection: Connection) -> list[FreshRun]:
        study = find_study(connection, name)
        own = stored_space(facts_of(connection, study), name).search
        rows = connection.execute(
            select(studies.c.study_id, studies.c.study_name, trials.c.number, runs.c.seed, runs.c.score)
            .select_from(configs)
            .join(trials, trials.c.trial_id == configs.c.trial_id)
            .join(studies, studies.c.study_id == trials.c.study_id)
            .join(runs, runs.c.trial_id == trials.c.trial_id)
            .where(configs.c.config_json == config_json, trials.c.state == TrialState.COMPLETE)
            .where(trials.c.study_id != study, runs.c.seed.not_in(seeds), runs.c.score.is_not(None))
            .order_by(studies.c.study_name, trials.c.number, runs.c.replicate)
        ).all()
        alike = {row.study_id: _judged_as(connection, row.study_id, row.study_name) for row in rows}
        judged = (own.objective, own.score)
        found = {  # a copy of a study has its runs once more
            row.seed: FreshRun(study=row.study_name, trial=row.number, seed=row.seed, score=row.score)
            for row in reversed(rows)
            if alike[row.study_id] == judged
        }
        return list(reversed(found.values()))

    return database.read(query)


def _judged_as(connection: Connection, study: int, name: str) -> object:
    """Return how a study judges its runs; None where its space cannot be read here."""
    try:
        search = stored_space(facts_of(connection, study), name).search
    except UserError:
        return None
    return search.objective, search.score
