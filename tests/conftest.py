"""Fixtures that several files share."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("RAY_preload_python_modules", "")  # a worker needs no torch to run a scripted trainer
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes share the machine; who trains sets its own number

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from qpsearch import errors
from qpsearch.seeds import derive_seed
from qpsearch.space import Space, parse_space
from qpsearch.study.storage.database import Database
from tests.postgres import Postgres
from tests.scripted import LATE, Behaviour, space_text

settings.register_profile("qpsearch", print_blob=True)  # a failure can be repeated elsewhere
settings.load_profile("qpsearch")

# Groups of tests, each in one process and one after the other: what starts Ray, kills drivers or fills disks must not meet
# its like, and what the planted studies say is computed once. All other tests go to whichever process has time.
ONE_BY_ONE = (
    ("tests/dispatch/", "tests/faults/"),
    ("tests/cli/", "tests/test_benchmarks.py", "tests/test_pages.py"),
    ("tests/planted/",),
)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Hands out the groups, which are the largest, first, and then every other test, with all its parameters."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group[0] for group in ONE_BY_ONE if nodeid.startswith(group)), nodeid.partition("[")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """Tell xdist; a debugger needs ``-n 0``."""
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and no study: making the tables takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "q.db"
    Database.create(f"sqlite:///{path}").close()
    assert not path.with_name("q.db-wal").exists()
    return path


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    """Draw torch's random numbers anew in each test, by its name: what fails once fails again."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(derive_seed(request.node.nodeid))


@pytest.fixture(autouse=True)
def _nothing_stated() -> None:
    """Forget the database that an earlier test of the Python API named: commands in messages would name it."""
    errors._STATED.clear()


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A database with all tables and no study."""
    path = tmp_path / "studies" / "q.db"
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def bare_sqlite_url(tmp_path: Path) -> str:
    """A database that does not exist yet."""
    return f"sqlite:///{tmp_path}/studies/bare.db"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real server."""
    server = Postgres()
    server.start()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of either kind with all tables and no study: what the contract suites run on."""
    monkeypatch.chdir(tmp_path)  # checkpoints of a study in PostgreSQL go below the working folder
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    return str(request.getfixturevalue("postgres").new_study_database())


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of either kind without a table."""
    monkeypatch.chdir(tmp_path)
    if request.param == "sqlite":
        return str(request.getfixturevalue("bare_sqlite_url"))
    return str(request.getfixturevalue("postgres").new_database())


@pytest.fixture
def space() -> Space:
    """Six trials of four epochs that all go well; they pause after the third, and the best go on."""
    return parse_space(space_text(Behaviour.IMPROVES, pruner=LATE))


@pytest.fixture
def unpruned() -> Space:
    """Six trials of four epochs that all go well, and are all trained to their ends."""
    return parse_space(space_text(Behaviour.IMPROVES, pruner="none"))
