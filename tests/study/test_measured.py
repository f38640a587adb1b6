"""Any metric as the objective, or several: stored, compared at rungs, found again after a restart."""

import contextlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from qpsearch.architecture.cost import cost
from qpsearch.protocol import Assignment, EpochReport, Failed, Progress
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.helpers import HERE, new_ledger, resumed_ledger, rows
from tests.scripted import Behaviour, space_text

SEVERAL = {"maximize": "val_balanced_accuracy", "minimize": ["latency_ms", "val_calibration_error", "parameters"]}


def space(objective: dict[str, Any], trials: int = 12, **search: Any) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=trials, epochs=9)
    changes = {"network.stages.0.block": "additive", "search.objective": objective}
    changes |= {f"search.{key}": value for key, value in search.items()}
    return parse_space(edited(text, {"network.rules": {"norm": "batch"}} | changes))


def metrics_of(assignment: Assignment, epoch: int) -> dict[str, float | None]:
    """Values that are a function of the configuration and the epoch; the deeper, the better and the slower."""
    depth, lr = assignment.config.network.stages[0].depth, assignment.config.recipe.optimizer.lr
    own = {
        "val_balanced_accuracy": 0.2 * depth + 0.1 * lr + epoch / 100,
        "latency_ms": float(depth) + lr,
        "val_calibration_error": (lr - 0.1) ** 2 + 0.01 / epoch,
        "epochs_to_0.9": 10.0 - lr,
        "val_macro_f1": 0.5,
    }
    assert set(assignment.metrics) <= set(own)
    return {name: own[name] for name in assignment.metrics}


def report(ledger: Ledger, assignment: Assignment, epoch: int, replicate: int = 0, **changed: Any) -> bool:
    metrics = metrics_of(assignment, epoch) | changed
    told = EpochReport(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, metrics=metrics)
    return ledger.report(assignment.trial, assignment.attempt, Progress(replicate=replicate, report=told, place=HERE))


def search(ledger: Ledger, done: dict[int, int], most: int = 1000) -> list[tuple[int, int]]:
    """Train; return which trial trained from which epoch, in order."""
    order = []
    for _ in range(most):
        assignment = ledger.ask()
        if assignment is None:
            break
        number, go_on = assignment.trial, True
        order.append((number, done.get(number, 0)))
        while go_on:
            done[number] = done.get(number, 0) + 1
            go_on = report(ledger, assignment, done[number])
    return order


@pytest.mark.parametrize(
    ("objective", "pruner"), [(SEVERAL, "asha"), (SEVERAL, "asha_stop"), ({"minimize": "latency_ms"}, "asha")]
)
def test_a_restarted_search_decides_as_one_without_restarts(
    tmp_path: Path, sqlite_template: Path, sqlite_url: str, objective: dict[str, Any], pruner: str
) -> None:
    """Whatever a pruner compares at its rungs is in the database, that of several metrics too."""
    given = space(objective, sampler="random", pruner={pruner: {"first": 1}})
    whole: dict[int, int] = {}
    with new_ledger(sqlite_url, given) as ledger:
        expected = search(ledger, whole)
    again: dict[int, int] = {}
    other = f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'other.db')}"
    with new_ledger(other, given) as ledger:
        order = search(ledger, again, most=5)
    while True:
        with resumed_ledger(other) as ledger:
            more = search(ledger, again, most=4)
        order += more
        if not more:
            break
    assert (order, again) == (expected, whole)
    assert len(set(whole.values())) > 1  # some went on, some did not
    query = "SELECT number, objective, value FROM trials JOIN trial_values USING (trial_id) ORDER BY 1, 2"
    assert rows(other, query) == rows(sqlite_url, query)


def test_values_are_those_of_the_epoch_that_counts_and_means_over_runs(url: str) -> None:
    given = space(SEVERAL, trials=1, pruner="none", score="best", replicates=2, metrics=["val_macro_f1"])
    assert given.search.extra == (
        "val_balanced_accuracy",
        "val_calibration_error",
        "latency_ms",
        "val_macro_f1",
    )
    with new_ledger(url, given) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        for replicate, latency in ((0, 2.0), (1, 4.0)):
            for epoch in range(1, 10):
                value = 0.9 if epoch == 3 + replicate else 0.1  # the best epoch, whose other values count, too
                changed = {"val_balanced_accuracy": value, "latency_ms": latency, "val_calibration_error": epoch / 10}
                report(ledger, assignment, epoch, replicate, **changed)
    with contextlib.closing(Database.open(url)) as database:
        (record,) = queries.trial_records(database, "scripted")
        assert record.state == "COMPLETE"
        assert record.values == pytest.approx((0.9, 0.35, 3.0, cost(record.config.network).parameters))
        (best,) = queries.best_configurations(database, "scripted")
        assert best.values == pytest.approx(record.values)
        assert best.scores == (0.9, 0.9)
        detail = queries.trial_detail(database, "scripted", 0)
        assert [row["val_calibration_error"] for row in detail.epochs[:9]] == [epoch / 10 for epoch in range(1, 10)]
        assert queries.epoch_rows(database, "scripted")[-1]["latency_ms"] == 4.0
        assert rows(url, "SELECT COUNT(*) FROM qpsearch_measured") == [(18,)]


def test_a_study_that_asks_for_nothing_stores_nothing_more(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space({"maximize": "val_accuracy"}, trials=2, pruner="asha")) as ledger:
        search(ledger, {})
    assert rows(sqlite_url, "SELECT COUNT(*) FROM qpsearch_measured") == [(0,)]
    query = "SELECT COUNT(*) FROM trial_system_attributes WHERE key LIKE '%further%'"
    assert rows(sqlite_url, query) == [(0,)]


@pytest.mark.parametrize("objective", [{"maximize": "val_balanced_accuracy"}, SEVERAL])
def test_a_metric_without_a_value_is_worse_than_any(sqlite_url: str, objective: dict[str, Any]) -> None:
    given = space(objective, trials=6, sampler="gp", pruner={"asha": {"first": 1}})
    done: dict[int, int] = {}
    with new_ledger(sqlite_url, given) as ledger:
        while (assignment := ledger.ask()) is not None:
            number, go_on = assignment.trial, True
            if number == 1:
                ledger.fail(number, assignment.attempt, Failed(reason=FailReason.DIVERGED, detail="as the test says"))
                continue
            while go_on:
                done[number] = done.get(number, 0) + 1
                missing = {"val_calibration_error": None} if number % 2 and len(objective) > 1 else {}
                missing |= {"val_balanced_accuracy": None} if number % 2 and len(objective) == 1 else {}
                go_on = report(ledger, assignment, done[number], **missing)
    assert {number for number, epochs in done.items() if epochs == 9} <= {0, 2, 4}
    with contextlib.closing(Database.open(sqlite_url)) as database:
        best = queries.best_configurations(database, "scripted")
        assert {number for each in best for number in each.trials} <= {0, 2, 4}
        pruned = [each for each in queries.trial_records(database, "scripted") if each.number in (3, 5)]
        assert all(each.state == TrialState.PRUNED.name for each in pruned)
        place = 0 if len(objective) == 1 else 1
        assert {math.isinf(each.values[place]) for each in pruned} == {True}
    stored = rows(sqlite_url, "SELECT values_json FROM qpsearch_measured ORDER BY trial_id, epoch")
    assert any(None in json.loads(text).values() for (text,) in stored)
