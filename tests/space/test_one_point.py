"""A configuration written as a space file is read as a space whose only point is that configuration."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from qpsearch.architecture.candidates import Candidate, candidate, every_candidate, sample
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.one_point import point_text
from qpsearch.errors import Infeasible
from qpsearch.seeds import derive_seed
from qpsearch.space import RandomChooser, Space, build_space, load_space, parse_space
from tests.helpers import SPACES
from tests.space.enough import enough
from tests.space.generate import documents


def check(config: TrialConfig, space: Space) -> None:
    again = parse_space(point_text(config, space, "again"))  # as strictly as `space check`
    (found,) = every_candidate(again)
    assert isinstance(found, Candidate)
    assert found.config == config
    assert found.config.to_json() == config.to_json()
    assert again.searched == {}
    assert (again.study, again.search.is_grid, again.search.budget.trials) == ("again", True, 1)
    assert (again.search.objectives, again.search.score) == (space.search.objectives, space.search.score)
    assert again.resources == replace(space.resources, concurrent=None)
    own, others = ({derive_seed(each.search.seed, "run", 0, seed) for seed in range(50)} for each in (again, space))
    assert not own & others


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_points_of_shipped_spaces_are_written_and_read_back(path: Path) -> None:
    space = load_space(path)
    for found in sample(space, 5):
        check(found.config, space)


@enough(30)
@given(document=documents(), seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_points_of_any_space_are_written_and_read_back(document: dict[str, Any], seed: int) -> None:
    space = build_space(document)
    try:
        found = candidate(space, RandomChooser(seed))
    except Infeasible:
        reject()
    check(found.config, space)
