"""The test of a difference: Welch's t test with the variance of the test images added.

An arm's score varies because seeds do, and because the test images are a sample of all images. Seeds are seen: each arm
has its own variance, since product units vary several times as much as additive blocks. The images are the same for all
runs, so a t test over seeds alone takes them as given: on new images it calls 16% of equal arms different at ten seeds.
How much a difference varies with the images is read off the images themselves: the variance, over images, of the
difference in how often each is told right, less what is chance between runs.

Points of a grid share the seeds of their runs, and so their luck: a seed that is good at one point is good at its
neighbours. Taken as independent, runs of three or four points tell 14 to 20% of equal arms apart. So what a seed does
to an arm is added up over the arm's points, and the test is over seeds.

Among many pairs there is one whose few runs agree by luck: then the images seem to make up nearly all of the variance,
the degrees of freedom are thousands, and a p value of 0.05 over the number of pairs is several times too common (18% of
comparisons of six equal arms on two seeds, 10% of eight on three). So a p value that is to be adjusted has the degrees
of freedom of larger variances between runs (``CAREFUL``).
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import chdtri, ndtr, stdtr, stdtrit

from qpsearch.analysis.anova.observations import ROUNDING
from qpsearch.analysis.anova.parameters import Floats

LEVEL: Final = 0.05  # of each test, two-sided
FOUND: Final = 0.8  # the power that makes a number of runs enough
CAREFUL: Final = 0.7  # of chi^2, at which a variance's estimate is divided where one of many p values is asked for
MOST_RUNS: Final = 1000  # that are tried when asking how many are enough
MANY: Final = 1e5  # degrees of freedom from which a t distribution is taken for this one
NODES: Final = np.linspace(-8, 8, 257)  # of a standard normal: the sums over them are exact to 1e-14
WEIGHTS: Final = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()


@dataclass(frozen=True, slots=True)
class Replicates:
    """Runs that differ by chance alone: the seeds of a configuration, or the configurations of an arm.

    Attributes:
        scores: (n,) the score of each.
        right: (n, images) how often each told each image right, in [0, 1]; None where that is not known.
        points: At how many points of a grid these are the runs: settings that mean the same share theirs.
        runs: The configuration and the seed of each run, by which the runs of two sides are known to be the same; None
            where no other side can have them.
        seeds: The seed of each run, which other points may share; empty where each has a seed of its own.
    """

    scores: Floats
    right: Floats | None = None
    points: int = 1
    runs: frozenset[tuple[str, int]] | None = None
    seeds: tuple[int, ...] = ()

    @property
    def variance(self) -> float:
        """The variance of the scores, with n - 1 in the denominator; 0 where they differ by rounding alone."""
        apart = self.scores - self.scores[0]
        is_seen = np.abs(apart).max() > ROUNDING * max(1.0, float(np.abs(self.scores).max()))
        return float(np.var(apart, ddof=1)) if is_seen else 0.0


Weighted = tuple[float, Replicates]
"""A cell with its weight in a difference, negative for the first side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A difference of means, and how it varies.

    Attributes:
        difference: The mean over the cells of the second side minus that of the first.
        parts: What runs add to the variance of the difference: those of each cell, or of cells that share seeds.
        freedom: The degrees of freedom of each part: of n runs, or seeds, n - 1.
        images: What the choice of the images adds to that variance; 0 where it is not known.
    """

    difference: float
    parts: Floats
    freedom: Floats
    images: float

    @property
    def se(self) -> float:
        """The standard error of the difference."""
        return float(np.sqrt(self.parts.sum() + self.images))

    @property
    def df(self) -> float:
        """Degrees of freedom by Welch and Satterthwaite; the images, thousands of them, have no part in the chance."""
        return _df(self.parts, self.freedom, self.images)

    @property
    def p(self) -> float:
        """The two-sided p value of no difference."""
        return float(2 * stdtr(self.df, -abs(self.difference) / self.se))

    @property
    def p_of_many(self) -> float:
        """The p value that may be adjusted for other pairs; larger than ``p`` where runs are few."""
        return float(2 * stdtr(_careful_df(self.parts, self.freedom, self.images), -abs(self.difference) / self.se))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the difference."""
        half = float(stdtrit(self.df, 1 - LEVEL / 2)) * self.se
        return self.difference - half, self.difference + half

    def power(self, effect: float, factor: float = 1.0, pairs: int = 1) -> float:
        """Return the chance that such a comparison finds a true difference at the 5% level, after the adjustment.

        Variances are taken at their median-unbiased estimates, s^2 (n - 1) / median of chi^2 with n - 1 degrees: with
        the estimates themselves, the chance at three seeds is told 6 to 9 points too high. Of several pairs, the chance
        is that of the first of Holm's steps, which is the least.

        Args:
            effect: The true difference, in the unit of the scores.
            factor: By what the number of runs in each cell is multiplied.
            pairs: How many pairs are tested beside each other.
        """
        parts = self.parts * self.freedom / chdtri(self.freedom, 0.5) / factor
        freedom = (self.freedom + 1) * factor - 1
        se = float(np.sqrt(parts.sum() + self.images))
        if se == 0:
            return 1.0
        df = _df(parts, freedom, self.images)
        tested = df if pairs == 1 else _careful_df(parts, freedom, self.images)
        return power(df, abs(effect) / se, level=LEVEL / pairs, tested=tested)

    def runs_needed(self, effect: float, pairs: int = 1) -> int | None:
        """Return how many runs in each cell find a true difference, among so many pairs, in 80 of 100 comparisons.

        None where a thousand are not enough: then the images are too few.
        """
        now = float(self.freedom.min()) + 1
        counts = range(2, MOST_RUNS + 1)  # the power rises with them
        place = bisect_left(counts, FOUND, key=lambda runs: self.power(effect, runs / now, pairs))
        return counts[place] if place < len(counts) else None


