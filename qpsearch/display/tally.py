"""What a driver's events add up to: trials by state, the best one, running trials, the time that is left."""

import math
import time
from dataclasses import dataclass

from qpsearch.display.pace import Pace
from qpsearch.space import Space
from qpsearch.space.search import DEFAULT_OBJECTIVE, Budget
from qpsearch.study.trials.events import (
    BudgetChanged,
    Closed,
    Dispatching,
    Elsewhere,
    Event,
    Interrupted,
    Lost,
    Paused,
    Preparing,
    Raced,
    Reported,
    Retried,
    Started,
    Stepped,
    StudyOpened,
    Waiting,
)


@dataclass(slots=True)
class Running:
    """A trial that trains."""

    attempt: int
    stages: tuple[str, ...]
    epochs: int
    done: int
    began: float
    value: float | None = None
    place: str = ""
    steps: tuple[int, int] | None = None  # of the epoch that goes on: done, and all


class Tally:
    """Counts the events of a study; those of the next one, as of another arm of a comparison, begin anew."""

    def __init__(self) -> None:
        self.told_kinds: dict[str, str] = {}  # by its initials, the kind of block that a line has told last
        self._begin()

    def _begin(self) -> None:
        self.name, self.asked = "", 0
        self.objective, self.is_alone = DEFAULT_OBJECTIVE, True
        self.best: tuple[float, int] | None = None
        self.ended: dict[int, str] = {}  # the state of each trial that has ended, by number
        self.own: dict[str, int] = {}
        self.elsewhere = 0  # trials that other drivers ended meanwhile
        self.running: dict[int, Running] = {}
        self.paused: set[int] = set()
        self.raced: set[int] = set()  # trials that wait to train another seed
        self.pace = Pace()
        self._space: Space | None = None
        self.began: float | None = None  # with the first trial: start-up does not belong to the search
        self.phase, self.phase_began = "", time.monotonic()
        self._gpus = 0.0
        self._left_is(Budget(trials=0))

    @property
    def closed(self) -> int:
        """How many trials of the study have ended."""
        return len(self.ended)

    def see(self, event: Event) -> Running | None:
        """Count an event; return the trial that the event ended or paused, if any."""
        now = time.monotonic()
        match event:
            case StudyOpened(space=space, ended=ended, best=best, left=left, paused=paused):
                self._begin()
                self.paused = set(paused)
                search = space.search
                self.name, self.asked = space.study, search.budget.trials
                self.objective, self.is_alone = search.objective, len(search.objectives) == 1
                self.ended, self.best = dict(ended), best
                self._left_is(left)
                self._space, self.pace.reports_of = space, search.epochs_for
                self.pace.epochs = search.trial_cost(space.most_epochs, search.replicates)
                self._enter("preparing", now)
            case Waiting(left_s=left_s):
                self._enter(
                    f"waiting {left_s:.0f} s for a silent driver on another host, then taking over its trials", now
                )
            case Preparing(what=what):
                self._enter(what, now)
            case Dispatching(slots=slots, gpus=gpus):
                self.pace.slots, self._gpus = slots, slots * gpus
                self._enter("starting workers", now)
            case Started(number=number, attempt=attempt, blocks=blocks, epochs=epochs, resumed_at=resumed_at):
                self.began = now if self.began is None else self.began
                self.paused.discard(number)
                self.raced.discard(number)
                self.running[number] = Running(attempt, blocks, epochs, resumed_at, now)
                self.pace.started(number, self._cost_up_to(epochs), self._cost_up_to(resumed_at), now)
            case Reported(number=number, value=value, place=place, report=report, is_new=is_new):
                trial = self.running[number]
                trial.done, trial.value, trial.place, trial.steps = trial.done + is_new, value, place.device, None
                cost = self._cost_up_to(report.epoch) - self._cost_up_to(report.epoch - 1)
                scaled_s = self._trained_s(report.epoch, report.images_per_s)
                self.pace.reported(number, report.seconds, now, cost, scaled_s, is_new=is_new)
                self.phase = ""
            case Stepped(number=number, steps=steps):
                self.running[number].steps = (steps.done, steps.of)
            case Elsewhere(number=number, state=state, value=value):
                self.paused.discard(number)
                self.elsewhere += 1
                self._count(number, state, value)
            case BudgetChanged(budget=budget, left=left):
                self.asked = budget.trials
                self._left_is(left)
            case Closed(number=number, state=state, value=value):
                self._count(number, state, value)
                self.own[state] = self.own.get(state, 0) + 1
                self.paused.discard(number)
                self.pace.ended(number, counts=state != "FAIL")
                return self.running.pop(number, None)
            case Paused(number=number):
                self.paused.add(number)
                self.pace.ended(number, counts=True)
                return self.running.pop(number)
            case Raced(number=number):
                self.raced.add(number)
                self.pace.ended(number, counts=True)
                return self.running.pop(number)
            case Interrupted(number=number) | Lost(number=number) | Retried(number=number):
                self.pace.ended(number, counts=False)
                self.running.pop(number)
            case _:
                pass
        return None

    def _cost_up_to(self, epochs: int) -> float:
        return epochs if self._space is None else self._space.search.cost_up_to(epochs)

    def _trained_s(self, epoch: int, images_per_s: float) -> float | None:
        """Return the seconds of an epoch in which images were trained on, where its level is a share of them."""
        images = None if self._space is None else self._space.images_of_level(epoch)
        return images / images_per_s if images is not None and images_per_s else None

    def _enter(self, phase: str, now: float) -> None:
        self.phase, self.phase_began = phase, now

    def _count(self, number: int, state: str, value: float | None) -> None:
        self.ended[number] = state
        if state == "COMPLETE" and value is not None and math.isfinite(value) and self._is_better(value, number):
            self.best = (value, number)

    def _left_is(self, left: Budget) -> None:
        """Take over what is left of the budget, from which later epochs and GPU seconds are subtracted."""
        self._left, self._left_since, self._trained_then = left, time.monotonic(), self.pace.recorded

    def left_s(self, share: float | None = None) -> float | None:
        """Estimate the seconds left from the epochs that this driver ran; None before the first epoch.

        Args:
            share: Of the trials' epochs that will be trained; None for the share that pruning leaves.
        """
        begun = self.closed + len(self.paused)
        if self.paused and begun + len(self.running) >= self.asked:
            return None  # how many of the paused trials go on, and how far, is not known
        trials, ended_here = self.asked - begun, sum(self.own.values())
        if self.elsewhere:  # the other drivers go on at their pace
            of_this_one = (ended_here + 1) / (ended_here + 1 + self.elsewhere)
            trials = min(trials, max(round(trials * of_this_one), len(self.running)))
        left = self.pace.left_s(trials, share)
        if left is None or self.began is None:
            return None
        now = time.monotonic()
        if self._left.seconds is not None:
            left = min(left, self._left.seconds - (now - self.began))
        if self._left.epochs is not None:
            epochs = self._left.epochs - (self.pace.recorded - self._trained_then)
            left = min(left, (self.pace.cost_s(epochs) or 0.0) / self.pace.slots)
        if self._left.gpu_seconds is not None and self._gpus:
            left = min(left, self._left.gpu_seconds / self._gpus - (now - max(self.began, self._left_since)))
        return max(left, 0.0)

    def best_text(self) -> str:
        """Say the best value so far; with several objectives, name the first one."""
        if self.best is None:
            is_any = "COMPLETE" in self.ended.values()
            return "no complete trial has a finite value" if is_any else "no complete trial yet"
        value, number = self.best
        return f"best {value:.4f} (trial {number})" if self.is_alone else f"best {self.objective.metric} {value:.4f}"

    def _is_better(self, value: float, number: int) -> bool:
        """Whether a trial is better than the best so far; of equally good trials the first is the best."""
        if self.best is None:
            return True
        sign = self.objective.sign
        return (sign * value, -number) > (sign * self.best[0], -self.best[1])
