"""Studies that an earlier version left go on as that version would have gone on: same draws, same configurations.

``schema-0002.sql`` holds four studies that were stopped midway: TPE with Hyperband under limits and conditions,
several objectives, a grid with replicates, random draws near priors with replicates. ``schema-0002.json`` holds their
spaces and what that version handed out when it went on with them, and the values that it ended with. Both were
written before the code was reorganised, and are never rewritten.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from qpsearch.protocol import Assignment
from qpsearch.runner.refusals import refuse_other
from qpsearch.seeds import derive_seed
from qpsearch.space import parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.manage import copy
from qpsearch.study.storage.database import Database
from tests.helpers import progress, resumed_ledger, rows

FOLDER = Path(__file__).parent
THEN: dict[str, Any] = json.loads((FOLDER / "schema-0002.json").read_text())
VALUES = (
    "SELECT s.study_name, t.number, t.state, v.value FROM trials t JOIN studies s ON s.study_id = t.study_id "
    "LEFT JOIN trial_values v ON v.trial_id = t.trial_id ORDER BY 1, 2, v.objective"
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The database, with the studies as they were left."""
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.executescript((FOLDER / "schema-0002.sql").read_text())
    connection.close()
    return f"sqlite:///{tmp_path}/old.db"


def train_to_the_end(ledger: Ledger, assignment: Assignment) -> None:
    """Report values that are a function of the stored configuration, letter by letter, as when the file was made."""
    epochs, level = assignment.config.recipe.epochs, derive_seed(assignment.config.to_json()) / 2**32
    for run in assignment.runs:
        done = int(run.resume_from[0].split("-e")[1][:3]) if run.resume_from else 0
        for epoch in range(done + 1, epochs + 1):
            name = f"r{run.replicate}-a{assignment.attempt}-e{epoch:03d}.pt"
            message = progress(epoch, level * epoch / epochs, run.replicate, name)
            if not ledger.report(assignment.trial, assignment.attempt, message):
                return


@pytest.mark.parametrize("name", THEN["spaces"])
def test_a_stored_study_goes_on_as_its_own_version_would_have(url: str, name: str) -> None:
    handed_out = []
    Database.create(url).close()  # as resuming does: it migrates
    with resumed_ledger(url, name) as ledger:
        while (assignment := ledger.ask()) is not None:
            runs = [[run.replicate, run.seed] for run in assignment.runs]
            resume_from = list(assignment.runs[0].resume_from)
            handed_out.append([assignment.trial, assignment.attempt, runs, resume_from, assignment.config.to_json()])
            train_to_the_end(ledger, assignment)
        assert ledger.finished
    assert handed_out == THEN["handed_out"][name]
    ended = [list(row) for row in rows(url, VALUES) if row[0] == name]
    assert ended == [row for row in THEN["values"] if row[0] == name]


@pytest.mark.parametrize("name", THEN["spaces"])
def test_a_stored_space_still_means_what_its_file_means(url: str, name: str) -> None:
    database = Database.open(url)
    stored = queries.space_of(database, name)
    refuse_other(database, parse_space(THEN["spaces"][name]))  # with what auto meant then
    database.close()
    assert rows(url, f"SELECT fingerprint FROM qpsearch_studies WHERE first_name = '{name}'") == [(stored.fingerprint,)]


def test_stored_configurations_are_written_as_they_were_read(url: str) -> None:
    database = Database.open(url)
    records = [record for name in THEN["spaces"] for record in queries.trial_records(database, name)]
    database.close()
    assert len(records) > 30
    for record in records:
        assert record.config.to_json() == record.config_json


def test_a_stored_study_is_copied_into_a_database_of_today(url: str, tmp_path: Path) -> None:
    source, target = Database.open(url), Database.create(f"sqlite:///{tmp_path}/new.db")
    for name in THEN["spaces"]:
        copy(source, name, target, name)
        assert queries.trial_records(target, name) == queries.trial_records(source, name)
    source.close()
    target.close()
    assert rows(url, "SELECT version_num FROM qpsearch_version") == [("0002",)]  # it was only read