def power(df: float, shift: float, *, level: float = LEVEL, tested: float | None = None) -> float:
    """Return the power of a two-sided t test: P(|Z + shift| > bound S), where S^2 is chi^2 / df.

    Given S that is a normal's probability, and its mean over S is a sum over equal steps of a standard normal, whose
    quantiles S is written by. SciPy's noncentral t is NaN for many shifts from about 8 up.

    Args:
        df: Degrees of freedom, from 1.
        shift: The true difference in standard errors, from 0.
        level: Of the test.
        tested: The degrees of freedom of its bound; None for ``df``.
    """
    bounds = float(stdtrit(tested or df, 1 - level / 2)) * np.sqrt(chdtri(df, ndtr(-NODES)) / df)
    return float(np.clip(WEIGHTS @ (ndtr(shift - bounds) + ndtr(-shift - bounds)), 0, 1))


def contrast(first: Sequence[Replicates], second: Sequence[Replicates]) -> Contrast | None:
    """Return the difference of the second side's mean from the first's, each the mean over the points of its cells.

    Runs of whole cells that stand in both sides are one chance, which the difference has as often as their weights
    differ. Tuned arms are one cell each, whose runs are their searches.

    None where a cell has fewer than two runs, or where neither runs nor images differ: chance is then not seen.
    """
    weighted = _apart(first, second)
    if not weighted or min(len(cell.scores) for _, cell in weighted) < 2:
        return None
    means = np.array([cell.scores.mean() for _, cell in weighted])
    groups = _sharing_seeds(weighted)
    found = Contrast(
        difference=float(np.array([weight for weight, _ in weighted]) @ means),
        parts=np.array([_variance(group) for group in groups]),
        freedom=np.array([min(len(set(_seeds(cell))) for _, cell in group) - 1 for group in groups], float),
        images=_images(groups),
    )
    if found.freedom.min() < 1 or found.se <= ROUNDING * max(1.0, float(np.abs(means).max())):
        return None
    return found


def _sharing_seeds(weighted: Sequence[Weighted]) -> list[list[Weighted]]:
    """Return the cells in groups: those of one side that share seeds, also by others that do, are together."""
    groups: list[tuple[bool, set[object], list[Weighted]]] = []
    for weight, cell in weighted:
        is_second, seeds = weight > 0, set(_seeds(cell))
        near = [each for each in groups if each[0] is is_second and each[1] & seeds]
        groups = [each for each in groups if each[0] is not is_second or not each[1] & seeds]
        own = [*(known for _, _, others in near for known in others), (weight, cell)]
        groups.append((is_second, seeds.union(*(others for _, others, _ in near)), own))
    return [own for _, _, own in groups]


