"""Gaussian-process regression with a Matern 5/2 kernel that has a length scale for each column.

The scales, the noise and the amplitude are those of the largest posterior density under weak priors, found by L-BFGS.
"""

import math
from collections.abc import Sequence
from typing import Final, Self

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from qpsearch.study.search.encoding import Matrix

STEPS: Final = 12  # of L-BFGS; more change little
JITTER: Final = 1e-6
# Of the logarithms of length scale, noise and amplitude: prior mean and standard deviation, and bounds of the search.
LENGTH: Final = (math.log(0.7), 1.0)

NOISE: Final = (math.log(0.3), 1.0)
AMPLITUDE: Final = (0.0, 0.7)
BOUNDS: Final = ((math.log(0.05), math.log(20)), (math.log(0.01), math.log(1.5)), (-3.0, 3.0))


class GaussianProcess:
    """A posterior over functions.

    Args:
        widths: How many features each column has; they share a length scale.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        self._of = np.repeat(np.arange(len(widths)), widths)
        columns = len(widths)
        self._prior = np.array(
            [[LENGTH[0]] * columns + [NOISE[0], AMPLITUDE[0]], [LENGTH[1]] * columns + [NOISE[1], AMPLITUDE[1]]]
        )
        self._bounds = [BOUNDS[0]] * columns + [BOUNDS[1], BOUNDS[2]]
        self._theta = self._prior[0]

    def fit(self, points: Matrix, values: Matrix) -> Self:
        """Find the scales of some values, (points,), at points, (points, features), and condition on the values."""
        apart = (points[:, None] - points[None]) ** 2
        squared = np.stack([apart[:, :, self._of == column].sum(axis=2) for column in range(len(self._prior[0]) - 2)])
        found = minimize(
            self._loss,
            self._theta,
            args=(squared, values),
            jac=True,
            method="L-BFGS-B",
            bounds=self._bounds,
            options={"maxiter": STEPS},
        )
        self._theta = found.x
        return self.condition(points, values)

    def condition(self, points: Matrix, values: Matrix) -> Self:
        """Condition on values at points, with the scales as they are."""
        self._points = points
        noise, amplitude = np.exp(2 * self._theta[-2]), np.exp(self._theta[-1])
        kernel = self._kernel(points, points) * amplitude
        self._factor = cholesky(kernel + (noise + JITTER) * np.eye(len(points)), lower=True)
        self._weights = cho_solve((self._factor, True), values)
        return self

    def predict(self, points: Matrix) -> tuple[Matrix, Matrix]:
        """Return mean and standard deviation of the function at points."""
        amplitude = np.exp(self._theta[-1])
        kernel = self._kernel(points, self._points) * amplitude
        part = solve_triangular(self._factor, kernel.T, lower=True)
        return kernel @ self._weights, np.sqrt(np.maximum(amplitude - (part**2).sum(axis=0), 1e-9))

    def _kernel(self, left: Matrix, right: Matrix) -> Matrix:
        scales = np.exp(self._theta[:-2])[self._of]
        one, two = left / scales, right / scales
        squared = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1)[None] - 2 * one @ two.T
        root = np.sqrt(5 * np.maximum(squared, 0))
        return np.asarray((1 + root + root**2 / 3) * np.exp(-root))

    def _loss(self, theta: Matrix, squared: Matrix, values: Matrix) -> tuple[float, Matrix]:
        """Return the negative logarithm of the posterior density of the scales, and its gradient."""
        inverse_squares = np.exp(-2 * theta[:-2])
        noise, amplitude = np.exp(2 * theta[-2]), np.exp(theta[-1])
        root = np.sqrt(5 * np.tensordot(inverse_squares, squared, axes=1))
        falling = amplitude * np.exp(-root)
        kernel = (1 + root + root**2 / 3) * falling
        factor = cholesky(kernel + (noise + JITTER) * np.eye(len(values)), lower=True)
        inverse = cho_solve((factor, True), np.eye(len(values)))
        weights = inverse @ values
        slope = inverse - np.outer(weights, weights)  # twice the derivative by the covariance
        by_length = np.tensordot(squared, slope * falling * (1 + root), axes=2) * inverse_squares * 5 / 6
        gradient = np.array([*by_length, np.trace(slope) * noise, 0.5 * (slope * kernel).sum()])
        loss = 0.5 * values @ weights + np.log(np.diag(factor)).sum()
        off = (theta - self._prior[0]) / self._prior[1]
        return float(loss + 0.5 * (off**2).sum()), gradient + off / self._prior[1]
