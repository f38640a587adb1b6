"""The grid: trial n takes the n-th point, so drivers do not repeat each other's points, also after a restart.

The grid holds the points that can be trained, shuffled by the search's seed, so that a study that is stopped early has
covered the space evenly. Points of imported trials are not among them.
"""

import random
from typing import Final

from qpsearch.registry.samplers.base import Sampler, SearchedSpace
from qpsearch.vocabulary import Scalar


class Grid:
    """The points of a finite space.

    Args:
        space: A space with only finite domains.
    """

    def __init__(self, space: SearchedSpace) -> None:
        self._points = space.every_point()
        random.Random(space.seed("grid")).shuffle(self._points)
        for point in space.given:
            if point in self._points:
                self._points.remove(dict(point))

    def point(self, number: int, draw: int) -> dict[str, Scalar]:
        """Return the point of a trial; budgets end at the last point."""
        return self._points[number % len(self._points)] if self._points else {}


GRID: Final = Sampler(
    name="grid",
    order=80,
    doc="tries every point of a finite space once",
    points=Grid,
    is_blind=True,
    is_designed=True,
    is_exhaustive=True,
)
MEMBERS: Final = (GRID,)
