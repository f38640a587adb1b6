"""The database: both schemas side by side, readers that do not disturb writers, faults with one message."""

import socket
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from filelock import FileLock
from sqlalchemy import Engine, event, select

from qpsearch.errors import StorageDamaged, StorageEmpty, StorageError, StudyExists, StudyNotFound
from qpsearch.runner.driving import existing_studies
from qpsearch.space import Space, parse_space
from qpsearch.study import opening, queries
from qpsearch.study.storage import engine
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import OURS, VERSION_TABLE, evaluations, trials
from tests.helpers import new_ledger, release, rows, train_all
from tests.scripted import Behaviour, space_text


def filled(url: str, space: Space, trials: int = 3) -> None:
    with new_ledger(url, space) as ledger:
        for _ in range(trials):
            assignment = ledger.ask()
            assert assignment is not None
            train_all(ledger, assignment)


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(bare_url: str) -> None:
    database = Database.create(bare_url)

    def differences(connection: object) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "include_object": ours})  # type: ignore[arg-type]
        return list(compare_metadata(context, OURS))

    def ours(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", "")
        return str(table).startswith("qpsearch_")

    found = database.read(differences)
    assert [change for change in found if "modify_comment" not in str(change)] == []
    database.close()


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bound, a connection to a host that is not there takes two minutes."""
    assert int(str(engine.POSTGRES["connect_timeout"])) <= 20
    monkeypatch.setitem(engine.POSTGRES, "connect_timeout", 2)  # the least that psycopg takes
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://qp@127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(StorageError, match="connection timeout expired"):
            Database.open(url)


def test_a_row_that_cannot_be_read_is_named_and_a_fault_of_ours_is_not_hidden(url: str, space: Space) -> None:
    filled(url, space)
    database = Database.open(url)
    with pytest.raises(ZeroDivisionError):
        database.read(lambda connection: 1 // 0)
    database.write(
        lambda c: c.exec_driver_sql(
            "UPDATE qpsearch_configs SET config_json = '{' WHERE trial_id = (SELECT trial_id FROM trials WHERE number = 1)"
        )
    )
    for read in (queries.summary, lambda *given: [record.stages for record in queries.trial_records(*given)]):
        with pytest.raises(StorageDamaged, match=r"trial 1: .*config_json .* cannot be read \(.* Restore a backup, or"):
            read(database, "scripted")
    database.close()


def test_bits_of_images_are_no_damage(bare_url: str, space: Space) -> None:
    filled(bare_url, space, trials=1)
    database = Database.open(bare_url)
    fields = {"replicate": 0, "checkpoint": "w.pt", "noise": 0.0, "images": 16, "loss": 0.5, "accuracy": 0.5}
    row = fields | {"nonfinite": 0, "evaluated": 1.0, "correct": b"\xa1\xff"}
    database.write(
        lambda c: c.execute(evaluations.insert().values(trial_id=select(trials.c.trial_id).scalar_subquery(), **row))
    )
    with pytest.raises(KeyError):  # of the program, not of what is stored
        database.read(lambda connection: {}["no such thing"])
    database.close()


def test_optunas_own_tables_and_versions_are_untouched(bare_url: str, space: Space) -> None:
    """A second Alembic history in Optuna's database needs a version table of its own."""
    filled(bare_url, space)
    storage = optuna.storages.RDBStorage(bare_url)
    assert storage.get_current_version() == storage.get_head_version()
    release(storage)
    Database.create(bare_url).close()  # a second time changes nothing
    assert rows(bare_url, f"SELECT version_num FROM {VERSION_TABLE}") == [("0009",)]


def test_optuna_reads_what_we_wrote(url: str, unpruned: Space) -> None:
    """Every Optuna tool works on the study: parameters, values, steps and times are where it looks."""
    filled(url, unpruned)
    study = optuna.load_study(study_name="scripted", storage=url)
    database = Database.open(url)
    ours = queries.frozen_trials(database, "scripted")
    theirs = study.get_trials()
    assert ours == theirs
    assert study.direction is optuna.study.StudyDirection.MAXIMIZE
    assert study.best_trial.number == max(ours, key=lambda trial: trial.value or 0).number
    assert all(trial.state.name == "COMPLETE" and len(trial.intermediate_values) == 4 for trial in theirs)
    assert all(trial.duration is not None and 0 <= trial.duration.total_seconds() < 60 for trial in theirs)
    study.ask()  # Optuna could even go on with it
    database.close()
    release(study._storage)


def test_a_study_deleted_by_an_optuna_tool_takes_our_rows_along(url: str, unpruned: Space) -> None:
    """Optuna does not switch foreign keys on in SQLite, and SQLite gives a deleted row's id to the next one."""
    filled(url, unpruned)
    storage = optuna.storages.RDBStorage(url)
    optuna.delete_study(study_name="scripted", storage=storage)
    release(storage)
    for table in ("studies", "leases", "configs", "runs", "attempts", "epochs"):
        assert rows(url, f"SELECT * FROM qpsearch_{table}") == []
    filled(url, unpruned)
    database = Database.open(url)
    assert queries.summary(database, "scripted").counts == {"COMPLETE": 3}
    database.close()


def test_several_processes_may_make_a_database_at_once(tmp_path: Path) -> None:
    code = f"from qpsearch.study.storage.database import Database; Database.create('sqlite:///{tmp_path}/studies/q.db').close()"
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0)] * 4


