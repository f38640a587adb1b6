"""Several objectives with promotion: trials are compared at rungs in all objectives."""

import contextlib
import random
import re

import numpy as np
import pytest
from sqlalchemy import text as sql

from qpsearch.errors import SpaceError
from qpsearch.registry.pruners import PrunerKind
from qpsearch.registry.samplers.gp import GP
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.search.rung import Rung, spread
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger, progress, resumed_ledger, rows
from tests.scripted import Behaviour, space_text

DEPTH = "network.stages.0.depth"


def space(trials: int = 12, sampler: str = "auto", pruner: object = "asha") -> Space:
    text = space_text(Behaviour.IMPROVES, trials=trials, epochs=9)
    changes = {
        "network.stages.0.block": "additive",
        "network.stages.0.depth": {"int": [1, 9]},
        "network.rules": {"norm": "batch"},
        "search.objective": {"maximize": "val_accuracy", "minimize": "parameters"},
        "search.sampler": sampler,
        "search.pruner": pruner,
    }
    return parse_space(edited(text, changes))


def search(ledger: Ledger, done: dict[int, int], most: int = 1000) -> dict[int, int]:
    """Train: the deeper the better, but for trials that are worse at every depth; return the depth of each trial."""
    depths: dict[int, int] = {}
    for _ in range(most):
        assignment = ledger.ask()
        if assignment is None:
            break
        number, depth = assignment.trial, assignment.config.network.stages[0].depth
        depths[number] = depth
        go_on = True
        while go_on:
            done[number] = done.get(number, 0) + 1
            value = 0.05 * depth - (0.6 if number % 2 else 0.0) + done[number] / 1000
            go_on = ledger.report(number, assignment.attempt, progress(done[number], value))
    return depths


@pytest.mark.parametrize("sampler", ["auto", "tpe", "nsga2", "random"])
def test_what_goes_on_covers_small_and_accurate_networks(sqlite_url: str, sampler: str) -> None:
    """A deeper network is better and larger, so no even trial dominates another; every odd one is dominated."""
    done: dict[int, int] = {}
    with new_ledger(sqlite_url, space(trials=24, sampler=sampler)) as ledger:
        depths = search(ledger, done, most=9)
    with resumed_ledger(sqlite_url) as ledger:
        depths |= search(ledger, done)
        assert ledger.finished
    passed = {number for number, epochs in done.items() if epochs > 1}
    assert sum(number % 2 for number in passed) <= 2  # some are let through before their betters are there
    assert len({depths[number] for number in passed}) >= 4
    complete = [number for number, epochs in done.items() if epochs == 9]
    assert complete
    values = rows(
        sqlite_url,
        "SELECT number, count(*) FROM trials JOIN trial_values USING (trial_id) WHERE state != 'FAIL' GROUP BY number",
    )
    assert [count for _, count in values] == [2] * 24  # pruned ones have a value for each objective, too
    with contextlib.closing(Database.open(sqlite_url)) as database:
        front = queries.best_configurations(database, "scripted")
    assert {trial for each in front for trial in each.trials} <= set(complete)


def test_the_defaults_are_those_of_one_objective() -> None:
    assert space(pruner="auto").search.pruner is PrunerKind.ASHA
    assert space(sampler="factorial", pruner="auto").search.pruner is PrunerKind.NONE
    assert space(pruner="none").search.sampler is GP
    with pytest.raises(SpaceError, match=r"median needs a single objective.*Write pruner: asha, which compares"):
        space(pruner="median")


def test_the_order_at_a_rung_is_by_how_many_dominate_a_trial() -> None:
    points = {1: (0.1, 9.0), 2: (0.2, 5.0), 3: (0.3, 6.0), 4: (0.9, 1.0), 5: (0.9, 9.5), 6: (0.15, 7.0)}
    expected = [1, 4, 2, 6, 3, 5]  # the front: its ends, and what is furthest from them; then 1 and 5 dominate
    for seed in range(5):
        rung, numbers = Rung(), list(points)
        random.Random(seed).shuffle(numbers)
        for number in numbers:
            loss, cost = points[number]
            rung.put(number, loss, (cost,))
        assert [number for _, number in rung.order] == expected
        assert [rung.place(number) for number in expected] == list(range(6))
    rung.put(1, float("inf"), (9.0,))  # it failed: nobody is dominated by it any more
    assert [number for _, number in rung.order][-1] == 1
    rung.put(1, 0.1, (9.0,))
    assert [number for _, number in rung.order] == expected


def test_a_front_is_covered_from_its_beginning() -> None:
    """The ends, the middle, and only then what lies near, and equal points last."""
    front = [[0.0, 1.0], [0.01, 0.99], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0], [0.8, 0.2]]
    assert spread(np.array(front)) == [0, 3, 2, 5, 1, 4]
    assert spread(np.array(front) * [1e9, 1e-3]) == [0, 3, 2, 5, 1, 4]  # in whatever unit
    assert spread(np.zeros((0, 2))) == []
    assert spread(np.ones((3, 2))) == [0, 1, 2]


def test_a_study_of_computed_epochs_is_read_that_was_made_when_auto_was_no_pruner(sqlite_url: str) -> None:
    """Its text does not name the pruner, and would be refused today; the database knows what auto was."""
    computed = {"training.epochs": f"2 * {DEPTH}"}
    made = parse_space(edited(space(pruner="none").source, computed))
    text = re.sub(r"pruner: *\w+", "pruner: auto", made.source)
    with pytest.raises(SpaceError, match=r"epochs cannot be computed\. Write a number or a domain, or pruner: none"):
        parse_space(text)
    with new_ledger(sqlite_url, made):
        pass
    with contextlib.closing(Database.open(sqlite_url)) as database:
        database.write(lambda c: c.execute(sql("UPDATE qpsearch_studies SET space_text = :text"), {"text": text}))
        stored = queries.space_of(database, made.study)
    assert (stored.search.pruner, stored.search.sampler, stored.source) == (PrunerKind.NONE, made.search.sampler, text)
    assert stored.fingerprint == made.fingerprint
    with resumed_ledger(sqlite_url, made.study) as ledger:
        assert ledger.ask() is not None
