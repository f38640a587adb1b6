"""Writing to a study: each step is one transaction, committed exactly once, in one order for all drivers.

A step first locks the study's row, where the drivers of a study queue up, and increases its revision. From the revision
a driver sees whether other drivers wrote since its own last step, and reads their changes before it decides. Then the
step checks the driver's lease and counts itself there: when a connection breaks in the middle of a commit, the count
tells whether the step is in the database.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection, bindparam, select, update

from qpsearch.errors import StorageAway
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.prepared import Prepared
from qpsearch.study.storage.tables import study_facts
from qpsearch.study.trials.events import Event, StorageBack, StorageGone

PATIENCE_S: Final = 600.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0

IS_STUDY: Final = (study_facts.c.study_id == bindparam("of_study")) & (study_facts.c.uid == bindparam("of_uid"))
REVISION: Final = select(study_facts.c.revision).where(IS_STUDY)
MOVE: Final = Prepared(
    update(study_facts).where(IS_STUDY).values(revision=study_facts.c.revision + 1).returning(study_facts.c.revision)
)

T = TypeVar("T")
Step = Callable[[Connection, int], T]


class Transactions:
    """Commits the steps of one driver.

    Args:
        database: The study database.
        study_id: The study.
        uid: The study's uid, since another study may get the id of a deleted study.
        lease_id: This driver's lease.
        revision: The study's revision up to which this driver knows everything.
        follow: Called inside the transaction, with the revision known so far, when other drivers have written.
        tell: Called with an event when the database becomes unreachable and when it is back.
        clock: The time.

    Attributes:
        is_over: Returns whether the user wants to stop waiting.
    """

    def __init__(
        self,
        database: Database,
        study_id: int,
        uid: str,
        lease_id: int,
        revision: int,
        follow: Callable[[Connection, int], None],
        tell: Callable[[Event], None],
        clock: Clock,
    ) -> None:
        self._database, self._study_id, self._uid, self._lease_id = database, study_id, uid, lease_id
        self.is_over: Callable[[], bool] = lambda: False
        self._known, self._written = revision, 0
        self._follow, self._tell, self._clock = follow, tell, clock

    def write(self, step: Step[T]) -> T:
        """Run a step in a transaction; wait while the database is unreachable, for ten minutes at most.

        Raises:
            Superseded: Another driver has taken over; nothing was written.
            StorageError: The database failed, or stayed unreachable.
        """
        done: list[tuple[int, T]] = []

        def transaction(connection: Connection) -> None:
            revision = self._begin(connection)
            done[:] = [(revision, step(connection, revision))]

        self._patiently(lambda: self._once(transaction, done))
        revision, result = done[0]
        self._known, self._written = revision, self._written + 1
        return result

    def catch_up(self) -> None:
        """Follow what other drivers have written, without writing."""

        def look(connection: Connection) -> None:
            current = read_revision(connection, self._study_id, self._uid)
            if current != self._known:
                self._follow(connection, self._known)
                self._known = current

        self._patiently(lambda: self._database.read(look))

    def read(self, query: Callable[[Connection], T]) -> T:
        """Read something that drivers do not write."""
        found: list[T] = []
        self._patiently(lambda: found.append(self._database.read(query)))
        return found[0]

    def _once(self, transaction: Callable[[Connection], None], done: list[tuple[int, T]]) -> None:
        try:
            self._database.write(transaction)
        except lease.Committed:
            if not done:  # an earlier step was committed, and an interrupt came before it was counted here
                self._written += 1
                self._once(transaction, done)

    def _begin(self, connection: Connection) -> int:
        revision = move_revision(connection, self._study_id, self._uid)
        lease.step(connection, self._lease_id, self._written)
        if revision != self._known + 1:
            self._follow(connection, self._known)
            self._known = revision - 1  # stays true when this transaction is rolled back
        return revision

    def _patiently(self, action: Callable[[], None]) -> None:
        began, wait_s = self._clock.monotonic(), FIRST_WAIT_S
        told = False
        while True:
            try:
                action()
                break
            except StorageAway as error:
                if self._clock.monotonic() - began > PATIENCE_S or self.is_over():
                    raise
                if not told:
                    self._tell(StorageGone(detail=str(error), patience_s=PATIENCE_S))
                told = True
                self._sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        if told:
            self._tell(StorageBack(seconds=self._clock.monotonic() - began))

    def _sleep(self, seconds: float) -> None:
        """Wait, but not longer than the user wants to."""
        until = self._clock.monotonic() + seconds
        while not self.is_over() and (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, 0.1))


def move_revision(connection: Connection, study_id: int, uid: str) -> int:
    """Lock the study's row until the transaction ends; return its new revision."""
    return _known_study(MOVE.run(connection, {"of_study": study_id, "of_uid": uid}).scalar())


def read_revision(connection: Connection, study_id: int, uid: str) -> int:
    """Return a study's revision."""
    return _known_study(connection.execute(REVISION, {"of_study": study_id, "of_uid": uid}).scalar())


def _known_study(revision: int | None) -> int:
    if revision is None:  # somebody deleted it
        raise lease.deleted()
    return revision
