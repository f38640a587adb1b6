"""Keeping a lease alive while its driver is busy or waits."""

import threading

from qpsearch.errors import StorageError, Superseded
from qpsearch.study import lease
from qpsearch.study.storage import Database


class Heartbeat:
    """A thread that keeps the lease's counter moving, also while the driver waits for hours."""

    def __init__(self, database: Database, lease_id: int) -> None:
        self._database, self._lease_id = database, lease_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="qpsearch-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat, four times a lease."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until the last beat is through."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(lease.LEASE_S / 4):
            try:
                self._database.write(lambda connection: lease.hold(connection, self._lease_id))
            except Superseded:
                return  # the driver meets it at its next step
            except StorageError:
                continue  # a database that is away for a moment; the next beat may reach it
