"""Which values a study's trials are given in advance, so that its sampler need not draw them."""

from qpsearch.space import Space
from qpsearch.study.search.factorial import Factorial
from qpsearch.study.search.first import First
from qpsearch.study.search.grid import Grid
from qpsearch.study.search.priors import Priors
from qpsearch.study.search.replica import Guesses


def guesses_of(space: Space) -> Guesses | None:
    """Return the design of a space, or what an expert wants tried; None where the sampler draws everything."""
    if space.search.is_grid:
        return Grid(space)
    guesses = Factorial(space) if space.search.sampler.is_designed else Priors.of(space)
    return First(space.search.first, guesses) if space.search.first else guesses
