"""Removing checkpoints that no study needs any more.

A study's rows are deleted in one transaction, its files one by one. The database notes in that transaction which folder
is to go, whatever tool deleted the study, and whoever next opens the database for writing removes what a killed process
left. A copy of a study notes its folder before it fills it, and takes the note back with the copied rows. So does an
import, whose rows are written in many transactions, and are deleted with the note.
"""

from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from qpsearch.errors import ArtifactError
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import delete_rows, study_id
from qpsearch.study.storage.tables import leftovers
from qpsearch.study.trials.checkpoints import checkpoints_of
from qpsearch.study.trials.owner import Owner

TRIALS_AT_ONCE: Final = 500  # that one transaction deletes, so that others need not wait


def note(database: Database, *, uid: str, first_name: str, checkpoint_root: str | None) -> None:
    """Note that a folder is being filled by this process, and goes if the process does not take the note back."""
    here = Driver.this()
    row = insert(leftovers).values(
        uid=uid,
        first_name=first_name,
        checkpoint_root=checkpoint_root,
        host=here.host,
        boot=here.boot,
        pid=here.pid,
        process_started=here.process_started,
    )
    database.write(lambda connection: connection.execute(row))


def take_back(connection: Connection, uid: str) -> None:
    """Remove the note about a folder: its files stay."""
    connection.execute(delete(leftovers).where(leftovers.c.uid == uid))


def unfinished_name(uid: str) -> str:
    """Return the name of a study whose rows are still being written; its uid will be this one."""
    return f"unfinished-import-{uid}"


def sweep(database: Database, *, filled_here: str | None = None) -> list[str]:
    """Remove the noted folders that belong to this database, but for those that a living process fills.

    Rows of a study whose import was not finished are removed, too.

    Args:
        database: Opened for writing.
        filled_here: The uid of a folder that this process filled in vain.

    Returns:
        For each noted folder that stays, or in which something stays, the reason. A folder whose store cannot be
        reached remains noted.
    """
    here, stay = Driver.this(), []
    for row in database.read(lambda connection: connection.execute(select(leftovers)).all()):
        if row.pid is not None and row.uid != filled_here and not _driver(row).is_gone(here):
            continue
        while database.write(partial(_delete_unfinished, uid=row.uid)):
            pass
        try:
            folder = checkpoints_of(database, row)
            why = folder.remove(Owner.of(database, row.uid, folder.root))
        except (ArtifactError, OSError) as error:
            stay.append(str(error))
            continue
        stay += [why] if why is not None else []
        database.write(partial(take_back, uid=row.uid))
    return stay


def _delete_unfinished(connection: Connection, uid: str) -> bool:
    """Delete some trials of an unfinished study, or the study once it has none; return whether there was something."""
    study = study_id(connection, unfinished_name(uid))
    return study is not None and delete_rows(connection, study, TRIALS_AT_ONCE)


def _driver(row: Any) -> Driver:
    return Driver(host=row.host, boot=row.boot, pid=row.pid, process_started=row.process_started)
