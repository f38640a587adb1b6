"""What trials that were stopped would have reached: their curves carried on, a draw at a time.

From one checkpoint of the curve to the next, the value is a line in the value before and in what the features say of
the trial, plus noise; the line is fitted to the trials that got that far. A stopped trial is thus never taken as
final, and never dropped: trials are stopped for the values that are seen, which the chain knows.
"""

from typing import Final

import numpy as np

from qpsearch.analysis.anova.parameters import Bools, Floats

STAYS: Final = np.array([0.0, 1.0, 0.0])  # a line by which a value stays as it is
RIDGE: Final = np.full(3, 1e-3)  # how firmly a line is held there: it is defined where one trial got that far
LOOSE: Final = 1e-3  # added to the squared deviations from a line: few trials lie on it by chance


class Curves:
    """The curves of trials, some of which were stopped.

    Args:
        along: Values along the way, (trials, checkpoints), the last one final; NaN from where a trial was stopped.
    """

    def __init__(self, along: Floats) -> None:
        self._first, self._steps = along[:, 0], []
        known = ~np.isnan(self._first)
        for before, after in zip(along.T, along.T[1:], strict=False):
            step = _Step(before, after, known)
            self._steps.append(step)
            known = step.known

    def completed(self, fitted: Floats, rng: np.random.Generator) -> Floats:
        """Return the final value of each trial: as it is, or drawn for one that was stopped.

        Args:
            fitted: What the features say of each trial, (trials,), in the same unit.
            rng: Where chance comes from.
        """
        now = self._first
        for step in self._steps:
            now = step.draw(now, fitted, rng)
        return now


class _Step:
    """The way from one checkpoint to the next.

    Args:
        before: Values at the first, NaN where a trial was stopped earlier.
        after: Values at the second.
        known: Which trials have a value at the first, seen or drawn.
    """

    def __init__(self, before: Floats, after: Floats, known: Bools) -> None:
        went_on = ~np.isnan(before) & ~np.isnan(after)
        self._after, self._went_on = after, np.flatnonzero(went_on)
        self._guessed = np.flatnonzero(np.isnan(after) & known)
        self._before, self._seen = before[went_on], after[went_on]
        self.known = known | ~np.isnan(after)

    def draw(self, now: Floats, fitted: Floats, rng: np.random.Generator) -> Floats:
        """Return values at the second checkpoint; those of stopped trials by a line drawn from its posterior."""
        value = self._after.copy()
        if not len(self._guessed):
            return value
        rows = _rows(self._before, fitted[self._went_on])
        precision = rows.T @ rows + np.diag(RIDGE)
        mean = np.linalg.solve(precision, rows.T @ self._seen + RIDGE * STAYS)
        rest = self._seen - rows @ mean
        spread = np.sqrt((rest @ rest + LOOSE) / max(len(rest) - len(STAYS), 1))
        line = mean + spread * np.linalg.solve(np.linalg.cholesky(precision).T, rng.normal(size=len(STAYS)))
        there = _rows(now[self._guessed], fitted[self._guessed])
        value[self._guessed] = there @ line + spread * rng.normal(size=len(there))
        return value


def _rows(before: Floats, fitted: Floats) -> Floats:
    rows = np.empty((len(before), len(STAYS)))
    rows[:, 0], rows[:, 1], rows[:, 2] = 1.0, before, fitted
    return rows
