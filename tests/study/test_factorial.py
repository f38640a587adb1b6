"""Factorial designs: what is balanced, up to every trial, in every kind of space."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpsearch.architecture.candidates import candidate
from qpsearch.errors import SpaceError
from qpsearch.registry.pruners import PrunerKind
from qpsearch.space import Choice, IntRange, RandomChooser, Space, StoredChooser, build_space, load_space, parse_space
from qpsearch.study import queries
from qpsearch.study.search.factorial import Factorial
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Scalar
from tests.helpers import new_ledger, resumed_ledger, train_all
from tests.space.enough import enough

Point = Mapping[str, Scalar]

LARGE = """
study: scripted
data: {dataset: digits, validation: 300}
network:
  stem: {width: {int: [4, 40]}}
  stages:
    - {width: 4, depth: {int: [1, 9]}, block: &block {choice: [additive, quotient, product_unit]}}
    - {width: 4, depth: {int: [1, 2]}, block: *block}
  rules:
    norm: {choice: [batch, group]}
    init: {choice: [framework, kaiming_fan_out, zero_last_norm]}
    quotient: {alpha: {float: [1.3, 2.2]}}
    product_unit: {exponent_clip: {choice: [none, 4, 8]}}
training:
  epochs: 1
  optimizer: {choice: {sgd: {lr: {log: [0.001, 0.1]}}, adamw: {lr: {log: [0.001, 0.1]}}}}
  schedule: {choice: [step, cosine]}
