"""Configurations of the user's own: enqueued by qpsearch, or by Optuna's own tools."""

import contextlib

import optuna
import pytest

from qpsearch.errors import UserError
from qpsearch.protocol import Failed
from qpsearch.space import edited, parse_space
from qpsearch.study import queries
from qpsearch.study.planning.enqueueing import enqueue
from qpsearch.study.records import TrialRecord
from qpsearch.study.search import proposer
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Event, Noted
from qpsearch.vocabulary import FailReason
from tests.helpers import new_ledger, release, resumed_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

SPACE = parse_space(space_text(Behaviour.IMPROVES, trials=4, pruner="none"))
BLOCK, DEPTH, LR = "network.stages.0.block", "network.stages.0.depth", "training.optimizer.sgd.lr"
ALPHA = "network.stages.0.quotient.alpha"
WANTED = {BLOCK: "quotient", DEPTH: 3, LR: 0.25}


def record(url: str, number: int) -> TrialRecord:
    with contextlib.closing(Database.open(url)) as database:
        return next(each for each in queries.trial_records(database, "scripted") if each.number == number)


def test_an_enqueued_trial_is_the_next_of_a_driver_that_runs(url: str) -> None:
    """The other parameters are drawn; the trial counts in the budget."""
    with new_ledger(url, SPACE) as ledger:
        train_all(ledger, ledger.ask())  # type: ignore[arg-type]
        added = enqueue(url, "scripted", {"network.stages.*.block": "quotient", DEPTH: 3, LR: 0.25})
        assert (added.number, added.trials, added.is_extra, added.has_driver) == (1, 4, False, True)
        ledger._looked = float("-inf")
        taken = ledger.ask()
        assert taken is not None
        assert (taken.trial, taken.attempt) == (1, 1)
        assert taken.config.network.stages[0].block == "quotient"
        assert ledger.ask().trial == 2  # type: ignore[union-attr]
        train_all(ledger, taken)
    found = record(url, 1)
    assert {name: found.params[name] for name in WANTED} == WANTED
    assert found.params == added.params
    assert found.state == "COMPLETE"


SEVERAL = {
    "training.optimizer": {"choice": [{"sgd": {"lr": {"log": [0.01, 0.5]}}}, {"adamw": {"lr": {"log": [1e-4, 0.1]}}}]}
}


def test_what_a_given_value_needs_is_added(sqlite_url: str) -> None:
    """As ``search.first`` does: whatever the sampler prefers, a rate of SGD is a rate of SGD."""
    space = parse_space(edited(SPACE.source, {**SEVERAL, "search.trials": 8}))
    with new_ledger(sqlite_url, space) as ledger:
        study = optuna.load_study(study_name="scripted", storage=sqlite_url)
        for _ in range(4):
            study.enqueue_trial({"training.optimizer.adamw.lr": 0.01})
        ledger._looked = float("-inf")
        kinds = [ledger.ask().config.recipe.optimizer.kind for _ in range(4)]  # type: ignore[union-attr]
    assert kinds == ["adamw"] * 4
    release(study._storage)
    for _ in range(4):
        added = enqueue(sqlite_url, "scripted", {LR: 0.1})
        assert (added.params["training.optimizer"], added.params[LR]) == ("sgd", 0.1)
    with pytest.raises(UserError, match=r"adamw.lr has no effect, since training.optimizer is sgd"):
        enqueue(sqlite_url, "scripted", {"training.optimizer.adamw.lr": 0.01}, like=added.number)


def test_a_study_whose_budget_is_used_up_gets_one_more_trial(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, SPACE) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    first = record(sqlite_url, 0)
    added = enqueue(sqlite_url, "scripted", {LR: 0.25}, like=0)
    assert (added.number, added.trials, added.is_extra, added.has_driver) == (4, 5, True, False)
    assert added.params == {**first.params, LR: 0.25}
    with resumed_ledger(sqlite_url) as ledger:
        assert ledger.ask().trial == 4  # type: ignore[union-attr]
        assert ledger.ask() is None


