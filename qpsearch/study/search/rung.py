"""A rung: the trials of a stratum that reached an epoch, the best first.

With one objective, the best is that of the smallest loss. With several, a trial is the better the fewer others dominate
it (Fonseca and Fleming, 1993): are at least as good in every objective, and better in one. Those that none dominates
come in an order whose beginning covers the front, small networks as well as accurate ones: each is the one that is
furthest from all before it (as in Schmucker et al., "Multi-objective asynchronous successive halving", 2021).
"""

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]


class Rung:
    """The trials at a rung.

    Attributes:
        loss: The first loss of each trial.
    """

    def __init__(self) -> None:
        self._order: list[tuple[float, int]] = []
        self._is_stale = False  # among several losses it is sorted when it is asked for: a resume puts every trial
        self.loss: dict[int, float] = {}
        self._costs: dict[int, tuple[float, ...]] = {}
        self._dominating: dict[int, int] = {}  # how many trials dominate each

    @classmethod
    def of(cls, losses: Mapping[int, Sequence[float]]) -> Self:
        """Return the rung of some trials; the first loss of one that failed is infinite."""
        rung = cls()
        for number, (first, *costs) in losses.items():
            if costs:
                rung.loss[number], rung._costs[number], rung._is_stale = first, tuple(costs), True
            else:
                rung.put(number, first)
        if rung._is_stale:
            rung._count()
        return rung

    @property
    def order(self) -> list[tuple[float, int]]:
        """Pairs of a key and a trial's number, the best first; the key is infinite for a trial that failed."""
        if self._is_stale:
            self._order, self._is_stale = self._sorted(), False
        return self._order

    def put(self, number: int, loss: float, costs: Sequence[float] = ()) -> None:
        """Put a trial in its place, or in another one.

        Args:
            number: The trial.
            loss: Its first loss; infinite for a trial that failed.
            costs: Its further losses.
        """
        if costs:
            self._put_among_several(number, loss, tuple(costs))
            return
        if number in self.loss:
            del self._order[self.place(number)]
        self.loss[number] = loss
        bisect.insort(self._order, (loss, number))

    def place(self, number: int) -> int:
        """Return how many trials are before a trial."""
        if self._costs:
            return next(place for place, (_, other) in enumerate(self.order) if other == number)
        return bisect.bisect_left(self.order, (self.loss[number], number))

    def _put_among_several(self, number: int, loss: float, costs: tuple[float, ...]) -> None:
        is_new, self._is_stale = number not in self.loss, True
        self.loss[number], self._costs[number] = loss, costs
        sound, points = self._sound()
        if is_new and number in sound:
            self._count_in(number, sound, points)
        else:
            self._count()

    def _count(self) -> None:
        """Count how many trials dominate each."""
        sound, points = self._sound()
        counts = [int(_dominates(points, point).sum()) for point in points]
        self._dominating = dict(zip(sound, counts, strict=True))

    def _sound(self) -> tuple[list[int], Losses]:
        """Return the trials that did not fail, ascending, and their losses (trials, objectives)."""
        sound = sorted(each for each in self.loss if not math.isinf(self.loss[each]))
        return sound, np.array([(self.loss[each], *self._costs[each]) for each in sound])

    def _sorted(self) -> list[tuple[float, int]]:
        sound, points = self._sound()
        front = [index for index, each in enumerate(sound) if self._dominating[each] == 0]
        place = {sound[front[index]]: place for place, index in enumerate(spread(points[front]))}
        ranked = sorted(sound, key=lambda each: (self._dominating[each], place.get(each, 0), each))
        failed = sorted(each for each in self.loss if math.isinf(self.loss[each]))
        return [(float(place), each) for place, each in enumerate(ranked)] + [(math.inf, each) for each in failed]

    def _count_in(self, number: int, sound: Sequence[int], points: Losses) -> None:
        """Count which trials a new one dominates, and how many dominate it."""
        own = points[sound.index(number)]
        beaten = (own <= points).all(axis=1) & (own < points).any(axis=1)
        for each in np.flatnonzero(beaten).tolist():
            self._dominating[sound[each]] += 1
        self._dominating[number] = int(_dominates(points, own).sum())


def _dominates(points: Losses, point: Losses) -> NDArray[np.bool_]:
    """Return which points dominate a point."""
    return np.asarray((points <= point).all(axis=1) & (points < point).any(axis=1))


def spread(points: Losses) -> list[int]:
    """Return the indices of points so that each is the one that is furthest from all before it.

    The first one has the smallest first loss. Losses are scaled by their ranges; of equally distant points, the first
    comes first, and of equal points all but one come last.

    Args:
        points: (points, objectives).
    """
    if not len(points):
        return []
    scaled = (points - points.min(axis=0)) / np.maximum(np.ptp(points, axis=0), np.finfo(float).tiny)
    found = [int(scaled[:, 0].argmin())]
    nearest = np.full(len(points), np.inf)
    while len(found) < len(points):
        nearest = np.minimum(nearest, ((scaled - scaled[found[-1]]) ** 2).sum(axis=1))
        nearest[found[-1]] = -1.0
        found.append(int(nearest.argmax()))
    return found
