"""A factorial design: trial n takes the n-th point of an endless list that is balanced up to every point.

The list is a function of the space and its seed alone. So drivers do not repeat each other's points, and a restart or a
larger budget goes on where the design was. Each point is chosen to fit those before it: every parameter takes one of
its least used values, and of these the ones that keep all pairs of parameters even (minimisation, as in the allocation
of patients: Pocock and Simon 1975). A conditional parameter is balanced among the trials that have it. A space of a few
hundred points is taken in whole rounds of all its points, in such an order; of a larger one the list is a fraction.
Where the due points cannot be trained, the trial takes the most even one of some points that can.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from qpsearch.architecture.candidates import Candidate, candidate, every_candidate
from qpsearch.errors import Infeasible
from qpsearch.seeds import derive_seed
from qpsearch.space import RandomChooser, Space
from qpsearch.space.counting import count_points
from qpsearch.space.sampling import StoredChooser
from qpsearch.study.search.balance import Balance, Counts, Factor
from qpsearch.vocabulary import Scalar

FEW: Final = 500  # points of a space that is taken in rounds
WALKS: Final = 4  # points among which the most even one is taken
SWEEPS: Final = 2  # times that each parameter of a point is improved
POOL: Final = 48  # points that can be trained, drawn at random, among which a trial finds one instead of its due point
DRAWS: Final = 300  # for the pool, for each trial

Params = dict[str, Scalar]


class Factorial:
    """The points of a factorial design.

    Args:
        space: The space.
        given: Points that are tried beside those of the list, which therefore complete them.
    """

    def __init__(self, space: Space, given: Sequence[Mapping[str, Scalar]] = ()) -> None:
        is_small = count_points(space.sites) <= FEW
        self._source: _Rounds | _Fraction = _Rounds(space, given) if is_small else _Fraction(space, given)
        self._points: list[Params] = []

    def point(self, number: int, draw: int) -> Params:
        """Return the point of a trial; empty, which leaves the trial to chance, where no point was found."""
        while len(self._points) <= number:
            self._points.append(self._source.next_point())
        return self._points[number]


class _Rounds:
    """Each point of a small space once, then each once more, in an order that is even up to every point."""

    def __init__(self, space: Space, given: Sequence[Mapping[str, Scalar]]) -> None:
        self._random = random.Random(derive_seed(space.search.seed, "factorial"))
        self._balance = Balance(space)
        self._given = [dict(params) for params in given]
        for params in self._given:
            self._balance.take(params)
        found = [each.draw.params for each in every_candidate(space) if isinstance(each, Candidate)]
        self._points = [(params, self._balance.rows(params)) for params in found]
        self._left: list[tuple[Params, list[int]]] = []

    def next_point(self) -> Params:
        """Return the point of the round that is most even with those before it; empty where the space is empty."""
        if not self._points:
            return {}
        while not self._left:
            self._left = [
                point for point in self._random.sample(self._points, len(self._points)) if not self._is_given(point[0])
            ]
        params, _ = self._left.pop(self._balance.most_even([rows for _, rows in self._left]))
        self._balance.take(params)
        return params

    def _is_given(self, params: Params) -> bool:
        """Whether a point was given; each given one counts for one round."""
        if params not in self._given:
            return False
        self._given.remove(params)
        return True


class _Fraction:
    """Points of a large space."""

    def __init__(self, space: Space, given: Sequence[Mapping[str, Scalar]]) -> None:
        self._space = space
        self._random = random.Random(derive_seed(space.search.seed, "factorial"))
        self._balance = Balance(space)
        for params in given:
            self._balance.take(dict(params))
        self._pool: list[tuple[Params, list[int]]] = []
        self._draws = 0
        self._tries = WALKS  # fewer where the space refuses most points

    def next_point(self) -> Params:
        """Return a point that can be trained and keeps the design even; empty where none was found."""
        excess = self._balance.excess()
        due = {factor: factor.due() for _, factor in self._balance.sites}
        walks = sorted((self._walk(excess, due) for _ in range(WALKS)), key=lambda walk: walk[1])
        for params, _ in walks[: self._tries]:
            try:
                found = candidate(self._space, StoredChooser(params)).draw.params
            except Infeasible:
                self._balance.refuse(params)
                continue
            self._tries = WALKS
            self._balance.take(found)
            return found
        self._tries = max(self._tries - 1, 1)
        return self._from_pool(excess, due)

    def _walk(self, excess: Counts, due: dict[Factor, list[int]]) -> tuple[Params, int]:
        """Choose a due value of each parameter in turn, then improve those on which no other parameter depends.

        Args:
            excess: Which pairs were together too often.
            due: The groups from which each parameter may take a value.

        Returns:
            The point, and by how much its pairs were together too often.
        """
        params: Params = {}
        rows: dict[Factor, int] = {}
        sums = np.zeros(len(excess), dtype=np.int64)  # of the chosen rows of ``excess``
        for site, factor in self._balance.sites:
            if factor not in rows and site.is_active(params):
                rows[factor] = row = self._least(sums, factor, due[factor])
                sums += excess[row]
                params[factor.name] = factor.value(row - factor.first, self._random)
        for _ in range(SWEEPS):
            for factor in [each for each in self._balance.free if each in rows and len(due[each]) > 1]:
                row, old = self._least(sums, factor, due[factor]), rows[factor]
                if row != old:
                    rows[factor] = row
                    sums += excess[row] - excess[old]
                    params[factor.name] = factor.value(row - factor.first, self._random)
        return params, int(sums[list(rows.values())].sum())

    def _improved(self, params: Params, excess: Counts, due: dict[Factor, list[int]]) -> Params:
        """Give due values to as many parameters on which no other depends as the space allows."""
        wanted = dict(params)
        for factor in self._balance.free:
            if factor.name in wanted and factor.row(wanted[factor.name]) - factor.first not in due[factor]:
                others = self._balance.rows({name: value for name, value in wanted.items() if name != factor.name})
                row = self._least(excess[others].sum(axis=0), factor, due[factor])
                wanted[factor.name] = factor.value(row - factor.first, self._random)
        changed = [name for name in params if params[name] != wanted[name]]
        parts = [changed]
        while parts:
            part = parts.pop()
            try:
                chooser = StoredChooser(params | {name: wanted[name] for name in part})
                params = candidate(self._space, chooser).draw.params
            except Infeasible:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]] if len(part) > 1 else []
        return params

    def _least(self, sums: Counts, factor: Factor, due: Sequence[int]) -> int:
        """Return the row of the due group that was together least often with what was chosen."""
        if len(due) == 1:
            return factor.first + due[0]
        own = sums[factor.rows].tolist()
        least = min(own[group] for group in due)
        return factor.first + self._random.choice([group for group in due if own[group] == least])

    def _from_pool(self, excess: Counts, due: dict[Factor, list[int]]) -> Params:
        """Take the most even one of some random points that can be trained; empty where there is none."""
        for _ in range(DRAWS):
            if len(self._pool) >= POOL:
                break
            self._draws += 1
            chooser = RandomChooser(derive_seed(self._space.search.seed, "pool", self._draws))
            try:
                params = candidate(self._space, chooser).draw.params
            except Infeasible:
                continue
            self._pool.append((params, self._balance.rows(params)))
        if not self._pool:
            return {}
        params, _ = self._pool.pop(self._balance.most_even([rows for _, rows in self._pool]))
        params = self._improved(params, excess, due)
        self._balance.take(params)
        return params
