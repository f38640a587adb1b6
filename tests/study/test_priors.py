"""An expert's guesses: the first trial takes them, early ones lie near them, later ones follow the results."""

from pathlib import Path
from typing import Any

import pytest

from qpsearch.space import Choice, IntRange, LogRange, Prior, Space, Tied, build_space
from qpsearch.study import queries
from qpsearch.study.search.priors import Priors
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Confidence
from tests.helpers import new_ledger, resumed_ledger, train_all


def space(sampler: str = "tpe", confidence: Confidence = Confidence.HIGH, trials: int = 12) -> Space:
    depth = Tied("depth", IntRange(low=1, high=9, prior=Prior(5, confidence)))
    block = Choice(options=("additive", "quotient", "product_unit"), prior=Prior("quotient", confidence))
    document: dict[str, Any] = {
        "study": "scripted",
        "data": {"dataset": "digits", "validation": 300},
        "network": {"stem": {"width": 4}, "stages": [{"width": 4, "depth": depth, "block": block}] * 2},
        "training": {
            "epochs": 2,
            "optimizer": {"sgd": {"lr": LogRange(low=1e-4, high=1.0, prior=Prior(0.1, confidence))}},
        },
        "search": {"sampler": sampler, "pruner": "none", "trials": trials},
    }
    return build_space(document)


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_the_first_trial_is_the_guess(sqlite_url: str, sampler: str) -> None:
    with new_ledger(sqlite_url, space(sampler)) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        train_all(ledger, assignment)
    (record,) = queries.trial_records(Database.open(sqlite_url), "scripted")
    assert record.params == {
        "depth": 5,
        "network.stages.0.block": "quotient",
        "network.stages.1.block": "quotient",
        "training.optimizer.sgd.lr": 0.1,
    }


def test_confidence_is_how_often_a_draw_lies_near_the_guess() -> None:
    shares = {}
    for confidence in Confidence:
        priors = Priors.of(space("random", confidence))
        assert priors is not None
        drawn = [priors.guess(number, 0) for number in range(1, 2001)]
        shares[confidence] = sum("depth" in guess for guess in drawn) / 2000
        depths = [guess["depth"] for guess in drawn if "depth" in guess]
        assert all(isinstance(depth, int) and 1 <= depth <= 9 for depth in depths)
        assert sum(abs(depth - 5) <= 2 for depth in depths) / len(depths) > 0.9  # type: ignore[operator]
        rates = [guess["training.optimizer.sgd.lr"] for guess in drawn if "training.optimizer.sgd.lr" in guess]
        assert sum(0.01 < rate < 1.0 for rate in rates) / len(rates) > 0.9  # type: ignore[operator]
    assert shares[Confidence.LOW] == pytest.approx(0.25, abs=0.04)
    assert shares[Confidence.MEDIUM] == pytest.approx(0.5, abs=0.04)
    assert shares[Confidence.HIGH] == pytest.approx(0.75, abs=0.04)


def test_after_its_startup_a_sampler_that_learns_is_left_alone() -> None:
    for sampler, until in (("tpe", 10), ("gp", 10)):
        priors = Priors.of(space(sampler))
        assert priors is not None
        assert all(priors.guess(number, 0) == {} for number in range(until, 50))
        assert any(priors.guess(number, 0) for number in range(1, until))
    assert Priors.of(build_space({**_without_priors()})) is None


def test_a_restart_asks_the_same(tmp_path: Path) -> None:
    """A guess is a function of seed and number, so where a driver stops changes nothing."""
    found = []
    for name, stops in (("whole", ()), ("stopped", (1, 4, 7))):
        url = f"sqlite:///{tmp_path}/{name}.db"
        ledger = new_ledger(url, space())
        for number in range(12):
            if number in stops:
                ledger.__exit__(None, None, None)
                ledger = resumed_ledger(url)
            if number in (0, *stops):
                ledger.__enter__()
            assignment = ledger.ask()
            assert assignment is not None
            train_all(ledger, assignment)
        ledger.__exit__(None, None, None)
        found.append([record.params for record in queries.trial_records(Database.open(url), "scripted")])
    assert found[0] == found[1]


def _without_priors() -> dict[str, Any]:
    return {
        "study": "plain",
        "data": {"dataset": "digits", "validation": 300},
        "network": {"stem": {"width": 4}, "stages": [{"width": 4, "depth": {"int": [1, 2]}, "block": "additive"}]},
        "training": {"epochs": 1},
    }
