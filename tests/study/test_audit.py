"""The audit of a pruner: some trials run on whatever their rungs say."""

import contextlib

import pytest

from qpsearch.analysis.report import report_of
from qpsearch.analysis.report.material import Material
from qpsearch.protocol import Failed
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.queries.audits import RungCurve, audit
from qpsearch.study.records import AuditedKind
from qpsearch.study.search.audit import is_audited
from qpsearch.study.search.replica import Replica
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.helpers import new_ledger, progress, resumed_ledger
from tests.scripted import Behaviour, space_text
from tests.study.test_promotion import search, train

SHARE, TRIALS = 0.2, 18
AUDITED = [number for number in range(TRIALS) if is_audited(0, number, SHARE)]


def space(**changes: object) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=TRIALS, epochs=9, sampler="random")
    text = text.replace("choice: [additive, quotient, product_unit]", "choice: [quotient]")
    return parse_space(edited(text, {"search.pruner": {"asha": {"audit": SHARE}}, **changes}))


def test_audited_trials_are_a_share_told_by_seed_and_number() -> None:
    assert len(AUDITED) == 3
    assert [is_audited(0, number, 0.0) for number in range(TRIALS)] == [False] * TRIALS
    assert abs(sum(is_audited(3, number, 0.05) for number in range(10_000)) - 500) < 80


def test_audited_trials_run_on_and_the_others_are_compared_without_them(sqlite_url: str) -> None:
    """Each trial is worse than the last, so that the rungs of 15 trials pass 5 and then 2."""
    values = [0.9 - 0.04 * number for number in range(TRIALS)]
    with new_ledger(sqlite_url, space()) as ledger:
        done = search(ledger, values)
    others = [done[number] for number in range(TRIALS) if number not in AUDITED]
    assert [done[number] for number in AUDITED] == [9] * 3
    assert others == [9, 9, 3, 3, 3] + [1] * 10
    with contextlib.closing(Database.open(sqlite_url)) as database:
        (found,) = queries.summary(database, "scripted").audit
    assert found == AuditedKind(stratum="quotient", audited=3, stopped=3, wrong=1)  # one ended better than one of two
    assert str(found) == "quotient: 3 ran on, a rung would have stopped 3, of these 1 wrongly (33%)"
    assert str(found) in report_of(Material.at(sqlite_url, "scripted")).html()


@pytest.mark.parametrize("is_marked", [True, False])
def test_the_guess_is_no_measure_of_an_audited_trial_where_rungs_do_not_hold_it(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, is_marked: bool
) -> None:
    """The guess is the best of all; the first of three others passes, and an earlier version held the guess there."""
    only_the_last = [False] * 4 + [True]
    seed = next(each for each in range(100) if [is_audited(each, n, SHARE) for n in range(5)] == only_the_last)
    rate = {"training.optimizer.sgd.lr": {"log": [0.001, 1.0], "prior": 0.5}}
    guessed = space(**rate, **{"search.trials": 5, "search.seed": seed})
    if not is_marked:
        monkeypatch.setattr(Replica, "proposed", lambda self, trial, number: self.frozen(trial))
    with new_ledger(sqlite_url, guessed) as ledger:
        done = search(ledger, [0.9, 0.1, 0.2, 0.3, 0.5])
    assert (done[0], done[4]) == (9, 9)
    with contextlib.closing(Database.open(sqlite_url)) as database:
        (found,) = queries.summary(database, "scripted").audit
    assert (found.audited, found.stopped) == (1, 0 if is_marked else 1)


def test_an_audited_trial_runs_on_after_a_restart(sqlite_url: str) -> None:
    number = AUDITED[0]
    done: dict[int, int] = {}
    with new_ledger(sqlite_url, space()) as ledger:
        for _ in range(number):
            assignment = ledger.ask()
            assert assignment is not None
            train(ledger, assignment, done, 0.5)
        audited = ledger.ask()
        assert audited is not None
        assert audited.trial == number
        ledger.interrupt(number, audited.attempt)
    with resumed_ledger(sqlite_url) as ledger:
        again = ledger.ask()
        assert again is not None
        assert (again.trial, again.attempt) == (number, 2)
        assert train(ledger, again, done, 0.1)


def test_a_study_made_before_audits_keeps_its_fingerprint() -> None:
    plain = space(**{"search.pruner": "asha"})
    assert plain.search.pruner_options["audit"] == 0.0
    assert plain.fingerprint == space(**{"search.pruner": {"asha": {"audit": 0.0}}}).fingerprint
    assert plain.fingerprint != space().fingerprint


CURVES = [
    *(RungCurve(number=100 + n, stratum="quotient", losses={1: (n,), 3: (n,)}, final=(float(n),)) for n in range(2)),
    *(RungCurve(number=200 + n, stratum="quotient", losses={1: (10.0 + n,)}, final=None) for n in range(4)),
]


