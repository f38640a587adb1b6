"""How an expert's guesses steer a search: the first trial is the guess itself, and early ones lie near it.

Trial 0 takes every prior as it stands. Afterwards, as long as the sampler would draw at random (always with
``random``, for the first ten trials with ``tpe`` and ``gp``), each parameter that has a prior is drawn near it with a
probability of 1/4, 1/2 or 3/4, by confidence, and left to the sampler otherwise. Later the results speak alone. A
guess is a function of the search's seed and the trial's number, as every draw is.
"""

import math
import random
from collections.abc import Mapping
from typing import Final, Self

from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.space.domains import Choice, Domain, FloatRange, IntRange, LogRange, Tied, domain_of, leaves
from qpsearch.vocabulary import Confidence, SamplerKind, Scalar

WEIGHT: Final = {Confidence.LOW: 0.25, Confidence.MEDIUM: 0.5, Confidence.HIGH: 0.75}
SPREAD: Final = 0.1  # sd of a draw near a prior, as a share of its range
STARTUP: Final = {SamplerKind.TPE: 10, SamplerKind.GP: 10, SamplerKind.RANDOM: math.inf, SamplerKind.GRID: 0}


class Priors:
    """The priors of a space, by parameter name.

    Args:
        domains: The domains that have a prior.
        seed: Of the search.
        until: The first trial that is left to the sampler.
    """

    def __init__(self, domains: Mapping[str, Domain], seed: int, until: float) -> None:
        self._domains, self._seed, self._until = domains, seed, until

    @classmethod
    def of(cls, space: Space) -> Self | None:
        """Return the priors of a space; None where it has none."""
        found: dict[str, Domain] = {}
        for part, group in (("network", space.network), ("training", space.training)):
            for path, leaf in leaves(part, group):
                domain = domain_of(leaf)
                if domain is not None and domain.prior is not None:
                    found[leaf.name if isinstance(leaf, Tied) else path] = domain
        return cls(found, space.search.seed, STARTUP[space.search.sampler]) if found else None

    def guess(self, number: int, draw: int) -> dict[str, Scalar]:
        """Return values for some parameters of a trial; ``draw`` counts its infeasible draws so far."""
        if number >= self._until:
            return {}
        generator = random.Random(derive_seed(self._seed, "prior", number, draw))
        if number == draw == 0:
            return {name: domain.prior.value for name, domain in self._domains.items() if domain.prior is not None}
        drawn = {name: _near(domain, generator) for name, domain in self._domains.items()}
        return {
            name: value
            for name, value in drawn.items()
            if generator.random() < WEIGHT[self._domains[name].prior.confidence]  # type: ignore[union-attr]  # all have one
        }


def _near(domain: Domain, generator: random.Random) -> Scalar:
    """Draw from a normal distribution around the prior, cut off at the ends; of a choice, the prior itself."""
    assert domain.prior is not None
    guess = domain.prior.value
    if isinstance(domain, Choice):
        return guess
    assert isinstance(guess, int | float)
    match domain:
        case IntRange(low=low, high=high, step=step):
            drawn = generator.gauss(guess, max(SPREAD * (high - low), step))
            return low + step * round((min(max(drawn, low), high) - low) / step)
        case FloatRange(low=low, high=high):
            return min(max(generator.gauss(guess, SPREAD * (high - low)), low), high)
        case LogRange(low=low, high=high):
            drawn = generator.gauss(math.log(guess), SPREAD * math.log(high / low))
            return min(max(math.exp(drawn), low), high)
