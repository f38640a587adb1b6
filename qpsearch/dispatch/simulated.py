"""Workers in simulated time: they do not train, but read what training would have given from curves that are known.

An event is a finished epoch. A worker without a trial asks the search for one; where there is none, it idles until
another worker has reported. The time that a search itself takes to answer does not pass in the simulation.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

PointT = TypeVar("PointT")
HandedT = TypeVar("HandedT", covariant=True)


@dataclass(slots=True)
class Timeline:
    """The simulated time in seconds, which a search may read as its clock."""

    now: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCurve:
    """The training of one configuration.

    Attributes:
        losses: Loss after each epoch, smaller is better; infinite where an evaluation did not give one.
        seconds: Time of each epoch.
        diverges_in: The epoch, from 1, in which the training diverges; None if it does not.
    """

    losses: Sequence[float]
    seconds: Sequence[float]
    diverges_in: int | None = None


class SimulatedSearch(Protocol[HandedT]):
    """A search whose trials are simulated. Trials have numbers; losses are minimised."""

    def ask(self) -> tuple[int, HandedT] | None:
        """Return a trial and its point; a number that was handed out before goes on where it paused.

        None where there is nothing to hand out now.
        """

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Take a loss in; return whether the worker goes on with the trial. After the last epoch it does not."""

    def fail(self, trial: int, epoch: int) -> None:
        """Take in that a training diverged in an epoch; its worker is free."""


@dataclass(slots=True, kw_only=True)
class SimulatedRun:
    """What one simulated search came to.

    Attributes:
        incumbents: When a report was the best so far: the time, the trial's number, and its epoch.
        trials: Trials that trained an epoch at least.
        epochs: Epochs that were trained.
        complete: Trials that reached the last epoch.
        resumed: How often a paused trial went on.
        failed: Trials that diverged.
        idle_s: Simulated seconds, over all workers, in which a worker had nothing to do.
    """

    incumbents: list[tuple[float, int, int]] = field(default_factory=list)
    trials: int = 0
    epochs: int = 0
    complete: int = 0
    resumed: int = 0
    failed: int = 0
    idle_s: float = 0.0


def simulate(
    search: SimulatedSearch[PointT],
    curve_of: Callable[[PointT], KnownCurve],
    timeline: Timeline,
    *,
    epochs: int,
    until_s: float,
    workers: int,
) -> SimulatedRun:
    """Run a search until a simulated time, or until it has nothing more to hand out.

    Args:
        search: The search.
        curve_of: Returns the curve of a point.
        timeline: The time that the search sees.
        epochs: Of a whole training.
        until_s: When the search ends; an epoch that would be over later does not count.
        workers: How many train at once.
    """
    return _Simulation(search, curve_of, timeline, epochs, until_s, workers).run()


@dataclass(slots=True)
class _Trial:
    curve: KnownCurve
    epoch: int = 0


class _Simulation(Generic[PointT]):
    def __init__(
        self,
        search: SimulatedSearch[PointT],
        curve_of: Callable[[PointT], KnownCurve],
        timeline: Timeline,
        epochs: int,
        until_s: float,
        workers: int,
    ) -> None:
        self._search, self._curve_of, self._timeline = search, curve_of, timeline
        self._epochs, self._until_s, self._idle = epochs, until_s, workers
        self._trials: dict[int, _Trial] = {}
        self._events: list[tuple[float, int, int]] = []  # when, in which order, which trial
        self._order, self._best = 0, math.inf
        self._result = SimulatedRun()

    def run(self) -> SimulatedRun:
        self._hire()
        while self._events and self._events[0][0] <= self._until_s:
            now, _, number = heapq.heappop(self._events)
            self._wait_until(now)
            if self._take_in(number):
                self._go_on(number)
            else:
                self._idle += 1
            self._hire()
        self._wait_until(self._until_s)
        self._result.trials = sum(trial.epoch > 0 for trial in self._trials.values())
        return self._result

    def _wait_until(self, now: float) -> None:
        self._result.idle_s += self._idle * (now - self._timeline.now)
        self._timeline.now = now

    def _hire(self) -> None:
        """Give idle workers what the search has for them."""
        while self._idle:
            found = self._search.ask()
            if found is None:
                return
            number, point = found
            if number in self._trials:
                self._result.resumed += 1
            else:
                self._trials[number] = _Trial(self._curve_of(point))
            self._idle -= 1
            self._go_on(number)

    def _go_on(self, number: int) -> None:
        trial = self._trials[number]
        self._order += 1
        heapq.heappush(self._events, (self._timeline.now + trial.curve.seconds[trial.epoch], self._order, number))

    def _take_in(self, number: int) -> bool:
        """Report the epoch that a trial has finished; return whether its worker goes on with it."""
        trial = self._trials[number]
        loss = float(trial.curve.losses[trial.epoch])
        trial.epoch += 1
        self._result.epochs += 1
        if trial.epoch == trial.curve.diverges_in:
            self._result.failed += 1
            self._search.fail(number, trial.epoch)
            return False
        if loss < self._best:
            self._best = loss
            self._result.incumbents.append((self._timeline.now, number, trial.epoch))
        goes_on = self._search.report(number, trial.epoch, loss)
        is_done = trial.epoch == self._epochs
        self._result.complete += is_done
        return goes_on and not is_done
