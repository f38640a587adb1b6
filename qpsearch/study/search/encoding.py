"""Points of a space as rows of numbers, for samplers that work on all points at once.

A row holds a share for each parameter, from 0 to 1: the place in its domain, as ``share_of`` of the domain gives it.
Even shares are even draws of the space. A parameter that a point does not have is NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from qpsearch.registry.samplers.base import Mask, Matrix
from qpsearch.space.domains import Choice, Domain, LogIntRange, stored
from qpsearch.space.leaves import NEVER, Requirement, Site
from qpsearch.vocabulary import Scalar

ABSENT: Final = 0.5  # the feature of a number that a point does not have: the parameter that decides it differs anyway
LISTED: Final = 10_000  # values of a range up to which the share of each is kept
APART: Final = 0.7  # feature of the chosen option: two options are 1 apart, as are the ends of a range


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """A parameter: its domain, and when a point has it (columns of other parameters, with which options)."""

    name: str
    domain: Domain
    when: list[list[tuple[int, Mask]]]

    @property
    def options(self) -> int:
        """How many words it chooses among; 0 for a number."""
        return len(self.domain.options) if isinstance(self.domain, Choice) and self.domain.bounds is None else 0

    @property
    def is_always(self) -> bool:
        """Whether every point has it."""
        return [] in self.when

    def rounded(self, shares: Matrix) -> Matrix:
        """Return the shares of the values next to some shares."""
        if self.domain.values is None:
            return shares
        count = len(self.domain.values)
        if not isinstance(self.domain, LogIntRange):
            return np.asarray((np.minimum(np.floor(shares * count), count - 1) + 0.5) / count)
        there, found = ~np.isnan(shares), shares.copy()
        low, high = self.domain.edges
        nearest = np.clip(np.rint(np.exp(low + (high - low) * shares[there])), *self.domain.bounds)
        if count <= LISTED:
            found[there] = _shares(self.domain)[(nearest - self.domain.low).astype(int)]
        else:
            found[there] = [self.domain.share_of(int(value)) for value in nearest]
        return found


@cache
def _shares(domain: LogIntRange) -> Matrix:
    """Return the share of each value of a range."""
    return np.array([domain.share_of(value) for value in domain.values])


class Encoding:
    """The parameters of a space as columns.

    Args:
        sites: The leaves of the space, in the order of drawing.
    """

    def __init__(self, sites: Sequence[Site]) -> None:
        self._columns: list[_Column] = []
        self._index: dict[str, int] = {}
        for site in sites:
            if site.domain is None or site.when == NEVER:
                continue
            if site.parameter not in self._index:
                self._index[site.parameter] = len(self._columns)
                self._columns.append(_Column(site.parameter, site.domain, []))
            column = self._columns[self._index[site.parameter]]
            column.when.extend([self._allowed(test) for test in tests] for tests in site.when)
        self.size = len(self._columns)
        """How many columns there are."""
        self.always = frozenset(column.name for column in self._columns if column.is_always)
        """The parameters that every point has."""
        self.widths = tuple(max(column.options, 1) for column in self._columns)
        """How many features each column has."""
        self.is_word = np.array([bool(column.options) for column in self._columns], dtype=bool)
        """Which columns hold words, which have no neighbours."""
        self._of = np.repeat(np.arange(self.size), self.widths)  # the column of each feature
        self._option = np.array([option for width in self.widths for option in range(width)], dtype=int)
        self._rows: dict[tuple[tuple[str, Scalar], ...], Matrix] = {}  # of the same trials, for every proposal

    def row(self, params: Mapping[str, Scalar]) -> Matrix:
        """Return a point's row, which must not be changed."""
        point = tuple(params.items())
        found = self._rows.get(point)
        if found is None:
            shares = [
                column.domain.share_of(params[column.name]) if column.name in params else np.nan
                for column in self._columns
            ]
            found = self._rows[point] = np.array(shares, dtype=float)
        return found

    def params(self, row: Matrix) -> dict[str, Scalar]:
        """Return the point of a row."""
        return {
            column.name: stored(column.domain.at(float(share)))
            for column, share in zip(self._columns, row, strict=True)
            if not np.isnan(share)
        }

    def points(self, shares: Matrix) -> Matrix:
        """Return rows of points for any shares, (rows, columns): values are rounded to the domain's own.

        What a point does not have becomes NaN.
        """
        rows = np.array(shares, dtype=float)
        for index, column in enumerate(self._columns):
            if not column.is_always:
                rows[~self._has(rows, column), index] = np.nan
            rows[:, index] = column.rounded(rows[:, index])
        return rows

    def features(self, rows: Matrix) -> Matrix:
        """Return what a kernel compares, (rows, features): a number as its share, a word as one feature an option."""
        there = ~np.isnan(rows)
        options = np.where(self.is_word, self.widths, 0)
        chosen = np.where(there, np.floor(np.where(there, rows, 0) * options), -1)
        numbers = np.where(there, rows, ABSENT)
        words = APART * (chosen[:, self._of] == self._option)
        return np.where(self.is_word[self._of], words, numbers[:, self._of])

    def _allowed(self, test: Requirement) -> tuple[int, Mask]:
        column = self._columns[self._index[test.parameter]]
        assert isinstance(column.domain, Choice)
        return self._index[test.parameter], np.array([option in test.values for option in column.domain.options])

    def _has(self, rows: Matrix, column: _Column) -> Mask:
        """Return which rows have a parameter."""
        found = np.zeros(len(rows), dtype=bool)
        for tests in column.when:
            holds = np.ones(len(rows), dtype=bool)
            for index, allowed in tests:
                shares = rows[:, index]
                places = np.minimum(np.nan_to_num(shares) * len(allowed), len(allowed) - 1).astype(int)
                holds &= ~np.isnan(shares) & allowed[places]
            found |= holds
        return found
