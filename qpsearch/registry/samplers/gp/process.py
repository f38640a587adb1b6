"""Gaussian-process regression with a Matern 5/2 kernel that has a length scale for each column.

The scales, the noise and the amplitude are those of the largest posterior density under weak priors, found by L-BFGS.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs, dtrtrs

from qpsearch.registry.samplers.base import Matrix

STEPS: Final = 6  # of L-BFGS; more bring the scales nearer to the best, and did not make searches better
JITTER: Final = 1e-6
BLOCK: Final = 150  # points that are predicted at once: larger arrays take longer to allocate than to compute
# Of the logarithms of length scale, noise and amplitude: prior mean and standard deviation, and bounds of the search.
LENGTH: Final = (math.log(0.7), 1.0)

NOISE: Final = (math.log(0.3), 1.0)
AMPLITUDE: Final = (0.0, 0.7)
BOUNDS: Final = ((math.log(0.05), math.log(20)), (math.log(0.01), math.log(1.5)), (-3.0, 3.0))


def fitted(widths: Sequence[int], points: Matrix, values: Matrix) -> Matrix:
    """Return the scales of some values, as logarithms: of a length for each column, of the noise and of the amplitude.

    Args:
        widths: How many features each column has; they share a length scale.
        points: Where the values are known, (points, features).
        values: The values, (points,).
    """
    from scipy.optimize import fmin_l_bfgs_b  # takes a tenth of a second, for which a short search need not wait

    density = Density(widths, points, values)
    bounds = [BOUNDS[0]] * len(widths) + [BOUNDS[1], BOUNDS[2]]
    found, _, _ = fmin_l_bfgs_b(density.loss, density.prior[0], bounds=bounds, maxiter=STEPS)
    return np.asarray(found)


class GaussianProcess:
    """A posterior over functions.

    Args:
        widths: How many features each column has.
        theta: The scales, as ``fitted`` returns them.
        points: Where values are known, (points, features).
        values: The values, (points,).
    """

    def __init__(self, widths: Sequence[int], theta: Matrix, points: Matrix, values: Matrix) -> None:
        self._scales = np.exp(np.repeat(theta[:-2], widths))
        self._noise, self._amplitude = math.exp(2 * theta[-2]) + JITTER, math.exp(theta[-1])
        self._points = points / self._scales
        self._factor = _cholesky(self._kernel(self._points, self._points) + self._noise * np.eye(len(points)))
        self._weights: Matrix = dpotrs(self._factor, values, lower=True)[0]

    def expect(self, points: Matrix) -> None:
        """Condition on what is expected at some points: means stay as they are, deviations become smaller."""
        count, points = len(points), points / self._scales
        part = self._solved(self._kernel(self._points, points))
        corner = _cholesky(self._kernel(points, points) + self._noise * np.eye(count) - part.T @ part)
        above = np.zeros((len(self._points), count))
        self._factor = np.asfortranarray(np.block([[self._factor, above], [part.T, corner]]))
        self._points = np.vstack([self._points, points])
        self._weights = np.concatenate([self._weights, np.zeros(count)])

    def predict(self, points: Matrix) -> tuple[Matrix, Matrix]:
        """Return mean and standard deviation of the function at points."""
        mean, deviation = np.empty(len(points)), np.empty(len(points))
        for first in range(0, len(points), BLOCK):
            own = slice(first, first + BLOCK)
            kernel = self._kernel(points[own] / self._scales, self._points)
            mean[own] = kernel @ self._weights
            part = self._solved(kernel.T)
            deviation[own] = np.sqrt(np.maximum(self._amplitude - np.einsum("ij,ij->j", part, part), 1e-9))
        return mean, deviation

    def _solved(self, right: Matrix) -> Matrix:
        """Return the factor's inverse times some columns, which may be overwritten."""
        solved: Matrix = dtrtrs(self._factor, right, lower=True, overwrite_b=True)[0]
        return solved

    def _kernel(self, left: Matrix, right: Matrix) -> Matrix:
        """Return the covariance of values at points that are divided by their scales."""
        squared = left @ (-2 * right.T)
        squared += np.einsum("ij,ij->i", left, left)[:, None]
        squared += np.einsum("ij,ij->i", right, right)
        return _matern(np.maximum(squared, 0, out=squared), self._amplitude)[0]


