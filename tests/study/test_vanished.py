"""A database that is removed, moved or replaced while a driver uses it, and copies of one that is in use."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from qpsearch.errors import StorageAway, StorageError
from qpsearch.space import Space
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage import sqlite_file
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger, progress, ready_database, resumed_ledger, rows


@pytest.fixture
def path(sqlite_url: str) -> Path:
    return Path(make_url(sqlite_url).database or "")


@pytest.fixture
def ledger(sqlite_url: str, space: Space) -> Iterator[Ledger]:
    """A running study with one epoch."""
    with suppress(StorageError), new_ledger(sqlite_url, space) as ledger:
        assert ledger.ask() is not None
        ledger.report(0, 1, progress(1, 0.5))
        yield ledger
        raise StorageError("as its driver would see it")


EPOCHS = "SELECT count(*) FROM qpsearch_epochs"


def test_a_removed_database_is_noticed_at_the_next_report_and_saved(ledger: Ledger, path: Path) -> None:
    for file in path.parent.glob("q.db*"):
        file.unlink()
    with pytest.raises(StorageError, match="the file is gone") as raised:
        ledger.report(0, 1, progress(2, 0.6))
    assert not path.exists()
    (saved,) = path.parent.glob("q-saved-*.db")
    assert f"Every trial up to here is saved in {saved}." in str(raised.value)
    saved.rename(path)
    assert rows(f"sqlite:///{path}", EPOCHS) == [(1,)]
    with resumed_ledger(f"sqlite:///{path}", take_over=True) as again:
        assert again.ask() is not None


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_moved_database_is_found(ledger: Ledger, path: Path, what: str) -> None:
    moved = path.with_name("moved.db")
    if what == "file":
        path.rename(moved)
    else:
        path.parent.rename(path.parent.with_name("archive"))
        moved = path.parent.with_name("archive") / path.name
    with pytest.raises(StorageError, match="the file is gone") as raised:
        ledger.report(0, 1, progress(2, 0.6))
    assert f"was moved to {moved}, with every trial up to here" in str(raised.value)
    assert not path.exists()


def test_two_threads_that_miss_a_database_at_once_save_it_once(ledger: Ledger, path: Path) -> None:
    """The pool has one idle connection; a second one would open, or make, the file of that name."""
    database, told = ledger._database, []

    def look() -> None:
        with pytest.raises(StorageError) as raised:
            database.read(lambda connection: connection.execute(text("SELECT 1")))
        told.append(str(raised.value))

    database._engine.dispose()
    with closing(database._engine.raw_connection()) as busy:
        busy.cursor().execute("SELECT count(*) FROM studies").fetchall()
        for file in path.parent.glob("q.db*"):
            file.unlink()
        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        threads[0].join(0.2)  # as long as another thread's step may take
    for thread in threads:
        thread.join()
    (saved,) = path.parent.glob("*.db")
    assert all(f"saved in {saved}" in text for text in told), told
    assert rows(f"sqlite:///{saved}", EPOCHS) == [(1,)]


def test_a_database_that_is_moved_in_the_middle_of_a_step_is_found(ledger: Ledger, path: Path) -> None:
    """SQLite says "disk I/O error" then, where another driver has removed the log of the moved file."""

    def step(connection: Connection) -> None:
        path.rename(path.with_name("moved.db"))
        connection.execute(text("SELECT fails"))

    with pytest.raises(StorageError, match=r"database was moved to .*moved\.db, with every trial"):
        ledger._database.write(step)


def test_a_database_that_is_moved_while_it_is_opened_is_missed(
    sqlite_url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver ran its study to the end in a file of another name."""
    check = Database._check

    def checked(database: Database) -> None:
        check(database)
        path.rename(path.with_name("moved.db"))

    monkeypatch.setattr(Database, "_check", checked)
    with pytest.raises(StorageError, match=r"the file is gone.*was moved to .*moved\.db"):
        Database.open(sqlite_url)


def test_a_replaced_database_is_not_written_to(ledger: Ledger, path: Path, sqlite_template: Path) -> None:
    other = path.with_name("other.db")
    shutil.copyfile(sqlite_template, other)
    other.replace(path)
    with pytest.raises(StorageError, match=r"another file is in its place.*is saved in "):
        ledger.report(0, 1, progress(2, 0.6))
    assert path.read_bytes() == sqlite_template.read_bytes()


def test_a_copy_of_a_running_studys_file_has_all_but_the_last_seconds(
    sqlite_url: str, space: Space, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied() -> list[object]:
        shutil.copyfile(path, tmp_path / "copy.db")
        return rows(f"sqlite:///{tmp_path}/copy.db", EPOCHS)

    with new_ledger(sqlite_url, space) as ledger:
        assert ledger.ask() is not None
        ledger.report(0, 1, progress(1, 0.5))
        assert copied() == [(0,)]  # still in the log
        monkeypatch.setattr(sqlite_file, "CHECKPOINT_S", 0.0)  # as seconds later
        ledger.report(0, 1, progress(2, 0.6))
        assert copied() == [(2,)]


def test_a_backup_is_whole_while_others_write_and_read(ledger: Ledger, sqlite_url: str, path: Path) -> None:
    target = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as other, closing(ready_database(sqlite_url)) as database:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM qpsearch_epochs")
        database.backup(target)
        other.rollback()
        with pytest.raises(StorageError, match="exists already"):
            database.backup(target)
    assert rows(f"sqlite:///{target}", EPOCHS) == [(1,)]
    assert sorted(file.name for file in target.parent.glob("backup*")) == ["backup.db"]


def test_a_server_is_backed_up_by_its_own_tools(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = request.getfixturevalue("postgres").new_study_database()
    with closing(Database.open(url)) as database, pytest.raises(StorageError, match="pg_dump"):
        database.backup(tmp_path / "b.db")


@pytest.mark.parametrize(
    "statement",
    [
        "SET TRANSACTION READ ONLY; CREATE TABLE x (y int)",
        "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$",
        "DO $$ BEGIN RAISE SQLSTATE '57P03'; END $$",
        "DO $$ BEGIN RAISE SQLSTATE '53300'; END $$",
    ],
)
def test_what_passes_on_a_server_is_waited_for(request: pytest.FixtureRequest, statement: str) -> None:
    def step(connection: object) -> None:
        for part in [statement] if "$$" in statement else statement.split(";"):
            connection.execute(text(part))  # type: ignore[attr-defined]

    url = request.getfixturevalue("postgres").new_study_database()
    with closing(Database.open(url)) as database:
        with pytest.raises(StorageAway):
            database.write(step)
        with pytest.raises(StorageError) as raised:
            database.write(lambda connection: connection.execute(text("SELECT no_such_column FROM studies")))
        assert not isinstance(raised.value, StorageAway)


def test_a_server_that_is_made_read_only_is_waited_for(request: pytest.FixtureRequest) -> None:
    """A connection that has read says READ WRITE in no later transaction: the server's word counts."""
    asked = text("SHOW transaction_read_only")
    url = request.getfixturevalue("postgres").new_study_database()
    with closing(Database.open(url)) as database:
        assert database.read(lambda connection: connection.execute(asked).scalar()) == "on"
        assert database.write(lambda connection: connection.execute(asked).scalar()) == "off"
        database.write(lambda connection: connection.execute(text("SET default_transaction_read_only = on")))
        with pytest.raises(StorageAway):
            database.write(lambda connection: connection.execute(text("CREATE TABLE x (y int)")))
