"""Levels of fidelity in a study: promotion at their ends, the score of the last one, and what epochs count."""

from pathlib import Path

import pytest

from qpsearch.analysis.importance import place_of
from qpsearch.analysis.plan import make_plan
from qpsearch.analysis.report.course import curves_section
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.subject import Subject
from qpsearch.protocol import Assignment
from qpsearch.space import Space, diff, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.planning.retraining import plan_confirmation
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Event, Paused, Started
from tests.helpers import abandon, new_ledger, progress, resumed_ledger, rows, spent_of
from tests.scripted import Behaviour, space_text

TENTHS = {"images": [0.1, 0.3, 1]}
OF_LEVEL = (0.2, 0.3, 0.0)  # added to a trial's value: the last level is the worst


def space(trials: int = 9, epochs: int = 2, fidelity: object = TENTHS, **search: object) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=trials, epochs=epochs, pruner="asha", sampler="random")
    changes = {f"search.{name}": value for name, value in ({"fidelity": fidelity} | search).items() if value}
    return parse_space(edited(text.replace("[additive, quotient, product_unit]", "[quotient]"), changes))


def train(ledger: Ledger, assignment: Assignment, value: float, epochs: int = 99) -> list[int]:
    """Report epochs until the attempt is over, but no more than so many; return their numbers."""
    run, fidelity, told = assignment.runs[0], assignment.fidelity, []
    assert fidelity is not None
    trained = [name for name in run.resume_from if name.startswith(f"r{run.replicate}")]
    first = max((int(name[7:10]) for name in trained), default=fidelity.before(run.replicate)) + 1
    for epoch in range(first, min(assignment.run_epochs, first + epochs - 1) + 1):
        told.append(epoch)
        own = value + OF_LEVEL[fidelity.level_of(epoch)] - epoch / 1000
        name = f"r{run.replicate}-a{assignment.attempt}-e{epoch:03d}-0a.pt"
        if not ledger.report(assignment.trial, assignment.attempt, progress(epoch, own, run.replicate, name)):
            break
    return told


def search(ledger: Ledger, values: list[float]) -> dict[int, list[list[int]]]:
    """Run a study; return the epochs of each attempt of each trial."""
    done: dict[int, list[list[int]]] = {}
    while (assignment := ledger.ask()) is not None:
        done.setdefault(assignment.trial, []).append(train(ledger, assignment, values[assignment.trial]))
    return done


def test_trials_pause_at_the_ends_of_levels_and_the_best_go_on(sqlite_url: str) -> None:
    events: list[Event] = []
    values = [0.5, 0.1, 0.2, 0.45, 0.15, 0.25, 0.4, 0.3, 0.35]
    with new_ledger(sqlite_url, space(), events.append) as ledger:
        done = search(ledger, values)
    assert {event.epoch for event in events if isinstance(event, Paused)} == {2, 4}
    assert done[0] == [[1, 2], [3, 4], [5, 6]]
    reached = [attempts[-1][-1] for attempts in done.values()]
    assert sorted(reached) == [2] * 6 + [4] * 2 + [6]
    assert [event.epochs for event in events if isinstance(event, Started)] == [6] * sum(map(len, done.values()))


def test_a_restart_promotes_across_a_border_as_no_restart_does(sqlite_url: str, tmp_path: Path) -> None:
    values = [0.1, 0.2, 0.3, 0.4]
    with new_ledger(f"sqlite:///{tmp_path}/whole.db", space(4)) as ledger:
        whole = search(ledger, values)
    done: dict[int, list[list[int]]] = {}
    ledger = new_ledger(sqlite_url, space(4))
    while (assignment := ledger.ask()) is not None:
        done.setdefault(assignment.trial, []).append(train(ledger, assignment, values[assignment.trial]))
        abandon(ledger)
        ledger = resumed_ledger(sqlite_url)
    with ledger:
        assert done == whole


def test_the_score_and_the_best_checkpoint_are_of_the_last_level(sqlite_url: str) -> None:
    """Though every epoch before was better."""
    with new_ledger(sqlite_url, space(1, score="best")) as ledger:
        search(ledger, [0.5])
        ledger.checkpoints.close()
    (row,) = rows(sqlite_url, "SELECT score FROM qpsearch_runs")
    assert row == (pytest.approx(0.5 - 5 / 1000),)
    database = Database.open(sqlite_url)
    (kept,) = queries.kept_runs(database, "scripted", [0])
    assert (kept.checkpoint[7:10], kept.accuracies) == ("005", (pytest.approx(0.495), pytest.approx(0.494)))
    assert queries.summary(database, "scripted").best.value == pytest.approx(0.495)  # type: ignore[union-attr]
    database.close()