def test_the_rule_is_the_pruners_own_and_few_trials_decide_nothing() -> None:
    """``asha_stop`` lets the best of three go on, and two of five; below three trials no rung has stopped anything."""
    number = next(n for n in range(100) if is_audited(7, n, SHARE))
    others = [n for n in range(100, 200) if not is_audited(7, n, SHARE)][:5]
    five = [RungCurve(number=n, stratum="a", losses={1: (float(place),)}, final=None) for place, n in enumerate(others)]

    def stopped(loss: float, count: int, *, stops: bool) -> int:
        own = RungCurve(number=number, stratum="a", losses={1: (loss,)}, final=(0.0,))
        (found,) = audit([*five[:count], own], (1,), {"audit": SHARE, "factor": 3.0}, 7, stops=stops)
        return found.stopped

    assert [stopped(-1.0, 3, stops=stops) for stops in (True, False)] == [0, 0]
    assert [stopped(0.5, 5, stops=stops) for stops in (True, False)] == [0, 1]
    assert [stopped(1.5, 5, stops=stops) for stops in (True, False)] == [1, 1]
    assert [stopped(9.0, 2, stops=stops) for stops in (True, False)] == [0, 0]


@pytest.mark.parametrize(
    ("losses", "final", "expected"),
    [
        ({1: 0.5, 3: 0.5}, 0.1, (1, 0, 0)),  # among the best of each rung
        ({1: 5.0, 3: 0.0}, 0.1, (1, 1, 1)),  # the slow starter that the first rung would have stopped
        ({1: 5.0, 3: 9.0}, 3.0, (1, 1, 0)),
        ({1: 5.0}, None, None),  # it has not ended yet
    ],
)
def test_a_rung_is_wrong_where_the_trial_ends_better_than_half_of_the_others(
    losses: dict[int, float], final: float | None, expected: tuple[int, int, int] | None
) -> None:
    """Two trials went on by merit, with losses of 0 and 1; six were at the first rung, of which two pass."""
    number = next(n for n in range(100) if is_audited(7, n, SHARE))
    curves = [*(c for c in CURVES if not is_audited(7, c.number, SHARE))]
    assert len(curves) >= 5
    own = RungCurve(
        number=number,
        stratum="quotient",
        losses={epoch: (loss,) for epoch, loss in losses.items()},
        final=None if final is None else (final,),
    )
    found = audit([*curves, own], (1,), {"audit": SHARE, "factor": 3.0}, 7)
    assert [(each.audited, each.stopped, each.wrong) for each in found] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ((-0.05, 100.0), (1, 0, 0)),  # the smallest network, which no other dominates
        ((-0.34, 5000.0), (1, 1, 0)),  # accurate, but five of the six are as good and smaller
        ((-0.30, 550.0), (1, 1, 1)),  # behind the two that pass, and no worse than half of all
    ],
)
def test_of_several_objectives_the_order_is_that_of_the_rungs(
    own: tuple[float, float], expected: tuple[int, int, int]
) -> None:
    seed = next(s for s in range(9999) if [is_audited(s, n, SHARE) for n in range(7)] == [False] * 6 + [True])
    others = [(-0.10, 200.0), (-0.15, 300.0), (-0.20, 400.0), (-0.25, 500.0), (-0.30, 600.0), (-0.35, 700.0)]
    curves = [
        RungCurve(number=number, stratum="a", losses={1: losses}, final=losses)
        for number, losses in enumerate([*others, own])
    ]
    (found,) = audit(curves, (1,), {"audit": SHARE, "factor": 3.0}, seed)
    assert (found.audited, found.stopped, found.wrong) == expected


def test_a_trial_that_failed_is_the_last_at_its_rungs(sqlite_url: str) -> None:
    """Three of four others were better than the audited one at the first rung, and failed after it."""
    only_the_last = [False] * 4 + [True]
    seed = next(each for each in range(100) if [is_audited(each, n, SHARE) for n in range(5)] == only_the_last)
    stopping = {"search.pruner": {"asha_stop": {"audit": SHARE}}, "search.trials": 5, "search.seed": seed}
    with new_ledger(sqlite_url, space(**stopping)) as ledger:
        for number, value in enumerate((0.9, 0.8, 0.7)):
            assert ledger.ask() is not None
            assert ledger.report(number, 1, progress(1, value))
            ledger.fail(number, 1, Failed(reason=FailReason.DIVERGED, detail="not finite"))
        done = search(ledger, [0.0, 0.0, 0.0, 0.1, 0.5])
    assert done == {3: 9, 4: 9}
    with contextlib.closing(Database.open(sqlite_url)) as database:
        (found,) = queries.summary(database, "scripted").audit
    assert (found.audited, found.stopped) == (1, 0)
