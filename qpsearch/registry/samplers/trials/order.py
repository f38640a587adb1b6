"""One order of all trials, whatever rung they reached, so that a model can learn from all of them."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from qpsearch.registry.samplers.base import Matrix

NUMBER: Final = "qpsearch:number"  # how the replica tells a sampler the number of a trial in its study
COSTS: Final = "qpsearch:costs"  # how the replica tells a sampler the further losses of a trial, smaller is better
FURTHER: Final = "qpsearch:further:"  # and an epoch: the losses of further metrics of training at that rung
VIOLATED: Final = "constraints:feasible"  # how Optuna 5 stores trial.set_constraint("feasible", 1.0)
MOST_REFUSED: Final = 0.5  # failed and infeasible draws as a share of the other trials, the latest ones, and ten


def best_first(trials: Sequence[FrozenTrial], maximize: Sequence[bool]) -> list[FrozenTrial]:
    """Return the trials that have a result, the best first.

    Complete trials come first, by their values (by non-domination rank where there are several); then those that were
    pruned or paused, by the epoch that they reached and by the value there; failed trials and infeasible draws come
    last. With several objectives, trials at one epoch come by the front on which they are there. Running trials and
    those without any value are left out.

    Args:
        trials: Trials as the replica shows them.
        maximize: For each objective whether larger is better; values at rungs are of the first.
    """
    refused, complete, others = list[FrozenTrial](), list[FrozenTrial](), list[FrozenTrial]()
    for trial in trials:  # once: each proposal looks at all trials
        if trial.state is TrialState.COMPLETE:
            complete.append(trial)
        elif trial.state is TrialState.PRUNED:
            if VIOLATED in trial.system_attrs:
                refused.append(trial)
            elif trial.intermediate_values:
                others.append(trial)
    sign = -1.0 if maximize[0] else 1.0
    losses = np.array([trial.values for trial in complete]).reshape(len(complete), len(maximize))
    losses = _finite(losses * np.where(maximize, -1.0, 1.0))
    ranks = losses[:, 0] if len(maximize) == 1 else _fronts(losses)
    first = [complete[index] for index in np.argsort(ranks, kind="stable")]
    rungs_of = sorted((*_rung(trial, sign), index) for index, trial in enumerate(others))
    others = [others[index] for *_, index in rungs_of]
    if len(maximize) > 1:
        rungs = groupby(others, lambda each: _rung(each, sign)[0])
        others = [trial for _, own in rungs for trial in _ranked(own, sign)]
    room = math.ceil(MOST_REFUSED * (len(first) + len(others))) + 10
    return [*first, *others, *refused[-room:]]


def _ranked(trials: Iterable[FrozenTrial], sign: float) -> list[FrozenTrial]:
    """Return trials of one rung by the front on which they are."""
    own = list(trials)
    losses = _finite(np.array([(_rung(each, sign)[1], *each.system_attrs.get(COSTS, ())) for each in own]))
    return [own[index] for index in np.argsort(_fronts(losses), kind="stable")]


def _rung(trial: FrozenTrial, sign: float) -> tuple[float, float]:
    epoch = max(trial.intermediate_values)
    loss = sign * trial.intermediate_values[epoch]
    return -epoch, math.inf if math.isnan(loss) else loss


def _finite(losses: Matrix) -> Matrix:
    return np.nan_to_num(losses, nan=np.inf, posinf=np.inf, neginf=-np.inf)


def _fronts(losses: Matrix) -> Matrix:
    """Return for each row how many fronts of undominated rows lie before it."""
    dominated_by = (losses[:, None] >= losses[None]).all(axis=2) & (losses[:, None] > losses[None]).any(axis=2)
    ranks, left, rank = np.zeros(len(losses)), np.ones(len(losses), dtype=bool), 0
    while left.any():
        front = left & ~(dominated_by & left[None]).any(axis=1)
        ranks[front], rank, left = rank, rank + 1, left & ~front
    return ranks
