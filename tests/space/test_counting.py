"""Counting agrees with looking at every point, and refusals say why."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from qpsearch.architecture.candidates import Candidate, check_feasible, every_candidate, sample, survey
from qpsearch.errors import Infeasible, SpaceError
from qpsearch.space import build_space, edited, load_space, parse_space
from qpsearch.space.counting import continuous_leaves, count_points
from qpsearch.space.leaves import sites
from tests.helpers import SPACES
from tests.space.enough import enough
from tests.space.generate import documents


def shipped(name: str) -> Any:
    return load_space(next(path for path in SPACES if path.stem == name))


@enough(100)
@given(document=documents())
@settings(max_examples=100, deadline=None)
def test_a_space_with_a_continuous_leaf_has_no_end_of_points(document: dict[str, Any]) -> None:
    space = build_space(document)
    assume(continuous_leaves(space.sites))
    assume(count_points(space.sites) == float("inf"))
    assert 1 <= count_points(space.sites, continuous=1) < float("inf")


def finite(value: Any) -> Any:
    """Let every range of numbers without a step in a document be a choice of its two ends."""
    if isinstance(value, dict):
        if "step" in value:
            return value
        ends = value.get("float", value.get("log"))
        return {"choice": ends} if ends else {name: finite(inner) for name, inner in value.items()}
    return [finite(inner) for inner in value] if isinstance(value, list) else value


@enough(25)
@given(document=documents(is_modern=False).map(finite))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])  # ``enough`` counts
def test_the_count_is_that_of_the_points(document: dict[str, Any]) -> None:
    space = build_space(document)
    assert not continuous_leaves(space.sites)
    count = count_points(space.sites)
    assume(count <= 1000)
    found = list(every_candidate(space))
    assert len(found) == count
    drawn = [tuple(point.draw.params.items()) for point in found if isinstance(point, Candidate)]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize(
    ("name", "points", "allowed"),
    [
        ("quotient-table", 6, 6),
        ("quotient-table-cifar100", 6, 6),
        ("quotient-table-svhn", 6, 6),
        ("alpha-ablation", 20, 8),
        ("pure-cifar10", 36, 18),
        ("placement", 8, 8),
        ("galaxy10-pure", 10, 5),
    ],
)
def test_the_grids_of_the_papers(name: str, points: int, allowed: int) -> None:
    space = shipped(name)
    assert space.search.budget.trials == points
    assert sum(isinstance(point, Candidate) for point in every_candidate(space)) == allowed


def test_cifar_has_that_many_networks() -> None:
    """9 depths and 3 blocks a stage, 2 norms, 2 placements, 3 inits, 3 shortcuts, and rules where a block is."""
    space = shipped("cifar")
    shared = 2 * 2 * 3 * 3
    with_unit, without = 27 - 8, 8  # of the ways to choose three blocks, those with a product unit
    assert count_points(sites(space.network), continuous=1) == 9**3 * shared * (with_unit * 2 * 2 + without)
    assert count_points(sites(space.network)) == float("inf")


def test_a_space_in_which_nothing_is_feasible_is_explained() -> None:
    text = next(path for path in SPACES if path.stem == "cifar").read_text()
    space = parse_space(edited(text, {"search.limits.parameters": "<= 1K", "search.limits.macs": "<= 2M"}))
    with pytest.raises(SpaceError) as caught:
        check_feasible(space)
    message = str(caught.value)
    assert (
        "none of 1000 draws can be trained. Refused by: limit parameters <= 1,000 (1000 of 1000 draws, the nearest had"
        in message
    )
    assert message.endswith("Loosen this rule.")


def test_a_network_that_cannot_be_trained_is_told_the_rule_alone() -> None:
    text = (
        "{study: s, data: {dataset: digits, validation: 300}, training: {epochs: 1, warmup: 1}, "
        "network: {stem: {width: 8}, stages: [{width: 8, depth: 1, block: additive}]}}"
    )
    with pytest.raises(SpaceError) as caught:
        check_feasible(parse_space(text))
    assert str(caught.value) == (
        "study 's': its network cannot be trained: training.warmup does not end before the last epoch (warmup: 1, "
        "epochs: 1). Change a setting, or loosen this rule."
    )


def test_refusals_are_counted_by_what_they_broke() -> None:
    space = shipped("mixed")
    found, refusals = survey(space, 300, seed=1)
    assert len(found) + refusals.counts.total() == 300
    assert {rule.split()[0] for rule in refusals.counts} == {"limit", "forbid", "require", "stage"}
    nearest = next(value for rule, value in refusals.nearest.items() if rule.startswith("limit macs"))
    assert nearest > 75e6


def test_every_reason_is_infeasible_and_not_an_error() -> None:
    assert all(isinstance(each, Candidate | Infeasible) for each in every_candidate(shipped("alpha-ablation")))


def test_a_condition_asks_for_a_truth_value() -> None:
    path = "network.rules.quotient.through_one"
    for value in (True, False):
        for condition in (f"{path} == {str(value).lower()}", {path: value}):
            changes = {path: {"choice": [True, False]}, "search.require": [condition]}
            space = parse_space(edited(load_space("digits").source, changes))
            drawn = {found.draw.params.get(path) for found in sample(space, 12)}
            assert drawn <= {value, None}
            assert value in drawn
