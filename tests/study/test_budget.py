"""Budgets are global: over drivers and restarts, and whichever bound is met first ends the study."""

import pytest

from qpsearch.protocol import Failed
from qpsearch.space import parse_space
from qpsearch.study import queries
from qpsearch.study.drivers.budget import covered
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.helpers import abandon, new_ledger, progress, resumed_ledger, rows, spent_of, train_all
from tests.scripted import LATE, Behaviour, space_text

LOST = Failed(reason=FailReason.WORKER_LOST, detail="the worker process died (signal SIGKILL)")
NO_MEMORY = Failed(reason=FailReason.OUT_OF_MEMORY, detail="CUDA out of memory.", in_step=True)


def bounded(bound: str, trials: int = 8) -> str:
    return space_text(Behaviour.IMPROVES, trials=trials, pruner=LATE).replace(
        "replicates: 1", f"replicates: 1, budget: {bound}"
    )


def test_epochs_are_counted_over_two_drivers_and_a_restart(url: str) -> None:
    first = new_ledger(url, parse_space(bounded("{epochs: 10}")))
    train_all(first, first.ask())  # type: ignore[arg-type]
    abandon(first)
    with resumed_ledger(url) as second, resumed_ledger(url) as third:
        for _ in range(2):
            train_all(second, second.ask())  # type: ignore[arg-type]
        assert third.spent is None
        open_one = third.ask()
        assert open_one is not None
        assert (open_one.trial, open_one.attempt) == (3, 1)
        assert third.report(open_one.trial, 1, progress(1, 0.5))
        assert spent_of(third) == "10 epochs"
        assert third.ask() is None
        third.interrupt(open_one.trial, 1)
        second._looked = float("-inf")
        assert second.ask() is None
        assert spent_of(second) == "10 epochs"
        assert second.finished
    assert rows(url, "SELECT count(*) FROM qpsearch_epochs") == [(10,)]
    with resumed_ledger(url) as later:
        assert later.ask() is None
        assert later.finished


def test_a_larger_budget_goes_on_with_the_open_trial(url: str) -> None:
    with new_ledger(url, parse_space(bounded("{epochs: 2}", trials=1))) as ledger:
        ledger.ask()
        ledger.report(0, 1, progress(1, 0.1))
        ledger.report(0, 1, progress(2, 0.2))
        assert spent_of(ledger) == "2 epochs"
    opened = reading_opened(url, epochs=4)
    with opened as ledger:
        again = ledger.ask()
        assert again is not None
        assert (again.trial, again.attempt) == (0, 2)
        train_all(ledger, again, 3)
        assert ledger.finished


def reading_opened(url: str, **bounds: float) -> Ledger:
    from qpsearch.study import opening

    return Ledger(opening.resume(Database.create(url), "scripted", budget=lambda b: b.updated(**bounds)))  # type: ignore[arg-type]


def test_time_in_which_an_attempt_waits_for_its_cores_is_not_spent(url: str) -> None:
    """On a cluster that others use: a budget of GPU hours was spent before a trial had its GPU."""
    now = [1000.0]
    clock = Clock(lambda: now[0], lambda: now[0])
    with new_ledger(url, parse_space(bounded("{gpu_hours: 1}")), clock=clock) as ledger:
        ledger.gpus = 1.0
        first = ledger.ask(is_placed=False)
        assert first is not None
        now[0] += 2 * 3600
        assert ledger.spent is None
        ledger.placed(first.trial, first.attempt)
        now[0] += 60
        ledger.placed(first.trial, first.attempt)  # said twice, it is as before
        ledger.report(first.trial, first.attempt, progress(1, 0.5))
        waits = ledger.ask(is_placed=False)
        assert waits is not None
        now[0] += 600
        ledger.interrupt(waits.trial, waits.attempt)
    assert rows(url, "SELECT began, seconds, repeated_s FROM qpsearch_attempts WHERE number = 1 ORDER BY trial_id") == [
        (1000.0 + 2 * 3600, 60.0 + 600.0, 600.0),  # the first one's time since its report was lost
        (1000.0 + 2 * 3600 + 60, 0.0, 0.0),
    ]


def test_gpu_hours_count_shares_of_a_gpu_and_running_attempts(url: str) -> None:
    now = [1000.0]
    clock = Clock(monotonic=lambda: now[0])
    with new_ledger(url, parse_space(bounded("{gpu_hours: 1}")), clock=clock) as ledger:
        ledger.gpus = 0.5
        one, two = ledger.ask(), ledger.ask()
        assert one is not None
        assert two is not None
        now[0] += 1800
        ledger.report(0, 1, progress(1, 0.5))
        assert ledger.spent is None  # half an hour of each of two halves
        now[0] += 1800
        assert spent_of(ledger) == "1 GPU hour"
        train_all(ledger, one, 2)
    found = rows(url, "SELECT number, gpus, seconds FROM qpsearch_attempts ORDER BY trial_id")
    assert found == [(1, 0.5, 3600.0), (1, 0.5, 3600.0)]  # the first is paused, the second interrupted
    with resumed_ledger(url) as later:
        assert spent_of(later) == "1 GPU hour"


def test_wall_time_counts_drivers_side_by_side_once() -> None:
    assert covered([]) == 0
    assert covered([(0, 10), (5, 12), (20, 21), (20.5, 20.7)]) == 13


def test_wall_time_ends_a_study(url: str) -> None:
    now = [0.0]
    with new_ledger(url, parse_space(bounded("{time: 1h}")), clock=Clock(monotonic=lambda: now[0])) as ledger:
        assert ledger.ask() is not None
        now[0] += 3601
        assert spent_of(ledger) == "60 min of wall time"
        assert ledger.ask() is None
    assert rows(url, "SELECT seconds > 3600 FROM qpsearch_leases") == [(True,)]
    with resumed_ledger(url) as later:
        assert spent_of(later) == "60 min of wall time"


def test_accounts_tell_useful_from_retried_and_repeated_work_by_block(url: str) -> None:
    now = [0.0]
    clock = Clock(monotonic=lambda: now[0])
    space = parse_space(space_text(Behaviour.LACKS_MEMORY, trials=2, sampler="random", pruner="none"))
    with new_ledger(url, space, clock=clock) as ledger:
        assert ledger.ask() is not None
        now[0] += 5
        ledger.fail(0, 1, NO_MEMORY)  # and begins again with another recipe
        for _ in range(2):
            assignment = ledger.ask()
            assert assignment is not None
            for epoch in range(1, 5):
                now[0] += 10
                ledger.report(assignment.trial, assignment.attempt, progress(epoch, 0.5))
                if epoch == 2 and assignment.trial == 1:
                    now[0] += 7  # of an epoch that is never reported
                    ledger.lose(1, 1, LOST)
                    now[0] += 3
                    assignment = ledger.ask()
                    assert assignment is not None
                    assert (assignment.trial, assignment.attempt) == (1, 2)
    database = Database.open(url)
    summary = queries.summary(database, "scripted")
    database.close()
    assert sum(account.complete_s for account in summary.accounts) == pytest.approx(80)
    assert sum(account.repeated_s for account in summary.accounts) == pytest.approx(7)
    assert sum(account.retried_s for account in summary.accounts) == pytest.approx(5)
    assert sum(account.trials for account in summary.accounts) == 2
    assert (summary.epochs, sum(a.pruned_s + a.failed_s + a.running_s for a in summary.accounts)) == (8, 0)
