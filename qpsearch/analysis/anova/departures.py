"""What functions of two parameters leave out: cliffs along a number, and interactions of three parameters.

Under the fitted ANOVA, the values of the trials are normal with a known covariance. A departure adds a multiple of a
column to them; its score is how far the values go with the column, each trial counted by what the ANOVA leaves open
about it. What chance finds is seen by shuffling the values, in a unit in which they are independent. The same
covariance says how large a departure must be to be found: where a sampler tried little besides its best region, even
a large one is not.
"""

import math
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from qpsearch.analysis.anova.features import Codes, Design, products_of
from qpsearch.analysis.anova.parameters import DEGREE, Floats, Parameter
from qpsearch.analysis.anova.posterior import sample

STEPS: Final = 15  # places along a number where a cliff is looked for
ALL_TRIPLES: Final = 16  # parameters of which all triples are looked at; of more, the first so many by total share
MOST_FUNCTIONS: Final = 5000  # of all triples: of parameters with many words, fewer are looked at
EVEN: Final = 1000  # draws of the space that tell what is new in a triple of which a draw may lack a parameter
LEAST: Final = 0.02  # variance of a function beyond those of two parameters; with less it is dropped
SHUFFLED: Final = 200  # orders of the values in that unit, for what chance finds
BY_CHANCE: Final = 0.02  # share of them in which as much is found
POWER: Final = 0.84  # standard deviations above the threshold at which 80% are found
LARGE: Final = 0.25  # share of a departure that must be found
CROWDED: Final = 2.0  # times the share that as many random trials need, above which trials are too close together
ENOUGH: Final = 400  # steps of a sampler whose means alone are used
NOTHING: Final = 1e-9  # squared length of a column in which trials do not differ


class Left:
    """What a fitted ANOVA leaves of the values of trials, and how sure it is.

    Args:
        design: The features of the trials.
        values: Their values, with mean 0 and standard deviation 1.
        seed: Of the sampler.
    """

    def __init__(self, design: Design, values: Floats, seed: int) -> None:
        posterior = sample(design, values, seed=seed, most=ENOUGH)
        self._design, self._noise = design, float(posterior.noise.mean())
        self._spread: Floats = (posterior.weights**2).mean(axis=0)
        covariance = self._covariance(design.matrix)
        self._factor = np.linalg.cholesky(covariance)
        self.white = self.whitened(values)
        precise = np.linalg.inv(covariance)
        scaled, own = precise @ values, np.diag(precise)
        self.without: Floats = scaled / own
        self.standard: Floats = scaled / np.sqrt(own)

    @property
    def variance(self) -> float:
        """Variance of a trained value over even draws of the space."""
        return float(self._spread.sum() + self._noise)

    def whitened(self, columns: Floats) -> Floats:
        """Return columns (trials, ...) in a unit in which the values of trials are independent, with variance 1."""
        return np.asarray(solve_triangular(self._factor, columns, lower=True, check_finite=False))

    def at(self, codes: Codes) -> "Left":
        """Return what would be left of as many other trials, whose values are not known."""
        other = copy(self)
        rows = np.column_stack([group.features(codes) for group in self._design.groups])
        other._factor = np.linalg.cholesky(self._covariance(rows))
        return other

    def _covariance(self, rows: Floats) -> Floats:
        return np.asarray((rows * self._spread) @ rows.T + self._noise * np.eye(len(rows)) + 1.0)


@dataclass(frozen=True, kw_only=True)
class Departure:
    """One kind of departure.

    Attributes:
        name: What it is, for the user.
        columns: Its functions of each trial, with variance 1 over even draws, (trials, functions).
    """

    name: str
    columns: Floats


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """A departure that could be there and not be found.

    Attributes:
        name: What it is, for the user.
        share: The share of all variance with which four in five such departures would be found.
        even: The same for as many trials that are drawn from the space.
    """

    name: str
    share: float
    even: float


class Departures:
    """A search for departures.

    Args:
        kinds: What is looked for, from ``departures_in`` of the trials that are looked at.
        even: Codes of even draws of the space.
        left: What the ANOVA leaves of the trials.
        rng: Where chance comes from.
    """

    def __init__(self, kinds: Sequence[Departure], even: Codes, left: Left, rng: np.random.Generator) -> None:
        self._left, self._even, self._kinds = left, even, kinds
        white = left.whitened(_together(self._kinds, len(left.white)))
        self._squares = (white**2).sum(axis=0)
        drawn = np.column_stack([left.white, *(rng.permutation(left.white) for _ in range(SHUFFLED))])
        scores = np.abs(white.T @ drawn) / np.sqrt(np.maximum(self._squares, NOTHING))[:, None]
        self._scores, self._chance = scores[:, 0], scores[:, 1:].max(axis=0, initial=0.0)

    def found(self) -> str | None:
        """Name the departure that is clearest, where chance does not find as much."""
        if not len(self._scores) or (self._chance >= self._scores.max()).mean() > BY_CHANCE:
            return None
        clearest: Departure = self._kinds[_owners(self._kinds)[self._scores.argmax()]]
        return clearest.name

    def crowded(self, leading: Sequence[Parameter]) -> Unseen | None:
        """Return the departure in some parameters that is the hardest to find, if that is for where the trials lie."""
        as_many = {name: own[: len(self._left.white)] for name, own in self._even.items()}
        there = departures_in(leading, as_many, self._even)
        white = self._left.at(as_many).whitened(_together(there, len(self._left.white)))
        here, spread_out = self._shares(self._kinds, self._squares), self._shares(there, (white**2).sum(axis=0))
        found = [
            Unseen(name=name, share=here[name], even=share)
            for name, share in spread_out.items()
            if name in here and here[name] > max(LARGE, CROWDED * share)
        ]
        return max(found, key=lambda each: each.share, default=None)

    def _shares(self, kinds: Sequence[Departure], squares: Floats) -> dict[str, float]:
        """Return the share of all variance that a typical function of each kind needs to be found."""
        threshold = float(np.quantile(self._chance, 1 - BY_CHANCE)) + POWER
        shares = threshold**2 / np.maximum(squares, NOTHING) / self._left.variance
        owner = _owners(kinds)
        return {kind.name: float(np.median(shares[owner == index])) for index, kind in enumerate(kinds)}