def test_a_database_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    url, connection = f"sqlite:///{tmp_path}/q.db", sqlite3.connect(tmp_path / "q.db")
    with ThreadPoolExecutor(1) as pool, FileLock(tmp_path / "q.db.lock"):
        connection.execute("CREATE TABLE studies (study_id INTEGER)")  # the first of Optuna's tables
        connection.commit()
        made = pool.submit(Database.create, url)
        with pytest.raises(TimeoutError):
            made.result(0.3)
        connection.execute("DROP TABLE studies")  # in place of making the others
        connection.commit()
    made.result().close()
    connection.close()
    assert existing_studies(url) == []


def test_a_database_that_was_being_made_when_its_driver_died_can_be_made(tmp_path: Path, space: Space) -> None:
    url = f"sqlite:///{tmp_path}/q.db"
    study = optuna.create_study(study_name="plain", storage=url)  # Optuna's tables stand, ours do not
    release(study._storage)
    with pytest.raises(StorageEmpty):
        Database.open(url)
    assert existing_studies(url) == []
    filled(url, space, 1)
    assert existing_studies(url) == ["scripted"]


def test_wal_and_durability_are_on(bare_sqlite_url: str, space: Space) -> None:
    filled(bare_sqlite_url, space, 1)
    assert rows(bare_sqlite_url, "PRAGMA journal_mode") == [("wal",)]
    assert rows(bare_sqlite_url, "PRAGMA synchronous") == [(2,)]
    assert rows(bare_sqlite_url, "PRAGMA foreign_keys") == [(1,)]


def test_a_reader_waits_for_no_writer_and_no_writer_for_a_reader(url: str, space: Space) -> None:
    """Opening a dashboard on a live SQLite study once crashed the study."""
    with new_ledger(url, space) as ledger:
        first = ledger.ask()
        assert first is not None
        database = Database.open(url)
        release, holding = threading.Event(), threading.Event()

        def hold(connection: object) -> None:
            holding.set()
            assert release.wait(30)

        writer = threading.Thread(target=lambda: ledger._database.write(hold))
        writer.start()
        assert holding.wait(10)
        assert [record.state for record in queries.trial_records(database, "scripted")] == [
            "RUNNING"
        ]  # while it writes
        release.set()
        writer.join()

        def read_slowly(connection: object) -> int:
            train_all(ledger, first)  # while a read transaction is open
            return 1

        assert database.read(read_slowly) == 1
        database.close()


