"""Quasi-random draws: trial n takes the n-th point of a scrambled Sobol sequence, which fills the space evenly.

With n points, each parameter's values lie more evenly than n independent draws, and so do those of each pair.
"""

from typing import Final

from qpsearch.registry.samplers.base import Matrix, Sampler, SearchedSpace
from qpsearch.vocabulary import Scalar

FIRST_BLOCK: Final = 10  # log2 of the points that are made at once; later blocks are as large as all before them


class QuasiRandom:
    """The points of a space's sequence.

    A point that cannot be trained is replaced by random draws.

    Args:
        space: The space; its search's seed scrambles the sequence.
    """

    def __init__(self, space: SearchedSpace) -> None:
        self._columns, self._seed = space.columns, space.seed("quasi-random")
        self._shares: Matrix | None = None

    def point(self, number: int, draw: int) -> dict[str, Scalar]:
        """Return the point of a trial; nothing after an infeasible draw."""
        if draw > 0 or not self._columns.size:
            return {}
        if self._shares is None or number >= len(self._shares):
            self._shares = self._sequence(max(FIRST_BLOCK, number.bit_length()))
        return self._columns.params(self._columns.points(self._shares[number : number + 1])[0])

    def _sequence(self, exponent: int) -> Matrix:
        import numpy as np
        from scipy.stats.qmc import Sobol

        sequence = Sobol(self._columns.size, rng=np.random.default_rng(self._seed))
        return np.asarray(sequence.random_base2(exponent), dtype=float)


MEMBERS: Final = (
    Sampler(
        name="quasi_random",
        order=50,
        doc="fills the space more evenly than random",
        points=QuasiRandom,
        called="quasi-random",
        is_blind=True,
    ),
)
