"""What a designed search keeps even: how often each value was used, and each pair of values together.

Values of a parameter stand in groups: each value of a short list alone, a quarter of a long list of numbers or of a
range. The values of a parameter are used equally often (whole numbers in log scale as often as the space draws them);
pairs are balanced between groups. All counts are whole numbers, so that every machine finds the same design.
"""

import bisect
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qpsearch.space import Space
from qpsearch.space.domains import Domain, FloatRange, LogIntRange, LogRange, text_of
from qpsearch.space.leaves import NEVER, Site
from qpsearch.vocabulary import Scalar

QUARTERS: Final = 4  # groups of a range and of a long list of numbers
SHORT: Final = 5  # numbers whose pairs are counted one by one
REFUSED: Final = 8  # times in a row after which a group is taken to be ruled out by the space
UNEVEN: Final = 10**6  # what one use too many of a value weighs: more than pairs do in a study that can be run
GATE: Final = 4  # what a parameter on which others depend weighs more than one that can be improved alone
LAG: Final = 2  # uses by which a value is behind at most, as far as costs go: the space may rule it out

Counts = NDArray[np.int64]


class Factor:
    """A parameter of a design.

    A place is a value's index, or a share of a range: 0 is its low end and 1 its high end, in log scale for a log
    range. A whole number in log scale has a part of the range; its uses are spread over that part.

    Args:
        name: The parameter.
        domain: Its domain.
        first: Row of its first group in the table of pairs.
    """

    def __init__(self, name: str, domain: Domain, first: int) -> None:
        self.name, self.first = name, first
        self._domain = domain
        self._values = [] if isinstance(domain, LogIntRange) else list(domain.values or ())
        self._index = {text_of(value): index for index, value in enumerate(self._values)}
        self._uses = [0] * len(self._values)
        self._shares: list[float] = []
        self._times: Counter[Scalar] = Counter()
        self._edges = _edges(domain) if isinstance(domain, LogIntRange) else [i / QUARTERS for i in range(QUARTERS + 1)]
        count = len(self._values)
        if not self._values:
            self._groups: list[list[int]] = [[]] * (len(self._edges) - 1)
        elif domain.bounds is None or count <= SHORT:
            self._groups = [[index] for index in range(count)]
        else:
            self._groups = [[i for i in range(count) if i * QUARTERS // count == each] for each in range(QUARTERS)]
        self._refused = [0] * self.size

    @property
    def size(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    @property
    def rows(self) -> slice:
        """The rows of the groups in the table of pairs."""
        return slice(self.first, self.first + self.size)

    def row(self, value: Scalar) -> int:
        """Return the row of a value's group."""
        place = self._place_of(value)
        if not self._values:
            return self.first + min(bisect.bisect_right(self._edges, place), self.size) - 1
        return self.first + next(group for group in range(self.size) if place in self._groups[group])

    def due(self) -> list[int]:
        """Return the groups that have a least used value; those that the space seems to rule out are left out."""
        if self._values:
            used: list[float] = [min(self._uses[index] for index in group) for group in self._groups]
        else:
            used = [self._between(*ends) / ((ends[1] - ends[0]) * self.size) for ends in pairwise(self._edges)]
        possible = [group for group in range(self.size) if self._refused[group] < REFUSED] or list(range(self.size))
        least = min(used[group] for group in possible)
        return [group for group in possible if used[group] == least]

    def value(self, group: int, generator: random.Random) -> Scalar:
        """Return a least used value of a group; of a range, one in the largest empty part, found by halving."""
        if self._values:
            least = min(self._uses[index] for index in self._groups[group])
            return self._values[generator.choice([i for i in self._groups[group] if self._uses[i] == least])]
        assert isinstance(self._domain, FloatRange | LogRange | LogIntRange)
        low, high = self._edges[group : group + 2]
        while self._between(low, high):
            middle = (low + high) / 2
            below, above = self._between(low, middle), self._between(middle, high)
            is_below = below < above or (below == above and generator.random() < 0.5)
            low, high = (low, middle) if is_below else (middle, high)
        return self._domain.at(generator.uniform(low, high))

    def use(self, value: Scalar) -> None:
        """Count a value that became part of a trial."""
        self._refused[self.row(value) - self.first] = 0
        if self._values:
            self._uses[int(self._place_of(value))] += 1
        else:
            self._times[value] += 1
            bisect.insort(self._shares, self._place_of(value, self._times[value]))

    def refuse(self, value: Scalar) -> None:
        """Count a value of a due point that cannot be trained."""
        self._refused[self.row(value) - self.first] += 1

    def forgive(self) -> None:
        """Take one refusal back from each group, so that it is tried again now and then."""
        self._refused = [max(count - 1, 0) for count in self._refused]

    def _place_of(self, value: Scalar, time: int = 1) -> float:
        if self._values:
            return self._index[text_of(value)]
        assert isinstance(value, int | float)
        if isinstance(self._domain, LogIntRange):
            start, end = self._domain.shares(value)
            return start + (end - start) * _halved(time)
        return self._domain.share_of(value)

    def _between(self, low: float, high: float) -> int:
        return bisect.bisect_left(self._shares, high) - bisect.bisect_left(self._shares, low)


def _edges(domain: LogIntRange) -> list[float]:
    """Return the ends of the groups: those of each number of a short list, else of numbers near the quarters."""
    count = len(domain.values)
    inner = domain.values[:-1] if count <= SHORT else {domain.at(each / QUARTERS) for each in range(1, QUARTERS)}
    return [0.0, *sorted(domain.shares(value)[1] for value in inner if value < domain.high), 1.0]


def _halved(time: int) -> float:
    """Return the n-th of 1/2, 1/4, 3/4, 1/8, 5/8, ...: places that fill the range from 0 to 1 evenly."""
    return int(f"{time:b}"[::-1], 2) / (1 << time.bit_length())


class Balance:
    """The parameters of a space, and how often each two of their groups were in a trial together.

    Args:
        space: The space.

    Attributes:
        sites: The leaves that are drawn, in the order of drawing, each with its parameter; ties have one for several.
        free: The parameters on which no other depends.
    """

    def __init__(self, space: Space) -> None:
        self.sites: list[tuple[Site, Factor]] = []
        self._factors: dict[str, Factor] = {}
        first = 0
        for site in space.sites:
            if site.domain is not None and site.when != NEVER:
                if site.parameter not in self._factors:
                    self._factors[site.parameter] = Factor(site.parameter, site.domain, first)
                    first += self._factors[site.parameter].size
                self.sites.append((site, self._factors[site.parameter]))
        asked = {test.parameter for site, _ in self.sites for tests in site.when for test in tests}
        self.free = [factor for factor in self._factors.values() if factor.name not in asked]
        sizes = [factor.size for factor in self._factors.values()]
        self._starts = [factor.first for factor in self._factors.values()]
        self._of = np.repeat(np.arange(len(sizes)), sizes)
        self._size = np.repeat(np.array(sizes, dtype=np.int64), sizes)
        self._weight = np.full(first, GATE, dtype=np.int64)
        for factor in self.free:
            self._weight[factor.rows] = 1
        self._together = np.zeros((first, first), dtype=np.int64)

    def rows(self, params: Mapping[str, Scalar]) -> list[int]:
        """Return the rows of a point's groups."""
        return [self._factors[name].row(value) for name, value in params.items()]

    def take(self, params: Mapping[str, Scalar]) -> None:
        """Count a point that becomes a trial."""
        rows = self.rows(params)
        self._together[np.ix_(rows, rows)] += 1
        for factor in self._factors.values():
            factor.forgive()
        for name, value in params.items():
            self._factors[name].use(value)

    def refuse(self, params: Mapping[str, Scalar]) -> None:
        """Count a due point that cannot be trained."""
        for name, value in params.items():
            self._factors[name].refuse(value)

    def excess(self) -> Counts:
        """Return by how much each two groups are together more often than the other groups of the later parameter are.

        A difference in counts is multiplied by the number of groups of both parameters, as in a chi-squared statistic.
        The matrix is symmetric, and 0 within a parameter. Of a conditional parameter only the trials that have it
        count.
        """
        mean = np.add.reduceat(self._together, self._starts, axis=0)[self._of]
        centred = (self._size[:, None] * self._together - mean) * self._size[None, :]
        later = np.where(self._of[:, None] > self._of[None, :], centred, 0)
        return np.asarray(later + later.T)

    def most_even(self, points: Sequence[Sequence[int]]) -> int:
        """Return the index of the point that leaves the design most even: its values first, then its pairs.

        Args:
            points: The rows of each point.
        """
        has = np.zeros((len(points), len(self._of)), dtype=np.int64)
        for index, rows in enumerate(points):
            has[index, rows] = 1
        counts = self._together.diagonal()
        late = self._size * counts - np.add.reduceat(counts, self._starts)[self._of]
        late = np.maximum(late, -LAG * self._size) * self._weight
        costs = UNEVEN * (has @ late) + ((has @ self.excess()) * has).sum(axis=1)
        return int(costs.argmin())
