"""CMA-ES over the numbers of a space, which learns from every trial, whatever rung it reached.

It is Optuna's sampler, and keeps its state where that does, in attributes of trials. CMA-ES uses only the order of its
points, so it is shown places in one order of all trials in place of values: who reached a later epoch is before who did
not, and what failed or cannot be trained comes last. Words, and numbers that only some points have, are drawn evenly.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import CmaEsSampler
from optuna.search_space import intersection_search_space
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from qpsearch.registry.samplers.trials.copies import copied
from qpsearch.registry.samplers.trials.order import VIOLATED, best_first

STARTUP: Final = 2  # trials with a result that tell which numbers every point has


class RankedCmaEs(CmaEsSampler):
    """Optuna's CMA-ES, which is shown places in place of values.

    Args:
        seed: Seed of a draw.
        always: The parameters that every point of the space has. What the trials so far have in common may be more, and
            a state learned for more numbers would be of no use later.
    """

    def __init__(self, seed: int, always: Collection[str]) -> None:
        super().__init__(seed=seed % 2**32, n_startup_trials=STARTUP, warn_independent_sampling=False)
        self._always = always

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the numbers that all points have, also those of trials that were stopped."""
        return self._numbers(_ordered(study))

    def _get_trials(self, study: optuna.Study) -> list[FrozenTrial]:
        """Return all trials that have a result in the order of their drawing, each with its place as its value."""
        ordered = _ordered(study)
        needed = self._numbers(ordered).keys()
        sign = -1.0 if study.direction is StudyDirection.MAXIMIZE else 1.0
        placed = [
            _placed(each, sign * place)
            for place, each in enumerate(ordered)
            if needed <= each.params.keys()  # a draw may be refused before it is whole
        ]
        return sorted(placed, key=lambda each: each.number)

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> Any:
        """Return the latest state; None where it is of other numbers, such as earlier versions wrote."""
        found = super()._restore_optimizer(completed_trials)
        return found if found is None or found.dim == len(self._numbers(completed_trials)) else None

    def _numbers(self, trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
        found = intersection_search_space([each for each in trials if VIOLATED not in each.system_attrs], True)
        return {
            name: distribution
            for name, distribution in found.items()
            if name in self._always
            and not isinstance(distribution, CategoricalDistribution)
            and not distribution.single()
        }


def _ordered(study: optuna.Study) -> list[FrozenTrial]:
    known = study._storage.get_all_trials(study._study_id, deepcopy=False)
    return best_first(known, [study.direction is StudyDirection.MAXIMIZE])


def _placed(trial: FrozenTrial, value: float) -> FrozenTrial:
    return copied(trial, TrialState.COMPLETE, [value], {})
