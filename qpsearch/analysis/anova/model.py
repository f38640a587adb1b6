"""The analysis of a study's trials: from what was tried and what came of it to shares, effects and doubts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ParamSpec, TypeVar

import numpy as np
from optuna.trial import FrozenTrial
from threadpoolctl import threadpool_limits

from qpsearch.analysis.anova.check import AnovaCheck
from qpsearch.analysis.anova.curves import Curves
from qpsearch.analysis.anova.features import Codes, Design, design
from qpsearch.analysis.anova.forecast import chance_of_nothing
from qpsearch.analysis.anova.observations import Observations, observations_of
from qpsearch.analysis.anova.parameters import Parameter, Searched
from qpsearch.analysis.anova.posterior import Posterior, sample
from qpsearch.analysis.anova.shares import Shares, shares_of

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
    """

    parameters: tuple[Parameter, ...]
    observations: Observations
    design: Design
    posterior: Posterior
    even: Codes
    check: AnovaCheck

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
    posterior = sample(features, guessed, seed=seed, completed=None if seen.complete.all() else curves.completed)
    return Analysis(
        parameters=searched.parameters,
        observations=seen,
        design=features,
        posterior=posterior.in_unit(mean, spread),
        even=searched.even,
        check=check,
    )
