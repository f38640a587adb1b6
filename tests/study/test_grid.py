"""A grid between drivers and restarts, and points that are few and far between."""

import itertools
from collections import Counter

import pytest

from qpsearch.space import Choice, IntRange, Space, build_space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger, resumed_ledger, train_all


def space(sampler: str, trials: int, **search: object) -> Space:
    block = Choice(options=("additive", "quotient"))
    return build_space(
        {
            "study": "scripted",
            "data": {"dataset": "digits", "validation": 300},
            "network": {
                "stem": {"width": 4},
                "stages": [{"width": 4, "depth": IntRange(low=1, high=8), "block": block}],
            },
            "training": {"epochs": 1},
            "search": {"sampler": sampler, "pruner": "none", "trials": trials, **search},
        }
    )


def points_of(url: str) -> list[tuple[object, ...]]:
    database = Database.open(url)
    found = [tuple(record.params.values()) for record in queries.trial_records(database, "scripted")]
    assert queries.summary(database, "scripted").infeasible == 0
    database.close()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_two_drivers_and_a_restart_take_each_point_of_a_grid_once(url: str, seed: int) -> None:
    wanted = space("grid", 8, seed=seed, require=["network.stages.0.depth > 4"])
    with new_ledger(url, wanted) as first, resumed_ledger(url) as second:
        for ledger in (first, second, second, first):
            assignment = ledger.ask()
            assert assignment is not None
            train_all(ledger, assignment)
    with resumed_ledger(url) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
        assert ledger.finished
    assert Counter(points_of(url)) == Counter(itertools.product(range(5, 9), ("additive", "quotient")))


def test_a_grid_is_taken_in_an_order_of_its_seed(sqlite_url: str) -> None:
    orders = []
    for seed in (0, 1):
        url = sqlite_url.replace("q.db", f"{seed}.db")
        with new_ledger(url, space("grid", 16, seed=seed)) as ledger:
            while (assignment := ledger.ask()) is not None:
                train_all(ledger, assignment)
        orders.append(points_of(url))
    assert orders[0] != orders[1]
    assert Counter(orders[0]) == Counter(orders[1])


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_allowed_points_that_are_rare_are_found(sqlite_url: str, sampler: str) -> None:
    """One in five hundred: a sampler that finds none in hundreds of draws is helped."""
    document = {
        "study": "scripted",
        "data": {"dataset": "digits", "validation": 300},
        "network": {
            "stem": {"width": IntRange(low=1, high=1000)},
            "stages": [{"width": 4, "depth": 1, "block": "additive"}],
        },
        "training": {"epochs": 1},
        "search": {"sampler": sampler, "pruner": "none", "trials": 3, "require": ["network.stem.width in [400, 700]"]},
    }
    with new_ledger(sqlite_url, build_space(document)) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    database = Database.open(sqlite_url)
    records = queries.trial_records(database, "scripted")
    database.close()
    assert [record.params["network.stem.width"] in (400, 700) for record in records] == [True] * 3
