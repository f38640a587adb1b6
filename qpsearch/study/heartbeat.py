"""Keeping a lease alive while its driver is busy or waits, and watching the other drivers of the study."""

import threading
import time

from qpsearch.errors import StorageError, Superseded
from qpsearch.study import lease
from qpsearch.study.lease import Driver, Lease
from qpsearch.study.storage import Database


class Heartbeat:
    """A thread that moves the lease's counter, also while the driver waits for hours, and reads the others'.

    A driver on this host whose process is gone is gone at once. Any other is gone when its counter has
    stood still for a lease's length of this thread's own monotonic time, during which the database could be
    read; so neither a jump of a clock nor an outage of the database makes a driver look dead.
    """

    def __init__(self, database: Database, study_id: int, lease_id: int) -> None:
        self._database, self._study_id, self._lease_id = database, study_id, lease_id
        self._began = time.monotonic()
        self._here = Driver.this()
        self._seen: dict[int, tuple[int, float, float]] = {}  # lease: counter, since when, last time it moved
        self._gone: dict[int, Lease] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qpsearch-heartbeat", daemon=True)

    @property
    def seconds(self) -> float:
        """How long the lease has been held."""
        return time.monotonic() - self._began

    @property
    def gone(self) -> list[Lease]:
        """Leases whose drivers are gone."""
        return list(self._gone.values())

    def alive(self, lease_id: int) -> bool:
        """Whether a lease's driver has given a sign of life within the last lease's length."""
        moved = self._seen.get(lease_id, (0, 0.0, float("-inf")))[2]
        return time.monotonic() - moved < lease.LEASE_S

    def start(self) -> None:
        """Begin to beat, four times a lease."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until the last beat is through."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._database.write(lambda connection: lease.hold(connection, self._lease_id, self.seconds))
                self._look(self._database.read(lambda connection: lease.standing(connection, self._study_id)))
            except Superseded:
                return  # the driver meets it at its next step
            except StorageError:
                self._seen.clear()  # while nobody could write, nobody's silence means anything
            if self._stop.wait(lease.LEASE_S / 4):
                return

    def _look(self, standing: list[Lease]) -> None:
        now = time.monotonic()
        others = {other.lease_id: other for other in standing if other.lease_id != self._lease_id}
        self._seen = {key: seen for key, seen in self._seen.items() if key in others}
        self._gone = {key: gone for key, gone in self._gone.items() if key in others}
        for key, other in others.items():
            counter, since, moved = self._seen.get(key, (other.beat, now, float("-inf")))
            if other.beat != counter:
                counter, since, moved = other.beat, now, now
                self._gone.pop(key, None)
            self._seen[key] = (counter, since, moved)
            if other.expired_on(self._here) or now - since >= lease.LEASE_S:
                self._gone[key] = other