@pytest.mark.parametrize(
    ("values", "like", "said"),
    [
        ({"training.optimizer.sgd.lrr": 0.1}, None, "lrr is not a parameter of this space.*sgd.lr"),
        ({LR: 0.9}, None, r"0.9 is not in \{log: \[0.01, 0.5\]\}"),
        (
            {BLOCK: "additive", ALPHA: 1.5},
            None,
            f"^{ALPHA} has no effect, since {BLOCK} is additive. It has one where {BLOCK} is quotient. Leave it out, or "
            f"change {BLOCK}.$",
        ),
        ({}, 7, "does not have a trial 7"),
    ],
)
def test_what_cannot_be_enqueued(sqlite_url: str, values: dict[str, object], like: int | None, said: str) -> None:
    space = parse_space(
        SPACE.source.replace("    quotient: {alpha: {float: [1.3, 2.2]}}", "")
        .replace("  rules:", "")
        .replace("depth: {int: [1, 3]}", "depth: {int: [1, 3]}, quotient: {alpha: {float: [1.3, 2.2]}}")
    )
    with new_ledger(sqlite_url, space):
        pass
    with pytest.raises(UserError, match=said):
        enqueue(sqlite_url, "scripted", values, like=like)  # type: ignore[arg-type]
    assert rows(sqlite_url, "SELECT count(*) FROM trials") == [(0,)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search.sampler": "factorial"}, "search.sampler is factorial, which has a place for each"),
        ({"search.limits": {"parameters": "<= 300"}}, "the configuration cannot be trained: .*300"),
    ],
)
def test_studies_in_which_it_cannot_be_enqueued(sqlite_url: str, changes: dict[str, object], said: str) -> None:
    with new_ledger(sqlite_url, parse_space(edited(SPACE.source, changes))):
        pass
    with pytest.raises(UserError, match=said):
        enqueue(sqlite_url, "scripted", {BLOCK: "product_unit", DEPTH: 3})


def test_what_is_enqueued_with_optuna_is_trained(url: str) -> None:
    """The trial keeps its number, and what was not given is drawn."""
    with new_ledger(url, SPACE) as ledger:
        train_all(ledger, ledger.ask())  # type: ignore[arg-type]
        study = optuna.load_study(study_name="scripted", storage=url)
        study.enqueue_trial(dict(WANTED), user_attrs={"why": "a hunch"})
        ledger._looked = float("-inf")
        taken = ledger.ask()
        assert taken is not None
        assert taken.trial == 1
        train_all(ledger, taken)
        assert [ledger.ask().trial for _ in range(2)] == [2, 3]  # type: ignore[union-attr]
        assert ledger.ask() is None
    found = record(url, 1)
    assert {name: found.params[name] for name in WANTED} == WANTED
    trial = study.trials[1]
    assert (trial.state.name, trial.params[LR], trial.user_attrs["why"]) == ("COMPLETE", 0.25, "a hunch")
    release(study._storage)
    with resumed_ledger(url) as ledger:
        assert sorted(ledger.running) == []
        assert sorted(n for n in range(4) if ledger._replica.knows(n)) == [0, 1, 2, 3]


def test_what_a_user_adds_does_not_take_the_place_of_what_is_tried_first(sqlite_url: str) -> None:
    """One trial is enqueued before the study runs, one by Optuna in between, and each listed value is tried."""
    rates = [0.11, 0.12, 0.13]
    with new_ledger(sqlite_url, parse_space(edited(SPACE.source, {"search.first": [{LR: rate} for rate in rates]}))):
        pass
    enqueue(sqlite_url, "scripted", {LR: 0.4})
    found = []
    with resumed_ledger(sqlite_url, asked=6) as ledger:
        for step in range(5):
            if step == 2:
                study = optuna.load_study(study_name="scripted", storage=sqlite_url)
                study.enqueue_trial({LR: 0.3})
                release(study._storage)
                ledger._looked = float("-inf")
            found.append(ledger.ask().config.recipe.optimizer.lr)  # type: ignore[union-attr]
    assert found == [0.4, 0.11, 0.3, 0.12, 0.13]


