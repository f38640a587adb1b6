"""Promotion: trials pause at rungs, the best go on, and everything follows from the database."""

import contextlib
from pathlib import Path

import pytest

from qpsearch.protocol import Assignment, Failed
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.records import TrialRecord
from qpsearch.study.search.halving import rungs
from qpsearch.study.search.replica import Replica
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Closed, Event, Paused
from qpsearch.vocabulary import FailReason
from tests.helpers import abandon, new_ledger, progress, resumed_ledger, rows
from tests.scripted import Behaviour, space_text

GUESSED = {"training.optimizer.sgd.lr": {"log": [0.001, 1.0], "prior": 0.5}}
WORST_FIRST = [0.1, *(0.2 + number / 100 for number in range(8))]
DIVERGED = Failed(reason=FailReason.DIVERGED, detail="training loss nan in epoch 2")


def space(trials: int = 9, epochs: int = 9, pruner: str = "asha", **settings: object) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=trials, epochs=epochs, pruner=pruner, sampler="random", **settings)  # type: ignore[arg-type]
    return parse_space(text.replace("choice: [additive, quotient, product_unit]", "choice: [quotient]"))


def train(ledger: Ledger, assignment: Assignment, done: dict[int, int], value: float) -> bool:
    """Report epochs until the attempt is over; return whether its trial is complete."""
    number, epochs = assignment.trial, assignment.config.recipe.epochs
    go_on = True
    while go_on:
        done[number] = done.get(number, 0) + 1
        go_on = ledger.report(
            number,
            assignment.attempt,
            progress(done[number], value + done[number] / 1000, checkpoint=f"r0-a1-e{done[number]:03d}-0a.pt"),
        )
    return done[number] == epochs


def asked(ledger: Ledger) -> Assignment:
    assignment = ledger.ask()
    assert assignment is not None
    return assignment


def search(ledger: Ledger, values: list[float]) -> dict[int, int]:
    """Run a study in which each trial has one value all along; return the epochs of each trial."""
    done: dict[int, int] = {}
    while (assignment := ledger.ask()) is not None:
        train(ledger, assignment, done, values[assignment.trial])
    return done


def states(url: str) -> list[str]:
    return [state for (state,) in rows(url, "SELECT state FROM trials ORDER BY number")]


@pytest.mark.parametrize("pruner", ["asha", "asha_stop"])
@pytest.mark.parametrize("listed", [0, 1])
def test_the_guess_of_an_expert_is_trained_to_its_end_and_the_others_are_compared_without_it(
    sqlite_url: str, pruner: str, listed: int
) -> None:
    first = {"search.first": [{"training.optimizer.sgd.lr": 0.01}] * listed}
    others = [0.9] * listed + [0.2 + number / 100 for number in range(9)]
    plain = edited(space(9 + listed, pruner=pruner).source, first | {"study": "plain"})
    with new_ledger(sqlite_url, parse_space(plain)) as ledger:
        expected = search(ledger, others)
    rate = {"training.optimizer.sgd.lr": {"log": [0.001, 1.0], "prior": 0.5}}
    values, done = [*others[:listed], 0.1, *others[listed:]], dict[int, int]()  # the guess is the worst
    guessed = edited(plain, rate | {"study": "guessed", "search.trials": 10 + listed})
    with new_ledger(sqlite_url, parse_space(guessed)) as ledger:
        for _ in range(3):
            assignment = ledger.ask()
            assert assignment is not None
            train(ledger, assignment, done, values[assignment.trial])
    with resumed_ledger(sqlite_url, "guessed") as ledger:
        while (assignment := ledger.ask()) is not None:
            train(ledger, assignment, done, values[assignment.trial])
    assert done.pop(listed) == 9
    assert [done[number] for number in sorted(done)] == [expected[number] for number in sorted(expected)]
    assert 1 in done.values() or pruner == "asha_stop"


