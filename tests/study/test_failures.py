"""Failures that are not the trials': a driver stops instead of spending its budget, and failed trials can be retried."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from qpsearch.analysis.tables import trial_table
from qpsearch.architecture.second_try import halved
from qpsearch.errors import DispatchError, SystematicFailure, UserError
from qpsearch.protocol import Failed
from qpsearch.runner import driving, machine
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.optuna_export import export_optuna
from qpsearch.study.planning.retraining import plan_confirmation
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Event, Retried, Started
from qpsearch.vocabulary import FailReason
from tests.helpers import abandon, accuracy_of, new_ledger, progress, ready_database, resumed_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

NO_DRIVER = Failed(reason=FailReason.ERROR, detail="Traceback ...\nRuntimeError: Found no NVIDIA driver on your system")
OTHER = Failed(reason=FailReason.ERROR, detail="ValueError: another")
NO_MEMORY = Failed(reason=FailReason.OUT_OF_MEMORY, detail="CUDA out of memory.", in_step=True)
RAN_LOW = Failed(reason=FailReason.OUT_OF_MEMORY, detail="the machine's memory ran low", in_step=True)
FULL = replace(RAN_LOW, in_step=False)
LOST = Failed(reason=FailReason.WORKER_LOST, detail="the worker process died")
DIVERGED = Failed(reason=FailReason.DIVERGED, detail="not finite")
CONFIGS = "SELECT config_json FROM qpsearch_configs ORDER BY trial_id"
STATES = "SELECT number, state FROM trials ORDER BY number"


def test_one_error_for_all_trials_stops_the_driver_and_leaves_them_open(url: str, space: Space) -> None:
    with pytest.raises(SystematicFailure, match=r"first 3 trials.*Found no NVIDIA driver.*qpsearch resume scripted"):  # noqa: SIM117
        with new_ledger(url, space) as ledger:
            for number in range(3):
                assert ledger.ask() is not None
                ledger.fail(number, 1, NO_DRIVER)
    assert rows(url, STATES) == [(number, "RUNNING") for number in range(3)]
    with resumed_ledger(url) as ledger:  # the driver is repaired
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    assert [number for number, _ in rows(url, STATES)] == list(range(6))
    assert {state for _, state in rows(url, STATES)} == {"COMPLETE", "PRUNED"}
    assert rows(url, "SELECT count(*) FROM trial_user_attributes WHERE key = 'reason'") == [(0,)]


def test_a_sentence_of_the_users_code_is_quoted_with_one_full_stop(sqlite_url: str, space: Space) -> None:
    with (
        pytest.raises(SystematicFailure, match=r"KeyError: 'x'\. They stay open"),
        new_ledger(sqlite_url, space) as ledger,
    ):
        for number in range(3):
            assert ledger.ask() is not None
            ledger.fail(number, 1, replace(OTHER, detail="metric 'val_own': KeyError: 'x'."))


def test_an_error_of_several_lines_is_told_whole_and_forgotten_once_its_trials_are_trained(
    sqlite_url: str, space: Space
) -> None:
    trace = (
        "Traceback (most recent call last):\n  File 'x.py', line 4\nValueError: labels are odd:\n    of 3 kinds\n  so"
    )
    said = pytest.raises(SystematicFailure, match=r"ValueError: labels are odd: of 3 kinds so\. They stay open")
    with said, new_ledger(sqlite_url, space) as ledger:
        for number in range(3):
            assert ledger.ask() is not None
            ledger.fail(number, 1, replace(OTHER, detail=trace))
    with resumed_ledger(sqlite_url) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    database = Database.open(sqlite_url)
    assert queries.summary(database, "scripted").failures == {}
    database.close()


def test_who_resumes_a_second_time_takes_the_failures_for_the_trials_own(url: str, space: Space) -> None:
    with pytest.raises(SystematicFailure), new_ledger(url, space) as ledger:
        for number in range(3):
            assert ledger.ask() is not None
            ledger.fail(number, 1, NO_DRIVER)
    with resumed_ledger(url) as ledger:
        for _ in range(6):
            assignment = ledger.ask()
            assert assignment is not None
            ledger.fail(assignment.trial, assignment.attempt, NO_DRIVER)
    assert rows(url, STATES) == [(number, "FAIL") for number in range(6)]


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(OTHER, id="another error"),
        pytest.param(DIVERGED, id="a finding about a network"),
        pytest.param(None, id="an epoch of another trial"),
    ],
)
def test_failures_that_are_not_all_alike_are_booked(url: str, space: Space, between: Failed | None) -> None:
    with new_ledger(url, space) as ledger:
        for number in range(5):
            assert ledger.ask() is not None
            if number == 1 and between is None:
                ledger.report(1, 1, progress(1, 0.5))
            ledger.fail(number, 1, (between or NO_DRIVER) if number == 1 else NO_DRIVER)
    assert rows(url, STATES) == [(number, "FAIL") for number in range(5)]


def test_failed_trials_are_tried_again_by_reason(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        for number, failed in enumerate((OTHER, DIVERGED, NO_DRIVER)):
            assert ledger.ask() is not None
            ledger.fail(number, 1, failed)
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    with resumed_ledger(url) as ledger:
        assert ledger.finished
    with resumed_ledger(url, retry=[FailReason.ERROR]) as ledger:
        got = []
        while (assignment := ledger.ask()) is not None:
            got.append((assignment.trial, assignment.attempt))
            train_all(ledger, assignment)
    assert got[:2] == [(0, 2), (2, 2)]
    assert {trial for trial, _ in got} == {0, 2}
    states = [state for _, state in rows(url, STATES)]
    assert states[1] == "FAIL"
    assert set(states[:1] + states[2:]) == {"COMPLETE", "PRUNED"}


@pytest.mark.parametrize("has_died", [False, True])
def test_a_whole_run_of_a_failed_trial_keeps_its_checkpoint_and_is_not_trained_again(
    sqlite_url: str, has_died: bool
) -> None:
    twice = edited(space_text(Behaviour.IMPROVES, pruner="none"), {"search.replicates": 2})
    ledger = new_ledger(sqlite_url, parse_space(twice))
    assignment = ledger.ask()
    assert assignment is not None
    epochs, folder = assignment.config.recipe.epochs, Path(ledger.checkpoints.of(0))
    folder.mkdir(parents=True)

    def train(replicate: int, last: int, attempt: int = 1) -> None:
        for epoch in range(1, last + 1):
            name = f"r{replicate}-a{attempt}-e{epoch:03}.pt"
            (folder / name).write_text("x")
            ledger.report(0, attempt, progress(epoch, epoch / epochs, replicate, checkpoint=name))

    train(0, epochs)
    train(1, epochs - 1)
    if has_died:  # between the transaction and the removal
        ledger.checkpoints._later = lambda action: None  # type: ignore[method-assign]
    ledger.fail(0, 1, OTHER)
    ledger.checkpoints.close()
    abandon(ledger)
    with resumed_ledger(sqlite_url):
        pass
    whole = f"r0-a1-e{epochs:03}.pt"
    assert [path.name for path in folder.iterdir()] == [whole]
    told: list[Event] = []
    with resumed_ledger(sqlite_url, retry=[FailReason.ERROR], listener=told.append) as ledger:
        again = ledger.ask()
        assert again is not None
        assert [(run.replicate, run.resume_from) for run in again.runs] == [(1, ())]
        (begun,) = (event for event in told if isinstance(event, Started))
        assert (begun.resumed_at, begun.epochs) == (epochs, 2 * epochs)
        train(1, epochs, attempt=2)
    assert rows(sqlite_url, STATES)[0] == (0, "COMPLETE")
    assert sorted(path.name for path in folder.iterdir()) == [whole, f"r1-a2-e{epochs:03}.pt"]
    with closing(Database.open(sqlite_url)) as database:
        kept = queries.kept_runs(database, "scripted", [0])
    assert [run.checkpoint for run in kept] == [whole, f"r1-a2-e{epochs:03}.pt"]


def test_another_driver_follows_a_trial_that_is_tried_again(url: str, space: Space) -> None:
    with new_ledger(url, space) as first:
        assert first.ask() is not None
        first.fail(0, 1, OTHER)
        with resumed_ledger(url, retry=[FailReason.ERROR]) as second:
            first._looked = float("-inf")
            assignment = first.ask()
            assert assignment is not None
            assert (assignment.trial, assignment.attempt) == (0, 2)
            train_all(first, assignment)
            assert second.ask() is not None
    assert rows(url, "SELECT ending FROM qpsearch_attempts WHERE trial_id = 1 ORDER BY number") == [
        ("failed",),
        ("paused",),
    ]


def test_another_driver_learns_from_a_trial_that_was_tried_again_while_it_did_not_look(
    url: str, unpruned: Space
) -> None:
    with new_ledger(url, unpruned) as first:
        assert first.ask() is not None
        first.fail(0, 1, OTHER)
        with resumed_ledger(url, retry=[FailReason.ERROR]) as second:
            again = second.ask()
            assert again is not None
            train_all(second, again)
        first._transactions.catch_up()
        shown = first._replica._copy(0)
        assert (shown.state.name, shown.values) == ("COMPLETE", [accuracy_of(again)])


@pytest.mark.parametrize("pruner", ["median", "wilcoxon"])
def test_a_pruner_learns_from_a_trial_that_was_tried_again_while_its_driver_did_not_look(
    sqlite_url: str, pruner: str
) -> None:
    seeds = 6 if pruner == "wilcoxon" else 1
    text = edited(space_text(Behaviour.IMPROVES, pruner=pruner, sampler="random"), {"search.replicates": seeds})
    with new_ledger(sqlite_url, parse_space(text)) as first:
        assert first.ask() is not None
        first.fail(0, 1, OTHER)
        with resumed_ledger(sqlite_url, retry=[FailReason.ERROR]) as second:
            assignment = second.ask()
            assert assignment is not None
            for replicate in range(seeds):
                for epoch in range(1, assignment.config.recipe.epochs + 1):
                    second.report(0, 2, progress(epoch, 0.5, replicate))
        first._looked = float("-inf")
        first._look_around()
        pruning: Any = first._replica._pruning
        if pruner == "median":
            (pruning,) = pruning._strata.values()
        assert pruning._copy(0).state is TrialState.COMPLETE


def test_a_broken_driver_neither_stops_another_one_nor_ends_what_is_paused(sqlite_url: str) -> None:
    changes = {"search.stop": {"failures": 2}, "search.pruner": {"asha": {"first": 1}}}
    space = parse_space(edited(space_text(Behaviour.IMPROVES), changes))
    with new_ledger(sqlite_url, space) as healthy:
        assert healthy.ask() is not None
        assert not healthy.report(0, 1, progress(1, 0.5))  # it pauses
        with pytest.raises(SystematicFailure), resumed_ledger(sqlite_url) as broken:
            for assignment in [broken.ask() for _ in range(3)]:
                assert assignment is not None
                broken.fail(assignment.trial, 1, NO_DRIVER)
                healthy._transactions.catch_up()
        healthy._transactions.catch_up()
        assert healthy.stopped is None
    assert rows(sqlite_url, STATES) == [(number, "RUNNING") for number in range(4)]


def test_a_reason_is_checked() -> None:
    assert driving.reasons("all") == tuple(FailReason)
    with pytest.raises(UserError, match=r"retry_failed erorr: is not a reason\. Did you mean 'error'"):
        driving.reasons("erorr")


def test_torch_is_asked_about_a_gpu_before_the_first_trial(
    sqlite_url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine has no GPU: /dev shows one that torch cannot use."""
    monkeypatch.setattr(driving, "has_gpu", lambda: True)
    with pytest.raises(DispatchError, match=r"torch cannot use the GPU: .+ --gpus 0\."):
        driving.run(space, storage=sqlite_url, placement=driving.Placement(dispatcher="inline"))  # type: ignore[arg-type]
    assert rows(sqlite_url, "SELECT count(*) FROM studies") == [(0,)]


