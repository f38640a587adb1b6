"""The grid: trial n takes the n-th point, so no driver repeats another's, and a restart changes nothing.

The points are those that may be trained, in an order that the search's seed shuffles, so that a study that is
stopped early has seen all of the space alike.
"""

import random

from qpsearch.architecture.candidates import Candidate, every_candidate
from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.vocabulary import Scalar


class Grid:
    """The points of a finite space.

    Args:
        space: All its domains are finite.
    """

    def __init__(self, space: Space) -> None:
        self._points = [found.draw.params for found in every_candidate(space) if isinstance(found, Candidate)]
        random.Random(derive_seed(space.search.seed, "grid")).shuffle(self._points)

    def guess(self, number: int, draw: int) -> dict[str, Scalar]:
        """Return the point of a trial; past the end it begins anew, as further seeds of the same points."""
        return self._points[number % len(self._points)] if self._points else {}