@pytest.mark.parametrize("sampler", ["random", "quasi_random"])
@pytest.mark.parametrize("forbidden", [True, False])
def test_a_first_trial_without_the_priors_is_compared_like_the_others(
    sqlite_url: str, sampler: str, forbidden: bool
) -> None:
    """Where the space rules the priors out, the first trial is not the guess, whatever it was meant to be."""
    rules = {"search.forbid": ["training.optimizer.sgd.lr > 0.4"]} if forbidden else {}
    text = edited(space(9).source, {**GUESSED, **rules, "search.sampler": sampler})
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        done = search(ledger, WORST_FIRST)
    assert done[0] == (1 if forbidden else 9)
    (rate,) = (record.params["training.optimizer.sgd.lr"] for record in first_records(sqlite_url))
    assert (rate == 0.5) is not forbidden


def first_records(url: str) -> list[TrialRecord]:
    with contextlib.closing(Database.open(url)) as database:
        return queries.trial_records(database, "scripted")[:1]


@pytest.mark.parametrize("pruner", ["asha", "asha_stop"])
def test_a_study_whose_guess_an_earlier_version_held_at_rungs_goes_on_as_that_version_would_have(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruner: str
) -> None:
    guessed = parse_space(edited(space(9, pruner=pruner).source, GUESSED))
    done: dict[int, int] = {}
    with monkeypatch.context() as patch:
        patch.setattr(Replica, "proposed", lambda self, trial, number: self.frozen(trial))
        with new_ledger(f"sqlite:///{tmp_path}/then.db", guessed) as ledger:
            expected = search(ledger, WORST_FIRST)
        with new_ledger(sqlite_url, guessed) as ledger:
            for _ in range(2):
                assignment = ledger.ask()
                assert assignment is not None
                train(ledger, assignment, done, WORST_FIRST[assignment.trial])
    with resumed_ledger(sqlite_url) as ledger:
        while (assignment := ledger.ask()) is not None:
            train(ledger, assignment, done, WORST_FIRST[assignment.trial])
        assert ledger.finished
    assert done == expected
    assert done[0] == (9 if pruner == "asha_stop" else 1)  # the first at a rung is not stopped


@pytest.mark.parametrize(
    ("epochs", "first", "factor", "expected"),
    [
        (50, None, 3, (3, 9, 27)),
        (52, None, 3, (3, 9, 27)),
        (6, None, 3, (1, 3)),
        (1, None, 3, ()),
        (30, 5, 2, (5, 10, 20)),
        (27, 1, 3, (1, 3, 9)),
    ],
)
def test_rungs(epochs: int, first: int | None, factor: int, expected: tuple[int, ...]) -> None:
    assert rungs(epochs, first, factor) == expected


def test_the_best_third_of_each_rung_goes_on(sqlite_url: str) -> None:
    """Nine trials, each worse than the last: rungs after 1 and 3 epochs of 9."""
    events: list[Event] = []
    with new_ledger(sqlite_url, space(), events.append) as ledger:
        done = search(ledger, [0.9 - 0.1 * number for number in range(9)])
        assert ledger.finished
        assert states(sqlite_url) == ["COMPLETE"] + ["RUNNING"] * 8  # paused until the end
    assert done == {0: 9, 1: 3, 2: 3, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1}
    assert states(sqlite_url) == ["COMPLETE"] + ["PRUNED"] * 8
    values = rows(sqlite_url, "SELECT number, value FROM trials JOIN trial_values USING (trial_id) ORDER BY number")
    assert [value for _, value in values] == pytest.approx([0.9 - 0.1 * n + done[n] / 1000 for n in range(9)])
    assert sum(isinstance(event, Paused) for event in events) == sum(
        count for (count,) in rows(sqlite_url, "SELECT count(*) FROM qpsearch_attempts WHERE ending = 'paused'")
    )
    assert [event.number for event in events if isinstance(event, Closed)] == list(range(9))


def test_a_trial_that_would_go_on_at_once_does_not_pause(sqlite_url: str) -> None:
    """After two trials the third is the best of three, so that its worker keeps it: one attempt for two rungs."""
    with new_ledger(sqlite_url, space(trials=3)) as ledger:
        done = search(ledger, [0.1, 0.2, 0.3])
    assert done == {0: 1, 1: 1, 2: 9}
    assert rows(sqlite_url, "SELECT count(*) FROM qpsearch_attempts") == [(3,)]


