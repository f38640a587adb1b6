"""The grid: trial n takes the n-th point, so drivers do not repeat each other's points, also after a restart.

The grid holds the points that can be trained, shuffled by the search's seed, so that a study that is stopped early has
covered the space evenly.
"""

import random

from qpsearch.architecture.candidates import Candidate, every_candidate
from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.vocabulary import Scalar


class Grid:
    """The points of a finite space.

    Args:
        space: A space with only finite domains.
    """

    def __init__(self, space: Space) -> None:
        self._points = [found.draw.params for found in every_candidate(space) if isinstance(found, Candidate)]
        random.Random(derive_seed(space.search.seed, "grid")).shuffle(self._points)

    def expected(self, number: int) -> dict[str, Scalar]:
        """Return nothing: priors are not used."""
        return {}

    def guess(self, number: int, draw: int) -> dict[str, Scalar]:
        """Return the point of a trial; budgets end at the last point."""
        return self._points[number % len(self._points)] if self._points else {}
