"""The analysis of a study's trials: from what was tried and what came of it to shares, effects and doubts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, ParamSpec, TypeVar

import numpy as np
from optuna.trial import FrozenTrial
from threadpoolctl import threadpool_limits

from qpsearch.analysis.anova.check import AnovaCheck
from qpsearch.analysis.anova.curves import Curves
from qpsearch.analysis.anova.features import Codes, Design, design
from qpsearch.analysis.anova.forecast import chance_of_nothing
from qpsearch.analysis.anova.observations import Observations, observations_of
from qpsearch.analysis.anova.parameters import Parameter, Searched
from qpsearch.analysis.anova.posterior import MOST, Posterior, sample
from qpsearch.analysis.anova.shares import Shares, shares_of

# Where differences are asked for, the least prior variance of a parameter and of a pair, as shares of all variance, and
# what those of all parameters, or of all pairs, may come to. With a sparse prior alone, 90% intervals hold 50 to 97% of
# the differences that are there: fewest after searches that adapt and prune, which leave least to be seen.
LEAST: Final = ((0.08, 0.65), (0.0005, 0.03))
ENOUGH: Final = 600  # steps for them

P = ParamSpec("P")
T = TypeVar("T")


def _on_one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function multiply matrices on one core: where others work, several threads wait for each other."""
    limited: Callable[P, T] = threadpool_limits.wrap(limits=1, user_api="blas")(function)
    return limited


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A fitted ANOVA.

    Attributes:
        parameters: The searched parameters.
        observations: The trials that were used.
        design: Their features.
        posterior: The posterior, in the unit of the objective.
        even: Codes of even draws of the space.
        check: The check, which has begun.
        fit: Samples the posterior with other least variances of groups, and fewer steps, as ``sample`` takes them.
    """

    parameters: tuple[Parameter, ...]
    observations: Observations
    design: Design
    posterior: Posterior
    even: Codes
    check: AnovaCheck
    fit: Callable[[Sequence[float], int], Posterior]

    @cached_property
    @_on_one_thread
    def differences(self) -> Posterior:
        """The posterior of differences between values of a parameter, which hardly draws any of them to 0."""
        groups = np.bincount(self.design.orders, minlength=len(LEAST))
        least = [min(each, most / max(count, 1)) for (each, most), count in zip(LEAST, groups, strict=True)]
        return self.fit(least, ENOUGH)

    @cached_property
    @_on_one_thread
    def shares(self) -> Shares:
        """Shares of variance."""
        return shares_of(self.posterior)

    @cached_property
    @_on_one_thread
    def nothing(self) -> float:
        """The p value of the hypothesis that no parameter matters."""
        return chance_of_nothing(self.design, self.observations.unselected)

    @cached_property
    @_on_one_thread
    def doubts(self) -> tuple[str, ...]:
        """What speaks against the shares, a sentence each."""
        totals = {name: each.mean for name, each in self.shares.total.items()}
        return self.check.doubts(self.even, totals)


@_on_one_thread
def analyse(searched: Searched, trials: Sequence[FrozenTrial], *, seed: int = 0) -> Analysis:
    """Fit the ANOVA to trials.

    Args:
        searched: The searched parameters; at least one.
        trials: Trials of the study in their order; those without a finite value are not used. At least one of them
            is complete.
        seed: Seed of the sampler.
    """
    seen = observations_of(searched.parameters, trials)
    mean, spread = seen.scale
    along = (seen.along - mean) / spread
    curves = Curves(along)
    guessed = curves.completed(np.zeros(len(along)), np.random.default_rng(seed))
    features = design(searched, seen.codes, guessed)
    check = AnovaCheck(features, seen, seed)

    def fit(least: Sequence[float] = (0.0, 0.0), most: int = MOST) -> Posterior:
        completed = None if seen.complete.all() else curves.completed
        found = sample(features, guessed, seed=seed, completed=completed, most=most, least=least)
        return found.in_unit(mean, spread)

    return Analysis(
        parameters=searched.parameters,
        observations=seen,
        design=features,
        posterior=fit(),
        even=searched.even,
        check=check,
        fit=fit,
    )
