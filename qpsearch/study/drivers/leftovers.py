"""Removing checkpoints that no study needs any more.

A study's rows are deleted in one transaction, its files one by one. The database notes in that transaction which folder
is to go, whatever tool deleted the study, and whoever next opens the database for writing removes what a killed process
left. A copy of a study notes its folder before it fills it, and takes the note back with the copied rows.
"""

from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from qpsearch.errors import ArtifactError
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import leftovers
from qpsearch.study.trials.checkpoints import checkpoints_of
from qpsearch.study.trials.owner import Owner


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


def sweep(database: Database, *, filled_here: str | None = None) -> list[str]:
    """Remove the noted folders that belong to this database, but for those that a living process fills.

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
        try:
            folder = checkpoints_of(database, row)
            why = folder.remove(Owner.of(database, row.uid, folder.root))
        except (ArtifactError, OSError) as error:
            stay.append(str(error))
            continue
        stay += [why] if why is not None else []
        database.write(partial(take_back, uid=row.uid))
    return stay


def _driver(row: Any) -> Driver:
    return Driver(host=row.host, boot=row.boot, pid=row.pid, process_started=row.process_started)
