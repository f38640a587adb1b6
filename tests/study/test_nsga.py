"""NSGA-II and NSGA-III: a restart does not change from which trials they breed."""

import math

import pytest

from qpsearch.architecture.notes import notes
from qpsearch.protocol import Assignment
from qpsearch.space import Space, edited, parse_space
from qpsearch.study.ledger import Ledger
from tests.helpers import new_ledger, progress, resumed_ledger, rows
from tests.scripted import Behaviour, space_text

TRIALS = 40
OBJECTIVES = {"maximize": "val_accuracy", "minimize": "parameters"}


def space(sampler: object, **changes: object) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=TRIALS, epochs=1, pruner="none")
    return parse_space(edited(text, {"search.objective": OBJECTIVES, "search.sampler": sampler, **changes}))


def search(ledger: Ledger, most: int = 1000) -> list[tuple[int, str]]:
    """Train with two trials at once; each seventh trial is slow: it ends four trials after it began."""
    found: list[tuple[int, str]] = []
    slow: list[tuple[int, Assignment]] = []
    while len(found) < most and (assignment := ledger.ask()) is not None:
        number = assignment.trial
        found.append((number, repr(assignment.config)))
        slow.append((number + 4 if number % 7 == 6 else number, assignment))
        for ended in [each for each in slow if each[0] <= number]:
            slow.remove(ended)
            finish(ledger, ended[1])
    for _, assignment in slow:
        finish(ledger, assignment)
    return found


def finish(ledger: Ledger, assignment: Assignment) -> None:
    loss = abs(math.log(assignment.config.recipe.optimizer.lr / 0.1))
    ledger.report(assignment.trial, assignment.attempt, progress(1, 1 / (1 + loss)))


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3"])
def test_a_restart_breeds_from_the_same_parents(sqlite_url: str, tmp_path: object, sampler: str) -> None:
    """Restarts after trials of each generation; a slow trial of one ends when the next has begun."""
    given = space({sampler: {"population": 8}})
    with new_ledger(f"sqlite:///{tmp_path}/whole.db", given) as ledger:
        whole = search(ledger)
    assert len(whole) == TRIALS
    bred = rows(
        f"sqlite:///{tmp_path}/whole.db", "SELECT key FROM trial_system_attributes WHERE key LIKE '%:parents:%'"
    )
    assert len(bred) >= 3
    with new_ledger(sqlite_url, given) as ledger:
        found = search(ledger, 13)  # the slow trial 6 has ended, 13 has begun
    for most in (7, 7, 7, 1000):
        with resumed_ledger(sqlite_url) as ledger:
            found += search(ledger, most)
    assert found == whole


def test_too_few_complete_trials_to_breed_from_are_told() -> None:
    (said,) = notes(space("nsga2"))
    assert said == (
        "search.sampler nsga2 learns from complete trials alone, 50 of them at a time, and the study has 40 trials, so "
        "that all draws are even. Write sampler: gp, or set a smaller population."
    )
    (said,) = notes(space({"nsga3": {"population": 8}}, **{"search.pruner": "asha", "training.epochs": 9}))
    assert said.endswith(
        "8 of them at a time, so what asha stops teaches it nothing. Write pruner: none, or sampler: gp."
    )
    assert not notes(space({"nsga3": {"population": 8}}))