def test_a_study_ends_with_a_complete_trial_though_the_best_fails(sqlite_url: str) -> None:
    """Two trials are less than a third rounded down; after the last one it is rounded up, and failures stand last."""
    with new_ledger(sqlite_url, space(trials=2)) as ledger:
        done: dict[int, int] = {}
        first, second = ledger.ask(), ledger.ask()
        assert first is not None
        assert second is not None
        assert not train(ledger, first, done, 0.2)
        ledger.report(1, 1, progress(1, 0.9))  # the best of both, and goes on
        ledger.fail(1, 1, DIVERGED)
        again = ledger.ask()
        assert again is not None
        assert (again.trial, again.attempt) == (0, 2)
        assert again.runs[0].resume_from == ("r0-a1-e001-0a.pt",)
        assert train(ledger, again, done, 0.2)
    assert states(sqlite_url) == ["COMPLETE", "FAIL"]


def test_a_paused_trial_goes_on_after_a_crash_with_its_number(sqlite_url: str) -> None:
    ledger, done = new_ledger(sqlite_url, space(trials=4)), dict[int, int]()
    for value in (0.5, 0.1):
        assignment = ledger.ask()
        assert assignment is not None
        train(ledger, assignment, done, value)
    abandon(ledger)
    with resumed_ledger(sqlite_url) as ledger:
        third = ledger.ask()
        assert third is not None
        assert third.trial == 2
        train(ledger, third, done, 0.2)
        promoted = ledger.ask()
        assert promoted is not None
        assert (promoted.trial, promoted.attempt) == (0, 2)
        ledger.report(0, 2, progress(2, 0.5, checkpoint="r0-a2-e002-0a.pt"))
        abandon(ledger)
    with resumed_ledger(sqlite_url) as ledger:  # it was not at a rung: it waits, and comes before all others
        again = ledger.ask()
        assert again is not None
        assert (again.trial, again.attempt) == (0, 3)
        assert again.runs[0].resume_from == ("r0-a2-e002-0a.pt", "r0-a1-e001-0a.pt")


def test_two_drivers_do_not_continue_one_trial_twice(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=6)) as first, resumed_ledger(sqlite_url) as second:
        done: dict[int, int] = {}
        held = [first.ask(), second.ask(), first.ask()]
        for ledger, assignment, value in zip((first, second, first), held, (0.3, 0.2, 0.1), strict=True):
            assert assignment is not None
            train(ledger, assignment, done, value)
        second._looked = float("-inf")
        promoted = second.ask()
        assert promoted is not None
        assert (promoted.trial, promoted.attempt) == (0, 2)
        other = first.ask()
        assert other is not None
        assert other.trial == 3
        train(second, promoted, done, 0.3)


@pytest.mark.parametrize("drivers", [2, 4])
def test_several_drivers_let_no_more_than_a_third_go_on(sqlite_url: str, drivers: int) -> None:
    """Each has reported nothing since the others did, and its own trial is the best that it knew of."""
    with contextlib.ExitStack() as stack:
        ledgers = [stack.enter_context(new_ledger(sqlite_url, space(trials=30)))]
        ledgers += [stack.enter_context(resumed_ledger(sqlite_url)) for _ in range(drivers - 1)]
        for _ in range(2):
            assert not train(ledgers[0], asked(ledgers[0]), {}, 0.1)
        held = [(ledger, asked(ledger)) for ledger in ledgers]
        went_on = [
            ledger.report(each.trial, each.attempt, progress(1, 0.5 + index / 10))
            for index, (ledger, each) in enumerate(held)
        ]
    assert sum(went_on) == (2 + drivers) // 3


def test_a_driver_does_not_continue_what_another_driver_has_overtaken_meanwhile(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=30)) as first, resumed_ledger(sqlite_url) as second:
        held, better = [asked(second) for _ in range(3)], asked(first)
        for each, value in zip(held, (0.2, 0.3, 0.1), strict=True):
            assert not second.report(each.trial, each.attempt, progress(1, value))
        assert first.report(better.trial, better.attempt, progress(1, 0.9))  # one of four may go on, and does
        second._looked = float("inf")  # it has not looked at the other since
        assert asked(second).trial == 4


