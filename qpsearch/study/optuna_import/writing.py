"""Making a study of the trials that fit."""

import time
import uuid
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Table

from qpsearch.errors import StudyExists
from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.opening import exists_message, insert_facts
from qpsearch.study.optuna_import.fitting import Fit, Fitted
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import TrialRows, insert_ended, insert_study, rows_of, study_id
from qpsearch.study.storage.tables import attempts, configs, runs
from qpsearch.study.trials.checkpoints import stored_root
from qpsearch.vocabulary import Ending, FailReason

ENDINGS: Final = {
    TrialState.COMPLETE: Ending.FINISHED,
    TrialState.PRUNED: Ending.PRUNED,
    TrialState.FAIL: Ending.FAILED,
}


def import_study(database: Database, space: Space, found: Fit, *, source: str) -> None:
    """Make a qpsearch study of the trials that fit a space.

    An imported trial does not have recorded epochs: its intermediate values are Optuna's.

    Args:
        database: Opened for writing.
        space: The space that those trials searched; its ``study`` is the new name.
        found: The trials.
        source: Where the space came from, for the record.

    Raises:
        StudyExists: There is a study of that name.
    """
    root = stored_root(database, None)

    def step(connection: Connection) -> None:
        if study_id(connection, space.study) is not None:
            raise StudyExists(exists_message(space.study))
        now = time.time()
        own = insert_study(connection, space.study, [each.direction for each in space.search.objectives])
        insert_facts(connection, own, space, source=source, uid=uuid.uuid4().hex, checkpoint_root=root, now=now)
        lease_id = lease.take(connection, own, Driver.this(), now)
        insert_ended(connection, own, [_rows(each, space, lease_id) for each in found.fitted])
        lease.release(connection, lease_id, 0.0, now)

    database.write(step)


def _rows(fitted: Fitted, space: Space, lease_id: int) -> TrialRows:
    """Return all rows of a trial, which get its id when they are written."""
    trial = fitted.trial
    score = trial.values[0] if trial.values and trial.state is TrialState.COMPLETE else None
    own: dict[Table, list[dict[str, Any]]] = {
        configs: [{"config_json": fitted.config.to_json(), "revision": 0}],
        runs: [{"replicate": 0, "seed": derive_seed(space.search.seed, "run", trial.number, 0), "score": score}],
        attempts: [_attempt_row(trial, fitted.origin, lease_id)],
    }
    return rows_of(trial) | own


def _attempt_row(trial: FrozenTrial, origin: int, lease_id: int) -> dict[str, Any]:
    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    began, ended = trial.datetime_start.timestamp(), trial.datetime_complete.timestamp()
    failed = trial.state is TrialState.FAIL
    return {
        "number": 1,
        "lease_id": lease_id,
        "began": began,
        "ended": ended,
        "seconds": max(ended - began, 0.0),
        "repeated_s": 0.0,
        "ending": ENDINGS[trial.state].value,
        "reason": FailReason.ERROR.value if failed else None,
        "detail": f"failed in the study it was imported from ({origin} there)" if failed else None,
    }
