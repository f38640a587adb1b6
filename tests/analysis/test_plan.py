"""What a plan estimates from what was timed."""

import pytest

from qpsearch.analysis.plan import make_plan, mean_seconds
from qpsearch.space import parse_space

SPACE = """
study: plan
data: {dataset: digits, validation: 300}
network:
  stem: {width: 16}
  stages: [{width: WIDTH, depth: 1, block: additive}]
training: {epochs: 2, batch_size: {choice: [4, 64, 512]}}
search: {pruner: none}
"""


def test_networks_are_timed_at_one_batch_size() -> None:
    """Else the largest network, at the largest batch size, would seem the fastest."""
    plan = make_plan(parse_space(SPACE.replace("WIDTH", "{choice: [8, 16, 32]}")))
    assert [config.recipe.batch_size for config in plan.timed] == [64, 64, 64]
    assert [config.network for config in plan.timed] == [size.config.network for size in plan.sizes]
    assert mean_seconds(plan, [1.0, 2.0, 3.0]) == pytest.approx(2 * 2.0)  # epochs x seconds


def test_networks_of_equal_size_have_the_mean_of_what_was_timed() -> None:
    plan = make_plan(parse_space(SPACE.replace("WIDTH", "16")))
    assert mean_seconds(plan, [1.0, 2.0, 6.0]) == pytest.approx(2 * 3.0)
