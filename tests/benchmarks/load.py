"""How the ledger bears load: many studies in one database, and many slots that report at once."""

import contextlib
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import optuna
from optuna.pruners import MedianPruner

from qpsearch.cli import best, results
from qpsearch.protocol import Assignment
from qpsearch.registry.samplers.random_draws import RANDOM
from qpsearch.space import parse_space
from qpsearch.study import opening
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from tests.benchmarks.report import Row, alternate, row, timed
from tests.benchmarks.status import copy_trials
from tests.benchmarks.studies import (
    NAME,
    distributions,
    finished_study,
    message,
    plain_sampler,
    space_text,
    suggest_all,
    url_of,
    value_at,
)
from tests.helpers import new_ledger

FEW_EPOCHS: Final = 10
EPOCHS: Final = 20  # of a trial that reports
WANTED: Final = 500  # reports a second


def of_many_studies(folder: Path, *, studies: int, trials: int, repetitions: int) -> list[Row]:
    """Compare a database of so many studies with Optuna's list of them, and with a database of one of them.

    Args:
        folder: For databases; must be empty.
        studies: How many.
        trials: Of each study.
        repetitions: See ``Row.n``.
    """
    alone, many = (
        finished_study(folder / "alone", trials, FEW_EPOCHS),
        finished_study(folder / "many", trials, FEW_EPOCHS),
    )
    space = parse_space(space_text(sampler="random", pruner="median", epochs=FEW_EPOCHS))
    for number in range(1, studies):
        with new_ledger(url_of(many), space.with_search(study=f"{NAME}-{number}")):
            pass
    copy_trials(many, studies, to_studies=True)
    note = f"{trials} trials of {FEW_EPOCHS} epochs a study"

    def against_alone(what: str, call: Callable[[str], object]) -> Row:
        pairs = alternate(
            repetitions, lambda: timed(lambda: call(url_of(many))), lambda: timed(lambda: call(url_of(alone)))
        )
        name = f"alone: {what} of one of {studies} studies"
        return row(name, pairs, alternative="the same study, alone in its database", unit="s", note=note)

    listed = alternate(
        repetitions,
        lambda: timed(lambda: _printed(lambda: results.status(None, storage=url_of(many), as_json=True))),
        lambda: timed(lambda: _optuna_list(url_of(many))),
    )
    return [
        row(
            f"optuna-sqlite: list of {studies} studies",
            listed,
            alternative="get_all_study_summaries, which does not read costs, time, blocks or drivers, on the same file",
            unit="s",
            note=f"without the start of a process; {note}",
        ),
        against_alone("status", lambda url: _printed(lambda: results.status(NAME, storage=url, as_json=True))),
        against_alone("best", lambda url: _printed(lambda: best.best(NAME, storage=url, as_json=True))),
        against_alone("resume, ask and release", _ask),
    ]


def of_many_slots(folder: Path, *, slots: int, seconds: float, optuna_trials: int, repetitions: int) -> list[Row]:
    """Compare the delay of a report, of slots that report at a steady pace, with a report to Optuna's storage.

    Args:
        folder: For databases; must be empty.
        slots: Trials open at once, each of which reports as soon as its turn comes.
        seconds: How long they report, at ``WANTED`` reports a second.
        optuna_trials: Open at once on Optuna's side; more do not make its reports faster.
        repetitions: See ``Row.n``.
    """
    folders = (folder / str(number) for number in range(10**6))
    delays: list[list[float]] = []

    def ours() -> float:
        delays.append(_paced(next(folders), slots, seconds))
        return 1000 * statistics.median(delays[-1])

    pairs = alternate(repetitions, ours, lambda: _optuna_report_ms(next(folders), optuna_trials))
    worst = max(1000 * statistics.quantiles(own, n=100)[-1] for own in delays)
    late = max(own[-1] for own in delays)
    return [
        row(
            f"optuna-sqlite: a report with {slots} slots at {WANTED} reports a second",
            pairs,
            alternative=f"report and should_prune on Optuna's SQLite storage, one after another, {optuna_trials} trials open",
            unit="ms",
            note=(
                f"from when a report is due to when it is committed, {seconds:g} s a repetition, one process; a slot whose "
                f"trial has ended asks for the next at once ({WANTED / EPOCHS:g} trials a second); 99th percentile at most "
                f"{worst:.1f} ms, the last report {1000 * late:.1f} ms after it was due"
            ),
        )
    ]


def _paced(folder: Path, slots: int, seconds: float) -> list[float]:
    """Return how long after it was due each report was committed, in order."""
    folder.mkdir(parents=True)
    space = parse_space(space_text(sampler="random", pruner="median", epochs=EPOCHS))
    with new_ledger(url_of(folder / "q.db"), space) as ledger:
        waiting = [(_asked(ledger), 1) for _ in range(slots)]
        for slot in range(slots):  # trials end one after another, not all at once
            for _ in range(slot * EPOCHS // slots):
                waiting[slot] = _report(ledger, *waiting[slot])
        delays = []
        began = time.perf_counter()
        for number in range(round(WANTED * seconds)):
            due = began + number / WANTED
            time.sleep(max(due - time.perf_counter(), 0))
            slot = number % slots
            waiting[slot] = _report(
                ledger, *waiting[slot], done=lambda due=due: delays.append(time.perf_counter() - due)
            )
        return delays


def _report(
    ledger: Ledger, assignment: Assignment, epoch: int, done: Callable[[], None] = lambda: None
) -> tuple[Assignment, int]:
    """Report an epoch; return what the slot reports next."""
    goes_on = ledger.report(assignment.trial, assignment.attempt, message(epoch, EPOCHS, assignment.trial))
    done()
    return (assignment, epoch + 1) if goes_on else (_asked(ledger), 1)


def _asked(ledger: Ledger) -> Assignment:
    assignment = ledger.ask()
    assert assignment is not None
    ledger.prepare()
    return assignment


def _optuna_report_ms(folder: Path, count: int) -> float:
    """Return the milliseconds that a report to Optuna's storage takes."""
    folder.mkdir(parents=True)
    wanted = distributions(parse_space(space_text(sampler="random", pruner="median", epochs=EPOCHS)))
    storage = optuna.storages.RDBStorage(url_of(folder / "optuna.db"))
    try:
        study = optuna.create_study(
            storage=storage,
            direction="maximize",
            sampler=plain_sampler(RANDOM),
            pruner=MedianPruner(n_startup_trials=5, n_warmup_steps=1),
        )
        trials = [study.ask() for _ in range(count)]
        for trial in trials:
            suggest_all(trial, wanted)
        began = time.perf_counter()
        for epoch in range(1, FEW_EPOCHS + 1):
            for trial in trials:
                trial.report(value_at(epoch, EPOCHS, trial.number), epoch)
                trial.should_prune()
        return 1000 * (time.perf_counter() - began) / (FEW_EPOCHS * count)
    finally:
        storage.engine.dispose()


def _ask(url: str) -> None:
    with Ledger(opening.resume(Database.create(url), NAME)) as ledger:
        assert ledger.ask() is not None


def _printed(command: Callable[[], None]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        command()
    return printed.getvalue()


def _optuna_list(url: str) -> int:
    storage = optuna.storages.RDBStorage(url)
    try:
        return len(optuna.get_all_study_summaries(storage))
    finally:
        storage.engine.dispose()
