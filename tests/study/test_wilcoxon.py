"""The Wilcoxon pruner: trials are compared with the best one seed by seed, and stopped between seeds."""

import math
from typing import Any

import pytest

from qpsearch.errors import SpaceError
from qpsearch.space import Space, edited, parse_space
from qpsearch.study.ledger import Ledger
from tests.helpers import abandon, new_ledger, progress, resumed_ledger, rows
from tests.scripted import Behaviour, space_text

LUCK = (0.01, -0.02, 0.03, 0.0, -0.01, 0.02)  # of each seed, which all trials share
LEVELS = (0.5, 0.4, 0.6, 0.55, 0.61)  # trial 1 is worse than 0, and 3 worse than 2; 4 is better on four of six seeds
TRAINED = [6, 4, 6, 4, 6]
SEEDS = "SELECT number, count(*) FROM qpsearch_epochs JOIN trials USING (trial_id) WHERE epoch = 2 GROUP BY number ORDER BY number"  # fmt: skip


def space(replicates: object = 6, pruner: object = "wilcoxon", **settings: Any) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=5, epochs=2, sampler="random")
    return parse_space(edited(text, {"search.replicates": replicates, "search.pruner": pruner, **settings}))


def score(trial: int, replicate: int) -> float:
    return LEVELS[trial] + LUCK[replicate] + (0.03 * (-1) ** (replicate % 3) if trial == 4 else 0.0)


def search(ledger: Ledger, done: dict[tuple[int, int], int], most: int = 1000) -> int:
    """Train at most so many epochs; return how many are left."""
    while most > 0 and (assignment := ledger.ask()) is not None:
        left = [run.replicate for run in assignment.runs for _ in range(2)]
        left = left[done.get((assignment.trial, left[0]), 0) :]
        for replicate in left[:most]:
            key = (assignment.trial, replicate)
            done[key], most = done.get(key, 0) + 1, most - 1
            value = score(*key) if done[key] == 2 else 0.9  # epochs before the last do not count
            if not ledger.report(assignment.trial, assignment.attempt, progress(done[key], value, replicate)):
                break
    return most


def test_a_trial_that_is_worse_on_the_first_four_seeds_is_pruned_with_its_mean(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space()) as ledger:
        search(ledger, {})
    assert [count for _, count in rows(sqlite_url, SEEDS)] == TRAINED
    found = rows(sqlite_url, "SELECT state, value FROM trials JOIN trial_values USING (trial_id) ORDER BY number")
    assert [state for state, _ in found] == ["COMPLETE", "PRUNED", "COMPLETE", "PRUNED", "COMPLETE"]
    expected = [sum(score(trial, each) for each in range(count)) / count for trial, count in enumerate(TRAINED)]
    assert [value for _, value in found] == pytest.approx(expected)
    seeds = rows(sqlite_url, "SELECT replicate, count(DISTINCT seed) FROM qpsearch_runs GROUP BY replicate")
    assert seeds == [(replicate, 1) for replicate in range(6)]  # the same for every trial


@pytest.mark.parametrize("stop", [5, 13, 17, 18, 30])
def test_a_crash_changes_no_decision(sqlite_url: str, stop: int) -> None:
    done: dict[tuple[int, int], int] = {}
    ledger = new_ledger(sqlite_url, space())
    assert search(ledger, done, stop) == 0
    abandon(ledger)
    with resumed_ledger(sqlite_url) as ledger:
        search(ledger, done)
    assert [count for _, count in rows(sqlite_url, SEEDS)] == TRAINED


def test_two_drivers_compare_with_the_best_of_both(sqlite_url: str) -> None:
    done: dict[tuple[int, int], int] = {}
    with new_ledger(sqlite_url, space()) as first, resumed_ledger(sqlite_url) as second:
        search(first, done, 12)  # trial 0
        second._looked = -math.inf
        search(second, done, 8)  # trial 1, which is pruned
    assert rows(sqlite_url, "SELECT state FROM trials ORDER BY number") == [("COMPLETE",), ("PRUNED",)]


def test_its_options_and_what_cannot_prune_are_told() -> None:
    assert space(8, {"wilcoxon": {"p": 0.01}}).search.pruner_options == {"p": 0.01, "seeds": 2}
    with pytest.raises(
        SpaceError, match=r"after 4 seeds at the earliest, so with replicates: 4 .* Write replicates: 5 or more"
    ):
        space(4)
    with pytest.raises(SpaceError, match=r"after 7 seeds at the earliest, .* Write replicates: 8 or more"):
        space(7, {"wilcoxon": {"p": 0.01}})
    with pytest.raises(
        SpaceError, match=r"on the same seeds, of which a race trains more or fewer\. Write replicates: 5"
    ):
        space({"race": [1, 5]})
