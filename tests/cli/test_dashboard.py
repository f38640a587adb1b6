"""What the buttons of Optuna's dashboard do with a study of qpsearch."""

import io
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy import text

from qpsearch.architecture.cost import cost
from qpsearch.cli.dashboard import check_free
from qpsearch.cli.dashboard_app import DashboardApp
from qpsearch.errors import Superseded, UserError
from qpsearch.protocol import Failed
from qpsearch.space import Space
from qpsearch.study import queries
from qpsearch.study.queries.dashboard import ShownStorage
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.helpers import new_ledger, progress, ready_database, release, resumed_ledger, rows, train_all

optuna_dashboard = pytest.importorskip("optuna_dashboard")  # an extra, which the tests have


@pytest.fixture
def folder(sqlite_url: str, space: Space) -> Path:
    """A finished study's checkpoints."""
    with new_ledger(sqlite_url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
        return Path(ledger.checkpoints.root)


@pytest.fixture
def app(sqlite_url: str, folder: Path) -> Iterator[DashboardApp]:
    with closing(Database.open(sqlite_url)) as database:
        storage = ShownStorage.of(database)
        app = DashboardApp(sqlite_url, optuna_dashboard.wsgi(storage))
        yield app
        app._database.close()
        release(storage)


def ask(app: DashboardApp, method: str, path: str, sent: Any = None) -> tuple[int, Any]:
    body = b"" if sent is None else json.dumps(sent).encode()
    got: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "here",
        "SERVER_PORT": "80",
    }
    answer = b"".join(app(environ, lambda status, headers, *more: got.append(status)))
    return int(got[0].split()[0]), json.loads(answer or b"null")


def test_renaming_keeps_the_study_whole(app: DashboardApp, sqlite_url: str, folder: Path) -> None:
    status, study = ask(app, "POST", "/api/studies/1/rename", {"study_name": "other"})
    assert (status, study["study_name"], study["study_id"]) == (201, "other", 1)
    with resumed_ledger(sqlite_url, "other") as ledger:
        assert ledger.finished
        assert Path(ledger.checkpoints.root) == folder
    assert rows(sqlite_url, "SELECT count(*) FROM qpsearch_configs") == [(6,)]


@pytest.mark.parametrize("name", ["a b", "", 3, None])
def test_a_name_that_cannot_be_one_is_refused_with_the_reason(app: DashboardApp, name: Any) -> None:
    status, answer = ask(app, "POST", "/api/studies/1/rename", {"study_name": name})
    assert status == 400
    assert "study_name" in answer["reason"]


def test_the_bin_takes_the_checkpoints_too(app: DashboardApp, sqlite_url: str, folder: Path) -> None:
    assert folder.exists()
    assert ask(app, "DELETE", "/api/studies/1")[0] == 204
    assert not folder.exists()
    assert rows(sqlite_url, "SELECT count(*) FROM studies") == [(0,)]


def test_objectives_have_names_and_trials_say_what_they_are(app: DashboardApp, sqlite_url: str) -> None:
    """Names also of a study that was made before they were stored; and nothing is written."""
    before = rows(sqlite_url, "SELECT * FROM study_system_attributes")
    assert [row.value_json for row in before] == ['["val_accuracy"]']
    assert optuna.load_study(study_name="scripted", storage=sqlite_url).metric_names == ["val_accuracy"]
    for _ in range(2):
        study = ask(app, "GET", "/api/studies/1")[1]
        assert study["objective_names"] == ["val_accuracy"]
        with closing(ready_database(sqlite_url)) as database:
            database.write(lambda c: c.execute(text("DELETE FROM study_system_attributes")))
    shown = [{each["key"]: each["value"] for each in trial["user_attrs"]} for trial in study["trials"]]
    with closing(ready_database(sqlite_url)) as database:
        records = queries.trial_records(database, "scripted")
    for facts, record in zip(shown, records, strict=True):
        total = cost(record.config.network)
        assert facts["blocks"] == " / ".join(record.stages)
        assert facts["seeds"] == str(record.seeds[0])
        assert (facts["parameters"], facts["MACs"]) == (str(total.parameters), str(total.macs))
    assert {each["key"] for each in study["union_user_attrs"] if each["sortable"]} == {"parameters", "MACs"}
    assert rows(sqlite_url, "SELECT count(*) FROM trial_user_attributes") == [(0,)]


def test_why_a_trial_failed_is_shown(sqlite_url: str, space: Space) -> None:
    with new_ledger(sqlite_url, space) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        ledger.fail(assignment.trial, assignment.attempt, Failed(reason=FailReason.ERROR, detail="<b>too</b> much"))
    with closing(Database.open(sqlite_url)) as database:
        storage = ShownStorage.of(database)
        (trial,) = storage.get_all_trials(1)
        release(storage)
    assert (trial.user_attrs["reason"], trial.user_attrs["detail"]) == ("error", "<b>too</b> much")


def test_a_study_that_runs_is_neither_deleted_nor_renamed_nor_its_trials_told(
    app: DashboardApp, sqlite_url: str
) -> None:
    with resumed_ledger(sqlite_url, asked=7) as ledger:
        assert ledger.ask() is not None
        for method, path, sent in (
            ("DELETE", "/api/studies/1", None),
            ("POST", "/api/studies/1/rename", {"study_name": "other"}),
            ("POST", "/api/trials/7/tell", {"state": "Fail"}),
        ):
            status, answer = ask(app, method, path, sent)
            assert status == 400, path
            assert "process" in answer["reason"] or "drivers" in answer["reason"]
        assert ledger.report(6, 1, progress(1, 0.5))


def test_plain_optuna_studies_and_all_other_requests_are_the_dashboards(app: DashboardApp, sqlite_url: str) -> None:
    with closing(ready_database(sqlite_url)) as database:
        database.with_optuna(lambda storage: storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "plain"))
    assert ask(app, "POST", "/api/studies/2/rename", {"study_name": "renamed"})[0] == 201
    status, answer = ask(app, "GET", "/api/studies")
    assert (status, {study["study_name"] for study in answer["study_summaries"]}) == (200, {"scripted", "renamed"})


def test_a_driver_whose_study_another_tool_deleted_says_so(sqlite_url: str, space: Space) -> None:
    with (
        pytest.raises(Superseded, match=r"the study was deleted from the database.*by another tool"),
        new_ledger(sqlite_url, space) as ledger,
    ):
        assert ledger.ask() is not None
        with closing(ready_database(sqlite_url)) as database:
            database.with_optuna(lambda storage: storage.delete_study(1))
        ledger.report(0, 1, progress(1, 0.5))


def test_a_host_is_told_from_a_port_that_is_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^--port {port}: is in use at 127.0.0.1\. Another one: --port \d+\.$"):
            check_free("127.0.0.1", port)
    check_free("127.0.0.1", port)
    for host in ("nosuchhost.invalid", "192.0.2.1"):
        with pytest.raises(UserError, match=rf"^--host {host}: is not an address of this machine"):
            check_free(host, port)
