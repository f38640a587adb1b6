"""``search.first``: configurations that are tried before the sampler proposes any."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from qpsearch.study.search.replica import Guesses
from qpsearch.vocabulary import Scalar

TRIED: Final = 20  # draws of each: what a configuration leaves open is drawn until the point can be trained


class First:
    """The listed configurations, and after them what other guesses say.

    Args:
        points: Values of some parameters for trial 0, 1, and so on.
        then: The guesses for all later trials, which are counted from 0 again; None for none.
    """

    def __init__(self, points: Sequence[Mapping[str, Scalar]], then: Guesses | None) -> None:
        self._points, self._then = points, then

    def expected(self, number: int) -> Mapping[str, Scalar]:
        """Return what the guesses after the list say; nothing of a listed trial."""
        listed = len(self._points)
        return {} if self._then is None or number < listed else self._then.expected(number - listed)

    def needed(self, number: int) -> Collection[str]:
        """Return the parameters that a listed configuration has, also where others decide whether they apply."""
        return self._points[number].keys() if number < len(self._points) else ()

    def guess(self, number: int, draw: int) -> Mapping[str, Scalar]:
        """Return values for parameters of a trial; the sampler draws the others."""
        if number < len(self._points):
            return self._points[number] if draw < TRIED else {}
        return self._then.guess(number - len(self._points), draw) if self._then is not None else {}