def test_a_driver_stays_while_another_may_let_a_paused_trial_go_on(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=2)) as first, resumed_ledger(sqlite_url) as second:
        done: dict[int, int] = {}
        one, two = first.ask(), second.ask()
        assert one is not None
        assert two is not None
        assert not train(first, one, done, 0.1)
        assert first.ask() is None
        assert not first.finished
        assert train(second, two, done, 0.9)  # no other trial runs, and this one is the best
        first._looked = float("-inf")
        assert first.finished
    assert done == {0: 1, 1: 9}
    assert states(sqlite_url) == ["PRUNED", "COMPLETE"]


def test_the_least_promising_is_pruned_where_too_many_are_paused(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=3, pruner="{asha: {paused: 1}}")) as ledger:
        done: dict[int, int] = {}
        for value, paused in ((0.3, {0}), (0.2, {0}), (0.1, {0})):
            assignment = ledger.ask()
            assert assignment is not None
            train(ledger, assignment, done, value)
            assert ledger._peers.paused == paused
        assert states(sqlite_url) == ["RUNNING", "PRUNED", "PRUNED"]
        best = ledger.ask()
        assert best is not None
        assert best.trial == 0
        assert train(ledger, best, done, 0.3)


def test_all_runs_of_a_trial_are_trained_once_its_first_is_whole(sqlite_url: str) -> None:
    """Rungs judge the first replicate; the second is trained only in trials that passed all of them."""
    with new_ledger(sqlite_url, space(trials=3, epochs=4, replicates=2)) as ledger:
        while (assignment := ledger.ask()) is not None:
            for run in assignment.runs:
                last = rows(
                    sqlite_url,
                    "SELECT count(*) FROM qpsearch_epochs JOIN trials USING (trial_id) WHERE number = :n AND replicate = :r",
                    n=assignment.trial,
                    r=run.replicate,
                )[0][0]
                for epoch in range(last + 1, 5):
                    value = 0.1 * (assignment.trial + 1)
                    if not ledger.report(assignment.trial, assignment.attempt, progress(epoch, value, run.replicate)):
                        break
                else:
                    continue
                break
    counts = rows(
        sqlite_url,
        "SELECT number, replicate, count(*) FROM qpsearch_epochs JOIN trials USING (trial_id) "
        "GROUP BY number, replicate ORDER BY number, replicate",
    )
    assert counts == [(0, 0, 1), (1, 0, 1), (2, 0, 4), (2, 1, 4)]


def test_at_the_end_of_a_budget_of_epochs_paused_trials_are_pruned(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=50)) as ledger:
        ledger._database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_studies SET most_epochs = 7"))
    with resumed_ledger(sqlite_url) as ledger:
        done: dict[int, int] = {}
        while (assignment := ledger.ask()) is not None:
            go_on = True
            while go_on and not ledger.is_over:
                done[assignment.trial] = done.get(assignment.trial, 0) + 1
                epoch = done[assignment.trial]
                go_on = ledger.report(assignment.trial, assignment.attempt, progress(epoch, 0.1 * assignment.trial))
    assert sum(done.values()) == 7
    assert rows(sqlite_url, "SELECT count(*) FROM qpsearch_epochs") == [(7,)]
    paused = "SELECT count(*) FROM trials JOIN qpsearch_attempts USING (trial_id) WHERE state = 'RUNNING' AND ending = 'paused'"
    assert rows(sqlite_url, paused) == [(0,)]


def test_checkpoints_of_paused_trials_stay_and_go_with_them(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=9)) as ledger:
        done: dict[int, int] = {}
        while (assignment := ledger.ask()) is not None:
            folder = Path(ledger.checkpoints.of(assignment.trial))
            folder.mkdir(parents=True, exist_ok=True)
            go_on = True
            while go_on:
                epoch = done[assignment.trial] = done.get(assignment.trial, 0) + 1
                name = f"r0-a1-e{epoch:03d}-0a.pt"
                (folder / name).touch()
                value = 0.9 - 0.1 * assignment.trial + epoch / 1000
                go_on = ledger.report(assignment.trial, assignment.attempt, progress(epoch, value, checkpoint=name))
        ledger.checkpoints.close()
        root = Path(ledger.checkpoints.root)
        kept = {number: sorted(path.name for path in (root / f"trial-{number:05d}").iterdir()) for number in range(9)}
        assert kept == {number: [f"r0-a1-e{done[number]:03d}-0a.pt"] for number in range(9)}
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == ["trial-00000"]


