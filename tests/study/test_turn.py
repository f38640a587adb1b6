"""Work that drivers do one by one: who is waited for, and for how long."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from qpsearch.errors import Superseded
from qpsearch.runner import starting
from qpsearch.space import parse_space
from qpsearch.study import manage
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.drivers.stored import find_study
from qpsearch.study.drivers.turn import in_turn
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger, rows
from tests.scripted import Behaviour, space_text

ELSEWHERE = replace(Driver.this(), host="elsewhere")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A study without drivers."""
    with new_ledger(url, parse_space(space_text(Behaviour.IMPROVES))):
        pass
    with closing(Database.create(url)) as found:
        yield found


def another(database: Database) -> int:
    """Take a lease as the driver of another host does."""
    return database.write(lambda c: lease.take(c, find_study(c, "scripted"), ELSEWHERE, time.time()))


def states(database: Database) -> list[str]:
    return database.read(lambda c: list(c.exec_driver_sql("SELECT state FROM qpsearch_leases ORDER BY 1").scalars()))


@pytest.mark.parametrize("take_over", [False, True])
def test_a_driver_that_is_gone_elsewhere_is_waited_for_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, take_over: bool
) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 60.0 if take_over else 0.4)
    another(database)
    told: list[str] = []
    with in_turn(database, "scripted", take_over=take_over, tell=told.append):
        assert told == ([] if take_over else [str(ELSEWHERE)])
    assert states(database) == ["released", "released", "superseded"]
    manage.rename(database, "scripted", "other")  # nobody holds it any more


def test_who_is_taken_over_in_its_turn_is_told_before_it_writes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.4)
    with in_turn(database, "scripted") as first:
        first()
        with (
            closing(Database.create(database._url.render_as_string(hide_password=False))) as own,
            in_turn(own, "scripted", take_over=True) as second,
        ):
            time.sleep(0.3)  # the first one's next sign of life finds out
            second()
            with pytest.raises(Superseded):
                first()
    assert sorted(states(database)) == ["released", "released", "superseded"]


def test_a_driver_that_lives_is_waited_for_however_long_it_takes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.4)
    order: list[str] = []

    def second() -> None:
        with (
            closing(Database.create(database._url.render_as_string(hide_password=False))) as own,
            in_turn(own, "scripted"),
        ):
            order.append("second")

    monkeypatch.setattr(Driver, "is_gone", lambda self, here: None)  # as one of another host
    with in_turn(database, "scripted"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(1.5)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]
    assert states(database) == ["released"] * 3


def test_trials_of_a_driver_that_falls_silent_are_not_waited_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.4)
    monkeypatch.setattr(starting, "LOOK_S", 0.05)
    ledger = new_ledger(url, parse_space(space_text(Behaviour.IMPROVES)))
    assert ledger.ask() is not None
    ledger._database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_leases SET host = 'elsewhere'"))
    began = time.monotonic()
    assert not starting._wait(url, "scripted", lambda event: None)
    assert 0.4 <= time.monotonic() - began < 10
    assert rows(url, "SELECT state FROM qpsearch_leases") == [("held",)]
    ledger._database.close()
