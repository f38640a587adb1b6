"""Whether anything is there at all: each trial forecast from those before it.

A sampler chooses its next point from the values so far, so values and points are not independent even where no
parameter matters, and a test that permutes values is wrong half of the time. A forecast made before a trial is
trained is not touched by that: where no parameter matters, its error has mean 0 whatever chose the point.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.linalg.lapack import dposv
from scipy.special import ndtr, ndtri

from qpsearch.analysis.anova.features import Design
from qpsearch.analysis.anova.observations import ranks
from qpsearch.analysis.anova.parameters import Floats

FIRST: Final = 15  # trials before the first forecast
FEWEST: Final = 8  # trials of a group beside the largest one: ranks of fewer say little
AGAIN: Final = 0.08  # of the trials so far are forecast before the weights are learned anew
PAIRS: Final = (0.0, 0.7)  # the two forecasts' weights of pairs
ALARM: Final = 0.05  # a p below which something is said to be there


def chance_of_nothing(design: Design, groups: Sequence[Floats]) -> float:
    """Return the p value of the hypothesis that no parameter matters.

    Two ridge regressions, one without pairs, forecast the ranks; what is tested is the covariance of forecast and
    outcome, with Bonferroni's correction for the better one of two. Values of two groups are not compared: ranks and
    forecasts are made in each of them.

    Args:
        design: The features of all trials, in the order in which they were drawn.
        groups: Values of all trials that do not depend on which were stopped (``Observations.unselected``); NaN for a
            value that is missing.
    """
    known = [~np.isnan(values) for values in groups]
    known = [own for number, own in enumerate(known) if own.sum() >= (FEWEST if number else 2)]
    if not known:
        return 1.0
    normal = [ndtri((ranks(values[own]) - 0.5) / own.sum()) for values, own in zip(groups, known, strict=False)]
    best = -np.inf
    for pairs in PAIRS:
        scale = np.sqrt(design.weights) * np.sqrt(_shares(design, pairs))
        products = [_products(design.matrix[own] * scale, each) for own, each in zip(known, normal, strict=True)]
        best = max(best, _score(np.concatenate(products)))
    return float(min(1.0, len(PAIRS) * ndtr(-best)))


def _shares(design: Design, pairs: float) -> Floats:
    """Return the variance that is expected of each feature, where pairs have a share of all."""
    alone, together = np.bincount(design.orders, minlength=2)
    of_group = np.where(design.orders == 0, (1 - pairs) / alone, pairs / max(together, 1))
    return np.asarray(of_group[design.columns])


def _score(products: Floats) -> float:
    """Return the standardised covariance of forecasts and outcomes, given their products."""
    return float(products.sum() / np.sqrt((products**2).sum() + 1e-12))


def _products(rows: Floats, values: Floats) -> Floats:
    """Return the product of forecast and outcome for each trial that is forecast from those before it."""
    rows = rows[:, rows.any(axis=0)]
    count, at = len(values), min(FIRST, len(values) // 2)
    forecasts, outcomes = np.zeros(count), np.zeros(count)
    first, ridge = at, _Ridge(rows, values)
    while at < count:
        after = min(at + max(5, int(AGAIN * at)), count)
        mean = values[:at].mean()
        forecasts[at:after] = rows[at:after] @ ridge.weights(at, mean)
        outcomes[at:after] = values[at:after] - mean
        at = after
    return (forecasts * outcomes)[first:]


class _Ridge:
    """Learns weights from more and more trials, with as much variance expected from the features as from the noise.

    Sums over trials are added to, not made anew: with thousands of trials they are most of the work.
    """

    def __init__(self, rows: Floats, values: Floats) -> None:
        features = rows.shape[1]
        self._rows, self._values, self._summed = rows, values, 0
        self._squares = np.zeros((features, features))
        self._products, self._totals = np.zeros(features), np.zeros(features)

    def weights(self, count: int, mean: float) -> Floats:
        """Return the weights of the first ``count`` trials, whose values have a mean."""
        features = self._rows.shape[1]
        rows = self._rows[:count]
        if count < features:
            penalty = (rows**2).sum() / count
            inner = rows @ rows.T + penalty * np.eye(count)
            return np.asarray(rows.T @ np.linalg.solve(inner, self._values[:count] - mean))
        new = slice(self._summed, count)
        self._squares += rows[new].T @ rows[new]
        self._products += rows[new].T @ self._values[new]
        self._totals += rows[new].sum(axis=0)
        self._summed = count
        penalty = np.trace(self._squares) / count
        _, weights, failed = dposv(self._squares + penalty * np.eye(features), self._products - mean * self._totals)
        if failed:
            raise np.linalg.LinAlgError("the features' squares are not positive definite")
        return np.asarray(weights)