@pytest.mark.parametrize("shown", ["", "-1", " "])
def test_hidden_gpus_are_not_there(monkeypatch: pytest.MonkeyPatch, shown: str) -> None:
    monkeypatch.setattr(machine.Path, "glob", lambda path, pattern: iter(["/dev/nvidia0"]))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert machine.has_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert not machine.has_gpu()


def normalised_space() -> Space:
    """Batches of 16 images, which batch normalisation sees."""
    return parse_space(space_text(Behaviour.LACKS_MEMORY, trials=3, pruner="none"))


def parts_of(url: str) -> list[int]:
    """Return in how many parts each trial takes its batches, as the database says."""
    return [json.loads(row[0])["recipe"].get("gradient_accumulation", 1) for row in rows(url, CONFIGS)]


def test_a_trial_that_lacks_memory_begins_again_with_another_recipe(url: str, tmp_path: Path) -> None:
    events: list[object] = []
    with new_ledger(url, normalised_space(), events.append) as ledger:
        first = ledger.ask()
        assert first is not None
        ledger.fail(0, 1, NO_MEMORY)
        assert Retried(number=0, images=16, fewer=8) in events
        again = ledger.ask()
        assert again is not None
        assert (again.trial, again.attempt, again.runs) == (0, 2, first.runs)
        assert again.config == halved(first.config)
        train_all(ledger, again)
        last = ledger.ask()
        assert last is not None
        assert (last.trial, last.config.recipe.gradient_accumulation) == (1, 1)
        ledger.report(1, 1, progress(1, 0.5))
        ledger.fail(1, 1, NO_MEMORY)  # its epochs are of the recipe that was drawn
    assert rows(url, STATES) == [(0, "COMPLETE"), (1, "FAIL")]
    assert parts_of(url) == [2, 1]
    assert rows(url, "SELECT ending, reason FROM qpsearch_attempts ORDER BY trial_id, number") == [
        ("retried", "out_of_memory"),
        ("finished", None),
        ("failed", "out_of_memory"),
    ]
    with closing(Database.open(url)) as database:
        assert queries.summary(database, "scripted").retried == (0,)
        records = queries.trial_records(database, "scripted")
        assert [each.is_retried for each in records] == [True, False]
        assert [row["is_retried"] for row in trial_table(records, normalised_space()).rows] == [True, False]
        exported = optuna.load_study(
            study_name="scripted", storage=f"sqlite:///{export_optuna(database, 'scripted', tmp_path)}"
        )
        assert [sorted(each.user_attrs) for each in exported.trials] == [["retried"], ["reason"]]
        best = queries.summary(database, "scripted").best
        assert best is not None
        assert best.config == again.config  # what is trained again, exported and confirmed


