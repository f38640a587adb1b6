"""A database of the first schema, as that version left it, goes on under this one."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from qpsearch.errors import StorageOutdated
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.schema import MIGRATIONS
from qpsearch.study.storage.tables import VERSION_TABLE
from tests.helpers import resumed_ledger, rows, train_all

OLD = (
    Path(__file__).parent / "schema-0001.sql"
)  # two complete trials, one failed, three open, their driver on a dead host


@pytest.fixture
def old_url(tmp_path: Path) -> str:
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.executescript(OLD.read_text())
    connection.close()
    return f"sqlite:///{tmp_path}/old.db"


def test_readers_say_that_it_is_old(old_url: str) -> None:
    with pytest.raises(StorageOutdated, match=r"schema 0001\. Migrate them: qpsearch resume STUDY"):
        Database.open(old_url)


def test_an_old_study_goes_on_where_it_was(old_url: str) -> None:
    before = rows(old_url, "SELECT trial_id, epoch, val_accuracy FROM qpsearch_epochs ORDER BY 1, 2")
    with resumed_ledger(old_url, take_over=True) as ledger:
        assert rows(old_url, "SELECT first_name, revision > 0 FROM qpsearch_studies") == [("scripted", 1)]
        got = []
        while (assignment := ledger.ask()) is not None:
            got.append((assignment.trial, assignment.attempt, assignment.runs[0].resume_from))
            train_all(ledger, assignment, first=2 if assignment.trial in (2, 4, 5) else 1)
        assert ledger.finished
    name = ("r0-a1-e001.pt",)
    assert got == [(2, 2, ()), (4, 2, name), (5, 2, name), (6, 1, ()), (7, 1, ())]
    after = rows(old_url, "SELECT trial_id, epoch, val_accuracy FROM qpsearch_epochs ORDER BY 1, 2")
    assert set(before) < set(after)
    database = Database.open(old_url)
    summary = queries.summary(database, "scripted")
    assert sum(summary.counts.values()) == 8
    assert summary.counts.get("RUNNING", 0) == 0
    assert summary.wall_s > 0
    database.close()


def test_each_step_down_and_up_again_keeps_the_trials(old_url: str) -> None:
    database = Database.create(old_url)
    before = rows(old_url, "SELECT trial_id, number, seconds FROM qpsearch_attempts")

    def move(revision: str) -> None:
        def step(connection: object) -> None:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            command.downgrade(config, revision) if revision != "head" else command.upgrade(config, revision)

        database.write(step)

    for earlier in ("0008", "0007"):  # readers take a database of an earlier schema as it is, without what came later
        move(earlier)
        reader = Database.open(old_url)
        assert {"val_accuracy", "number"} <= set(queries.epoch_rows(reader, "scripted")[0])
        assert queries.trial_detail(reader, "scripted", 0).epochs
        assert queries.steps_of(reader, "scripted", queries.running_records(reader, "scripted")) == {}
        assert queries.summary(reader, "scripted").counts["COMPLETE"] == 2
        assert queries.looks(reader, "scripted") == []
        reader.close()
    move("0003")
    assert not _is_nullable(old_url, "val_accuracy")
    move("0001")
    assert rows(old_url, f"SELECT version_num FROM {VERSION_TABLE}") == [("0001",)]
    move("head")
    assert rows(old_url, "SELECT trial_id, number, seconds FROM qpsearch_attempts") == before
    assert _is_nullable(old_url, "val_accuracy")
    database.close()


def test_rows_of_a_migrated_study_go_with_it(old_url: str) -> None:
    """SQLite's triggers are made anew with the table that the last migration copies."""
    Database.create(old_url).close()
    assert rows(old_url, "SELECT COUNT(*) FROM qpsearch_epochs") != [(0,)]
    connection = sqlite3.connect(old_url.removeprefix("sqlite:///"))  # without foreign keys, as Optuna deletes
    connection.execute("DELETE FROM trials")
    connection.commit()
    connection.close()
    for table in ("configs", "runs", "attempts", "epochs", "measured", "evaluations"):
        assert rows(old_url, f"SELECT COUNT(*) FROM qpsearch_{table}") == [(0,)]


def _is_nullable(url: str, column: str) -> bool:
    ((is_required,),) = rows(
        url, f"SELECT \"notnull\" FROM pragma_table_info('qpsearch_epochs') WHERE name = '{column}'"
    )
    return not is_required
