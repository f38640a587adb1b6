"""A study that searches augmentation: drawn, stored, resumed, enqueued, started warm, and its planted answer found."""

import random
from typing import Any

import pytest

import qpsearch
from qpsearch.analysis.effects import effects
from qpsearch.analysis.subject import Subject
from qpsearch.architecture.config import TrialConfig
from qpsearch.space import edited, parse_space
from qpsearch.study.ledger import Ledger
from qpsearch.study.planning.enqueueing import enqueue
from tests.helpers import new_ledger, progress, resumed_ledger
from tests.scripted import Behaviour, space_text

CUTOUT, USED = "data.augment.cutout.used", "data.augment.randaugment.used"
MAGNITUDE, ALPHA = "data.augment.randaugment.magnitude", "data.augment.mixup.alpha"
SWITCH = {"used": {"choice": [True, False]}}
AUGMENT = [
    "flip",
    {"cutout": SWITCH},
    {"randaugment": {**SWITCH, "magnitude": {"int": [4, 12]}}},
    {"mixup": {"alpha": {"float": [0.1, 1.0]}}},
]
ONE_NETWORK = {
    "network.stages.0.depth": 1,
    "network.stages.0.block": "additive",
    "network.rules": {},
    "training.optimizer.sgd.lr": 0.1,
    "data.augment": AUGMENT,
}


def text(sampler: str, **changes: Any) -> str:
    plain = space_text(Behaviour.IMPROVES, trials=40, epochs=1, sampler=sampler)
    return edited(plain, ONE_NETWORK | changes)


def accuracy(config: TrialConfig, noise: random.Random) -> float:
    """RandAugment helps, the more the stronger; nothing else matters."""
    strength = dict(config.data.augment_options).get("randaugment.magnitude", 9.0)
    helps = 0.1 + 0.04 * (strength - 8) if "randaugment" in config.data.augment else 0.0
    return 0.5 + helps + noise.gauss(0, 0.01)


def run(ledger: Ledger, most: int) -> list[TrialConfig]:
    noise, found = random.Random(1), []
    while len(found) < most and (assignment := ledger.ask()) is not None:
        found.append(assignment.config)
        value = accuracy(assignment.config, noise)
        ledger.report(assignment.trial, assignment.attempt, progress(1, value))
    return found


@pytest.mark.parametrize("sampler", ["random", "gp", "cmaes", "quasi_random", "factorial"])
def test_a_study_draws_stores_and_resumes(sqlite_url: str, sampler: str) -> None:
    with new_ledger(sqlite_url, parse_space(text(sampler))) as ledger:
        configs = run(ledger, 6)
    with resumed_ledger(sqlite_url) as ledger:
        configs += run(ledger, 6)
    trials = qpsearch.load_study("scripted", sqlite_url).trials
    assert len(trials) == len(configs) == 12
    for trial, config in zip(trials, configs, strict=True):
        assert trial.config == config
        assert (MAGNITUDE in trial.params) == trial.params[USED] == ("randaugment" in config.data.augment)
        assert trial.params[CUTOUT] == ("cutout" in config.data.augment)
        options = dict(config.data.augment_options)
        assert options["mixup.alpha"] == trial.params[ALPHA]
        assert options.get("randaugment.magnitude", 9) == trial.params.get(MAGNITUDE, 9)
    assert len({trial.params[ALPHA] for trial in trials}) > 1


def test_the_planted_answer_is_found(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, parse_space(text("random"))) as ledger:
        run(ledger, 40)
    study = qpsearch.load_study("scripted", sqlite_url)
    shares = {each.parameter: each.importance for each in study.importance().importances}
    assert set(list(shares)[:2]) == {USED, MAGNITUDE}
    assert min(shares[USED], shares[MAGNITUDE]) > 0.2 > 0.1 > max(shares[CUTOUT], shares[ALPHA])
    table = effects(Subject.at(sqlite_url, "scripted"))
    found = {each.parameter: each for each in table.effects}
    assert (found[USED].level, found[USED].reference) == (True, False)
    assert found[USED].effect == pytest.approx(0.1, abs=0.03)  # at the middle magnitude
    assert found[USED].low > 0
    assert found[CUTOUT].low < 0 < found[CUTOUT].high


def test_values_of_the_users_own(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, parse_space(text("random"))) as ledger:
        run(ledger, 2)
        enqueue(sqlite_url, "scripted", {USED: True, MAGNITUDE: 5})
        ledger._looked = float("-inf")
        (config,) = run(ledger, 1)
    assert dict(config.data.augment_options)["randaugment.magnitude"] == 5


def test_a_warm_start_takes_what_the_space_has(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, parse_space(text("random"))) as ledger:
        run(ledger, 40)
    changes = {"study": "warm", "search.warm_start": ["scripted"], "search.seed": 7}
    with new_ledger(sqlite_url, parse_space(text("random", **changes))) as ledger:
        configs = run(ledger, 3)
    earlier = qpsearch.load_study("scripted", sqlite_url).trials
    best = sorted(earlier, key=lambda trial: -trial.values[0])[:3]
    assert [config.data for config in configs] == [trial.config.data for trial in best]


def test_the_papers_first(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, parse_space(text("random", **{"search.first": "papers"}))) as ledger:
        (config,) = run(ledger, 1)
    assert config.data.augment == ("flip", "mixup")  # what is always on, and neither cutout nor RandAugment
