"""Several objectives: a value for each in the database, read by Optuna as its own."""

import warnings
from collections import Counter

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from qpsearch.architecture.cost import cost
from qpsearch.protocol import Failed
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.helpers import new_ledger, release, resumed_ledger, train_all
from tests.scripted import Behaviour, space_text


def space(sampler: str) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=14, sampler=sampler, pruner="none")
    return parse_space(
        edited(text, {"search.objective": {"maximize": "val_accuracy", "minimize": ["macs", "parameters"]}})
    )


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_failures_have_no_values_and_the_sampler_goes_on(sqlite_url: str, sampler: str) -> None:
    with new_ledger(sqlite_url, space(sampler)) as ledger:
        while (assignment := ledger.ask()) is not None:
            if assignment.trial % 3 == 1:
                failed = Failed(reason=FailReason.DIVERGED, detail="as the test says")
                ledger.fail(assignment.trial, assignment.attempt, failed)
            else:
                train_all(ledger, assignment)
    records = queries.trial_records(Database.open(sqlite_url), "scripted")
    assert Counter(record.state for record in records) == {"COMPLETE": 9, "FAIL": 5}
    assert all((record.values == ()) == (record.state == "FAIL") for record in records)


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_a_trial_ends_with_a_value_for_each_objective(sqlite_url: str, sampler: str) -> None:
    with new_ledger(sqlite_url, space(sampler)) as ledger:
        for _ in range(7):
            assignment = ledger.ask()
            assert assignment is not None
            train_all(ledger, assignment)
    with resumed_ledger(sqlite_url) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
        assert ledger.finished
    database = Database.open(sqlite_url)
    records = queries.trial_records(database, "scripted")
    assert len(records) == 14
    for record in records:
        total = cost(record.config.network)
        assert record.values == (record.value, total.parameters, total.macs)
    front = queries.best_configurations(database, "scripted")
    storage = RDBStorage(sqlite_url)
    try:
        study = optuna.load_study(study_name="scripted", storage=storage)
        assert study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE, StudyDirection.MINIMIZE]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = {trial.number for trial in study.best_trials}
        assert {record.number for record in front} == theirs
        assert all(trial.state is TrialState.COMPLETE for trial in study.trials)
    finally:
        release(storage)
    database.close()
