"""How an expert's guesses steer a search: the first trial is the guess itself, and ever fewer later ones lie near it.

Trial 0 takes every prior as it is; the other parameters are drawn until the point can be trained, but at most 20 times,
since the space may rule the priors out (``candidates.lost_priors`` says so). Of the later trials a share is drawn near
the guess, in all parameters with a prior at once: 1/4, 1/2 or 3/4 by confidence at first, half as much after 25 trials,
a third after 50, and so on, so that a wrong guess is soon outvoted. The rest is left to the sampler. A guess is a
function of the search's seed and the trial's number, as every draw is.
"""

import random
from collections.abc import Mapping
from typing import Final, Self

from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.space.domains import Domain
from qpsearch.vocabulary import Confidence, Scalar

FIRST: Final = 20  # draws of the first trial that take every prior
WEIGHT: Final = {Confidence.LOW: 0.25, Confidence.MEDIUM: 0.5, Confidence.HIGH: 0.75}
HALVED: Final = 25  # trials after which half as many are drawn near the guess


class Priors:
    """The priors of a space, by parameter name.

    Args:
        domains: The domains that have a prior.
        seed: Seed of the search.
    """

    def __init__(self, domains: Mapping[str, Domain], seed: int) -> None:
        self._domains, self._seed = domains, seed

    @classmethod
    def of(cls, space: Space) -> Self | None:
        """Return the priors of a space; None for a space without priors."""
        drawn = [(site.parameter, site.domain) for site in space.sites if site.domain is not None]
        found = {name: domain for name, domain in drawn if domain.prior is not None}
        return cls(found, space.search.seed) if found else None

    def guess(self, number: int, draw: int) -> dict[str, Scalar]:
        """Return values for some parameters of a trial; ``draw`` counts its infeasible draws so far."""
        generator = random.Random(derive_seed(self._seed, "prior", number, draw))
        if number == 0 and draw < FIRST:
            return {name: domain.prior.value for name, domain in self._domains.items() if domain.prior is not None}
        luck, fading = generator.random(), 1 + number / HALVED
        return {
            name: domain.near_prior(generator)
            for name, domain in self._domains.items()
            if domain.prior is not None and luck < WEIGHT[domain.prior.confidence] / fading
        }
