"""From the posterior to shares of variance."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from qpsearch.analysis.anova.parameters import Floats
from qpsearch.analysis.anova.posterior import Posterior

INTERVAL: Final = (0.05, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A quantity of the posterior: its mean, and the 5th and 95th percentile."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: Floats) -> "Estimate":
        """Summarise draws."""
        low, high = np.quantile(draws, INTERVAL)
        return cls(mean=float(draws.mean()), low=float(low), high=float(high))


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Shares in the variance of a trained value over even draws of the space; with the rest they add up to 1.

    Attributes:
        first: What each parameter explains alone.
        total: What would vary no more if all but this parameter were fixed: alone, in pairs, and by what exists only
            for some of its values.
        pairs: What each pair explains beyond its two parameters.
        rest: What no pair explains: the noise of seeds, and interactions of three and more.
    """

    first: dict[str, Estimate]
    total: dict[str, Estimate]
    pairs: dict[tuple[str, str], Estimate]
    rest: Estimate


def shares_of(posterior: Posterior) -> Shares:
    """Return all shares.

    The function of a conditional parameter is 0 where a draw does not have it. With v its variance over even draws,
    and a the chance that a draw has it, its first-order share is a v: the mean over draws with and without it is a
    times the function. A parameter whose change alone makes it appear or disappear with chance f has v f / 2 a in its
    own total: half of the expected squared change, Jansen's form of the total effect (1999).
    """
    groups, variances = [group.names for group in posterior.design.groups], posterior.variances
    everything = variances.sum(axis=1) + posterior.noise
    part = {group: variances[:, index] / everything for index, group in enumerate(groups)}
    nothing = np.zeros(len(everything))
    first, total = {}, {}
    for each in posterior.design.parameters:
        alone = part[(each.name,)]
        together = sum((part[group] for group in groups if len(group) > 1 and each.name in group), nothing)
        gated = sum(
            (
                part[(other.name,)] * other.flips[each.name] / (2 * other.chance)
                for other in posterior.design.parameters
                if each.name in other.flips
            ),
            nothing,
        )
        first[each.name] = Estimate.of(each.chance * alone)
        total[each.name] = Estimate.of(np.minimum(alone + together + gated, 1.0))
    pairs = {(group[0], group[1]): Estimate.of(part[group]) for group in groups if len(group) > 1}
    return Shares(first=first, total=total, pairs=pairs, rest=Estimate.of(posterior.noise / everything))
