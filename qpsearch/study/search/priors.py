"""How an expert's guesses steer a search: the first trial is the guess itself, and early trials lie near the guess.

Trial 0 takes every prior as it is; the other parameters are drawn until the point can be trained, but at most 20 times,
since the space may rule the priors out (``notes.lost_priors`` says so); then it is a trial like any other. Where
trials are compared at rungs, the guess is trained to its end whatever they say: all others are held against what the
expert expects. Afterwards, as long as the sampler would draw at random (always with ``random``, for the first ten
trials with a sampler that learns), each parameter with a prior is drawn near the prior with a probability of 1/4, 1/2
or 3/4, by confidence, and left to the sampler otherwise. Later trials do not use the priors. A guess is a function of
the search's seed and the trial's number, as every draw is.
"""

import random
from collections.abc import Collection, Mapping
from typing import Final, Self

from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.space.domains import Domain
from qpsearch.vocabulary import Confidence, Scalar

FIRST: Final = 20  # draws of the first trial that take every prior
WEIGHT: Final = {Confidence.LOW: 0.25, Confidence.MEDIUM: 0.5, Confidence.HIGH: 0.75}


class Priors:
    """The priors of a space, by parameter name.

    Args:
        domains: The domains that have a prior.
        seed: Seed of the search.
        until: Number of the first trial that is left to the sampler.
    """

    def __init__(self, domains: Mapping[str, Domain], seed: int, until: float) -> None:
        self._domains, self._seed, self._until = domains, seed, until

    @classmethod
    def of(cls, space: Space) -> Self | None:
        """Return the priors of a space; None for a space without priors."""
        drawn = [(site.parameter, site.domain) for site in space.sites if site.domain is not None]
        found = {name: domain for name, domain in drawn if domain.prior is not None}
        return cls(found, space.search.seed, space.search.sampler.startup) if found else None

    def expected(self, number: int) -> dict[str, Scalar]:
        """Return every prior's value for the first trial, and nothing for another one."""
        if number != 0 or number >= self._until:
            return {}
        return {name: domain.prior.value for name, domain in self._domains.items() if domain.prior is not None}

    def needed(self, number: int) -> Collection[str]:
        """Return nothing: a prior counts where its parameter applies."""
        return ()

    def guess(self, number: int, draw: int) -> dict[str, Scalar]:
        """Return values for some parameters of a trial; ``draw`` counts its infeasible draws so far."""
        if number >= self._until:
            return {}
        generator = random.Random(derive_seed(self._seed, "prior", number, draw))
        if draw < FIRST and (whole := self.expected(number)):
            return whole
        drawn = {name: domain.near_prior(generator) for name, domain in self._domains.items()}
        return {
            name: value
            for name, value in drawn.items()
            if generator.random() < WEIGHT[self._domains[name].prior.confidence]  # type: ignore[union-attr]  # all have one
        }
