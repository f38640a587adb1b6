"""Failures that are not the trials': a driver stops instead of spending its budget, and failed trials can be retried."""

from dataclasses import replace

import pytest

from qpsearch.errors import DispatchError, SystematicFailure, UserError
from qpsearch.protocol import Failed
from qpsearch.runner import driving, machine
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.helpers import accuracy_of, new_ledger, progress, resumed_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

NO_DRIVER = Failed(reason=FailReason.ERROR, detail="Traceback ...\nRuntimeError: Found no NVIDIA driver on your system")
OTHER = Failed(reason=FailReason.ERROR, detail="ValueError: another")
DIVERGED = Failed(reason=FailReason.DIVERGED, detail="not finite")
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
    assert rows(url, STATES) == [(number, "COMPLETE") for number in range(6)]
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
    assert got == [(0, 2), (2, 2)]
    assert [state for _, state in rows(url, STATES)] == ["COMPLETE", "FAIL", *["COMPLETE"] * 4]


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
    assert rows(url, STATES)[0] == (0, "COMPLETE")


def test_another_driver_learns_from_a_trial_that_was_tried_again_while_it_did_not_look(url: str, space: Space) -> None:
    with new_ledger(url, space) as first:
        assert first.ask() is not None
        first.fail(0, 1, OTHER)
        with resumed_ledger(url, retry=[FailReason.ERROR]) as second:
            again = second.ask()
            assert again is not None
            train_all(second, again)
        first._transactions.catch_up()
        shown = first._replica._copy(0)
        assert (shown.state.name, shown.values) == ("COMPLETE", [accuracy_of(again)])


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
