"""Fixtures that several files share."""

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes share the machine; who trains sets its own number

import pytest
from xdist.scheduler import LoadScopeScheduling

from qpsearch.space import Space, parse_space
from tests.postgres import Postgres
from tests.scripted import Behaviour, space_text

# What starts Ray, kills processes or fills disks: one after the other in one process, beside all the rest in another.
ONE_BY_ONE = (
    *(f"tests/{folder}/" for folder in ("analysis", "cli", "dispatch", "faults")),
    *(f"tests/test_{name}.py" for name in ("artifacts", "benchmarks", "readme")),
)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Hands out one group, the largest and so the first, and every other test for itself."""

    def _split_scope(self, nodeid: str) -> str:
        return "one by one" if nodeid.startswith(ONE_BY_ONE) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """Tell xdist; a debugger needs ``-n 0``."""
    return Scheduling(config, log)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database that does not exist yet."""
    return f"sqlite:///{tmp_path}/studies/q.db"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real server."""
    server = Postgres()
    server.start()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database of either kind: what the contract suites run on."""
    monkeypatch.chdir(tmp_path)  # checkpoints of a study in PostgreSQL go below the working folder
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    return str(request.getfixturevalue("postgres").new_database())


@pytest.fixture
def space() -> Space:
    """Six trials of four epochs that all go well."""
    return parse_space(space_text(Behaviour.IMPROVES))