def test_it_is_tried_again_once_whoever_drives(url: str) -> None:
    with new_ledger(url, normalised_space()) as first:
        assert first.ask() is not None
        first.fail(0, 1, NO_MEMORY)
        with resumed_ledger(url) as second:
            again = second.ask()
            assert again is not None
            assert (again.trial, again.attempt, again.config.recipe.gradient_accumulation) == (0, 2, 2)
            second.fail(0, 2, NO_MEMORY)
    assert rows(url, STATES) == [(0, "FAIL")]
    told = "CUDA out of memory. Before that, 16 images at once were tried."
    assert rows(url, "SELECT detail FROM qpsearch_attempts WHERE number = 2") == [(told,)]
    with resumed_ledger(url, retry=[FailReason.OUT_OF_MEMORY]) as ledger:
        opened = ledger.ask()
        assert opened is not None
        assert (opened.trial, opened.attempt, opened.config.recipe.gradient_accumulation) == (0, 3, 2)
        ledger.fail(0, 3, NO_MEMORY)
    assert rows(url, STATES) == [(0, "FAIL")]


def killed(ledger: Ledger, failed: Failed, times: int) -> None:
    """Hand out an attempt and lose its worker, as often as that."""
    for _ in range(times):
        assignment = ledger.ask()
        assert assignment is not None
        ledger.lose(assignment.trial, assignment.attempt, failed)


