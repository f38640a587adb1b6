"""An expert's guesses: the first trial takes them, early ones lie near them, later ones follow the results."""

from pathlib import Path
from typing import Any

import pytest

from qpsearch.architecture.notes import lost_priors, notes
from qpsearch.space import (
    Choice,
    IntRange,
    LogRange,
    Prior,
    Space,
    Tied,
    build_space,
    edited,
    load_space,
    parse_space,
)
from qpsearch.study import queries
from qpsearch.study.search.priors import Priors
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import GUESS
from qpsearch.vocabulary import Confidence
from tests.helpers import SPACES, new_ledger, resumed_ledger, train_all


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


def test_a_trial_that_has_no_parameter_with_a_prior_is_not_the_guess(sqlite_url: str) -> None:
    """The prior is that of an option, and the block that has it is left to chance."""
    text = edited(load_space("digits").source, {"network.rules.quotient.alpha": {"float": [1.5, 2.5], "prior": 2.0}})
    marked = {}
    for seed in range(6):
        own = edited(text, {"study": f"s{seed}", "search.seed": seed})
        with new_ledger(sqlite_url, parse_space(own)) as ledger:
            assert ledger.ask() is not None
        (trial,) = queries.frozen_trials(Database.open(sqlite_url), f"s{seed}")
        marked[seed] = GUESS in trial.system_attrs
        assert marked[seed] == (trial.params.get(ALPHA) == 2.0)
    assert set(marked.values()) == {True, False}


def ruled(**search: Any) -> Space:
    """Three priors, one of them of a parameter that a draw may not have, and rules of the search."""
    block = Choice(options=("additive", "quotient"), prior=Prior("quotient", Confidence.LOW))
    depth = IntRange(low=1, high=8)
    document: dict[str, Any] = {
        "study": "scripted",
        "data": {"dataset": "digits", "validation": 300},
        "network": {
            "stem": {"width": 4},
            "stages": [{"width": 4, "depth": depth, "block": block}],
            "rules": {
                "norm": Choice(options=("batch", "group"), prior=Prior("group", Confidence.LOW)),
                "quotient": {"alpha": Choice(options=(1.5, 2.0), prior=Prior(1.5, Confidence.LOW))},
            },
        },
        "training": {"epochs": 1},
        "search": {"sampler": "random", "pruner": "none", "trials": 1} | search,
    }
    return build_space(document)


BLOCK, NORM, ALPHA = "network.stages.0.block", "network.rules.norm", "network.rules.quotient.alpha"


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({}, []),
        ({"require": ["network.stages.0.depth == 3"]}, []),  # some draws have the priors and are allowed
        ({"forbid": [{BLOCK: "additive", NORM: "group"}]}, []),
        (
            {"forbid": [f"{BLOCK} == quotient and network.stages.0.depth > 0"]},
            [f"{BLOCK}: no trial can have its prior, quotient,", f"{ALPHA}: no trial can have its prior, 1.5,"],
        ),
        ({"forbid": [f"{NORM} == group"]}, [f"{NORM}: no trial can have its prior, group,"]),
        ({"forbid": [{BLOCK: "quotient", NORM: "group"}]}, ["the priors exclude each other, so the first trial is"]),
        ({"require": [f"{NORM} == batch or {ALPHA} > 1.5"]}, ["the priors exclude each other, so the first trial is"]),
    ],
    ids=["free", "rare", "another", "never", "one", "two", "required"],
)
def test_priors_that_the_space_rules_out_are_told(search: dict[str, Any], said: list[str]) -> None:
    found = lost_priors(ruled(**search))
    assert [text[: len(start)] for text, start in zip(found, said, strict=True)] == said
    assert all("so the first trial is not the guess. Refused by: " in text for text in found)


def test_a_limit_that_a_prior_breaks_is_told_with_the_nearest_value() -> None:
    text = load_space("digits").source.replace("depth: {int: [1, 2]}", "depth: {int: [1, 9], prior: 9}")
    (said,) = lost_priors(parse_space(edited(text, {"search.limits.parameters": "<= 100K"})))
    assert said.startswith("network.stages.1.depth: no trial can have its prior, 9,")  # the first stage is small enough
    assert "limit parameters <= 100,000 (200 of 200 draws, the nearest had 1" in said


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_no_prior_of_a_shipped_space_is_lost(path: Path) -> None:
    assert lost_priors(load_space(path)) == []


def test_the_first_trial_is_the_guess_also_where_other_parameters_are_refused_first(sqlite_url: str) -> None:
    """One depth in eight is allowed: the priors wait for it."""
    with new_ledger(sqlite_url, ruled(require=["network.stages.0.depth == 3"], seed=7)) as ledger:
        assert ledger.ask() is not None
    database = Database.open(sqlite_url)
    (record,) = queries.trial_records(database, "scripted")
    assert queries.summary(database, "scripted").infeasible > 0
    database.close()
    assert [record.params[name] for name in (BLOCK, NORM, ALPHA)] == ["quotient", "group", 1.5]


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


