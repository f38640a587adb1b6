"""Draws from the posterior of the weights of features, by Gibbs sampling.

The value of a trial is a constant, plus the weighted features, plus noise. The weights of a group are normal around 0
with a variance of the group's own, which has a half-Cauchy scale under another one for all groups of its order: most
groups shrink to nothing, a few stand out. Values are standardised first, so that the scales below have no unit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotrf, dtrtrs

from qpsearch.analysis.anova.features import Design
from qpsearch.analysis.anova.parameters import Floats

SCALES: Final = np.array([0.05, 0.02])  # of one parameter, of a pair: values have the standard deviation 1
NOISE: Final = (3.0, 1.5)  # inverse gamma prior of the noise's variance: shape, scale
SMALLEST, LARGEST = 1e-8, 1e8  # of a variance, relative to the one that is expected
BURNT: Final = 0.2  # share of the steps that are thrown away
FEWEST, MOST = 400, 1200  # steps
OPERATIONS: Final = 4e9  # of the sampler's linear algebra: about a second
DRAWN: Final = 1000  # operations for the curve of one trial

Completed = Callable[[Floats, np.random.Generator], Floats]  # values of all trials, those of stopped ones drawn anew


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Draws from the posterior, in the unit of the values.

    Attributes:
        design: The features.
        weights: Weights of the features, (draws, features).
        noise: Variance of what the features do not explain, (draws,).
        mean: The mean over the space, (draws,).
    """

    design: Design
    weights: Floats
    noise: Floats
    mean: Floats

    @property
    def variances(self) -> Floats:
        """Variance over the space that each group explains, (draws, groups)."""
        count = len(self.design.groups)
        return np.array([np.bincount(self.design.columns, row * row, minlength=count) for row in self.weights])

    def of_group(self, index: int) -> Floats:
        """Return the weights of a group's features, (draws, features of the group)."""
        return np.asarray(self.weights[:, self.design.columns == index])

    def in_unit(self, mean: float, spread: float) -> "Posterior":
        """Return the posterior of values that were standardised, in their own unit."""
        return replace(
            self, weights=self.weights * spread, noise=self.noise * spread**2, mean=mean + self.mean * spread
        )


def sample(
    design: Design,
    values: Floats,
    *,
    seed: int = 0,
    completed: Completed | None = None,
    most: int = MOST,
    least: Sequence[float] = (0.0, 0.0),
) -> Posterior:
    """Sample the posterior.

    Args:
        design: The features of the trials.
        values: Their values, (trials,), in a unit in which they have about the standard deviation 1; where
            ``completed`` is given, those of stopped trials do not count.
        seed: Seed of the sampler.
        completed: Draws the final values of trials that were stopped, given what the features say of each.
        most: Steps at most; 400 are enough for means.
        least: The least prior variance of a group of one parameter, and of a pair. Without it, what the trials hardly
            show is drawn to 0 with an interval that is too narrow for a difference that is there all the same.
    """
    rng = np.random.default_rng(seed)
    state = _State(design, rng, np.array(least, dtype=float))
    steps = min(_steps(*design.matrix.shape, drawn_anew=completed is not None), most)
    seen, kept = _Sums.of(design.matrix, values), []
    rough = design.matrix.astype(np.float32)  # enough for values that are drawn with noise, and twice as fast
    for step in range(steps):
        if completed is not None:
            fitted = state.mean + rough @ state.weights.astype(np.float32)
            seen = _Sums.of(rough, completed(fitted.astype(float), rng))
        state.step(seen)
        if step >= BURNT * steps:
            kept.append((state.weights, state.noise, state.mean))
    weights, noise, mean = map(np.array, zip(*kept, strict=True))
    return Posterior(design=design, weights=weights, noise=noise, mean=mean)


def _steps(trials: int, features: int, *, drawn_anew: bool) -> int:
    """Return how many steps the sampler makes: many where they are cheap."""
    small = min(trials, features)
    cost = small**3 / 3 + 2 * small * features
    if trials < features:
        cost += 2 * trials * features * small
    if drawn_anew:
        cost += trials * (4 * features + DRAWN)
    return int(np.clip(OPERATIONS / cost, FEWEST, MOST))


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """The values of trials, and sums over them, of which a step needs no more.

    Attributes:
        values: The values, (trials,).
        total: Their sum.
        squares: The sum of their squares.
        products: The sum of each feature times the value, (features,).
    """

    values: Floats
    total: float
    squares: float
    products: Floats

    @classmethod
    def of(cls, features: NDArray[np.floating], values: Floats) -> "_Sums":
        return cls(
            values=values,
            total=float(values.sum()),
            squares=float(values @ values),
            products=(features.T @ values.astype(features.dtype)).astype(float),
        )


