"""Databases that cannot be used: one message, exit code 2, nothing lost, and no password repeated anywhere."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.run import qpsearch
from tests.helpers import rows
from tests.postgres import PASSWORD, Postgres
from tests.scripted import Behaviour, space_text

RUN = ("run", "s.yaml", "--dispatch", "inline")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=3))
    return tmp_path


def refused(folder: Path, *arguments: str, **environment: str) -> str:
    """Run a command that must fail cleanly; return its one message."""
    done = qpsearch(folder, *arguments, scripted=True, **environment)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert PASSWORD not in done.stderr + done.stdout
    return done.stderr


@pytest.mark.parametrize(
    ("user", "password", "database", "message"),
    [
        ("qp", "not-" + PASSWORD, "postgres", "password authentication failed"),
        ("nobody", PASSWORD, "postgres", "password authentication failed"),
        ("qp", PASSWORD, "nothing", 'database "nothing" does not exist'),
    ],
)
def test_a_server_that_refuses(
    folder: Path, postgres: Postgres, user: str, password: str, database: str, message: str
) -> None:
    url = postgres.url(database, user, password)
    for arguments in (RUN, ("status",), ("resume", "scripted"), ("studies", "delete", "scripted", "--yes")):
        said = refused(folder, *arguments, QPSEARCH_STORAGE=url)
        assert message in said
        assert "postgresql+psycopg://***@127.0.0.1" in said
        if "password" in message:
            assert "Check user and password of --storage or QPSEARCH_STORAGE" in said
    assert not (folder / "studies").exists()


def test_a_server_that_only_lets_us_read(folder: Path, postgres: Postgres) -> None:
    url = postgres.new_database()
    assert qpsearch(folder, *RUN, "--storage", url, scripted=True).returncode == 0
    name = url.rsplit("/", 1)[1]
    postgres.execute(f"CREATE ROLE reader_{name} LOGIN PASSWORD '{PASSWORD}'")
    postgres.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{name}", name)
    reader = postgres.url(name, user=f"reader_{name}")
    before = rows(url, "SELECT count(*) FROM trials")
    said = refused(folder, "resume", "scripted", "--trials", "5", "--dispatch", "inline", QPSEARCH_STORAGE=reader)
    assert "permission denied for" in said
    assert "The database user may read but not write" in said
    assert qpsearch(folder, "status", "scripted", QPSEARCH_STORAGE=reader).returncode == 0
    assert rows(url, "SELECT count(*) FROM trials") == before


def test_no_password_reaches_database_output_or_report(folder: Path, postgres: Postgres) -> None:
    url = postgres.new_database()
    done = qpsearch(folder, *RUN, "--trials", "12", QPSEARCH_STORAGE=url, scripted=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    for arguments in (("status", "scripted"), ("trials", "scripted"), ("best", "scripted"), ("importance", "scripted")):
        for extra in ((), ("--json",)):
            done = qpsearch(folder, *arguments, *extra, QPSEARCH_STORAGE=url)
            assert done.returncode == 0, done.stderr
            said += done.stdout + done.stderr
    assert PASSWORD not in said
    assert [path for path in folder.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()] == []
    tables = [
        row[0] for row in rows(url, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    ]
    assert len(tables) > 15
    for table in tables:
        assert PASSWORD not in str(rows(url, f"SELECT * FROM {table}"))


@pytest.fixture
def read_only(folder: Path) -> Iterator[Path]:
    """A folder with a finished study, on a disk that is then mounted read-only."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=True)
    try:
        storage = f"sqlite:///{disk}/q.db"
        done = qpsearch(folder, *RUN, "--storage", storage, scripted=True)
        assert done.returncode == 0, done.stderr
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_can_only_be_read(folder: Path, read_only: Path) -> None:
    """Readers read; writers say why they cannot."""
    storage = f"sqlite:///{read_only}/q.db"
    for arguments in (("status", "scripted"), ("trials", "scripted"), ("best", "scripted")):
        done = qpsearch(folder, *arguments, "--storage", storage)
        assert done.returncode == 0, done.stderr
    for arguments in (("resume", "scripted", "--trials", "5"), ("studies", "rename", "scripted", "x")):
        said = refused(folder, *arguments, "--storage", storage)
        assert "q.db" in said
        assert "can be read but not written" in said