LISTED = """
study: scripted
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages:
    - {width: 4, depth: {int: [1, 9]}, block: {choice: [additive, quotient]}}
    - {width: 4, depth: {int: [1, 9], prior: 5}, block: {choice: [additive, quotient]}}
training: {epochs: 1, optimizer: {sgd: {lr: {log: [1.0e-4, 1.0]}}}}
search:
  sampler: random
  trials: 4
  first:
    - {network.stages.*.block: quotient, training.optimizer.sgd.lr: 0.1}
    - {network.stages.0.depth: 9, network.stages.1.depth: 1}
"""


def test_listed_configurations_come_first_and_guesses_after_them(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, parse_space(LISTED)) as ledger:
        for _ in range(2):
            assert ledger.ask() is not None
    with resumed_ledger(sqlite_url) as ledger:  # the first two wait, and are not asked again
        for _ in range(4):
            assert ledger.ask() is not None
    first, second, third, _ = [record.params for record in queries.trial_records(Database.open(sqlite_url), "scripted")]
    assert [first[f"network.stages.{stage}.block"] for stage in (0, 1)] == ["quotient", "quotient"]
    assert first["training.optimizer.sgd.lr"] == 0.1
    assert [second[f"network.stages.{stage}.depth"] for stage in (0, 1)] == [9, 1]
    assert third["network.stages.1.depth"] == 5  # the prior


def test_listed_values_that_several_blocks_would_use_are_not_drawn_away(sqlite_url: str) -> None:
    """One stage with a quotient block is enough for its rule, and the sampler chooses which."""
    alphas = [1.3 + index / 16 for index in range(8)]
    first = [{"network.rules.quotient.alpha": alpha} for alpha in alphas]
    document = edited(LISTED, {"network.rules.quotient.alpha": {"float": [1.3, 2.2]}, "search.first": first})
    with new_ledger(sqlite_url, parse_space(edited(document, {"search.trials": 8}))) as ledger:
        while ledger.ask() is not None:
            pass
    records = queries.trial_records(Database.open(sqlite_url), "scripted")
    assert [record.params.get("network.rules.quotient.alpha") for record in records] == alphas
    blocks = {tuple(record.params[f"network.stages.{stage}.block"] for stage in (0, 1)) for record in records}
    assert len(blocks) > 1


def test_a_listed_configuration_that_the_space_rules_out_is_told() -> None:
    text = edited(LISTED, {"search.forbid": ["network.stages.0.depth > 8"]})
    (said,) = notes(parse_space(text))
    assert said.startswith(
        "search.first.1: no trial can have these values. Refused by: forbid network.stages.0.depth > 8"
    )


def test_listed_values_that_are_never_used_together_are_told() -> None:
    """The choice itself is left to the sampler."""
    both = "{choice: {sgd: {lr: {log: [1.0e-4, 1.0]}}, adamw: {lr: {log: [1.0e-4, 1.0]}}}}"
    text = LISTED.replace("{sgd: {lr: {log: [1.0e-4, 1.0]}}}", both)
    rates = {"training.optimizer.sgd.lr": 0.1, "training.optimizer.adamw.lr": 0.01}
    (said,) = notes(parse_space(edited(text, {"search.first": [rates]})))
    assert said == "search.first.0: these values are never used together. Without effect: some of them."


SWITCHES = LISTED.replace(
    "data: {", "data: {augment: [flip, {mixup: {used: {choice: [true, false]}, alpha: {float: [0.1, 1.0]}}}], "
)


def test_a_listed_option_whose_switch_is_off_is_told() -> None:
    off = {"data.augment.mixup.used": False, "data.augment.mixup.alpha": 0.2}
    (said,) = notes(parse_space(edited(SWITCHES, {"search.first": [off]})))
    assert said == "search.first.0: these values are never used together. Without effect: data.augment.mixup.alpha."
    for point in (off | {"data.augment.mixup.used": True}, {"data.augment.mixup.alpha": 0.2}):  # or the sampler decides
        assert notes(parse_space(edited(SWITCHES, {"search.first": [point]}))) == []


def test_a_listed_configuration_is_part_of_the_meaning() -> None:
    one, other = parse_space(LISTED), parse_space(LISTED.replace("lr: 0.1}", "lr: 0.2}"))
    assert one.fingerprint != other.fingerprint
    assert one.meaning()["search.first.0.network.stages.1.block"] == "quotient"


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
