"""Fixtures that several files share."""

from pathlib import Path

import pytest

from qpsearch.space import Space, parse_space
from tests.scripted import Behaviour, space_text


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database that does not exist yet."""
    return f"sqlite:///{tmp_path}/studies/q.db"


@pytest.fixture
def space() -> Space:
    """Six trials of four epochs that all go well."""
    return parse_space(space_text(Behaviour.IMPROVES))
