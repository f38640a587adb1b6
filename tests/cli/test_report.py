"""``qpsearch report``: where it writes, what it refuses, and what its server answers."""

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qpsearch.analysis.page import HtmlPage, tag
from qpsearch.cli.report_server import LiveReport, address, make_server
from qpsearch.errors import StudyNotFound, UserError
from tests.cli.run import ROOT, qpsearch
from tests.helpers import new_ledger, train_all
from tests.scripted import Behaviour, space_text


@pytest.fixture
def folder(tmp_path: Path, sqlite_url: str) -> Path:
    from qpsearch.space import parse_space

    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, trials=2))) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    (tmp_path / "studies" / "q.db").rename(tmp_path / "studies" / "qpsearch.db")
    return tmp_path


def test_the_page_lies_beside_the_database(folder: Path) -> None:
    done = qpsearch(folder, "report", "scripted")
    assert (done.returncode, done.stdout, done.stderr) == (0, "page: studies/scripted.html\n", "")
    assert "2 trials so far: 2 complete" in (folder / "studies" / "scripted.html").read_text()
    for words, message in (
        (["other"], "no study 'other'"),
        (["scripted", "--port", "80"], "Add --live."),
        (["scripted", "--live", "--output", "x.html"], "Leave one of them out."),
        (["scripted", "--output", "studies/qpsearch.db/x.html"], "cannot be written"),
    ):
        done = qpsearch(folder, "report", *words)
        assert done.returncode == 2, words
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_ctrl_c_ends_a_served_report_with_success(folder: Path) -> None:
    command = [sys.executable, "-m", "qpsearch", "report", "scripted", "--live"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "http://127.0.0.1:" in said
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


class Fake:
    """A study that moves when the test says so."""

    def __init__(self) -> None:
        self.word, self.made, self.now, self.is_gone = "a", 0, 0.0, False

    def state(self) -> tuple[str, bool]:
        if self.is_gone:
            raise StudyNotFound("the study is gone")
        return self.word, True

    def make(self) -> HtmlPage:
        self.made += 1
        return HtmlPage(title="t", lead=tag("p", f"page {self.made}"))

    def served(self) -> LiveReport:
        return LiveReport(study="s", state=self.state, make=self.make, clock=lambda: self.now)


def ask(port: int, path: str, method: str = "GET", host: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_a_page_is_made_again_only_when_the_study_has_moved_on() -> None:
    fake = Fake()
    served = fake.served()
    first = served.revision()
    fake.now = 10
    assert served.revision() == first
    assert fake.made == 1
    fake.word = "b"
    assert served.revision() == first  # asked again too soon
    fake.now = 20
    assert served.revision()["revision"] != first["revision"]
    assert "page 2" in json.loads(served.content())["html"]
    assert fake.made == 2


def test_the_server_answers_this_machine_alone_and_only_what_it_has() -> None:
    import threading

    fake = Fake()
    with make_server(fake.served(), None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        assert address(server) == f"http://127.0.0.1:{port}/"
        status, body = ask(port, "/")
        assert status == 200
        assert b"connect-src 'self'" in body
        assert json.loads(ask(port, "/revision")[1])["is_running"] is True
        assert "page 1" in json.loads(ask(port, "/content")[1])["html"]
        assert ask(port, "/", host=f"localhost:{port}")[0] == 200
        assert ask(port, "/", host="evil.example")[0] == 421
        assert ask(port, "/", host=f"evil.example:{port}")[0] == 421
        for path in ("/x", "/../etc/passwd", "/revision?x", "/content/"):
            assert ask(port, path)[0] == 404, path
        assert {ask(port, "/", method)[0] for method in ("POST", "PUT", "DELETE", "HEAD")} == {501}
        fake.is_gone, fake.now = True, 100
        status, body = ask(port, "/revision")
        assert (status, json.loads(body)) == (503, {"problem": "the study is gone"})
        with pytest.raises(UserError, match=rf"--port {port}: cannot be used at 127.0.0.1 .*--port {port + 1}"):
            make_server(fake.served(), port)
        server.shutdown()
