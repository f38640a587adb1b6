"""Leases: which driver may write to a study, and how other drivers find out that it is gone.

A driver is a process on a host: host name, boot and process namespace, process id and its start time. On
the same host, a dead driver is noticed at once. One that is dead on another host, or frozen on any, is noticed when its
counter no longer moves, measured by the observer's own monotonic clock, so that clocks of two hosts are not compared.
"""

import os
import platform
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy import Connection, Row, bindparam, insert, inspect, select, update

from qpsearch.errors import Superseded
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.storage.prepared import Prepared
from qpsearch.study.storage.tables import leases, study_facts

LEASE_S: Final = 60.0
UNKNOWN: Final = "-"
HELD, RELEASED, SUPERSEDED = "held", "released", "superseded"
COUNT: Final = Prepared(
    update(leases)
    .where(leases.c.lease_id == bindparam("of_lease"), leases.c.state == HELD, leases.c.written == bindparam("before"))
    .values(beat=leases.c.beat + 1, written=bindparam("after"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A process that runs a study."""

    host: str
    boot: str
    pid: int
    process_started: float

    @classmethod
    def this(cls) -> "Driver":
        """Return the calling process."""
        return cls(host=socket.gethostname(), boot=_boot(), pid=os.getpid(), process_started=_started(os.getpid()))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    def is_gone(self, here: "Driver") -> bool | None:
        """Return whether the process is gone: True or False on this host, None where only waiting can tell."""
        if self.host != here.host:
            return None
        if self.boot != here.boot:
            (machine, boot, *_), (own_machine, own_boot, *_) = self.boot.split(), here.boot.split()
            # An earlier boot of this machine: gone. Another namespace of this boot, or another machine of the same
            # name: this process cannot see the self.
            return True if machine == own_machine != UNKNOWN and boot != own_boot else None
        try:
            dead = psutil.Process(self.pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
            return dead or _started(self.pid) != self.process_started
        except psutil.NoSuchProcess:
            return None if _is_hidden(self.pid) else True


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A row of the lease table that is still held."""

    lease_id: int
    driver: Driver
    beat: int
    steps: str | None

    def expired_on(self, here: Driver) -> bool | None:
        """Return whether the holder is gone; see ``Driver.is_gone``."""
        return self.driver.is_gone(here)


def _is_hidden(pid: int) -> bool:
    """Whether a process exists although /proc does not show it, as may happen with another user's process."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def standing(connection: Connection, study_id: int, *, with_steps: bool = False) -> list[Lease]:
    """Return the leases of a study that are neither released nor superseded.

    Args:
        connection: To the database, whose schema may be an earlier one.
        study_id: The study.
        with_steps: Whether to tell how far the epochs of their drivers are, where the schema has it.
    """
    asked = with_steps and "steps_json" in {each["name"] for each in inspect(connection).get_columns(leases.name)}
    told = [each for each in leases.c if each.name != "steps_json" or asked]
    rows = connection.execute(select(*told).where(leases.c.study_id == study_id, leases.c.state == HELD))
    return [
        Lease(
            lease_id=row.lease_id,
            driver=Driver(host=row.host, boot=row.boot, pid=row.pid, process_started=row.process_started),
            beat=row.beat,
            steps=row.steps_json if asked else None,
        )
        for row in rows
    ]


def take(connection: Connection, study_id: int, driver: Driver, now: float) -> int:
    """Write a new lease and return its id."""
    row = insert(leases).values(
        study_id=study_id,
        host=driver.host,
        boot=driver.boot,
        pid=driver.pid,
        process_started=driver.process_started,
        beat=0,
        written=0,
        seconds=0.0,
        state=HELD,
        began=now,
    )
    key = connection.execute(row).inserted_primary_key
    assert key is not None
    return int(key[0])


class Committed(Exception):
    """A step is already in the database: its transaction was committed before the connection broke."""


def taken() -> Superseded:
    """Return the error for a driver whose study another driver has taken over."""
    return Superseded("another driver has taken over this study. This driver stops; what it recorded is kept.")


def deleted() -> Superseded:
    """Return the error for a driver whose study is no longer in the database."""
    return Superseded(
        "the study was deleted from the database while this driver ran it, by qpsearch or by another tool. If another "
        "tool renamed it, a plain Optuna study of the new name has its finished trials: qpsearch import."
    )


def hold(connection: Connection, lease_id: int, uid: str, seconds: float, steps: str) -> None:
    """Move the counter of a lease, and record how long it has been held.

    Args:
        connection: To the database.
        lease_id: The lease.
        uid: The uid of the study; after a study is deleted, another study may get its id.
        seconds: How long the lease has been held.
        steps: How far the epochs of its driver are, as ``underway.to_text`` spells it.

    Raises:
        Superseded: Another driver has taken over, or the study was deleted.
    """
    study = select(study_facts.c.study_id).where(study_facts.c.uid == uid).scalar_subquery()
    own = update(leases).where(leases.c.lease_id == lease_id, leases.c.state == HELD, leases.c.study_id == study)
    if connection.execute(own.values(beat=leases.c.beat + 1, seconds=seconds, steps_json=steps)).rowcount != 1:
        raise taken() if connection.execute(select(study)).scalar() is not None else deleted()


def step(connection: Connection, lease_id: int, written: int) -> None:
    """Assert the lease inside the caller's transaction, and count the step.

    Args:
        connection: In the transaction of the step.
        lease_id: This driver's lease.
        written: Steps committed before.

    Raises:
        Superseded: Another driver has taken over; the transaction must not be committed.
        Committed: This step was committed already; the transaction must not be committed again.
    """
    if COUNT.run(connection, {"of_lease": lease_id, "before": written, "after": written + 1}).rowcount == 1:
        return
    row = connection.execute(select(leases).where(leases.c.lease_id == lease_id)).first()
    # Released counts as committed too: a driver's last step leaves its lease released.
    is_done = row is not None and row.state != SUPERSEDED and row.written == written + 1
    raise Committed if is_done else taken()


def end(connection: Connection, lease_id: int, state: str, now: float, beat: int | None = None) -> bool:
    """Release or supersede a lease; a lease that has already ended stays as it is.

    Args:
        connection: In the caller's transaction.
        lease_id: The lease.
        state: The new state.
        now: Unix seconds.
        beat: If given, the lease is ended only if its counter still has this value.

    Returns:
        Whether the lease was ended.
    """
    held = update(leases).where(leases.c.lease_id == lease_id, leases.c.state == HELD)
    if beat is not None:
        held = held.where(leases.c.beat == beat)
    return connection.execute(held.values(state=state, ended=now)).rowcount == 1


def release(connection: Connection, lease_id: int, seconds: float, now: float) -> None:
    """Release a lease that was held for the given seconds."""
    connection.execute(update(leases).where(leases.c.lease_id == lease_id).values(seconds=seconds))
    end(connection, lease_id, RELEASED, now)


def span(connection: Connection, lease_id: int) -> Row[float, float]:
    """Return when a lease began and for how many seconds it was held."""
    return connection.execute(select(leases.c.began, leases.c.seconds).where(leases.c.lease_id == lease_id)).one()


def wait_until_silent(
    beat: Callable[[], int | None],
    *,
    lease_s: float,
    clock: Clock,
    tell: Callable[[float], None],
) -> bool:
    """Watch another host's driver for one lease.

    Args:
        beat: Reads the driver's counter; None once the lease has ended.
        lease_s: How long the counter may stand still.
        clock: The observer's clock.
        tell: Called with the seconds that are left.

    Returns:
        True if the driver is gone, False if its counter moved.
    """
    first, began = beat(), clock.monotonic()
    while (left := began + lease_s - clock.monotonic()) > 0:
        tell(left)
        clock.sleep(min(left, lease_s / 20))
        if (now := beat()) != first:
            return now is None
    return True


def _boot() -> str:
    """Return machine, boot and, on Linux, process namespace: containers share a boot, cloned machines a name."""
    machine_file, boot_file = Path("/etc/machine-id"), Path("/proc/sys/kernel/random/boot_id")
    machine = (machine_file.read_text().strip() if machine_file.exists() else "") or UNKNOWN
    if platform.system() == "Linux" and boot_file.exists():
        return f"{machine} {boot_file.read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    return f"{machine} {psutil.boot_time():.0f}"


def _started(pid: int) -> float:
    """Return the start time of a process, which tells it from a later one with its id; raises psutil.NoSuchProcess.

    On Linux it is in ticks since the boot, which do not depend on the clock; elsewhere in seconds since 1970.
    """
    stat = Path(f"/proc/{pid}/stat")
    try:
        return float(stat.read_text().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        if platform.system() == "Linux":
            raise psutil.NoSuchProcess(pid) from None
        return float(round(psutil.Process(pid).create_time()))
