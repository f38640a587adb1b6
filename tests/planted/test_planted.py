"""What is said about planted studies is true. ``python -m tests.benchmarks.truth`` measures how often."""

import pytest

from tests.benchmarks.truth import DEFAULTS, Judged, judge, share, table
from tests.planted.truths import TRUTHS


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    seeds = {name: (0, 1) if name in ("several", "nothing") else (0,) for name in TRUTHS if name != "crossing"}
    searches = [(name, "random", seed) for name in seeds for seed in seeds[name]]
    searches += [
        ("three", "tpe", 0),
        ("crossing", "random, pruned", 0),
        ("several", "random, pruned", 0),
        ("nothing", "random, pruned", 0),
        *((name, DEFAULTS, seed) for name in ("several", "own optimum") for seed in (0, 1)),
    ]
    return [found for name, cell, seed in searches for found in judge(name, cell, seed, [60], beside=False)]


def test_the_true_first_is_first_and_intervals_hold_the_truth(judged: list[Judged]) -> None:
    fitting = [each for each in judged if TRUTHS[each.truth].fits and each.cell == "random"]
    with_signal = [each for each in fitting if TRUTHS[each.truth].explained]
    assert sum(not each.first["anova"] for each in with_signal) <= 1
    assert (share(held for each in fitting for held in each.in_first) or 0) >= 88
    assert (share(held for each in fitting for held in each.in_total) or 0) >= 80
    assert (share(held for each in fitting for held in each.in_effect) or 0) >= 88
    assert (share(told for each in fitting for told in each.told) or 0) <= 5


def test_intervals_hold_effects_that_a_search_by_the_defaults_hardly_shows(judged: list[Judged]) -> None:
    """A sparse prior alone draws them to 0, with intervals that held half of them."""
    held = [held for each in judged if each.cell == DEFAULTS for held in each.in_effect]
    assert len(held) > 10
    assert (share(held) or 0) >= 75


def test_nothing_is_called_nothing_and_what_does_not_fit_is_doubted(judged: list[Judged]) -> None:
    assert sum(each.is_something for each in judged if each.truth == "nothing") <= 1  # of 3, each with a chance of 5%
    unfitting = [each for each in judged if not TRUTHS[each.truth].fits]
    assert (share(each.doubts > 0 for each in unfitting) or 0) >= 70
    assert (share(each.doubts > 0 for each in judged if TRUTHS[each.truth].fits) or 0) <= 20
    assert [each.crowded for each in judged if each.cell == "tpe"] == [True]  # there is little besides its best region
    assert not any(each.crowded for each in judged if each.cell == "random")


def test_the_table_has_a_row_for_each_search(judged: list[Judged]) -> None:
    rows = table(judged).splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == ["random", "tpe", "random, pruned", DEFAULTS]


@pytest.mark.parametrize("name", list(TRUTHS))
def test_the_planted_shares_are_those_of_a_function_with_mean_0(name: str) -> None:
    truth = TRUTHS[name]
    firsts, totals = zip(*truth.shares.values(), strict=True)
    assert sum(firsts) <= truth.explained + 0.02
    assert sum(totals) >= truth.explained - 0.02
