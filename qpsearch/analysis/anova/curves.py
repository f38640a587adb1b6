"""What trials that were stopped would have reached: their curves carried on, a draw at a time.

From one checkpoint of the curve to the next, the value is a line in the value before and in what the features say of
the trial, plus noise; the line is fitted to the trials that got that far. A stopped trial is thus never taken as
final, and never dropped: trials are stopped for the values that are seen, which the chain knows.
"""

from typing import Final

import numpy as np
from scipy.linalg import solve_triangular

from qpsearch.analysis.anova.parameters import Floats

STAYS: Final = np.array([0.0, 1.0, 0.0])  # a line by which a value stays as it is
RIDGE: Final = np.full(3, 1e-3)  # how firmly a line is held there: it is defined where one trial got that far
LOOSE: Final = 1e-3  # added to the squared deviations from a line: few trials lie on it by chance


def completed(along: Floats, fitted: Floats, rng: np.random.Generator) -> Floats:
    """Return the final value of each trial: as it is, or drawn for one that was stopped.

    Args:
        along: Values along the way, (trials, checkpoints), the last one final; NaN from where a trial was stopped.
        fitted: What the features say of each trial, (trials,), in the same unit.
        rng: Where chance comes from.
    """
    now = along[:, 0]
    for before, after in zip(along.T, along.T[1:], strict=False):
        went_on = ~np.isnan(before) & ~np.isnan(after)
        guessed = np.isnan(after) & ~np.isnan(now)
        value = after.copy()
        if guessed.any():
            step = _Step(before[went_on], fitted[went_on], after[went_on], rng)
            value[guessed] = step.draw(now[guessed], fitted[guessed])
        now = value
    return now


class _Step:
    """A line from one checkpoint to the next, drawn from its posterior."""

    def __init__(self, before: Floats, fitted: Floats, after: Floats, rng: np.random.Generator) -> None:
        self._rng = rng
        rows = _rows(before, fitted)
        precision = rows.T @ rows + np.diag(RIDGE)
        mean = np.linalg.solve(precision, rows.T @ after + RIDGE * STAYS)
        rest = after - rows @ mean
        self._spread = np.sqrt((rest @ rest + LOOSE) / max(len(after) - len(STAYS), 1))
        factor = np.linalg.cholesky(precision)
        self._line = mean + self._spread * solve_triangular(factor, rng.normal(size=3), lower=True, trans=1)

    def draw(self, before: Floats, fitted: Floats) -> Floats:
        """Return values at the next checkpoint."""
        return np.asarray(_rows(before, fitted) @ self._line + self._spread * self._rng.normal(size=len(before)))


def _rows(before: Floats, fitted: Floats) -> Floats:
    return np.column_stack([np.ones(len(before)), before, fitted])
