"""A step is committed exactly once, whatever happens to the connection."""

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from qpsearch.errors import StorageAway, Superseded
from qpsearch.space import Space
from qpsearch.study import writer
from qpsearch.study.events import Event, StorageBack, StorageGone
from qpsearch.study.storage import Database
from tests.helpers import new_ledger, progress, rows, train_all
from tests.postgres import Postgres


@pytest.fixture
def server_url(postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> str:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setattr(writer, "FIRST_WAIT_S", 0.01)
    return postgres.new_database()


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
    assert rows(server_url, "SELECT number, state FROM trials ORDER BY number") == [(n, "COMPLETE") for n in range(6)]
    assert rows(server_url, "SELECT count(*) FROM qpsearch_epochs") == [(24,)]
    assert rows(server_url, "SELECT count(*) FROM qpsearch_attempts") == [(6,)]
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
    with pytest.raises(Superseded, match="or it was deleted"), new_ledger(url, space) as ledger:
        ledger.ask()
        ledger._database.with_optuna(lambda storage: storage.delete_study(ledger._study_id))
        ledger.report(0, 1, progress(1, 0.5))
