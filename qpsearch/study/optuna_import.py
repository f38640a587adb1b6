"""Importing the finished trials of a plain Optuna study, so that qpsearch can continue its search."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Connection, insert, inspect

from qpsearch.architecture.candidates import candidate
from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import Infeasible, StorageError, StudyExists, StudyNotFound, UserError, nearest
from qpsearch.protocol import Run
from qpsearch.seeds import derive_seed
from qpsearch.space import Space, draw
from qpsearch.space.domains import Domain
from qpsearch.space.sampling import StoredChooser
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.opening import exists_message, insert_facts
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import (
    DIRECTIONS,
    close_trial,
    insert_intermediate,
    insert_study,
    insert_trial,
    study_id,
)
from qpsearch.study.storage.tables import attempts
from qpsearch.study.trials import rows
from qpsearch.study.trials.checkpoints import stored_root
from qpsearch.study.trials.open_trial import costs_of
from qpsearch.vocabulary import Ending, FailReason, Scalar

ENDINGS = {
    TrialState.COMPLETE: Ending.FINISHED,
    TrialState.PRUNED: Ending.PRUNED,
    TrialState.FAIL: Ending.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A study that some other program made with Optuna."""

    name: str
    directions: list[StudyDirection]
    trials: list[FrozenTrial]


def read_foreign(url: str, name: str) -> Foreign:
    """Read a study from an Optuna database.

    Raises:
        StudyNotFound: There is no such study.
        StorageError: There is no such database.
    """
    database = Database(url)
    if database.file is not None and not database.file.exists():
        raise StorageError(f"{database.file.absolute()}: there is no database at this path.")
    if not {"studies", "version_info"} <= set(database.read(lambda c: inspect(c).get_table_names())):
        raise StudyNotFound(f"{database.shown}: does not hold Optuna studies.")  # and must not get Optuna's tables

    def read(storage: optuna.storages.RDBStorage) -> Foreign:
        known = [study.study_name for study in storage.get_all_studies()]
        if name not in known:
            hint = nearest(name, known) if known else "The database is empty."
            raise StudyNotFound(f"{database.shown}: no study {name!r}. {hint}")
        study = optuna.load_study(study_name=name, storage=storage)
        return Foreign(name=name, directions=study.directions, trials=study.get_trials())

    return database.with_optuna(read)


def import_study(database: Database, space: Space, study: Foreign, *, source: str, renamed: Mapping[str, str]) -> int:
    """Make a qpsearch study from the finished trials of an Optuna study.

    Each trial must have every parameter that the space would draw for it, with a value that the space allows.
    An imported trial does not have recorded epochs: its intermediate values are Optuna's.

    Args:
        database: Opened for writing.
        space: The space that those trials searched; its ``study`` is the new name.
        study: The Optuna study.
        source: Where the space came from, for the record.
        renamed: Maps Optuna's parameter names to those of the space.

    Returns:
        How many trials were imported.

    Raises:
        StudyExists: There is a study of that name.
        UserError: Some trial does not fit the space; the message names the first such trial and the reason.
    """
    wanted = [each.direction for each in space.search.objectives]
    if study.directions != [DIRECTIONS[way] for way in wanted]:
        theirs = ", ".join(direction.name.lower() for direction in study.directions)
        raise UserError(f"study {study.name!r} is to {theirs}; the space's objective is to {', '.join(wanted)}.")
    finished = [trial for trial in study.trials if trial.state in ENDINGS]
    found = [(trial, *_fitted(space, trial, renamed)) for trial in finished]
    root = stored_root(database, None)

    def step(connection: Connection) -> None:
        if study_id(connection, space.study) is not None:
            raise StudyExists(exists_message(space.study))
        now = time.time()
        own = insert_study(connection, space.study, wanted)
        insert_facts(connection, own, space, source=source, uid=uuid.uuid4().hex, checkpoint_root=root, now=now)
        lease_id = lease.take(connection, own, Driver.this(), now)
        for number, (trial, drawn, config) in enumerate(found):
            _insert(connection, own, lease_id, number, trial, drawn, config, space)
        lease.release(connection, lease_id, 0.0, now)

    database.write(step)
    return len(found)


def _fitted(space: Space, trial: FrozenTrial, renamed: Mapping[str, str]) -> tuple[FrozenTrial, TrialConfig]:
    """Return the trial as qpsearch's sampler would have drawn it, and its configuration."""
    params: dict[str, Any] = {renamed.get(name, name): value for name, value in trial.params.items()}
    try:
        found = candidate(space, StoredChooser(params))
    except (ValueError, Infeasible) as error:
        raise UserError(
            f"trial {trial.number} does not fit the space: {error}. It has: {', '.join(sorted(params))}. "
            "Match names that differ: --map THEIRS=OURS."
        ) from None
    recorder = _Recorder(params)
    draw(space, recorder)
    drawn = create_trial(state=TrialState.RUNNING, params=found.draw.params, distributions=recorder.distributions)
    return drawn, found.config


def _insert(
    connection: Connection,
    study: int,
    lease_id: int,
    number: int,
    trial: FrozenTrial,
    drawn: FrozenTrial,
    config: TrialConfig,
    space: Space,
) -> None:
    began = trial.datetime_start.timestamp() if trial.datetime_start else time.time()
    ended = trial.datetime_complete.timestamp() if trial.datetime_complete else began
    trial_id = insert_trial(connection, study, number, drawn, began)
    rows.insert_config(connection, trial_id, config, 0)
    rows.insert_runs(connection, trial_id, [Run(replicate=0, seed=derive_seed(space.search.seed, "run", number, 0))])
    for step, value in trial.intermediate_values.items():
        insert_intermediate(connection, trial_id, step, value)
    if trial.values and trial.state is TrialState.COMPLETE:
        rows.set_score(connection, trial_id, 0, trial.values[0])
    results = (*(trial.values or ())[:1], *costs_of(config, space.search)) if trial.values else ()
    close_trial(connection, trial_id, trial.state, results, ended)
    failed = trial.state is TrialState.FAIL
    connection.execute(
        insert(attempts).values(
            trial_id=trial_id,
            number=1,
            lease_id=lease_id,
            began=began,
            ended=ended,
            seconds=max(ended - began, 0.0),
            repeated_s=0.0,
            ending=ENDINGS[trial.state].value,
            reason=FailReason.ERROR.value if failed else None,
            detail=f"failed in the study it was imported from ({trial.number} there)" if failed else None,
        )
    )


class _Recorder(StoredChooser):
    """Repeats a draw and notes each parameter's distribution, as qpsearch's sampler would store it."""

    def __init__(self, params: Mapping[str, Scalar]) -> None:
        super().__init__(params)
        self.distributions: dict[str, BaseDistribution] = {}

    def choose(self, name: str, domain: Domain) -> Scalar:
        self.distributions[name] = domain.distribution()
        return super().choose(name, domain)
