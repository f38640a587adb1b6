"""How long a study takes, estimated from the epochs that this driver ran.

Epochs are counted as a budget counts them: those of lower levels of fidelity by their cost. Where levels are shares of
the training images, only training takes less time at a lower level: validation takes as long at each, and is timed
apart.

Epochs are not timed beforehand, since a run must not wait. Start-up (Ray, workers that load torch) is not
counted: only the time between an attempt's reports is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

TRUST: Final = 5.0  # how many trials the expected effect of pruning counts for


@dataclass(slots=True, kw_only=True)
class _Attempt:
    began: float
    epochs: float
    done: float
    last: float | None = None


@dataclass(slots=True, kw_only=True)
class Pace:
    """Seconds per epoch, and estimates that follow from them.

    Attributes:
        slots: Trials at once.
        epochs: Epochs of an unpruned trial, all its runs together.
        kept: Expected share of the epochs that pruning leaves.
        reports: Epochs that this driver ran, each as one.
        trained: Epochs that this driver ran.
        recorded: Those of these that had not been recorded before.
        networks: Trials to which these epochs belong.
        reports_of: Returns how many epochs, each as one, are trained where a trial has spent a cost.
    """

    slots: int = 1
    epochs: float = 1
    kept: float = 1.0
    reports: int = 0
    trained: float = 0
    recorded: float = 0
    networks: int = 0
    reports_of: Callable[[float], float] = float
    _scaled_s: float = 0.0  # what goes with the cost of an epoch
    _fixed_s: float = 0.0  # what each epoch takes, whatever its cost
    _start_s: float = 0.0
    _ended_shares: float = 0.0
    _ended: dict[int, float] = field(default_factory=dict)  # epochs of each trial that ended or paused
    _running: dict[int, _Attempt] = field(default_factory=dict)

    def started(self, number: int, epochs: float, done: float, now: float) -> None:
        """Record that an attempt was handed out, and how many of its epochs were done before."""
        self._running[number] = _Attempt(began=now, epochs=epochs, done=done)

    def reported(
        self,
        number: int,
        seconds: float,
        now: float,
        cost: float = 1,
        scaled_s: float | None = None,
        *,
        is_new: bool = True,
    ) -> None:
        """Record an epoch.

        Args:
            number: Its trial.
            seconds: How long it took.
            now: When it was reported.
            cost: As how much it counts.
            scaled_s: The part of ``seconds`` that goes with its cost; None for all of it.
            is_new: Whether it had not been recorded before; one that is trained again brings a trial no further.
        """
        attempt = self._running[number]
        if attempt.last is None:
            self.networks += 1
            took_s = seconds
            if self.networks > self.slots:  # the first of each slot had to start its worker, too
                self._start_s += max(now - attempt.began - seconds, 0.0)
        else:
            took_s = now - attempt.last
        scaled_s = took_s if scaled_s is None else min(scaled_s, took_s)
        self._scaled_s += scaled_s
        self._fixed_s += took_s - scaled_s
        attempt.last = now
        if is_new:
            attempt.done += cost
            self.recorded += cost
        self.trained += cost
        self.reports += 1

    def ended(self, number: int, *, counts: bool) -> None:
        """Record that an attempt ended; its epochs ``count`` if the trial was pruned or paused, or ran to its end."""
        attempt = self._running.pop(number, None)
        if attempt is not None and counts:
            # not of the attempt's own epochs, to which a race adds those of each further seed
            self._ended_shares += (attempt.done - self._ended.get(number, 0)) / self.epochs
            self._ended[number] = attempt.done

    @property
    def is_known(self) -> bool:
        """Whether enough epochs ran for an estimate: two in each slot."""
        return self.reports >= 2 * self.slots

    @property
    def epoch_s(self) -> float | None:
        """Mean seconds per epoch of those that ran, of whatever cost; None before the first epoch."""
        return (self._scaled_s + self._fixed_s) / self.reports if self.reports else None

    @property
    def whole_s(self) -> float | None:
        """Seconds of an epoch of cost 1; None before the first epoch."""
        return self._seconds(1, 1) if self.reports else None

    def cost_s(self, cost: float) -> float | None:
        """Return how long epochs of a cost take that are such as those that ran; None before the first epoch."""
        return self._seconds(cost, cost * self.reports / self.trained) if self.reports else None

    def _seconds(self, cost: float, reports: float) -> float:
        """Return how long some epochs take, by what they cost and how many they are."""
        return self._scaled_s / self.trained * cost + self._fixed_s / self.reports * reports

    @property
    def share(self) -> float:
        """Share of a trial's epochs that are trained, from the expected and the observed effect of pruning."""
        return (TRUST * self.kept + self._ended_shares) / (TRUST + len(self._ended))

    def left_s(self, trials: int, share: float | None = None) -> float | None:
        """Estimate the seconds until that many trials have ended, running ones included; None before the first epoch.

        Args:
            trials: Number of trials.
            share: Share of their epochs that are trained; None for the property ``share``.
        """
        share = self.share if share is None else share
        if not self.reports:
            return None
        new = max(trials - len(self._running), 0)
        seconds = new * self._between(0, self.epochs * share)
        longest = 0.0
        for attempt in list(self._running.values()):
            own = self._between(attempt.done, max(attempt.epochs * share, attempt.done + 1.0))
            seconds += own
            longest = max(longest, own)
        start_s = self._start_s / (self.networks - self.slots) if self.networks > self.slots else 0.0
        at_once = max(min(self.slots, trials), 1)
        return max((seconds + new * start_s) / at_once, longest)

    def _between(self, done: float, end: float) -> float:
        """Return how long a trial takes from a cost that it has spent to another."""
        return self._seconds(end - done, self.reports_of(end) - self.reports_of(done))
