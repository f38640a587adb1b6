"""Every sampler of the registry: what it says of itself is true, and a restarted study asks what an unbroken one does."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import RandomSampler

from qpsearch.errors import SpaceError
from qpsearch.protocol import Assignment
from qpsearch.registry.own.sampler import custom_sampler
from qpsearch.registry.samplers import SAMPLERS
from qpsearch.registry.samplers.base import STARTUP
from qpsearch.space import Space, edited, parse_space
from qpsearch.study.ledger import Ledger
from tests.helpers import accuracy_of, new_ledger, progress, resumed_ledger
from tests.scripted import Behaviour, space_text

TRIALS = STARTUP + 4
FINITE = {"training.optimizer.sgd.lr": {"choice": [0.01, 0.1, 0.3]}, "network.rules.quotient.alpha": 2}
TWO = {"objective": {"maximize": "val_accuracy", "minimize": "parameters"}}
Value = Callable[[Assignment], float]


def space(word: str, **search: Any) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=TRIALS, epochs=1, sampler=word)
    edits = {f"search.{name}": value for name, value in search.items()}
    return parse_space(edited(text, edits | FINITE if SAMPLERS[word].is_exhaustive else edits))


def asked(ledger: Ledger, most: int = TRIALS, value: Value = accuracy_of) -> list[str]:
    """Train trials; return their configurations."""
    found: list[str] = []
    while len(found) < most and (assignment := ledger.ask()) is not None:
        found.append(assignment.config.to_json())
        ledger.report(assignment.trial, assignment.attempt, progress(1, value(assignment)))
    return found


@pytest.mark.parametrize("word", SAMPLERS)
def test_a_restart_asks_the_same_and_a_blind_one_does_not_look_at_results(word: str, tmp_path: Path) -> None:
    with new_ledger(f"sqlite:///{tmp_path}/whole.db", space(word)) as ledger:
        whole = asked(ledger)
    with new_ledger(f"sqlite:///{tmp_path}/cut.db", space(word)) as ledger:
        found = asked(ledger, STARTUP + 1)
    with resumed_ledger(f"sqlite:///{tmp_path}/cut.db") as ledger:
        found += asked(ledger)
    assert found == whole
    assert len(found) == TRIALS
    assert len(set(found)) > TRIALS / 2
    if SAMPLERS[word].is_blind:
        with new_ledger(f"sqlite:///{tmp_path}/other.db", space(word)) as ledger:
            assert asked(ledger, value=lambda assignment: 1 - accuracy_of(assignment)) == whole


@pytest.mark.parametrize("word", SAMPLERS)
def test_several_objectives_are_searched_or_refused(word: str, sqlite_url: str) -> None:
    if SAMPLERS[word].has_one_objective:
        with pytest.raises(SpaceError, match=f"{word} has a single objective"):
            space(word, **TWO)
        return
    with new_ledger(sqlite_url, space(word, **TWO)) as ledger:
        assert len(asked(ledger)) == TRIALS


def test_a_sampler_that_was_sent_to_another_process_is_the_same() -> None:
    for sampler in SAMPLERS.values():
        sent = pickle.loads(pickle.dumps(sampler))
        assert (sent, hash(sent)) == (sampler, hash(sampler))
    own = custom_sampler("own", RandomSampler, version=1)
    assert hash(own) == hash(custom_sampler("own", RandomSampler, version=2))
    assert own != custom_sampler("own", RandomSampler, version=2)
