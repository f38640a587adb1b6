"""A step is committed exactly once, whatever happens to the connection."""

import time

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from qpsearch.errors import StorageAway, Superseded
from qpsearch.space import Space
from qpsearch.study import manage
from qpsearch.study.drivers import transactions as writer
from qpsearch.study.drivers.transactions import move_revision
from qpsearch.study.storage import engine
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Event, StorageBack, StorageGone
from tests.helpers import new_ledger, progress, resumed_ledger, rows, train_all
from tests.postgres import Postgres


@pytest.fixture
def server_url(postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> str:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setattr(writer, "FIRST_WAIT_S", 0.01)
    return postgres.new_study_database()


def broken(when: str, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> list[str]:
    """Let the connection break before or after the next commits, as a server that goes away does."""
    real, left = Database.write, [times]
    seen: list[str] = []

    def write(self: Database, step: object) -> object:
        if left[0] == 0 or "Heartbeat" in getattr(step, "__qualname__", ""):
            return real(self, step)  # type: ignore[arg-type]
        left[0] -= 1
        seen.append(when)
        if when == "after":
            real(self, step)  # type: ignore[arg-type]
        else:

            def fails(connection: Connection) -> None:
                step(connection)  # type: ignore[operator]
                raise OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

            real(self, fails)
        raise StorageAway("server closed the connection unexpectedly")

    monkeypatch.setattr(Database, "write", write)
    return seen


@pytest.mark.parametrize("when", ["before", "after"])
def test_each_step_is_there_once_wherever_the_connection_broke(
    server_url: str, space: Space, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    with new_ledger(server_url, space, events.append) as ledger:
        steps = []
        steps.append(broken(when, monkeypatch))
        first = ledger.ask()
        assert first is not None
        steps.append(broken(when, monkeypatch, times=3))
        assert ledger.report(0, 1, progress(1, 0.5))
        steps.append(broken(when, monkeypatch))
        train_all(ledger, first, 2)
        assert [len(seen) for seen in steps] == [1, 3, 1]
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    states = [state for (state,) in rows(server_url, "SELECT state FROM trials ORDER BY number")]
    complete = states.count("COMPLETE")
    assert (len(states), complete + states.count("PRUNED")) == (6, 6)
    assert complete >= 1
    assert rows(server_url, "SELECT count(*) FROM qpsearch_epochs") == [(18 + complete,)]
    promoted = rows(server_url, "SELECT count(*) FROM qpsearch_attempts WHERE number = 2")[0][0]
    assert 1 <= promoted <= complete
    assert rows(server_url, "SELECT count(*) FROM qpsearch_attempts") == [(6 + promoted,)]
    assert {type(event) for event in events} >= {StorageGone, StorageBack}


def test_a_database_that_stays_away_ends_the_driver_and_nothing_is_lost(
    server_url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_S", 0.2)
    with pytest.raises(StorageAway), new_ledger(server_url, space) as ledger:
        ledger.ask()
        broken("before", monkeypatch, times=10_000)
        ledger.report(0, 1, progress(1, 0.5))
    assert rows(server_url, "SELECT number, state FROM trials") == [(0, "RUNNING")]


def test_a_study_that_was_deleted_under_its_driver_stops_it(url: str, space: Space) -> None:
    with pytest.raises(Superseded, match="the study was deleted from the database"), new_ledger(url, space) as ledger:
        ledger.ask()
        ledger._database.with_optuna(lambda storage: storage.delete_study(ledger._study_id))
        ledger.report(0, 1, progress(1, 0.5))


def test_an_interrupt_right_after_a_commit_loses_no_attempt(url: str, space: Space) -> None:
    """Python runs signal handlers as soon as the commit returns: the step is stored, but was not counted here."""
    ledger = new_ledger(url, space)
    real = Database.write

    def interrupted(self: Database, step: object) -> object:
        real(self, step)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "write", interrupted)
        try:
            ledger.ask()
        finally:
            patch.undo()
    assert rows(url, "SELECT ending FROM qpsearch_attempts") == [("interrupted",)]
    assert rows(url, "SELECT state FROM qpsearch_leases") == [("released",)]
    with resumed_ledger(url) as second:
        assert second.ask().trial == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("last", ["release", "discard"])
def test_a_connection_that_breaks_at_the_very_end_is_no_take_over(
    server_url: str, space: Space, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_ledger(server_url, space) as ledger:
        if last == "discard":
            broken("after", monkeypatch)
            ledger.discard()
        else:
            assert ledger.ask() is not None
            broken("after", monkeypatch, times=3)
    assert rows(server_url, "SELECT count(*) FROM studies") == [(0 if last == "discard" else 1,)]
    assert rows(server_url, "SELECT state FROM qpsearch_leases") == ([] if last == "discard" else [("released",)])


def test_a_driver_that_cannot_start_leaves_the_study_to_those_that_joined(url: str, space: Space) -> None:
    with new_ledger(url, space) as first, resumed_ledger(url) as second:
        first.discard()
        assert second.ask() is not None
        assert first.ask() is not None


def test_a_driver_does_not_write_into_a_later_study_with_its_numbers(sqlite_url: str, space: Space) -> None:
    """SQLite gives the ids of a deleted study to the next one."""
    with pytest.raises(Superseded), new_ledger(sqlite_url, space) as old:
        assert old.ask() is not None
        query = "UPDATE qpsearch_leases SET state = 'released'"
        old._database.write(lambda c: c.exec_driver_sql(query))
        manage.delete(Database.create(sqlite_url), "scripted")
        with new_ledger(sqlite_url, space.with_search(study="other")) as new:
            assert new.ask() is not None
            assert (new._study_id, new._lease_id) == (old._study_id, old._lease_id)
            old.report(0, 1, progress(1, 0.99))
    assert rows(sqlite_url, "SELECT * FROM qpsearch_epochs") == []


def test_a_driver_frozen_in_a_transaction_does_not_hold_the_others_for_ever(
    postgres: Postgres, server_url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = engine.BOUNDS.replace("20000", "500").replace("30000", "300")
    monkeypatch.setattr(engine, "BOUNDS", quick)
    with new_ledger(server_url, space) as ledger:
        frozen = Database.create(server_url)
        with frozen._engine.connect() as connection:
            engine.begin(connection, is_writing=True)
            move_revision(connection, ledger._study_id, ledger._transactions._uid)  # and now it stands still
            assert ledger.ask() is not None
            connection.invalidate()
        frozen.close()


def test_ctrl_c_ends_the_waiting_for_a_database(server_url: str, space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageAway), new_ledger(server_url, space) as ledger:
        began = time.monotonic()
        ledger.wait_until(lambda: time.monotonic() - began > 0.5)
        broken("before", monkeypatch, times=10_000)
        ledger.ask()
    assert time.monotonic() - began < 5
