"""What the machine has for studies, and what would go wrong."""

import json
from collections import namedtuple
from pathlib import Path

import pytest

from qpsearch.dispatch.environment import WAITING
from qpsearch.registry.own import decoding
from qpsearch.runner import doctor
from qpsearch.runner.doctor import GIB, Finding, Health, examine
from qpsearch.runner.tool_documents import DoctorDocument
from qpsearch.space import parse_space
from tests.cli.run import documented, qpsearch
from tests.helpers import new_ledger
from tests.scripted import Behaviour, space_text

Usage = namedtuple("Usage", ["total", "used", "free"])  # as shutil has it
Memory = namedtuple("Memory", ["total", "available"])


def found(subject: str, storage: str = "sqlite:///none/x.db") -> Finding:
    return next(each for each in examine(storage) if each.subject == subject)


@pytest.fixture(autouse=True)
def _idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (0.0, 0.0, 0.0))


def test_a_database_is_counted_and_one_that_is_missing_can_be_made(sqlite_url: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, study=name))):
            pass
    assert found("storage", sqlite_url).text.endswith(": 2 studies")
    missing = found("storage", f"sqlite:///{tmp_path}/new/q.db")
    assert (missing.health, missing.text.partition(": ")[2]) == (Health.GOOD, "not there yet; the first study makes it")


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql+psycopg://me:secret@127.0.0.1:9/none"])
def test_a_database_that_cannot_be_reached_is_broken_and_its_password_hidden(url: str) -> None:
    finding = found("storage", url)
    assert finding.health is Health.BROKEN
    assert "secret" not in finding.text


def test_a_file_that_is_no_database_is_broken(tmp_path: Path) -> None:
    (tmp_path / "q.db").write_text("a letter")
    assert found("storage", f"sqlite:///{tmp_path}/q.db").health is Health.BROKEN


@pytest.mark.parametrize(
    ("usage", "subject", "health", "fix"),
    [
        (Usage(100 * GIB, 50 * GIB, 50 * GIB), "disk here", Health.GOOD, ""),
        (Usage(100 * GIB, 96 * GIB, 4 * GIB), "disk here", Health.BROKEN, "over 95% full"),
        (Usage(10 * GIB, 9 * GIB, GIB), "temporary disk", Health.DOUBTFUL, "--artifacts"),
        (Usage(GIB // 16, 0, GIB // 16), "shared memory", Health.DOUBTFUL, "--shm-size=2g"),
    ],
)
def test_disks(monkeypatch: pytest.MonkeyPatch, usage: Usage, subject: str, health: Health, fix: str) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage)
    finding = found(subject)
    assert finding.health is health
    assert fix in finding.fix


def test_cores_of_a_container_and_a_busy_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(doctor, "QUOTA", tmp_path / "cpu.max")
    assert (found("cores").health, found("cores").text) == (Health.GOOD, "8")
    (tmp_path / "cpu.max").write_text("250000 100000")
    assert found("cores").text == "8 cores, but this container may use 2.5 of them"
    assert "--concurrent 2" in found("cores").fix
    (tmp_path / "cpu.max").write_text("max 100000")
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (6.0, 0.0, 0.0))
    assert found("cores").text == "8; other programs keep about 6.0 of them busy"


def test_threads_that_spin_while_they_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WAITING:
        monkeypatch.delenv(name, raising=False)
    assert (found("threads").health, "waiting ones yield their core" in found("threads").text) == (Health.GOOD, True)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert found("threads").text.endswith("OMP_NUM_THREADS=7 does not change that")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert (found("threads").health, found("threads").fix[:21]) == (Health.DOUBTFUL, "unset OMP_WAIT_POLICY")


def test_little_memory_and_few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: Memory(4 * GIB, GIB))
    monkeypatch.setattr(doctor.resource, "getrlimit", lambda which: (256, 256))
    assert (found("memory").health, found("memory").text) == (Health.DOUBTFUL, "1.0 of 4.0 GiB free")
    assert "ulimit -n" in found("open files").fix


def test_data_that_is_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "svhn.npz").touch()
    (tmp_path / "galaxy10").mkdir()
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path))
    assert found("data").text == f"svhn, galaxy10 in {tmp_path}; digits needs no folder"
    monkeypatch.setattr(decoding, "free_bytes", lambda folder: 30 * GIB)
    monkeypatch.setattr(doctor, "free_bytes", lambda folder: 30 * GIB)
    assert found("disk for data").text == (
        f"30.0 GiB free in {tmp_path}; a folder of images of your own that takes more than 15.0 GiB as arrays is streamed"
    )
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path / "gone"))
    assert found("data").health is Health.BROKEN
    assert "disk for data" not in {each.subject for each in examine("sqlite:///none/x.db")}


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("optuna", "no-such-package"))
    assert found("versions").fix == "pip install no-such-package"


def test_the_command_prints_a_line_each_and_fails_where_a_study_could_not_run(tmp_path: Path) -> None:
    done = qpsearch(tmp_path, "doctor")
    assert done.returncode == 0, done.stdout
    assert "sqlite:///studies/qpsearch.db: not there yet" in done.stdout
    (tmp_path / "q.db").write_text("a letter")
    broken = qpsearch(tmp_path, "doctor", "--json", "--storage", "sqlite:///q.db")
    assert broken.returncode == 1
    documented(DoctorDocument, json.loads(broken.stdout))