class _State:
    """Where the chain stands."""

    def __init__(self, design: Design, rng: np.random.Generator, least: Floats) -> None:
        self._least = least
        self._x, self._columns, self._share, self._rng = design.matrix, design.columns, design.weights, rng
        self._orders, self._groups = design.orders, len(design.groups)
        self._sizes = np.bincount(design.columns, minlength=self._groups)
        self._gram, self._totals = design.matrix.T @ design.matrix, design.matrix.sum(axis=0)
        self._precision = np.empty_like(self._gram)
        self.weights: Floats = np.zeros(design.matrix.shape[1])
        self.mean, self.noise = 0.0, 1.0
        self._local, self._local_aux = np.ones(self._groups), np.ones(self._groups)
        self._overall, self._overall_aux = SCALES**2, 1 / SCALES**2

    def step(self, seen: _Sums) -> None:
        """Draw everything once."""
        rng, count = self._rng, len(seen.values)
        centre = (seen.total - self._totals @ self.weights) / count
        self.mean = float(rng.normal(centre, np.sqrt(self.noise / count)))
        products = seen.products - self.mean * self._totals
        prior = np.maximum((self._local * self._overall[self._orders])[self._columns] * self._share, 1e-10)
        if count < len(self.weights):
            self.weights = self._by_trials(seen.values - self.mean, prior)
        else:
            self.weights = self._by_features(products, prior)
        squares = seen.squares - 2 * self.mean * seen.total + count * self.mean**2
        rest = squares - 2 * self.weights @ products + self.weights @ (self._gram @ self.weights)
        shape, scale = NOISE
        self.noise = float((scale + 0.5 * max(rest, 0.0)) / rng.gamma(shape + 0.5 * count))
        self._draw_scales()

    def _by_features(self, products: Floats, prior: Floats) -> Floats:
        """Draw all weights at once, by the features' covariance."""
        precision = np.divide(self._gram, self.noise, out=self._precision)
        np.einsum("ii->i", precision)[:] += 1 / prior
        # Symmetric, so that its transposed view is what LAPACK reads; only the lower triangle of it is overwritten.
        factor, failed = dpotrf(precision.T, lower=1, clean=0, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError("the covariance of the weights is not positive definite")
        inner = dtrtrs(factor, products / self.noise, lower=1)[0] + self._rng.normal(size=len(prior))
        return np.asarray(dtrtrs(factor, inner, lower=1, trans=1)[0])

    def _by_trials(self, left: Floats, prior: Floats) -> Floats:
        """Draw all weights at once, by the covariance of the trials, where these are fewer."""
        rng, scaled = self._rng, self._x * prior
        start = rng.normal(size=len(prior)) * np.sqrt(prior)
        covariance = scaled @ self._x.T
        covariance[np.diag_indices_from(covariance)] += self.noise
        miss = left - self._x @ start - np.sqrt(self.noise) * rng.normal(size=len(left))
        return np.asarray(start + scaled.T @ cho_solve(cho_factor(covariance, lower=True), miss))

    def _draw_scales(self) -> None:
        rng = self._rng
        sums = np.bincount(self._columns, self.weights**2 / self._share, minlength=self._groups)
        overall = self._overall[self._orders]
        local = (1 / self._local_aux + sums / (2 * overall)) / rng.gamma(0.5 * (self._sizes + 1))
        self._local = np.clip(local, np.maximum(SMALLEST, self._least[self._orders] / overall), LARGEST)
        self._local_aux = (1 + 1 / self._local) / rng.gamma(np.ones(self._groups))
        for order in set(self._orders.tolist()):
            of = self._orders == order
            spread = 1 / self._overall_aux[order] + (sums[of] / self._local[of]).sum() / 2
            self._overall[order] = np.clip(spread / rng.gamma(0.5 * (self._sizes[of].sum() + 1)), SMALLEST, 1e4)
            self._overall_aux[order] = (1 / SCALES[order] ** 2 + 1 / self._overall[order]) / rng.gamma(1.0)