def _seeds(cell: Replicates) -> Sequence[object]:
    """Return what names the luck of each run: its seed, or something that no other run has."""
    return cell.seeds or [(id(cell), place) for place in range(len(cell.scores))]


def _variance(group: Sequence[Weighted]) -> float:
    """Return what the runs of cells that share seeds add to the variance of a difference."""
    if all(cell.variance == 0 for _, cell in group):
        return 0.0
    return float(_by_seed([(weight, cell, cell.scores) for weight, cell in group]))


def _by_seed(group: Sequence[tuple[float, Replicates, Floats]]) -> Floats:
    """Return the variance of the weighted sum of the means of some cells, whose values are given by run.

    It is sum_s (sum_c w_c (x_cs - mean_c) / sqrt(n_c (n_c - 1)))^2 over seeds s and cells c. Where all cells have the
    same seeds, that is the variance of the weighted sums by seed over n; where no two share one, the sum of
    w_c^2 var_c / n_c.
    """
    found: dict[object, Floats] = {}
    for weight, cell, values in group:
        count = len(values)
        apart = (values - values.mean(0, dtype=float)) * (weight / np.sqrt(count * (count - 1)))
        for seed, each in zip(_seeds(cell), apart, strict=True):
            found[seed] = found[seed] + each if seed in found else each
    return np.asarray(np.sum([np.square(each) for each in found.values()], axis=0))


def are_same(first: Sequence[Replicates], second: Sequence[Replicates]) -> bool:
    """Whether two sides are the same runs, of the same weights."""
    return not _apart(first, second)


def _apart(first: Sequence[Replicates], second: Sequence[Replicates]) -> list[Weighted]:
    """Return the cells of both sides with their weights in the difference, without those that it does not have."""
    own = [(-weight, cell) for weight, cell in zip(_weights(first), first, strict=True)]
    own += [(weight, cell) for weight, cell in zip(_weights(second), second, strict=True)]
    found: dict[object, Weighted] = {}
    for place, (weight, cell) in enumerate(own):
        key = place if cell.runs is None else cell.runs
        before, _ = found.get(key, (0.0, cell))
        found[key] = before + float(weight), cell
    return [(weight, cell) for weight, cell in found.values() if abs(weight) > ROUNDING]


def mean_over_points(cells: Sequence[Replicates]) -> float:
    """Return the mean score over the points of some cells."""
    return float(_weights(cells) @ [cell.scores.mean() for cell in cells])


def _weights(cells: Sequence[Replicates]) -> Floats:
    whole = sum(cell.points for cell in cells)
    return np.array([cell.points / whole for cell in cells])


def holm(ps: Sequence[float]) -> list[float]:
    """Return p values adjusted by Holm's method, in their order."""
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min((len(ps) - rank) * ps[place], 1.0))
        adjusted[place] = highest
    return adjusted


def adjusted(tests: Sequence[Contrast]) -> list[float]:
    """Return the p values of the pairs of a table, adjusted by Holm's method where there are several."""
    return holm([test.p_of_many if len(tests) > 1 else test.p for test in tests])


def _df(parts: Floats, freedom: Floats, images: float) -> float:
    chance = float((parts**2 / freedom).sum())
    whole = float(parts.sum() + images)
    return MANY if chance == 0 else min(whole**2 / chance, MANY)


def _careful_df(parts: Floats, freedom: Floats, images: float) -> float:
    """Return the degrees of freedom of larger variances between runs; never more than those of the estimates."""
    larger = parts * freedom / chdtri(freedom, CAREFUL)
    return min(_df(parts, freedom, images), _df(larger, freedom, images))


def _images(groups: Sequence[Sequence[Weighted]]) -> float:
    """Return the variance of the difference over draws of as many images; 0 where single images are not known."""
    known = [[(weight, cell, cell.right) for weight, cell in group if cell.right is not None] for group in groups]
    if sum(map(len, known)) < sum(map(len, groups)):
        return 0.0
    gap = np.sum([weight * right.mean(0, dtype=float) for group in known for weight, _, right in group], axis=0)
    churn = sum(float(_by_seed(group).mean()) for group in known)
    return float(max(gap.var(ddof=1) - churn, 0.0)) / len(gap)
