"""``search.stop``: a study that ends before its budget is spent, and goes on when it is told to."""

import itertools
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from random import Random

import pytest

from qpsearch.architecture.notes import notes
from qpsearch.cli import results
from qpsearch.protocol import Failed
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.vocabulary import FailReason
from tests.helpers import new_ledger, progress, ready_database, resumed_ledger
from tests.scripted import Behaviour, space_text

DIVERGED = Failed(reason=FailReason.DIVERGED, detail="not finite")


def space_with(stop: str, **settings: object) -> Space:
    text = space_text(Behaviour.IMPROVES, epochs=1, trials=20, **settings)  # type: ignore[arg-type]
    return parse_space(text.replace("search: {", f"search: {{stop: {stop}, "))


def run_until_it_stops(url: str, space: Space, values: list[float | None]) -> tuple[int, str | None]:
    """Give trials these values (None: it fails); return how many ended, and why it stopped."""
    with new_ledger(url, space) as ledger:
        for value in itertools.chain(values, itertools.repeat(0.1)):
            assignment = ledger.ask()
            if assignment is None:
                break
            if value is None:
                ledger.fail(assignment.trial, 1, DIVERGED)
            else:
                ledger.report(assignment.trial, 1, progress(1, value))
        assert ledger.finished
        return assignment.trial if assignment else ledger._supply._next, ledger.stopped


@pytest.mark.parametrize(
    ("stop", "values", "ended", "reason"),
    [
        ("{target: 0.9}", [0.5, 0.95], 2, r"search.stop.target: trial 1 has reached 0.95 of 0.9"),
        (
            "{patience: 3}",
            [0.5, 0.6, 0.6, None],
            5,
            r"search.stop.patience: 3 trials ended without a better one than trial 1",
        ),
        ("{patience: 2}", [None, None], 2, r"search.stop.patience: 2 trials ended without a complete one"),
        ("{failures: 2}", [None, 0.5, None], 3, r"search.stop.failures: 2 failed trials"),
        ("{target: 0.9, failures: 1}", [None, 0.95], 1, r"search.stop.failures: 1 failed trial"),
        ("{target: none}", [], 20, None),
    ],
)
def test_the_first_rule_that_holds_ends_the_study(
    url: str, stop: str, values: list[float | None], ended: int, reason: str | None
) -> None:
    assert run_until_it_stops(url, space_with(stop), values) == (ended, reason)


def test_a_target_that_the_metric_never_has_is_told() -> None:
    text = space_text(Behaviour.IMPROVES)
    for target, said in (
        (0.93, []),
        (93, ["search.stop.target: val_accuracy is never 93: it is at least 0 and at most 1."]),
    ):
        assert notes(parse_space(edited(text, {"search.stop": {"target": target}}))) == said
    changes = {"search.stop": {"target": 0.5}, "search.objective": {"minimize": "epochs_to_0.5"}}
    (found,) = notes(parse_space(edited(text, changes)))
    assert found == "search.stop.target: epochs_to_0.5 is never 0.5: it is at least 1."


def test_a_resumed_study_stays_stopped_unless_it_is_told_to_go_on(url: str) -> None:
    run_until_it_stops(url, space_with("{target: 0.9}"), [0.5, 0.95])
    with resumed_ledger(url) as ledger:
        assert ledger.stopped == "search.stop.target: trial 1 has reached 0.95 of 0.9"
        assert ledger.ask() is None
        assert ledger.finished
    with closing(ready_database(url)) as database:
        assert queries.stop_reached(database, "scripted") == "search.stop.target: trial 1 has reached 0.95 of 0.9"
    with resumed_ledger(url, ignore_stop=True) as ledger:
        assert ledger.ask() is not None