def test_many_threads_write_without_a_lock_error(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        errors: list[BaseException] = []

        def beat() -> None:
            try:
                for _ in range(30):
                    ledger._database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_leases SET beat = beat + 1"))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=beat) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert errors == []
    assert rows(url, "SELECT beat FROM qpsearch_leases")[0][0] >= 240


def test_two_sweeps_on_one_database_do_not_merge(url: str) -> None:
    """Optuna's default name merged unrelated sweeps and ignored the second one's direction."""
    filled(url, parse_space(space_text(Behaviour.IMPROVES, study="one", pruner="none")), 2)
    filled(
        url,
        parse_space(
            space_text(Behaviour.IMPROVES, study="two", pruner="none").replace(
                "pruner: none", "pruner: none, objective: {minimize: val_loss}"
            )
        ),
        1,
    )
    database = Database.open(url)
    assert queries.study_names(database) == ["one", "two"]
    one, two = (queries.summary(database, name) for name in ("one", "two"))
    assert (one.counts["COMPLETE"], one.objectives[0].direction) == (2, "maximize")
    assert (two.counts["COMPLETE"], two.objectives[0].direction) == (1, "minimize")
    database.close()


def test_a_study_that_exists_is_never_overwritten(url: str, space: Space) -> None:
    filled(url, space)
    before = rows(url, "SELECT * FROM trials")
    database = Database.create(url)
    with pytest.raises(
        StudyExists,
        match=r"study 'scripted' already exists\. Continue it: qpsearch resume scripted\. Or .* --study NAME",
    ):
        opening.create(database, space, source="again")
    database.close()
    assert rows(url, "SELECT * FROM trials") == before


def test_an_unknown_study_is_answered_with_the_nearest(url: str, space: Space) -> None:
    filled(url, space, 1)
    database = Database.open(url)
    with pytest.raises(StudyNotFound, match=r"no study 'skripted'\. Did you mean 'scripted'\? Known: scripted\."):
        queries.summary(database, "skripted")
    database.close()


def test_a_study_of_plain_optuna_is_not_taken_for_one_of_ours(url: str, space: Space) -> None:
    filled(url, space, 1)
    study = optuna.create_study(study_name="plain", storage=url)
    release(study._storage)
    database = Database.open(url)
    assert queries.study_names(database) == ["scripted"]
    with pytest.raises(StudyNotFound, match="was not made by qpsearch"):
        queries.summary(database, "plain")
    database.close()


def test_opening_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no study database there"):
        Database.open(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["studies", "sqlite", "", "oracle9://x", "://"])
def test_what_is_no_database_url_is_one_message(url: str) -> None:
    with pytest.raises(StorageError):
        Database.create(url)


def test_a_password_is_never_repeated() -> None:
    for url in ("postgresql+psycopg://user:secret@127.0.0.1:9/x", "nonsense://user:secret@h/x", "user:secret@host"):
        with pytest.raises(StorageError) as caught:
            Database.create(url)
        assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    path.write_text("no database at all, but long enough to be taken for one" * 20)
    for action in (Database.create, Database.open):
        with pytest.raises(StorageError, match=r"q\.db: file is not a database"):
            action(f"sqlite:///{path}")
    assert path.read_text().startswith("no database")


def test_a_database_without_our_tables_is_one_message(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "q.db").close()
    (tmp_path / "q.db").touch()
    with pytest.raises(StorageError, match="does not hold qpsearch studies"):
        Database.open(f"sqlite:///{tmp_path}/q.db")


def test_another_schema_of_optuna_or_a_newer_one_of_ours_is_refused(url: str, space: Space) -> None:
    """The stored schema version of another Optuna raises at connect."""
    filled(url, space, 1)
    database = Database.create(url)
    database.write(lambda c: c.exec_driver_sql("UPDATE version_info SET schema_version = 99"))
    for action in (Database.create, Database.open):
        with pytest.raises(StorageError, match="Optuna"):
            action(url)
    database.write(lambda c: c.exec_driver_sql("UPDATE version_info SET schema_version = 12"))
    database.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = 'v9.9.9'"))
    with pytest.raises(StorageError, match="Optuna"):
        Database.create(url)
    database.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = 'v3.2.0.a'"))
    database.write(lambda c: c.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for action in (Database.create, Database.open):
        with pytest.raises(StorageError, match="qpsearch"):
            action(url)
    database.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///"])
def test_a_database_in_memory_is_refused_and_leaves_no_file(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="is a database in memory"):
        Database.create(url)
    assert list(tmp_path.iterdir()) == []


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE invoices (number INTEGER)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"another program's database \(its tables: invoices\)"):
        Database.create(f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["foreign.db"]


@pytest.mark.parametrize("made", [1, 2, 5, 10, 20])
def test_a_database_whose_making_was_cut_off_is_made_to_its_end(tmp_path: Path, made: int) -> None:
    """Optuna makes its tables one after another: Ctrl-C after the first left a file that was taken for another's."""
    url, count = f"sqlite:///{tmp_path}/q.db", 0

    def cut_off(*execution: Any) -> None:
        nonlocal count
        count += "CREATE " in execution[2]
        if count > made:
            raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", cut_off)
    try:
        with pytest.raises(KeyboardInterrupt):
            Database.create(url)
    finally:
        event.remove(Engine, "before_cursor_execute", cut_off)
    with closing(Database.create(url)), closing(Database.open(url)) as database:
        assert queries.study_names(database) == []


def test_a_table_that_only_has_the_name_of_one_of_optunas_is_anothers(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "foreign.db")) as connection:
        connection.execute("CREATE TABLE studies (student TEXT)")
    with pytest.raises(StorageError, match=r"another program's database \(its tables: studies\)"):
        Database.create(f"sqlite:///{tmp_path}/foreign.db")


def test_a_home_folder_is_found_in_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Database.create("sqlite:///~/studies/qp.db").close()
    assert (tmp_path / "studies" / "qp.db").exists()
    assert not (tmp_path / "~").exists()
