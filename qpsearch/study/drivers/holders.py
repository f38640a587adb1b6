"""Who works on a study, for those who would rename or delete it.

The leases of a copied database are copies, too: the process that holds one works on the original.
"""

from typing import Any

from sqlalchemy import Connection

from qpsearch.errors import ArtifactError, StudyBusy, command
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.sqlite_file import is_open_in
from qpsearch.study.storage.tables import facts_of
from qpsearch.study.trials.checkpoints import checkpoints_of
from qpsearch.study.trials.owner import Owner


def refuse_busy(database: Database, connection: Connection, study: int, name: str) -> None:
    """Check that no driver works on a study of this database.

    Args:
        database: The database.
        connection: In the caller's transaction.
        study: The study's id.
        name: Its name, for the message.

    Raises:
        StudyBusy: A driver works on it, or it is not known to be gone.
    """
    here = Driver.this()
    for holder in lease.standing(connection, study):
        gone = holder.expired_on(here)
        if not gone and not _works_elsewhere(database, connection, study, holder.driver, is_visible=gone is False):
            raise StudyBusy(
                f"study {name!r} is being run by {holder.driver}. Stop that process first. If that host is gone for "
                f"good: {command('resume', name, '--take-over')}."
            )


def _works_elsewhere(
    database: Database, connection: Connection, study: int, driver: Driver, *, is_visible: bool
) -> bool:
    """Whether a driver is known to work on the database that this one is a copy of.

    A driver claims the study's checkpoints for its database, so it works elsewhere where they are another database's.
    Where they are nobody's, it does if it lives on this machine and does not have this file open. A driver that has the
    file open works here in any case.
    """
    facts = facts_of(connection, study)
    has_open = is_open_in(driver.pid, database.file) if is_visible and database.file is not None else None
    if has_open:
        return False
    is_ours = _owns_checkpoints(database, facts)
    return is_ours is False or (is_ours is None and has_open is False)


def _owns_checkpoints(database: Database, facts: Any) -> bool | None:
    """Return whether a study's checkpoints are this database's; None where that is not known."""
    try:
        folder = checkpoints_of(database, facts).root
        owner = Owner.read(folder)
    except ArtifactError:
        return None
    if owner is None or owner.study != facts.uid:
        return None
    return Owner.of(database, facts.uid, folder).is_same(owner, folder)