def test_status_names_the_rule_that_ended_a_study_and_the_command_that_goes_on(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_until_it_stops(sqlite_url, space_with("{target: 0.9}"), [0.5, 0.95])
    results.status("scripted", storage=sqlite_url)
    said = "driver: none; search.stop.target: trial 1 has reached 0.95 of 0.9; to go on: qpsearch resume scripted --ignore-stop"
    assert said in capsys.readouterr().out.splitlines()


def test_drivers_hear_of_each_others_trials(url: str) -> None:
    with new_ledger(url, space_with("{target: 0.9}")) as first, resumed_ledger(url) as second:
        assert first.ask() is not None
        assert second.ask() is not None
        second.report(1, 1, progress(1, 0.95))
        first._looked = float("-inf")
        assert first.ask() is None
        assert first.stopped is not None


@pytest.mark.parametrize("values", [range(40, 0, -1), Random(1).sample(range(40), 40)], ids=["worse", "mixed"])
def test_patience_is_the_same_for_each_driver_and_after_a_restart(sqlite_url: str, values: Sequence[int]) -> None:
    """Two drivers take trials in turns and seldom look at each other's; most trials pause, some go on, some fail."""
    changes = {"search.stop": {"patience": 8}, "search.pruner": {"asha": {"first": 3, "paused": 3}}}
    space = parse_space(edited(space_text(Behaviour.IMPROVES, epochs=9, trials=40, sampler="random"), changes))
    done = Counter[int]()
    with new_ledger(sqlite_url, space) as first, resumed_ledger(sqlite_url) as second:
        for step in range(100):
            ledger = (first, second)[step % 2]
            assignment = ledger.ask()
            if assignment is None:
                break
            number = assignment.trial
            if number % 7 == 5:
                ledger.fail(number, assignment.attempt, DIVERGED)
            else:
                done[number] += 1
                while ledger.report(number, assignment.attempt, progress(done[number], values[number] / 40)):
                    done[number] += 1
            if step % 5 == 0:
                with resumed_ledger(sqlite_url) as third:
                    assert counts(first) == counts(second) == counts(third)
        assert first.stopped == second.stopped
        assert str(first.stopped).startswith("search.stop.patience: 8 trials ended without a better one than")


def test_a_failure_that_is_tried_again_counts_when_it_has_ended_again(url: str) -> None:
    with new_ledger(url, space_with("{failures: 3}")) as first:
        for number, value in enumerate((None, 0.5, None, None)):
            assert first.ask() is not None
            if value is None:
                first.fail(number, 1, DIVERGED)
            else:
                first.report(number, 1, progress(1, value))
        assert first.stopped is not None
        with resumed_ledger(url, retry=[FailReason.DIVERGED]) as second:
            assert counts(first) == counts(second) == ((0.5, 1), set(), set(), None)
            assert second.ask() is not None
            second.fail(0, 2, DIVERGED)
            assert second.ask() is not None
            second.report(2, 2, progress(1, 0.4))
            with resumed_ledger(url) as third:
                assert counts(first) == counts(second) == counts(third) == ((0.5, 1), {0, 2}, {0}, None)


def counts(ledger: Ledger) -> tuple[object, ...]:
    """What a driver knows of the rules, after a look at the others."""
    ledger._looked = float("-inf")
    ledger._look_around()
    stopping = ledger._stopping
    return stopping._best, stopping._since, stopping._failed, stopping.reason


def test_a_value_that_is_not_finite_is_nowhere_the_best(url: str) -> None:
    space = parse_space(space_text(Behaviour.IMPROVES, epochs=1, trials=3))
    with new_ledger(url, space) as ledger:
        for value in (float("inf"), 0.5, float("-inf")):
            assignment = ledger.ask()
            assert assignment is not None
            ledger.report(assignment.trial, 1, progress(1, value))
    with closing(ready_database(url)) as database:
        summary = queries.summary(database, "scripted")
        (best,) = queries.best_configurations(database, "scripted")
    assert summary.best is not None
    assert summary.best.number == best.number == 1
    with resumed_ledger(url) as ledger:
        assert ledger.finished