class Density:
    """The posterior density of the scales.

    The distances of each pair of points are kept once, for the triangle below the diagonal.

    Args:
        widths: How many features each column has.
        points: Where the values are known, (points, features).
        values: The values, (points,).

    Attributes:
        prior: Means and standard deviations of the scales' logarithms.
    """

    def __init__(self, widths: Sequence[int], points: Matrix, values: Matrix) -> None:
        columns = len(widths)
        self.prior = np.array(
            [[LENGTH[0]] * columns + [NOISE[0], AMPLITUDE[0]], [LENGTH[1]] * columns + [NOISE[1], AMPLITUDE[1]]]
        )
        self._values, count = values, len(points)
        self._later, self._earlier = np.tril_indices(count, -1)
        self._below = self._later + self._earlier * count  # where each pair stands in a matrix, column by column
        self._cells = np.zeros(count * count)  # of a matrix whose triangle above the diagonal is not read
        features = np.ascontiguousarray(points.T)
        apart = features.take(self._later, axis=1)  # three times as fast as an index in brackets
        apart -= features.take(self._earlier, axis=1)
        self._squared = np.add.reduceat(np.square(apart, out=apart), np.cumsum([0, *widths[:-1]]), axis=0)

    def loss(self, theta: Matrix) -> tuple[float, Matrix]:
        """Return the negative logarithm of the density at some scales, and its gradient."""
        inverse_squares = np.exp(-2 * theta[:-2])
        noise, amplitude = math.exp(2 * theta[-2]), math.exp(theta[-1])
        kernel, falling = _matern(inverse_squares @ self._squared, amplitude)
        factor = _cholesky(self._matrix(kernel, amplitude + noise + JITTER), in_place=True)
        weights = dpotrs(factor, self._values, lower=True)[0]
        loss = 0.5 * self._values @ weights + np.log(np.diag(factor)).sum()
        inverse = dpotri(factor, lower=True, overwrite_c=True)[0]
        # the derivative by the covariance of a pair, which stands in the matrix twice, and twice that by a variance
        slope = inverse.ravel("F").take(self._below)
        slope -= weights.take(self._later) * weights.take(self._earlier)
        own = np.diag(inverse) - weights**2
        by_length = self._squared @ (slope * falling) * inverse_squares * 5 / 3
        gradient = np.array([*by_length, own.sum() * noise, slope @ kernel + 0.5 * own.sum() * amplitude])
        off = (theta - self.prior[0]) / self.prior[1]
        return float(loss + 0.5 * (off**2).sum()), gradient + off / self.prior[1]

    def _matrix(self, below: Matrix, diagonal: float) -> Matrix:
        """Return a symmetric matrix, set on the diagonal and below it alone; the one before is overwritten."""
        count = len(self._values)
        self._cells[self._below] = below
        self._cells[:: count + 1] = diagonal
        return self._cells.reshape((count, count), order="F")


def _matern(squared: Matrix, amplitude: float) -> tuple[Matrix, Matrix]:
    """Return the covariance at squared distances, and by how much it falls with three fifths of them.

    Works in place: ``squared`` becomes the covariance.
    """
    squared *= 5
    root = np.sqrt(squared)
    falling = np.exp(np.negative(root))
    falling *= amplitude
    root += 1
    root *= falling
    squared *= falling
    squared /= 3
    squared += root
    return squared, root


def _cholesky(matrix: Any, *, in_place: bool = False) -> Matrix:
    """Return the lower factor of a matrix, whose triangle above the diagonal is not read.

    ``in_place`` overwrites the matrix, and leaves what stands above the diagonal.
    """
    factor, failed = dpotrf(matrix, lower=True, overwrite_a=in_place, clean=not in_place)
    if failed:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    return np.asarray(factor)