def test_a_late_removal_leaves_the_checkpoints_of_a_trial_that_has_gone_on(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=3)) as ledger:
        first = ledger.ask()
        assert first is not None
        folder = Path(ledger.checkpoints.of(0))
        folder.mkdir(parents=True)
        (folder / "r0-a1-e001-0a.pt").touch()
        (folder / "r0-a2-e002-0a.pt").touch()  # of the next attempt, written before the removal comes to its turn
        assert not ledger.report(0, 1, progress(1, 0.5, checkpoint="r0-a1-e001-0a.pt"))
        ledger.checkpoints.close()
        assert sorted(path.name for path in folder.iterdir()) == ["r0-a1-e001-0a.pt", "r0-a2-e002-0a.pt"]


def test_after_a_larger_budget_a_sound_trial_is_complete_though_better_ones_were_pruned(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=2)) as ledger:
        ledger._database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_studies SET most_epochs = 2"))
    with resumed_ledger(sqlite_url) as ledger:
        for value in (0.9, 0.8):
            assignment = ledger.ask()
            assert assignment is not None
            ledger.report(assignment.trial, 1, progress(1, value))
    assert states(sqlite_url) == ["PRUNED", "PRUNED"]
    with resumed_ledger(sqlite_url, asked=4, epochs=100) as ledger:
        done: dict[int, int] = {}
        while (assignment := ledger.ask()) is not None:
            train(ledger, assignment, done, 0.1 * assignment.trial)
    assert states(sqlite_url) == ["PRUNED", "PRUNED", "PRUNED", "COMPLETE"]


def test_patience_counts_a_trial_once_when_it_first_pauses(sqlite_url: str) -> None:
    text = edited(space(trials=20).source, {"search.stop.patience": 5})
    done: dict[int, int] = {}
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        values = [0.9, *[0.1] * 19]
        while (assignment := ledger.ask()) is not None:
            train(ledger, assignment, done, values[assignment.trial])
        assert ledger.stopped == "search.stop.patience: 5 trials ended without a better one than trial 0"
    assert done[0] == 9
    assert 9 + 5 <= len(done) < 20
    with resumed_ledger(sqlite_url) as ledger:
        assert ledger.stopped is not None


def test_a_listing_tells_paused_from_waiting(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=9)) as ledger:
        done: dict[int, int] = {}
        for _ in range(2):
            assignment = ledger.ask()
            assert assignment is not None
            train(ledger, assignment, done, 0.5)
        ledger.ask()
        database = Database.open(sqlite_url)
        assert queries.state_counts(database, "scripted") == {"RUNNING": 1, "WAITING": 0, "PAUSED": 2}
        assert queries.summary(database, "scripted").paused == 2
        assert [record.is_paused for record in queries.running_records(database, "scripted")] == [True, True, False]
        database.close()


def test_as_many_are_complete_as_are_asked_for(sqlite_url: str) -> None:
    """The arms of a comparison retrain their best five, so that five must be whole."""
    with new_ledger(sqlite_url, space(trials=6, pruner="{asha: {complete: 3}}")) as ledger:
        done = search(ledger, [0.1, 0.6, 0.3, 0.2, 0.5, 0.4])
    assert [number for number, epochs in done.items() if epochs == 9] == [1, 4, 5]
    assert sorted(states(sqlite_url)) == ["COMPLETE"] * 3 + ["PRUNED"] * 3


def test_a_rule_that_stops_a_study_prunes_what_is_paused(sqlite_url: str) -> None:
    """Else the arm of a comparison would never be over."""
    text = space_text(Behaviour.IMPROVES, trials=9, epochs=9, pruner="asha", sampler="random")
    with new_ledger(sqlite_url, parse_space(edited(text, {"search.stop.target": 0.5}))) as ledger:
        done = search(ledger, [0.1, 0.2, 0.6, *[0.1] * 6])
        assert ledger.stopped is not None
    assert 9 in done.values()
    assert set(states(sqlite_url)) == {"COMPLETE", "PRUNED"}