def test_the_first_epoch_that_may_be_the_best_is_counted_within_the_last_level(sqlite_url: str) -> None:
    late = space(1, score={"best": {"from_epoch": 2}})
    with new_ledger(sqlite_url, late) as ledger:
        search(ledger, [0.5])
    assert rows(sqlite_url, "SELECT score FROM qpsearch_runs") == [(pytest.approx(0.494),)]


def test_a_budget_counts_epochs_by_their_cost_also_after_a_restart(sqlite_url: str) -> None:
    """Three trials at a tenth of the images are 0.6 epochs; two more epochs at three tenths end a budget of one."""
    first = new_ledger(sqlite_url, space(budget={"epochs": 1}))
    for _ in range(3):
        train(first, first.ask(), 0.5)  # type: ignore[arg-type]
    abandon(first)
    with resumed_ledger(sqlite_url) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        assert train(ledger, assignment, 0.5, epochs=1) == [3]
        assert ledger.spent is None
        name = f"r0-a{assignment.attempt}-e004-0a.pt"
        ledger.report(assignment.trial, assignment.attempt, progress(4, 0.5, checkpoint=name))
        assert (spent_of(ledger), ledger.ask()) == ("1 epoch", None)
    database = Database.open(sqlite_url)
    assert queries.summary(database, "scripted").epochs == 1.2
    database.close()


def test_a_budget_that_is_met_to_the_epoch_is_spent(sqlite_url: str) -> None:
    """Ten epochs of a tenth each, which floats add up to 0.9999999999999999."""
    with new_ledger(sqlite_url, space(epochs=10, budget={"epochs": 1})) as ledger:
        train(ledger, ledger.ask(), 0.5)  # type: ignore[arg-type]
        assert spent_of(ledger) == "1 epoch"


def test_further_seeds_train_at_the_last_level_alone(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(1, replicates=2)) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        assert train(ledger, assignment, 0.5) == [1, 2, 3, 4, 5, 6]
        ledger.interrupt(0, 1)
        again = ledger.ask()
        assert again is not None
        assert [run.replicate for run in again.runs] == [1]
        assert train(ledger, again, 0.7) == [5, 6]
    (row,) = rows(sqlite_url, "SELECT count(*) FROM qpsearch_epochs")
    assert row == (8,)
    database = Database.open(sqlite_url)
    (record,) = queries.trial_records(database, "scripted")
    assert (record.state, record.value) == ("COMPLETE", pytest.approx(0.6 - 6 / 1000))
    assert queries.summary(database, "scripted").epochs == pytest.approx(2 * 0.1 + 2 * 0.3 + 4)
    database.close()


def test_analyses_and_the_report_name_the_level_of_an_epoch(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(9)) as ledger:
        search(ledger, [number / 20 for number in range(9)])
    assert place_of(Subject.at(sqlite_url, "scripted"), 2) == "epoch 2 (images 0.1)"
    spans = "images 0.1 in epochs 1 to 2, 0.3 in epochs 3 to 4, 1 in epochs 5 to 6."
    assert spans in str(curves_section(Material.at(sqlite_url, "scripted")).body)


def test_what_confirms_trains_only_whole_trainings(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(1)) as ledger:
        search(ledger, [0.5])
    database = Database.open(sqlite_url)
    beside = plan_confirmation(database, "scripted", [0], 2)
    database.close()
    with resumed_ledger(sqlite_url, beside) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        assert (assignment.fidelity, assignment.run_epochs) == (None, 2)


def test_an_arms_search_has_levels_and_the_retraining_none() -> None:
    text = space().source.replace("trials: 9, ", "")
    compared = parse_space(text + "compare: {arms: {a: {network.stages.0.depth: 1}, b: {network.stages.0.depth: 2}}}\n")
    assert compared.compare is not None
    assert [str(arm.search.fidelity) for arm in compared.compare.arms.values()] == ["images 0.1, 0.3, 1"] * 2
    assert compared.search.fidelity is None


def test_levels_change_what_a_study_means_and_their_absence_does_not() -> None:
    plain = parse_space(edited(space().source, {"search": {"pruner": "asha", "sampler": "random", "trials": 9}}))
    assert diff(plain, space()) == ["search.fidelity: (absent) -> images 0.1, 0.3, 1"]
    assert "search.fidelity" not in plain.meaning()


def test_a_plan_counts_a_trial_by_its_cost() -> None:
    made = make_plan(space(epochs=10, replicates={"race": [2, 3]}))
    assert (made.epochs, made.epochs_at_most) == (14 + 10, 14 + 20)
    assert 0.1 < made.kept < 0.6  # of 9 trials one is whole, which are a ninth of all epochs
