"""Features of trials: functions of one parameter, or of two, that are orthonormal under the space's own distribution.

A parameter that a draw may lack has features that are 0 where it is not active, scaled by the chance that it is. A
function of the space is a weighted sum of features; its variance is then the sum of the squared weights, whatever
points a sampler chose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qpsearch.analysis.anova.parameters import Bools, Floats, Parameter, Searched

PAIR_DEGREE: Final = 2  # of each number's part in a pair
MOST_COLUMNS: Final = 300  # features of pairs
LEAST: Final = 0.02  # variance of a pair's feature beyond the features of its two parameters; with less it is dropped

Codes = Mapping[str, Floats]


@dataclass(frozen=True, kw_only=True)
class FeatureGroup:
    """The features of one parameter, or of a pair.

    Attributes:
        parameters: The parameter, or the two.
        weights: The expected share of each feature in the group's variance.
        mixed: Of a pair with a conditional parameter, the matrix that makes its features orthonormal: from a
            constant, the features of each parameter and their products. None where the products are.
    """

    parameters: tuple[Parameter, ...]
    weights: Floats
    mixed: Floats | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(each.name for each in self.parameters)

    def features(self, codes: Codes) -> Floats:
        """Return the features, (trials, features); codes as of ``Parameter.codes``."""
        alone = [each.features(codes[each.name]) for each in self.parameters]
        if len(alone) == 1:
            return alone[0]
        products = _products(self.parameters, alone)
        return products if self.mixed is None else _all(alone, products) @ self.mixed


@dataclass(frozen=True, kw_only=True)
class Design:
    """The features of a set of trials.

    Attributes:
        groups: The groups of features.
        matrix: The features, (trials, features).
    """

    groups: tuple[FeatureGroup, ...]
    matrix: Floats

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters."""
        return tuple(group.parameters[0] for group in self.groups if len(group.parameters) == 1)

    @property
    def columns(self) -> NDArray[np.int64]:
        """Which group each feature belongs to."""
        return np.repeat(np.arange(len(self.groups)), [len(group.weights) for group in self.groups])

    @property
    def weights(self) -> Floats:
        """The expected share of each feature in its group's variance."""
        return np.concatenate([group.weights for group in self.groups])

    @property
    def orders(self) -> NDArray[np.int64]:
        """0 for each group of one parameter, 1 for each pair."""
        return np.array([len(group.parameters) - 1 for group in self.groups])

    def of(self, used: Bools) -> "Design":
        """Return the design of some of the trials."""
        return replace(self, matrix=self.matrix[used])


def design(searched: Searched, codes: Codes, values: Floats) -> Design:
    """Build the features of all parameters and of pairs; of many pairs, of those that have most to say.

    Args:
        searched: The parameters.
        codes: For each name, ``Parameter.codes`` of the trials.
        values: A value of each trial, (trials,), by which pairs are chosen where there are too many.
    """
    alone = [FeatureGroup(parameters=(each,), weights=each.weights) for each in searched.parameters]
    blocks = [group.features(codes) for group in alone]
    pairs = _best(_pairs(searched), codes, values, np.column_stack(blocks))
    return Design(
        groups=(*alone, *(group for group, _ in pairs)), matrix=np.column_stack([*blocks, *(rows for _, rows in pairs)])
    )


def _pairs(searched: Searched) -> list[FeatureGroup]:
    """Return all pairs that have features beyond those of their parameters."""
    found = []
    for one, two in combinations(searched.parameters, 2):
        share = np.outer(one.weights[_short(one)], two.weights[_short(two)]).ravel()
        group = FeatureGroup(parameters=(one, two), weights=share / share.sum())
        if one.chance < 1 or two.chance < 1:
            group = _orthonormal(group, searched.even)
        if len(group.weights):
            found.append(group)
    return found


def _orthonormal(group: FeatureGroup, even: Codes) -> FeatureGroup:
    """Make a pair's features orthonormal to each other and to those of its parameters, over even draws.

    Where a parameter exists only for some values of the other, the products are not: they repeat the features of it.
    """
    alone = [each.features(even[each.name]) for each in group.parameters]
    products = _products(group.parameters, alone)
    base = _all(alone, products)[:, : -products.shape[1]]
    repeated = np.linalg.lstsq(base, products, rcond=None)[0]
    rest = products - base @ repeated
    variances, axes = np.linalg.eigh(rest.T @ rest / len(rest))
    scaled = axes[:, variances > LEAST] / np.sqrt(variances[variances > LEAST])
    mixed = np.vstack([-repeated, np.eye(products.shape[1])]) @ scaled
    return replace(group, weights=np.full(scaled.shape[1], 1 / max(scaled.shape[1], 1)), mixed=mixed)


def _products(parameters: Sequence[Parameter], alone: Sequence[Floats]) -> Floats:
    return products_of(*(rows[:, _short(each)] for each, rows in zip(parameters, alone, strict=True)))


def products_of(first: Floats, *others: Floats) -> Floats:
    """Return the products of features (trials, features) of several parameters: each one times each of the others."""
    for other in others:
        first = (first[:, :, None] * other[:, None, :]).reshape(len(first), -1)
    return first


def _all(alone: Sequence[Floats], products: Floats) -> Floats:
    return np.column_stack([np.ones(len(products)), *alone, products])


def _short(parameter: Parameter) -> slice:
    return slice(None if parameter.is_category else PAIR_DEGREE)


def _best(
    pairs: Sequence[FeatureGroup], codes: Codes, values: Floats, alone: Floats
) -> list[tuple[FeatureGroup, Floats]]:
    """Return the pairs whose features are used, with their features.

    The features of one parameter are fitted by ridge regression; a pair's score is how far its features go with what
    that leaves, compared to what noise would give.
    """
    features = [group.features(codes) for group in pairs]
    sizes = np.array([len(group.weights) for group in pairs], dtype=int)
    if sizes.sum() <= MOST_COLUMNS:
        return list(zip(pairs, features, strict=True))
    centred = values - values.mean()
    penalty = (alone**2).sum() / len(alone)
    left = centred - alone @ np.linalg.solve(alone.T @ alone + penalty * np.eye(alone.shape[1]), alone.T @ centred)
    scores = [
        ((left @ rows) ** 2 @ group.weights) / max(((rows**2).sum(axis=0) @ group.weights), 1e-12)
        for group, rows in zip(pairs, features, strict=True)
    ]
    best = np.argsort(scores)[::-1]
    inside = best[np.cumsum(sizes[best]) <= MOST_COLUMNS]
    return [(pairs[index], features[index]) for index in sorted(inside)]
