"""What functions of two parameters leave out: cliffs along a number, and interactions of three parameters.

Under the fitted ANOVA, the values of the trials are normal with a known covariance. A departure adds a multiple of a
column to them; its score is how far the values go with the column, each trial counted by what the ANOVA leaves open
about it. What chance finds is seen by shuffling the values, in a unit in which they are independent. The same
covariance says how large a departure must be to be found: where a sampler tried little besides its best region, even
a large one is not.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from qpsearch.analysis.anova.features import Codes, Design
from qpsearch.analysis.anova.parameters import DEGREE, Bools, Floats, Parameter
from qpsearch.analysis.anova.posterior import sample

STEPS: Final = 15  # places along a number where a cliff is looked for
ALL_TRIPLES: Final = 16  # parameters of which all triples are looked at; of more, the first so many by total share
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
        design: The features of all trials.
        used: The trials that are looked at.
        values: Their values, with mean 0 and standard deviation 1.
        seed: Of the sampler.
    """

    def __init__(self, design: Design, used: Bools, values: Floats, seed: int) -> None:
        posterior = sample(design.of(used), values, seed=seed, most=ENOUGH)
        self._design, self._noise = design, float(posterior.noise.mean())
        self._spread: Floats = (posterior.weights**2).mean(axis=0)
        covariance = self._covariance(posterior.design.matrix)
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
        parameters: The parameters, the most important first.
        codes: Codes of the trials that are looked at, by name.
        left: What the ANOVA leaves of them.
        rng: Where chance comes from.
    """

    def __init__(self, parameters: Sequence[Parameter], codes: Codes, left: Left, rng: np.random.Generator) -> None:
        self._left, self._kinds = left, departures_in(parameters, codes)
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

    def crowded(self, leading: Sequence[Parameter], even: Codes) -> Unseen | None:
        """Return the departure in some parameters that is the hardest to find, if that is for where the trials lie.

        Args:
            leading: The parameters.
            even: Codes of as many even draws of the space.
        """
        there = departures_in(leading, even)
        white = self._left.at(even).whitened(_together(there, len(self._left.white)))
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


def departures_in(parameters: Sequence[Parameter], codes: Codes) -> list[Departure]:
    """Return the kinds of departures in some parameters, as far as trials differ in them.

    Args:
        parameters: The parameters, the most important first.
        codes: Codes of trials, by name.
    """
    found = []
    for kind in (*_steps(parameters, codes), *_triples(parameters[:ALL_TRIPLES], codes)):
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


def _triples(parameters: Sequence[Parameter], codes: Codes) -> Iterator[Departure]:
    """Yield products of the first features of three parameters."""
    short = {each: each.features(codes[each.name])[:, slice(None if each.is_category else 1)] for each in parameters}
    for triple in combinations(parameters, 3):
        one, two, three = (short[each] for each in triple)
        yield Departure(
            name=f"an interaction of {', '.join(each.name for each in triple)}",
            columns=np.einsum("ti,tj,tk->tijk", one, two, three).reshape(len(one), -1),
        )