def departures_in(parameters: Sequence[Parameter], codes: Codes, even: Codes) -> list[Departure]:
    """Return the kinds of departures in some parameters, as far as trials differ in them.

    Args:
        parameters: The parameters, the most important first.
        codes: Codes of trials, by name.
        even: Codes of even draws of the space.
    """
    found = []
    for kind in (*_steps(parameters, codes), *_triples(_of_triples(parameters), codes, even)):
        columns = kind.columns - kind.columns.mean(axis=0)
        if (differs := (columns**2).sum(axis=0) > NOTHING).any():
            found.append(replace(kind, columns=columns[:, differs]))
    return found


def _together(kinds: Sequence[Departure], trials: int) -> Floats:
    return np.column_stack([np.zeros((trials, 0)), *(kind.columns for kind in kinds)])


def _owners(kinds: Sequence[Departure]) -> NDArray[np.int64]:
    """Return which kind each function belongs to."""
    return np.repeat(np.arange(len(kinds)), [kind.columns.shape[1] for kind in kinds])


def _steps(parameters: Sequence[Parameter], codes: Codes) -> Iterator[Departure]:
    """Yield steps along each number, at places that are even over the space; few levels are fitted one by one."""
    for each in parameters:
        if not each.is_category and (each.levels is None or len(each.levels) > DEGREE + 1):
            own = codes[each.name]
            steps = np.unique([each.at(place) for place in np.arange(1, STEPS + 1) / (STEPS + 1)])
            above = np.array([each.chance_above(step) for step in steps])
            centred = (own[:, None] > steps) - above * ~np.isnan(own)[:, None]
            inside = (above > 0) & (above < 1)
            yield Departure(
                name=f"a cliff along {each.name}",
                columns=centred[:, inside] / np.sqrt((above * (1 - above))[inside] * each.chance),
            )


def _of_triples(parameters: Sequence[Parameter]) -> Sequence[Parameter]:
    """Return the first parameters, as many as have all their triples looked at."""
    sizes = [1 if each.levels is None or not each.is_category else len(each.levels) - 1 for each in parameters]
    count = min(len(parameters), ALL_TRIPLES)
    while sum(map(math.prod, combinations(sizes[:count], 3))) > MOST_FUNCTIONS:
        count -= 1
    return parameters[:count]


def _triples(parameters: Sequence[Parameter], codes: Codes, even: Codes) -> Iterator[Departure]:
    """Yield products of the first features of three parameters, as far as functions of two do not say them."""
    here = {each: _first(each, codes[each.name]) for each in parameters}
    there = {each: _first(each, even[each.name][:EVEN]) for each in parameters}
    for triple in combinations(parameters, 3):
        columns = products_of(*(here[each] for each in triple))
        if any(each.chance < 1 for each in triple):
            columns = _beyond_pairs(columns, [here[each] for each in triple], [there[each] for each in triple])
        yield Departure(name=f"an interaction of {', '.join(each.name for each in triple)}", columns=columns)


def _first(parameter: Parameter, codes: Floats) -> Floats:
    """Return all features of a word, or the slope of a number."""
    return parameter.features(codes)[:, slice(None if parameter.is_category else 1)]


def _beyond_pairs(columns: Floats, alone: Sequence[Floats], even: Sequence[Floats]) -> Floats:
    """Return products without what functions of two of the parameters say of them, with variance 1 over even draws.

    Where a draw may lack a parameter, the products are not orthogonal to these functions: under a switch, the product
    of the switch and two of its options is that of the two options.
    """
    products, pairs = products_of(*even), _of_pairs(even)
    repeated = np.linalg.lstsq(pairs, products, rcond=None)[0]
    spread = (products - pairs @ repeated).std(axis=0)
    new = spread**2 > LEAST
    return np.asarray((columns - _of_pairs(alone) @ repeated)[:, new] / spread[new])


def _of_pairs(alone: Sequence[Floats]) -> Floats:
    pairs = (products_of(one, two) for one, two in combinations(alone, 2))
    return np.column_stack([np.ones(len(alone[0])), *alone, *pairs])