search: {sampler: factorial, seed: 3}
"""


def points(space: Space, count: int) -> list[dict[str, Scalar]]:
    design = Factorial(space)
    return [design.point(number, 0) for number in range(count)]


def drawn(space: Space, count: int) -> list[dict[str, Scalar]]:
    return [candidate(space, RandomChooser(seed)).draw.params for seed in range(count)]


def uses(found: Sequence[Point], name: str) -> Counter[Scalar]:
    return Counter(point[name] for point in found if name in point)


def unevenness(found: Sequence[Point], names: Sequence[str]) -> float:
    """The mean over pairs of parameters of the variance of the counts of their pairs of values."""
    values = {name: list(uses(found, name)) for name in names}
    pairs = list(itertools.combinations(names, 2))
    counts = [Counter((point[one], point[other]) for point in found) for one, other in pairs]
    cells = [itertools.product(values[one], values[other]) for one, other in pairs]
    return float(np.mean([np.var([count[cell] for cell in each]) for count, each in zip(counts, cells, strict=True)]))


def test_numbers_in_steps_are_used_equally_often_and_those_in_log_scale_evenly_in_their_logarithm() -> None:
    text = LARGE.replace("width: {int: [4, 40]}", "width: {log_int: [4, 63]}").replace(
        "{int: [1, 2]}", "{log_int: [1, 3]}"
    )
    found = points(parse_space(text.replace("alpha: {float: [1.3, 2.2]", "alpha: {float: [1.3, 2.2], step: 0.1")), 160)
    for count in (24, 64, 101, 160):
        widths = [point["network.stem.width"] for point in found[:count]]
        octaves = Counter(int(width).bit_length() for width in widths if isinstance(width, int))
        for bits in range(3, 7):  # 4 to 7, 8 to 15, 16 to 31, 32 to 63
            share = math.log((2**bits - 0.5) / (2 ** (bits - 1) - 0.5)) / math.log(63.5 / 3.5)
            assert octaves[bits] == pytest.approx(share * count, abs=3)
        depths = uses(found[:count], "network.stages.1.depth")
        for depth in (1, 2, 3):
            share = math.log((depth + 0.5) / (depth - 0.5)) / math.log(7)
            assert depths[depth] == pytest.approx(share * count, abs=2)
        alphas = uses(found[:count], "network.rules.quotient.alpha")
        often = [alphas[value] for value in (1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2)]
        assert sum(often) == alphas.total()
        assert max(often) - min(often) <= 1
    assert len(set(widths)) > 45  # of 60


@pytest.mark.parametrize("count", [5, 24, 64, 101])
def test_each_value_is_used_equally_often_up_to_every_trial(count: int) -> None:
    space = parse_space(LARGE)
    found = points(space, count)
    for name, site in {site.parameter: site for site in space.sites if site.domain is not None}.items():
        assert site.domain is not None
        counts = uses(found, name)
        if site.domain.values is not None and sum(counts.values()):
            often = [counts[value] for value in site.domain.values]
            assert max(often) - min(often) <= 1, (name, counts)


def test_pairs_of_values_are_far_more_even_than_random_draws() -> None:
    space = parse_space(LARGE)
    names = [f"network.{name}" for name in ("stages.0.block", "stages.1.block", "stages.1.depth", "rules.norm")]
    names += ["network.rules.init", "training.schedule", "training.optimizer"]
    designed, random = (unevenness(made(space, 64), names) for made in (points, drawn))
    assert designed < 0.1 * random  # measured: 0.02


def test_ranges_are_filled_evenly_on_their_own_scale_where_they_are_active() -> None:
    found = points(parse_space(LARGE), 64)
    rates = [point["training.optimizer.sgd.lr"] for point in found if "training.optimizer.sgd.lr" in point]
    assert len(rates) == 32
    places = [int(32 * math.log10(float(rate) / 0.001) / 2) for rate in rates]  # type: ignore[arg-type]
    assert sorted(places) == list(range(32))


def test_a_conditional_parameter_is_balanced_among_the_trials_that_have_it() -> None:
    found = points(parse_space(LARGE), 64)
    clips = uses(found, "network.rules.product_unit.exponent_clip")
    with_units = sum("product_unit" in (p["network.stages.0.block"], p["network.stages.1.block"]) for p in found)
    assert sum(clips.values()) == with_units < 64
    assert max(clips.values()) - min(clips.values()) <= 1
    optimizers = Counter((point["training.optimizer"], point["training.schedule"]) for point in found)
    assert set(optimizers.values()) <= {15, 16, 17}


def small(require: Sequence[str] = (), **search: Any) -> Space:
    block = Choice(options=("additive", "quotient", "product_unit"))
    stage = {"width": 4, "depth": IntRange(low=1, high=6), "block": block}
    return build_space(
        {
            "study": "scripted",
            "data": {"dataset": "digits", "validation": 300},
            "network": {"stem": {"width": Choice(options=(4, 8))}, "stages": [stage]},
            "training": {"epochs": 1},
            "search": {"sampler": "factorial", "require": list(require), **search},
        }
    )


@enough(12)
@given(seed=st.integers(0, 2**31 - 1), rounds=st.integers(1, 3), deepest=st.integers(2, 6))
@settings(max_examples=12, deadline=None)
def test_a_small_space_is_taken_in_rounds_of_all_its_points_in_an_even_order(
    seed: int, rounds: int, deepest: int
) -> None:
    require = [f"network.stages.0.depth <= {deepest}"] if deepest < 6 else []
    size = 2 * 3 * deepest
    found = points(small(require, seed=seed), rounds * size)
    assert set(Counter(tuple(point.values()) for point in found).values()) == {rounds}
    assert len({tuple(point.values()) for point in found[:size]}) == size
    assert set(uses(found[:6], "network.stages.0.block").values()) == {2}


@pytest.mark.parametrize("seed", [0, 1])
def test_points_that_the_space_rules_out_are_replaced_with_little_loss(seed: int) -> None:
    """No point has a depth of 9, and of the rest half are ruled out."""
    text = LARGE.replace("seed: 3}", f"seed: {seed}, forbid: ['network.stages.0.depth > 8'], require: [RULE]}}")
    space = parse_space(text.replace("RULE", "'network.stem.width < 10 * network.stages.0.depth'"))
    found = points(space, 60)
    for point in found:
        candidate(space, StoredChooser(point))
    for name in ("network.rules.norm", "training.schedule", "network.stages.1.block", "network.stages.0.block"):
        often = uses(found, name).values()
        assert max(often) - min(often) <= 2, name
    assert set(uses(found, "network.stages.0.depth")) == set(range(1, 9))


def test_a_design_is_a_function_of_space_and_seed_and_goes_on_with_a_larger_budget() -> None:
    few, many, other = parse_space(LARGE), parse_space(LARGE.replace("seed: 3", "trials: 200, seed: 3")), small(seed=1)
    first = points(few, 40)
    assert points(many, 60)[:40] == first
    assert Factorial(few).point(39, 0) == first[39]
    assert points(other, 12) != points(small(seed=2), 12)


def test_drivers_and_a_restart_take_each_point_once(sqlite_url: str) -> None:
    wanted = small(trials=20, seed=5)
    with new_ledger(sqlite_url, wanted) as first, resumed_ledger(sqlite_url) as second:
        for ledger in (first, second, second, first):
            assignment = ledger.ask()
            assert assignment is not None
            train_all(ledger, assignment)
    with resumed_ledger(sqlite_url, asked=36) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    database = Database.open(sqlite_url)
    found = [record.params for record in queries.trial_records(database, "scripted")]
    database.close()
    assert found == points(wanted, 36)
    assert len({tuple(point.values()) for point in found}) == 36


def test_nothing_is_pruned_unless_asked_and_a_prior_is_refused() -> None:
    assert parse_space(LARGE).search.pruner is PrunerKind.NONE
    assert parse_space(LARGE.replace("seed: 3", "pruner: median")).search.pruner is PrunerKind.MEDIAN
    with pytest.raises(SpaceError, match="a factorial design chooses all values itself, so a prior has no effect"):
        parse_space(LARGE.replace("{choice: [batch, group]}", "{choice: [batch, group], prior: group}"))
    assert load_space("digits").search.sampler.design == "trials of an adaptive sampler (gp)"


def test_effects_of_designed_trials_are_nearer_to_an_additive_truth() -> None:
    """Least squares on the words of a planted additive objective: the mean squared error over its effects."""
    space = parse_space(LARGE)
    names = ("network.stages.0.block", "network.stages.1.block", "network.rules.norm", "network.rules.init")
    values = [(name, value) for name in names for value in list(uses(drawn(space, 40), name))[1:]]
    errors = []
    for made in (points(space, 64), drawn(space, 64)):
        columns = np.array([[1.0, *(float(point[name] == value) for name, value in values)] for point in made])
        errors.append(float(np.trace(np.linalg.inv(columns.T @ columns))))  # in units of the noise's variance
    assert errors[0] < 0.95 * errors[1]
