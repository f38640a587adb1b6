"""Asynchronous workers in simulated time: an event is a finished epoch, in the task's own time.

A worker without a trial asks the search for one. Where there is none, it idles until another worker has reported. Time
that a search itself takes to answer is measured, but does not pass in the simulation.
"""

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import numpy as np

from tests.benchmarks.search.parameters import Config
from tests.benchmarks.search.task import Curve, Task

POINTS: Final = 80  # of the budget, at which the incumbent is recorded
WORKERS: Final = 4

T = TypeVar("T")


@dataclass(slots=True)
class Timeline:
    """The simulated time, which a search may read as its clock."""

    now: float = 0.0


class Search(Protocol):
    """What is compared. Trials have numbers; losses are minimised."""

    def ask(self) -> tuple[int, Config] | None:
        """Return a trial and its configuration; a number that was handed out before goes on where it paused.

        None where there is nothing to hand out now.
        """

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Take a loss in; return whether the worker goes on with the trial. After the last epoch it does not."""

    def fail(self, trial: int, epoch: int) -> None:
        """Take in that a training diverged in an epoch; its worker is free."""

    def close(self) -> None:
        """End the search; called once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one search of one task came to.

    Attributes:
        best: True loss of the best epoch seen, at each of ``POINTS`` points of the budget; None before the first epoch.
        trials: Configurations that were begun.
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
    simulation = _Simulation(task, search, timeline, seed, workers)
    simulation.run()
    return simulation.result(points)


@dataclass(slots=True)
class _Trial:
    """A trial that was begun."""

    curve: Curve
    epoch: int = 0


@dataclass(slots=True)
class _Simulation:
    task: Task
    search: Search
    timeline: Timeline
    seed: int
    workers: int
    trials: dict[int, _Trial] = field(default_factory=dict)
    events: list[tuple[float, int, int]] = field(default_factory=list)  # when, in which order, which trial
    bests: list[tuple[float, float]] = field(default_factory=list)  # since when, which true loss
    seen: float = math.inf
    idle: int = 0
    idle_time: float = 0.0
    order: int = 0
    epochs: int = 0
    complete: int = 0
    resumed: int = 0
    failed: int = 0
    asks: int = 0
    ask_s: float = 0.0
    report_s: float = 0.0

    @property
    def horizon(self) -> float:
        return self.task.trainings * self.task.scale.full / self.workers

    def run(self) -> None:
        self.idle = self.workers
        self.hire()
        while self.events and self.events[0][0] <= self.horizon:
            now, _, number = heapq.heappop(self.events)
            self.wait_until(now)
            if self.take_in(number):
                self.go_on(number)
            else:
                self.idle += 1
            self.hire()
        self.wait_until(self.horizon)

    def wait_until(self, now: float) -> None:
        self.idle_time += self.idle * (now - self.timeline.now)
        self.timeline.now = now

    def hire(self) -> None:
        """Give idle workers what the search has for them."""
        while self.idle:
            found, seconds = _timed(self.search.ask)
            if found is None:
                return
            number, config = found
            self.asks, self.ask_s = self.asks + 1, self.ask_s + seconds
            if number in self.trials:
                self.resumed += 1
            else:
                self.trials[number] = _Trial(self.task.curve(config, self.seed))
            self.idle -= 1
            self.go_on(number)

    def go_on(self, number: int) -> None:
        trial = self.trials[number]
        self.order += 1
        heapq.heappush(self.events, (self.timeline.now + trial.curve.cost[trial.epoch], self.order, number))

    def take_in(self, number: int) -> bool:
        """Report the epoch that a trial has finished; return whether its worker goes on with it."""
        trial = self.trials[number]
        loss, true = float(trial.curve.seen[trial.epoch]), float(trial.curve.true[trial.epoch])
        trial.epoch, self.epochs = trial.epoch + 1, self.epochs + 1
        if not math.isfinite(loss):
            self.failed += 1
            self.search.fail(number, trial.epoch)
            return False
        if loss < self.seen:
            self.seen = loss
            self.bests.append((self.timeline.now, true))
        goes_on, seconds = _timed(lambda: self.search.report(number, trial.epoch, loss))
        self.report_s += seconds
        is_done = trial.epoch == self.task.epochs
        self.complete += is_done
        return goes_on and not is_done

    def result(self, points: int) -> Run:
        at = self.horizon * np.arange(1, points + 1) / points
        index = np.searchsorted([since for since, _ in self.bests], at, side="right")
        return Run(
            best=tuple(self.bests[place - 1][1] if place else None for place in index),
            trials=len(self.trials),
            epochs=self.epochs,
            complete=self.complete,
            resumed=self.resumed,
            failed=self.failed,
            idle=self.idle_time / (self.workers * self.horizon),
            asks=self.asks,
            ask_s=self.ask_s,
            report_s=self.report_s,
        )


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    """Return an answer, and the CPU seconds that it took in all threads."""
    began = time.process_time()
    return action(), time.process_time() - began
