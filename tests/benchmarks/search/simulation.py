"""Searches of a task in the package's simulated time, with the time that their answers really take."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import numpy as np

from qpsearch.dispatch import simulated
from qpsearch.dispatch.simulated import KnownCurve, Timeline
from tests.benchmarks.search.parameters import Config
from tests.benchmarks.search.task import Curve, Task

POINTS: Final = 80  # of the budget, at which the incumbent is recorded
WORKERS: Final = 4

T = TypeVar("T")


class Search(Protocol):
    """What is compared; see ``simulated.SimulatedSearch``."""

    def ask(self) -> tuple[int, Config] | None:
        """Return a trial and its configuration, or None where there is nothing to hand out now."""

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Take a loss in; return whether the worker goes on with the trial."""

    def fail(self, trial: int, epoch: int) -> None:
        """Take in that a training diverged in an epoch; its worker is free."""

    def close(self) -> None:
        """End the search; called once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one search of one task came to.

    Attributes:
        best: True loss of the best epoch seen, at each of ``POINTS`` points of the budget; None before the first epoch.
        trials: Configurations that were trained for an epoch at least.
        epochs: Epochs that were trained.
        complete: Trials that reached the last epoch.
        resumed: How often a paused trial went on.
        failed: Trials that diverged.
        idle: Share of the workers' time in which they had nothing to do.
        asks: How often a trial was handed out.
        ask_s: CPU seconds of these answers.
        report_s: CPU seconds of all reports.
    """

    best: tuple[float | None, ...]
    trials: int
    epochs: int
    complete: int
    resumed: int
    failed: int
    idle: float
    asks: int
    ask_s: float
    report_s: float


def simulate(
    task: Task, search: Search, timeline: Timeline, *, seed: int = 0, workers: int = WORKERS, points: int = POINTS
) -> Run:
    """Run a search until the task's budget is spent.

    Args:
        task: What is searched.
        search: The search; it is not closed here.
        timeline: The time that the search sees.
        seed: Of the noise of curves.
        workers: How many train at once.
        points: See ``Run.best``.
    """
    horizon = task.trainings * task.scale.full / workers
    watched = _Watched(search, task, seed)
    found = simulated.simulate(watched, watched.curve, timeline, epochs=task.epochs, until_s=horizon, workers=workers)
    at = horizon * np.arange(1, points + 1) / points
    index = np.searchsorted([since for since, _, _ in found.incumbents], at, side="right")
    true = [float(watched.curves[number].true[epoch - 1]) for _, number, epoch in found.incumbents]
    return Run(
        best=tuple(true[place - 1] if place else None for place in index),
        trials=found.trials,
        epochs=found.epochs,
        complete=found.complete,
        resumed=found.resumed,
        failed=found.failed,
        idle=found.idle_s / (workers * horizon),
        asks=watched.asks,
        ask_s=watched.ask_s,
        report_s=watched.report_s,
    )


class _Watched:
    """A search whose answers are timed; it keeps the curves of the trials."""

    def __init__(self, search: Search, task: Task, seed: int) -> None:
        self._search, self._task, self._seed = search, task, seed
        self.curves: dict[int, Curve] = {}
        self.asks, self.ask_s, self.report_s = 0, 0.0, 0.0

    def ask(self) -> tuple[int, tuple[int, Config]] | None:
        found, seconds = _timed(self._search.ask)
        if found is None:
            return None
        self.asks, self.ask_s = self.asks + 1, self.ask_s + seconds
        return found[0], found

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        goes_on, seconds = _timed(lambda: self._search.report(trial, epoch, loss))
        self.report_s += seconds
        return goes_on

    def fail(self, trial: int, epoch: int) -> None:
        self._search.fail(trial, epoch)

    def curve(self, point: tuple[int, Config]) -> KnownCurve:
        number, config = point
        self.curves[number] = found = self._task.curve(config, self._seed)
        return KnownCurve(losses=found.seen.tolist(), seconds=found.cost.tolist(), diverges_in=found.diverges_in)


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    """Return an answer, and the CPU seconds that it took in all threads."""
    began = time.process_time()
    return action(), time.process_time() - began
