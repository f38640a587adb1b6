"""Fixtures that several files share."""

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes share the machine; who trains sets its own number

import pytest

from qpsearch.space import Space, parse_space
from tests.postgres import Postgres
from tests.scripted import Behaviour, space_text

# What starts Ray, kills processes or fills disks: one after the other in one process, beside all the rest in another.
ONE_BY_ONE = ("dispatch", "faults", "cli", "analysis", "test_readme.py", "test_benchmarks.py", "test_artifacts.py")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the group that takes longest."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in ONE_BY_ONE:
            item.add_marker(pytest.mark.xdist_group("one-by-one"))
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


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
