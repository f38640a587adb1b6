"""Keeping a lease alive while its driver is busy or waits, and watching the other drivers of the study."""

import threading
from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from qpsearch.errors import StorageError
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.drivers.lease import Driver, Lease
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.underway import StepsRecord, to_text


class Heartbeat:
    """A thread that moves the lease's counter, also while the driver waits for hours, and reads the other counters.

    A driver on this host counts as gone as soon as its process is gone. Any driver, also one on this host whose process
    is there but frozen, counts as gone when its counter has stood still for a lease's length of this thread's own
    monotonic time, during which the database could be read; so neither a jump of a clock nor an outage of the database
    makes a driver look dead.

    Args:
        database: The study database.
        study_id: The study.
        uid: Its uid.
        lease_id: The lease.
        clock: The driver's clock.
        steps: Returns how far the epochs of this driver's trials are, which is written with the counter.
    """

    def __init__(
        self,
        database: Database,
        study_id: int,
        uid: str,
        lease_id: int,
        clock: Clock,
        steps: Callable[[], Mapping[int, StepsRecord]],
    ) -> None:
        self._database, self._study_id, self._uid, self._lease_id = database, study_id, uid, lease_id
        self._clock, self._steps = clock, steps
        self._ended: BaseException | None = None
        self._began = self._clock.monotonic()
        self._here = Driver.this()
        self._seen: dict[int, tuple[int, float, float, Lease]] = {}  # counter, since when, when it last moved
        self._gone: dict[int, Lease] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qpsearch-heartbeat", daemon=True)

    @property
    def seconds(self) -> float:
        """How long the lease has been held."""
        return self._clock.monotonic() - self._began

    @property
    def gone(self) -> list[Lease]:
        """Leases whose drivers are gone."""
        return list(self._gone.values())

    def check(self) -> None:
        """Raise the error that ended the thread: a driver must not continue when others cannot see that it lives."""
        if self._ended is not None:
            raise self._ended

    def alive(self, lease_id: int, since: float) -> bool:
        """Whether a lease's driver has given a sign of life since a moment of monotonic time."""
        seen = self._seen.get(lease_id)
        return seen is not None and seen[2] > since and not seen[3].expired_on(self._here)

    def start(self) -> None:
        """Start the thread, which moves the counter four times in a lease's length."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the last write."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._database.write(self._beat)
                self._look(self._database.read(lambda connection: lease.standing(connection, self._study_id)))
            except StorageError:
                self._seen = {}  # during an outage, a counter that stands still means nothing
            except BaseException as error:  # Superseded, or a fault; kept for the driver's own thread
                self._ended = error
                return
            if self._stop.wait(lease.LEASE_S / 4):
                return

    def _beat(self, connection: Connection) -> None:
        lease.hold(connection, self._lease_id, self._uid, self.seconds, to_text(self._steps()))

    def _look(self, standing: list[Lease]) -> None:
        now = self._clock.monotonic()
        others = {other.lease_id: other for other in standing if other.lease_id != self._lease_id}
        self._seen = {key: seen for key, seen in self._seen.items() if key in others}
        self._gone = {key: gone for key, gone in self._gone.items() if key in others}
        for key, other in others.items():
            counter, since, moved, _ = self._seen.get(key, (other.beat, now, float("-inf"), other))
            if other.beat != counter:
                counter, since, moved = other.beat, now, now
                self._gone.pop(key, None)
            self._seen[key] = (counter, since, moved, other)
            if other.expired_on(self._here) or now - since >= lease.LEASE_S:
                self._gone[key] = other
