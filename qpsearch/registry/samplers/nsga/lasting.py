"""NSGA-II and NSGA-III whose parents last: a study that goes on breeds from the same trials.

Optuna keeps the parents of a generation in attributes of the study, which a study that goes on does not have; and asked
for them again, it orders them otherwise. Here they are kept, by the numbers of their trials, in an attribute of the
trial that is the first to need them, and always come in the order of these numbers.
"""

from collections.abc import Sequence
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler
from optuna.trial import FrozenTrial, TrialState

from qpsearch.registry.samplers.trials.order import NUMBER

PARENTS: Final = "qpsearch:parents:"  # and a generation


class _Lasting(BaseSampler):
    """What both have."""

    _drawn: FrozenTrial

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a child of the parents of the trial's generation."""
        self._drawn = trial
        return super().sample_relative(study, trial, search_space)  # type: ignore[safe-super]  # Optuna's

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """Return the parents of a generation, which the first trial that needs them keeps."""
        if generation == 0:
            return []
        key = f"{PARENTS}{generation}"
        trials = study._get_trials(deepcopy=False)
        known = [
            each.system_attrs[key] for each in trials if key in each.system_attrs and each.state != TrialState.FAIL
        ]
        if known:
            wanted, complete = set(known[0]), [each for each in trials if each.state == TrialState.COMPLETE]
            return _in_order([each for each in complete if each.system_attrs[NUMBER] in wanted])
        parents = _in_order(self.select_parent(study, generation))
        numbers = [each.system_attrs[NUMBER] for each in parents]
        study._storage.set_trial_system_attr(self._drawn._trial_id, key, numbers)
        return parents

    def select_parent(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """Return the best of a generation and its parents, as Optuna's sampler chooses them."""
        raise NotImplementedError


def _in_order(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return sorted(trials, key=lambda each: each.system_attrs[NUMBER])


class Nsga2(_Lasting, NSGAIISampler):
    """Optuna's NSGA-II."""

    _get_generation_key = NSGAIISampler._get_generation_key  # by which trials of earlier versions are known
    select_parent = NSGAIISampler.select_parent


class Nsga3(_Lasting, NSGAIIISampler):
    """Optuna's NSGA-III."""

    _get_generation_key = NSGAIIISampler._get_generation_key
    select_parent = NSGAIIISampler.select_parent
