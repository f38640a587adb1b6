"""Writing to a study: each step is one transaction, committed exactly once, in one order for all drivers.

A step first takes the study's row, at which the drivers of a study queue up, and moves its revision; so a
driver sees from the number whether others wrote since its own last step, and follows what they wrote before
it decides. Then it asserts its lease and counts itself there: when a connection breaks in the middle of a
commit, the count tells whether the step is in the database.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection, bindparam, select, update

from qpsearch.errors import StorageAway
from qpsearch.study import lease
from qpsearch.study.events import Event, StorageBack, StorageGone
from qpsearch.study.storage import Database
from qpsearch.study.tables import study_facts

PATIENCE_S: Final = 600.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0

# Built once, since every step takes them.
MOVE: Final = (
    update(study_facts)
    .where(study_facts.c.study_id == bindparam("of_study"))
    .values(revision=study_facts.c.revision + 1)
    .returning(study_facts.c.revision)
)

T = TypeVar("T")
Step = Callable[[Connection, int], T]


class Writer:
    """Commits the steps of one driver.

    Args:
        database: The study database.
        study_id: The study.
        lease_id: This driver's lease.
        revision: The study's revision up to which this driver knows everything.
        follow: Is called inside the transaction with the revision known so far when others have written.
        tell: Is told when the database goes away and when it comes back.
    """

    def __init__(
        self,
        database: Database,
        study_id: int,
        lease_id: int,
        revision: int,
        follow: Callable[[Connection, int], None],
        tell: Callable[[Event], None],
    ) -> None:
        self._database, self._study_id, self._lease_id = database, study_id, lease_id
        self._known, self._written = revision, 0
        self._follow, self._tell = follow, tell

    def write(self, step: Step[T]) -> T:
        """Run a step in a transaction; wait where the database is away, for ten minutes at most.

        Raises:
            Superseded: Another driver has taken over; nothing was written.
            StorageError: The database failed, or stayed away.
        """
        done: list[tuple[int, T]] = []

        def transaction(connection: Connection) -> None:
            revision = self._begin(connection)
            done[:] = [(revision, step(connection, revision))]

        self._patiently(lambda: self._database.write(transaction))
        revision, result = done[0]
        self._known, self._written = revision, self._written + 1
        return result

    def catch_up(self) -> None:
        """Follow what other drivers have written, without writing."""

        def look(connection: Connection) -> None:
            current = read_revision(connection, self._study_id)
            if current != self._known:
                self._follow(connection, self._known)
                self._known = current

        self._patiently(lambda: self._database.read(look))

    def _begin(self, connection: Connection) -> int:
        revision = move_revision(connection, self._study_id)
        lease.step(connection, self._lease_id, self._written)
        if revision != self._known + 1:
            self._follow(connection, self._known)
            self._known = revision - 1  # stays true when this transaction is rolled back
        return revision

    def _patiently(self, action: Callable[[], None]) -> None:
        began, wait_s = time.monotonic(), FIRST_WAIT_S
        told = False
        while True:
            try:
                action()
                break
            except lease.Committed:
                break  # the connection broke after the commit
            except StorageAway as error:
                if time.monotonic() - began > PATIENCE_S:
                    raise
                if not told:
                    self._tell(StorageGone(detail=str(error), patience_s=PATIENCE_S))
                told = True
                time.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        if told:
            self._tell(StorageBack(seconds=time.monotonic() - began))


def move_revision(connection: Connection, study_id: int) -> int:
    """Take the study's row until the transaction ends; return its new revision."""
    return _known_study(connection.execute(MOVE, {"of_study": study_id}).scalar())


def read_revision(connection: Connection, study_id: int) -> int:
    """Return a study's revision."""
    query = select(study_facts.c.revision).where(study_facts.c.study_id == study_id)
    return _known_study(connection.execute(query).scalar())


def _known_study(revision: int | None) -> int:
    if revision is None:  # somebody deleted it
        raise lease.gone()
    return revision