def test_a_grid_tries_each_point_once_though_another_tool_takes_a_number(sqlite_url: str) -> None:
    changes = {
        LR: {"choice": [0.1, 0.2]},
        "network.rules.quotient.alpha": 1.8,
        "search.sampler": "grid",
        "search.trials": 18,
    }
    with new_ledger(sqlite_url, parse_space(edited(SPACE.source, changes))) as ledger:
        study = optuna.load_study(study_name="scripted", storage=sqlite_url)
        study.enqueue_trial({LR: 0.1})
        release(study._storage)
        ledger._looked = float("-inf")
        points = []
        while (assignment := ledger.ask()) is not None:
            stage = assignment.config.network.stages[0]
            points.append((str(stage.block), stage.depth, assignment.config.recipe.optimizer.lr))
            train_all(ledger, assignment)
    assert len(points) == len(set(points)) == 18


def test_a_users_own_reason_does_not_stop_the_driver(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, SPACE) as ledger:
        study = optuna.load_study(study_name="scripted", storage=sqlite_url)
        study.enqueue_trial({LR: 3.0}, user_attrs={"reason": "a hunch"})
        study.enqueue_trial({LR: 0.1}, user_attrs={"reason": "another"})
        ledger._looked = float("-inf")
        taken = ledger.ask()
        assert taken is not None
        assert taken.trial == 1
        ledger.fail(1, 1, Failed(reason=FailReason.DIVERGED, detail="nan"))
        assert [trial.user_attrs["reason"].partition(":")[0] for trial in study.trials] == [LR, "diverged"]
        release(study._storage)
    with (
        contextlib.closing(Database.open(sqlite_url)) as database,
        pytest.raises(UserError, match=r"trial 0 of study 'scripted' was added by another tool, and is not trained"),
    ):
        queries.trial_detail(database, "scripted", 0)


def test_a_prepared_draw_that_finds_nothing_does_not_refuse_an_enqueued_trial(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposer, "MAX_INFEASIBLE", 3)
    monkeypatch.setattr(proposer, "MAX_EVEN", 3)
    with new_ledger(sqlite_url, parse_space(edited(SPACE.source, {"search.require": [f"{LR} == 0.25"]}))) as ledger:
        study = optuna.load_study(study_name="scripted", storage=sqlite_url)
        ledger.prepare()
        study.enqueue_trial({LR: 0.25})
        ledger._looked = float("-inf")
        assert ledger.ask().trial == 0  # type: ignore[union-attr]
        with pytest.raises(UserError, match="none of 6 draws can be trained"):
            ledger.ask()
    release(study._storage)


def test_what_optuna_enqueued_and_cannot_be_trained_is_refused_with_a_reason(sqlite_url: str) -> None:
    events: list[Event] = []
    with new_ledger(sqlite_url, SPACE, events.append) as ledger:
        study = optuna.load_study(study_name="scripted", storage=sqlite_url)
        study.enqueue_trial({"lr": 0.1})
        study.enqueue_trial({LR: 3.0})
        ledger._looked = float("-inf")
        assert [ledger.ask().trial for _ in range(4)] == [2, 3, 4, 5]  # type: ignore[union-attr]
    said = [event.text for event in events if isinstance(event, Noted)]
    assert said == [
        "trial 0, which another tool enqueued, is refused: lr is not a parameter of this space. Known: "
        f"network.rules.quotient.alpha, {BLOCK}, {DEPTH}, {LR}.",
        f"trial 1, which another tool enqueued, is refused: {LR}: 3.0 is not in {{log: [0.01, 0.5]}}.",
    ]
    assert [trial.state.name for trial in study.trials[:2]] == ["FAIL", "FAIL"]
    assert "not in" in study.trials[1].user_attrs["reason"]
    release(study._storage)
