"""The driver's part alone: our searcher and scheduler for Tune, fed by trials that no worker runs."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.tune import _Bridge, _Scheduler, _Searcher
from qpsearch.space import parse_space
from tests.benchmarks.report import Row, alternate, row
from tests.benchmarks.studies import message, space_text, url_of
from tests.benchmarks.sweeps import SLOTS, bench_of, results_a_second
from tests.helpers import new_ledger
from tests.helpers import rows as query

EPOCHS: Final = 5
WANTED: Final = 500
RAY_REPORTS: Final = 50


def rows(folder: Path, *, trials: int, ray_trials: int, repetitions: int) -> list[Row]:
    """Compare the reports a second that our driver takes in with those that Ray delivers; needs a running Ray.

    Args:
        folder: For databases and Tune's files; must be empty.
        trials: Open at once, on our side.
        ray_trials: Of a sweep, on Ray's side.
        repetitions: See ``Row.n``.
    """
    folders = (folder / str(number) for number in range(10**6))
    results_a_second(next(folders), 2 * SLOTS, RAY_REPORTS)
    pairs = alternate(
        repetitions,
        lambda: reports_a_second(next(folders), trials),
        lambda: results_a_second(next(folders), ray_trials, RAY_REPORTS),
    )
    slowest = min(ours for ours, _ in pairs)
    return [
        row(
            f"driver: a report with {trials:,} trials open",
            [(1000 / ours, 1000 / theirs) for ours, theirs in pairs],
            alternative="what Tune delivers: trivial class Trainables, our switches, no search, no scheduling",
            unit="ms",
            note=(
                f"{trials * EPOCHS:,} reports a repetition through searcher, scheduler and ledger to SQLite; "
                f"at the slowest {slowest:.0f} a second, wanted are {WANTED}; Tune on {SLOTS} slots, "
                f"{ray_trials * RAY_REPORTS:,} reports a repetition"
            ),
        )
    ]


def reports_a_second(folder: Path, trials: int) -> float:
    """Return how many reports a second of so many concurrent trials the driver takes in, to their ends."""
    folder.mkdir(parents=True)
    url = url_of(folder / "q.db")
    space = parse_space(space_text(sampler="random", pruner="hyperband", epochs=EPOCHS, trials=trials))
    with new_ledger(url, space) as ledger:
        bridge = _Bridge(ledger, Interrupt(), bench_of(space, folder), is_ahead=True)
        searcher, scheduler = _Searcher(bridge), _Scheduler(bridge)
        open_trials = [_start(searcher, scheduler, f"{number:05d}") for number in range(trials)]
        began = time.perf_counter()
        for epoch in range(1, EPOCHS + 1):
            for trial in open_trials:
                number = bridge.assignments[trial.trial_id].trial
                result = {"message": message(epoch, EPOCHS, number)}
                decision = scheduler.on_trial_result(None, trial, result)
                assert (decision == scheduler.STOP) == (epoch == EPOCHS)
                if decision == scheduler.STOP:
                    scheduler.on_trial_complete(None, trial, result)
                    searcher.on_trial_complete(trial.trial_id, result)
        seconds = time.perf_counter() - began
        assert bridge.fatal is None
        assert searcher.suggest("one more") == searcher.FINISHED
    assert query(url, "SELECT count(*) FROM qpsearch_epochs")[0][0] == trials * EPOCHS
    return trials * EPOCHS / seconds


def _start(searcher: _Searcher, scheduler: _Scheduler, trial_id: str) -> Any:
    """Do what Tune does with a new trial."""
    while searcher.suggest(trial_id) is None:
        time.sleep(0.001)  # the next trial is being drawn in its own thread
    trial = SimpleNamespace(trial_id=trial_id)
    scheduler.on_trial_add(None, trial)
    return trial
