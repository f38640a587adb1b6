"""Keeping a lease alive while its driver is busy or waits, and watching the other drivers of the study."""

import threading
from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from qpsearch.errors import StorageError
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.drivers.lease import Lease
from qpsearch.study.drivers.watch import Watch
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.underway import StepsRecord, to_text


class Heartbeat:
    """A thread that moves the lease's counter, also while the driver waits for hours, and reads the other counters.

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
        self._watch = Watch(clock)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qpsearch-heartbeat", daemon=True)

    @property
    def seconds(self) -> float:
        """How long the lease has been held."""
        return self._clock.monotonic() - self._began

    @property
    def gone(self) -> list[Lease]:
        """Leases whose drivers are gone."""
        return self._watch.gone

    def check(self) -> None:
        """Raise the error that ended the thread: a driver must not continue when others cannot see that it lives."""
        if self._ended is not None:
            raise self._ended

    def alive(self, lease_id: int, since: float) -> bool:
        """Whether a lease's driver has given a sign of life since a moment of monotonic time."""
        return self._watch.alive(lease_id, since)

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
                standing = self._database.read(lambda connection: lease.standing(connection, self._study_id))
                self._watch.look([other for other in standing if other.lease_id != self._lease_id])
            except StorageError:
                self._watch.forget()
            except BaseException as error:  # Superseded, or a fault; kept for the driver's own thread
                self._ended = error
                return
            if self._stop.wait(lease.LEASE_S / 4):
                return

    def _beat(self, connection: Connection) -> None:
        lease.hold(connection, self._lease_id, self._uid, self.seconds, to_text(self._steps()))
