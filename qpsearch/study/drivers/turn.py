"""Drivers that come to the same work at once, such as reading the test images, do it one by one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, select

from qpsearch.study.drivers import lease
from qpsearch.study.drivers.clock import SYSTEM
from qpsearch.study.drivers.heartbeat import Heartbeat
from qpsearch.study.drivers.lease import Driver, Lease
from qpsearch.study.drivers.peers import supersede
from qpsearch.study.drivers.stored import find_study
from qpsearch.study.drivers.transactions import move_revision
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import study_facts

LOOK_S: Final = 0.2


@contextmanager
def in_turn(
    database: Database, name: str, *, take_over: bool = False, tell: Callable[[str], None] = lambda text: None
) -> Iterator[Callable[[], None]]:
    """Do something with a study that several drivers come to at once.

    Whoever came before is waited for, unless it is gone: its process ended on this host, or it has not given a sign of
    life for the length of a lease.

    Args:
        database: Opened for writing.
        name: The study.
        take_over: Do not wait for others, which may still live.
        tell: Called with each driver that is waited for.

    Yields:
        What raises Superseded where another driver has taken over meanwhile; to be called before each write.

    Raises:
        StudyNotFound: There is no such study.
        Superseded: Another driver has taken over before the turn came.
    """

    def take(connection: Connection) -> tuple[int, str, int]:
        study = find_study(connection, name)
        uid = connection.execute(select(study_facts.c.uid).where(study_facts.c.study_id == study)).scalar_one()
        return study, uid, lease.take(connection, study, Driver.this(), time.time())

    study, uid, own = database.write(take)
    heart = Heartbeat(database, study, uid, own, SYSTEM, dict)
    heart.start()
    try:
        told: set[int] = set()
        while before := [each for each in database.read(lambda c: lease.standing(c, study)) if each.lease_id < own]:
            gone = {each.lease_id: each for each in (before if take_over else heart.gone)}
            for holder in before:
                if holder.lease_id in gone:
                    _end(database, study, uid, gone[holder.lease_id], unless_it_moved=not take_over)
                elif holder.lease_id not in told:
                    told.add(holder.lease_id)
                    tell(str(holder.driver))
            time.sleep(LOOK_S)
        heart.check()
        yield heart.check
    finally:
        heart.stop()
        database.write(lambda c: lease.release(c, own, heart.seconds, time.time()))


def _end(database: Database, study: int, uid: str, holder: Lease, *, unless_it_moved: bool) -> None:
    """End the lease of a driver that is gone."""

    def step(connection: Connection) -> None:
        revision = move_revision(connection, study, uid)
        supersede(connection, study, holder, time.time(), revision, unless_it_moved=unless_it_moved)

    database.write(step)
