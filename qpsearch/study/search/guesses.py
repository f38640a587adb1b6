"""Which values a study's trials are given in advance, so that its sampler need not draw them."""

from collections.abc import Mapping, Sequence

from qpsearch.registry.samplers import SamplerKind
from qpsearch.space import Space
from qpsearch.study.search.factorial import Factorial
from qpsearch.study.search.first import First
from qpsearch.study.search.grid import Grid
from qpsearch.study.search.priors import Priors
from qpsearch.study.search.quasi_random import QuasiRandom
from qpsearch.study.search.replica import Guesses
from qpsearch.vocabulary import Scalar


def guesses_of(space: Space, first: Sequence[Mapping[str, Scalar]]) -> Guesses | None:
    """Return the design of a space, or what an expert wants tried; None where the sampler draws everything.

    Args:
        space: The space.
        first: Configurations that are tried before all others.
    """
    if space.search.is_grid:
        return Grid(space)
    guesses: Guesses | None = Factorial(space) if space.search.sampler.is_designed else Priors.of(space)
    if space.search.sampler is SamplerKind.QUASI_RANDOM:
        guesses = QuasiRandom(space, guesses)
    return First(first, guesses) if first else guesses