@pytest.mark.parametrize("norm", ["batch", "group"], ids=["another recipe", "the same recipe"])
def test_a_trial_whose_workers_are_killed_for_its_memory_begins_again_with_fewer_images(
    sqlite_url: str, norm: str
) -> None:
    """A worker that is killed cannot try fewer images itself, not even where that is the same recipe."""
    text = space_text(Behaviour.LACKS_MEMORY, trials=1).replace("  rules:\n", f"  rules:\n    norm: {norm}\n")
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        killed(ledger, RAN_LOW, 3)
        assert parts_of(sqlite_url) == [2]
        killed(ledger, RAN_LOW, 2)
        assert rows(sqlite_url, STATES) == [(0, "RUNNING")]  # the deaths before were of another configuration
        killed(ledger, RAN_LOW, 1)
    assert rows(sqlite_url, STATES) == [(0, "FAIL")]
    assert rows(sqlite_url, "SELECT ending, reason FROM qpsearch_attempts ORDER BY number") == [
        *(("lost", "out_of_memory"),) * 2,
        ("retried", "out_of_memory"),
        *(("lost", "out_of_memory"),) * 2,
        ("failed", "out_of_memory"),
    ]


def test_a_trial_is_not_changed_for_the_memory_of_others(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, normalised_space()) as ledger:
        killed(ledger, FULL, 3)
    assert rows(sqlite_url, STATES) == [(0, "FAIL")]
    assert parts_of(sqlite_url) == [1]


