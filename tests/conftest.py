"""Fixtures that several files share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qpsearch.space import Space, parse_space
from tests.postgres import Postgres
from tests.scripted import Behaviour, space_text


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
