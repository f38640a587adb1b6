"""CMA-ES: it learns from trials at rungs and from failures, and a restart does not change what it asks."""

import math

import numpy as np
import pytest

from qpsearch.architecture.notes import notes
from qpsearch.errors import SpaceError
from qpsearch.protocol import Assignment, Failed
from qpsearch.space import Space, edited, parse_space
from qpsearch.study.ledger import Ledger
from qpsearch.vocabulary import FailReason
from tests.helpers import new_ledger, progress, resumed_ledger, rows
from tests.scripted import Behaviour, space_text

DIVERGED = Failed(reason=FailReason.DIVERGED, detail="training loss nan in epoch 2")
MOMENTUM = {"training.optimizer.sgd.momentum": {"float": [0.0, 0.9]}}


def space(trials: int, pruner: str = "none", seed: int = 0) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=trials, epochs=3, sampler="cmaes", pruner=pruner, seed=seed)
    return parse_space(edited(text, MOMENTUM))


def search(ledger: Ledger, most: int = 1000) -> list[tuple[int, float]]:
    """Train where a learning rate of 0.3 with a momentum of 0.7 is best, and a small rate fails."""
    found: list[tuple[int, float]] = []
    done: dict[int, int] = {}
    while len(found) < most and (assignment := ledger.ask()) is not None:
        number, loss = assignment.trial, distance(assignment)
        found.append((number, loss))
        if assignment.config.recipe.optimizer.lr < 0.015:
            ledger.fail(number, assignment.attempt, DIVERGED)
            continue
        go_on = True
        while go_on:
            done[number] = done.get(number, 0) + 1
            go_on = ledger.report(number, assignment.attempt, progress(done[number], -loss))
    return found


def distance(assignment: Assignment) -> float:
    optimizer = assignment.config.recipe.optimizer
    return math.log(optimizer.lr / 0.3) ** 2 / 4 + (optimizer.momentum - 0.7) ** 2  # type: ignore[union-attr]


def test_a_space_in_which_it_cannot_learn_is_told() -> None:
    """One number that every configuration has; another that only quotients have, and a choice, do not help."""
    text = space_text(Behaviour.IMPROVES, sampler="cmaes")
    assert not notes(parse_space(text))  # a depth and a learning rate
    (said,) = notes(parse_space(edited(text, {"network.stages.0.depth": 1})))
    assert said.endswith("This space has one, so that all draws are even. Write sampler: gp.")
    assert not notes(parse_space(edited(text, {"network.stages.0.depth": 1, "search.sampler": "gp"})))


@pytest.mark.parametrize("pruner", ["none", "asha"])
def test_later_draws_lie_nearer_to_the_best_point(sqlite_url: str, pruner: str) -> None:
    with new_ledger(sqlite_url, space(50, pruner)) as ledger:
        found = search(ledger)
    losses = list(dict(found).values())
    assert np.median(losses[-15:]) < np.median(losses[:15]) / 2.5
    kept = rows(sqlite_url, "SELECT count(*) FROM trial_system_attributes WHERE key LIKE 'cma:optimizer%'")
    assert kept[0][0] > 4  # generations are in the database


def test_numbers_that_few_configurations_lack_do_not_end_what_it_learns(sqlite_url: str) -> None:
    """Three stages are all additive, without alpha, in one of 27 configurations: after many that have it."""
    stage = {"width": 4, "depth": 1, "block": {"choice": ["quotient", "quotient_product_unit", "additive"]}}
    given = parse_space(edited(space(60, seed=2).source, {"network.stages": [stage] * 3}))
    with new_ledger(sqlite_url, given) as ledger:
        search(ledger)
    query = "SELECT number FROM trial_system_attributes JOIN trials USING (trial_id) WHERE key LIKE {} ORDER BY number"
    learned = rows(sqlite_url, query.format("'cma:generation'"))
    lacking = rows(
        sqlite_url,
        "SELECT number FROM trials WHERE trial_id NOT IN (SELECT trial_id FROM trial_params WHERE param_name LIKE '%alpha')",
    )
    assert lacking[0][0] > 5  # late enough that many trials have it
    assert learned[-1] == (59,)
    assert len(learned) > 50


def test_a_restart_asks_the_same(sqlite_url: str, tmp_path: object) -> None:
    with new_ledger(f"sqlite:///{tmp_path}/whole.db", space(24, "asha")) as ledger:
        whole = search(ledger)
    with new_ledger(sqlite_url, space(24, "asha")) as ledger:
        found = search(ledger, 17)
    for most in (9, 1000):
        with resumed_ledger(sqlite_url) as ledger:
            found += search(ledger, most)
    assert found == whole


def test_several_objectives_are_refused() -> None:
    text = space_text(Behaviour.IMPROVES, sampler="cmaes")
    with pytest.raises(SpaceError, match=r"cmaes has a single objective\. Write sampler: gp, tpe or nsga2"):
        edited(text, {"search.objective": {"maximize": "val_accuracy", "minimize": "parameters"}})
