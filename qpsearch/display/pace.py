"""How long a study takes, estimated from the epochs that this driver ran.

Epochs are counted as a budget counts them: those of lower levels of fidelity by their cost.

Epochs are not timed beforehand, since a run must not wait. Start-up (Ray, workers that load torch) is not
counted: only the time between an attempt's reports is.
"""

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
        networks: Trials to which these epochs belong.
    """

    slots: int = 1
    epochs: float = 1
    kept: float = 1.0
    reports: int = 0
    trained: float = 0
    networks: int = 0
    _epoch_s: float = 0.0
    _start_s: float = 0.0
    _ended_shares: float = 0.0
    _ended: dict[int, float] = field(default_factory=dict)  # epochs of each trial that ended or paused
    _running: dict[int, _Attempt] = field(default_factory=dict)

    def started(self, number: int, epochs: float, done: float, now: float) -> None:
        """Record that an attempt was handed out, and how many of its epochs were done before."""
        self._running[number] = _Attempt(began=now, epochs=epochs, done=done)

    def reported(self, number: int, seconds: float, now: float, cost: float = 1) -> None:
        """Record an epoch, its seconds of training, and as how much it counts."""
        attempt = self._running[number]
        if attempt.last is None:
            self.networks += 1
            self._epoch_s += seconds
            if self.networks > self.slots:  # the first of each slot had to start its worker, too
                self._start_s += max(now - attempt.began - seconds, 0.0)
        else:
            self._epoch_s += now - attempt.last
        attempt.last = now
        attempt.done += cost
        self.trained += cost
        self.reports += 1

    def ended(self, number: int, *, counts: bool) -> None:
        """Record that an attempt ended; its epochs ``count`` if the trial was pruned or paused, or ran to its end."""
        attempt = self._running.pop(number, None)
        if attempt is not None and counts:
            self._ended_shares += (attempt.done - self._ended.get(number, 0)) / attempt.epochs
            self._ended[number] = attempt.done

    @property
    def is_known(self) -> bool:
        """Whether enough epochs ran for an estimate: two in each slot."""
        return self.reports >= 2 * self.slots

    @property
    def epoch_s(self) -> float | None:
        """Mean seconds per epoch; None before the first epoch."""
        return self._epoch_s / self.trained if self.trained else None

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
        if self.epoch_s is None:
            return None
        new = max(trials - len(self._running), 0)
        epochs = new * self.epochs * share
        longest = 0.0
        for attempt in list(self._running.values()):
            own = max(attempt.epochs * share - attempt.done, 1.0)
            epochs += own
            longest = max(longest, own)
        start_s = self._start_s / (self.networks - self.slots) if self.networks > self.slots else 0.0
        at_once = max(min(self.slots, trials), 1)
        return max((epochs * self.epoch_s + new * start_s) / at_once, longest * self.epoch_s)
