"""Making a study of the trials that fit, in transactions so short that other drivers of the database hardly wait.

Until the last transaction the study has a name that says that it is unfinished, and no row of qpsearch's, so that no
command takes it for a study. A note tells whoever opens the database later to delete it if this process is gone.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Table, update

from qpsearch.errors import StorageConflict
from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.study.drivers import lease, leftovers
from qpsearch.study.drivers.facts import insert_facts
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.opening import exists
from qpsearch.study.optuna_import.fitting import Fit, Fitted
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import IMPORTED, TrialRows, insert_ended, insert_study, rows_of, study_id
from qpsearch.study.storage.tables import attempts, configs, runs, studies, system_attrs
from qpsearch.study.trials.checkpoints import stored_root
from qpsearch.vocabulary import Ending, FailReason

MOST_ROWS: Final = 2000  # of a transaction: far below a second, also on a server that is busy
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
    database.read(lambda connection: _refuse_name(connection, space.study))
    uid, root, now = uuid.uuid4().hex, stored_root(database, None), time.time()

    def begin(connection: Connection) -> tuple[int, int]:
        ways = [each.direction for each in space.search.objectives]
        own = insert_study(connection, leftovers.unfinished_name(uid), ways)
        return own, lease.take(connection, own, Driver.this(), now)

    def finish(connection: Connection) -> None:
        _refuse_name(connection, space.study)
        connection.execute(update(studies).where(studies.c.study_id == own).values(study_name=space.study))
        insert_facts(connection, own, space, source=source, uid=uid, checkpoint_root=root, now=now)
        lease.release(connection, lease_id, 0.0, now)
        leftovers.take_back(connection, uid)

    leftovers.sweep(database)
    leftovers.note(database, uid=uid, first_name=space.study, checkpoint_root=root)
    try:
        own, lease_id = database.write(begin)
        for batch in _batches(_rows(each, space, lease_id) for each in found.fitted):
            database.write(partial(insert_ended, study=own, found=batch))
        _finish(database, finish, space.study)
    except BaseException:
        leftovers.sweep(database, filled_here=uid)
        raise


def _finish(database: Database, step: Callable[[Connection], None], name: str) -> None:
    try:
        database.write(step)
    except StorageConflict:  # another process made a study of that name between our look and our commit
        raise exists(name) from None


def _refuse_name(connection: Connection, name: str) -> None:
    if study_id(connection, name) is not None:
        raise exists(name)


def _batches(found: Iterable[TrialRows]) -> Iterator[list[TrialRows]]:
    """Yield the rows of one trial after another, in lists of so many that a transaction is short."""
    batch: list[TrialRows] = []
    count = 0
    for rows in found:
        size = sum(map(len, rows.values()))
        if batch and count + size > MOST_ROWS:
            yield batch
            batch, count = [], 0
        batch.append(rows)
        count += size
    if batch:
        yield batch


def _rows(fitted: Fitted, space: Space, lease_id: int) -> TrialRows:
    """Return all rows of a trial, which get its id when they are written."""
    trial = fitted.trial
    score = trial.values[0] if trial.values and trial.state is TrialState.COMPLETE else None
    own: dict[Table, list[dict[str, Any]]] = {
        system_attrs: [{"key": IMPORTED, "value_json": json.dumps(fitted.origin)}],
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
