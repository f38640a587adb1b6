"""Which values a study's trials are given in advance, so that its sampler need not draw them."""

from collections.abc import Collection, Mapping, Sequence

from qpsearch.architecture.candidates import Candidate, every_candidate
from qpsearch.registry.samplers.base import PointList
from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.space.file.points import with_switches
from qpsearch.study.search.encoding import Encoding
from qpsearch.study.search.factorial import Factorial
from qpsearch.study.search.first import First
from qpsearch.study.search.priors import Priors
from qpsearch.study.search.replica import Guesses
from qpsearch.vocabulary import Scalar


def guesses_of(
    space: Space, first: Sequence[Mapping[str, Scalar]], given: Sequence[Mapping[str, Scalar]] = ()
) -> Guesses | None:
    """Return the points of a sampler, or what an expert wants tried; None where the sampler draws everything.

    Args:
        space: The space.
        first: Configurations that are tried before all others.
        given: Points of imported trials, which a design takes as tried.
    """
    sampler = space.search.sampler
    guesses: Guesses | None = None if sampler.is_designed else Priors.of(space)
    if sampler.points is not None:
        guesses = Planned(sampler.points(StudySpace(space, given)), guesses)
    return First([with_switches(space, point) for point in first], guesses) if first else guesses


class StudySpace:
    """What a space offers to samplers that set points in advance.

    Args:
        space: The space.
        given: Points of imported trials.
    """

    def __init__(self, space: Space, given: Sequence[Mapping[str, Scalar]] = ()) -> None:
        self._space, self.columns, self.given = space, Encoding(space.sites), given

    def seed(self, purpose: str) -> int:
        """Return a seed that follows from the search's and a word."""
        return derive_seed(self._space.search.seed, purpose)

    def every_point(self) -> list[dict[str, Scalar]]:
        """Return all points that can be trained, in the order of the space; only for finite spaces."""
        return [found.draw.params for found in every_candidate(self._space) if isinstance(found, Candidate)]

    def balanced_points(self) -> Factorial:
        """Return the points of a factorial design."""
        return Factorial(self._space, self.given)


class Planned:
    """Points that a sampler sets in advance, with what an expert guesses in their place.

    Args:
        points: The points.
        before: The guesses; None for none.
    """

    def __init__(self, points: PointList, before: Guesses | None) -> None:
        self._points, self._before = points, before

    def expected(self, number: int) -> Mapping[str, Scalar]:
        """Return what the expert expects of a trial."""
        return {} if self._before is None else self._before.expected(number)

    def needed(self, number: int) -> Collection[str]:
        """Return nothing: a point has what the space draws with its other values."""
        return ()

    def guess(self, number: int, draw: int) -> Mapping[str, Scalar]:
        """Return the values of a trial."""
        guessed = {} if self._before is None else self._before.guess(number, draw)
        return {**self._points.point(number, draw), **guessed}
