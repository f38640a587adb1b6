"""Quasi-random draws: trial n takes the n-th point of a scrambled Sobol sequence, which fills the space evenly.

With n points, each parameter's values lie more evenly than n independent draws, and so do those of each pair.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.study.search.encoding import Encoding, Matrix
from qpsearch.study.search.replica import Guesses
from qpsearch.vocabulary import Scalar

FIRST_BLOCK: Final = 10  # log2 of the points that are made at once; later blocks are as large as all before them


class QuasiRandom:
    """The points of a space's sequence.

    A point that cannot be trained is replaced by random draws.

    Args:
        space: The space; its search's seed scrambles the sequence.
        then: Values that come before those of the sequence; None for none.
    """

    def __init__(self, space: Space, then: Guesses | None) -> None:
        self._encoding, self._then = Encoding(space.sites), then
        self._seed = derive_seed(space.search.seed, "quasi-random")
        self._shares: Matrix = np.zeros((0, self._encoding.size))

    def expected(self, number: int) -> Mapping[str, Scalar]:
        """Return what the values say that come before those of the sequence."""
        return {} if self._then is None else self._then.expected(number)

    def guess(self, number: int, draw: int) -> Mapping[str, Scalar]:
        """Return the point of a trial; nothing after an infeasible draw."""
        before = dict(self._then.guess(number, draw)) if self._then is not None else {}
        if draw > 0 or not self._encoding.size:
            return before
        if number >= len(self._shares):
            self._shares = self._sequence(max(FIRST_BLOCK, number.bit_length()))
        return self._encoding.params(self._encoding.points(self._shares[number : number + 1])[0]) | before

    def _sequence(self, exponent: int) -> Matrix:
        from scipy.stats.qmc import Sobol

        sequence = Sobol(self._encoding.size, rng=np.random.default_rng(self._seed))
        return np.asarray(sequence.random_base2(exponent), dtype=float)