@pytest.mark.parametrize("failed", [LOST, FULL], ids=["died", "memory"])
def test_a_machine_whose_workers_all_die_does_not_spend_the_budget(
    sqlite_url: str, space: Space, failed: Failed
) -> None:
    with pytest.raises(SystematicFailure, match=r"first 3 trials"), new_ledger(sqlite_url, space) as ledger:
        for number in range(3):
            killed(ledger, replace(failed, detail=f"{failed.detail} {number}"), 3)
    assert rows(sqlite_url, STATES) == [(number, "RUNNING") for number in range(3)]


def test_networks_that_all_lack_memory_are_results(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, normalised_space()) as ledger:
        while (assignment := ledger.ask()) is not None:
            ledger.fail(assignment.trial, assignment.attempt, NO_MEMORY)
    assert rows(sqlite_url, STATES) == [(number, "FAIL") for number in range(3)]


def test_of_a_configuration_that_is_confirmed_no_other_recipe_is_trained(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, normalised_space()) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        train_all(ledger, assignment)
    with closing(ready_database(sqlite_url)) as database:
        beside = plan_confirmation(database, "scripted", [0], 2)
    with resumed_ledger(sqlite_url, beside) as ledger:
        assert ledger.ask() is not None
        ledger.fail(0, 1, NO_MEMORY)
    with closing(Database.open(sqlite_url)) as database:
        assert [each.state for each in queries.trial_records(database, beside)] == ["FAIL", "RUNNING"]
        assert queries.summary(database, beside).retried == ()


BATCH = "  batch_size: 16\n"


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (("  rules:\n", "  rules:\n    norm: group\n"), NO_MEMORY),
        ((BATCH, f"{BATCH}  gradient_accumulation: {{choice: [1, 4]}}\n"), NO_MEMORY),
        (("sampler: tpe", "sampler: factorial"), NO_MEMORY),
        (("", ""), replace(NO_MEMORY, in_step=False)),
    ],
    ids=["the same recipe was tried by the worker", "searched", "a design", "evaluation"],
)
def test_where_no_other_recipe_is_trained(sqlite_url: str, change: tuple[str, str], failed: Failed) -> None:
    text = space_text(Behaviour.LACKS_MEMORY, trials=3)
    assert change[0] in text
    with new_ledger(sqlite_url, parse_space(text.replace(*change))) as ledger:
        assert ledger.ask() is not None
        ledger.fail(0, 1, failed)
    assert rows(sqlite_url, STATES) == [(0, "FAIL")]
    assert rows(sqlite_url, "SELECT ending FROM qpsearch_attempts") == [("failed",)]
