"""Optuna's own importance evaluators, on complete trials, each under the name that Optuna gives it.

They are loaded when they are asked for, since what they import (scikit-learn, pandas) takes a second.
"""

import copy
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import optuna
from optuna.trial import FrozenTrial

from qpsearch.study.search.optuna_logging import quiet_optuna
from qpsearch.study.storage.optuna_tables import DIRECTIONS
from qpsearch.vocabulary import Direction, Evaluator

if TYPE_CHECKING:
    from optuna.importance import BaseImportanceEvaluator

FEWEST: Final = 8  # fewer complete trials are too few for a forest
NO_SPLIT: Final = "zero total variance"  # the words of Optuna's fANOVA


def evaluate(
    evaluator: Evaluator, trials: Sequence[FrozenTrial], names: Sequence[str], direction: Direction, seed: int
) -> tuple[dict[str, float], dict[str, str]]:
    """Judge parameters by one of Optuna's evaluators.

    Args:
        evaluator: The evaluator.
        trials: Complete trials.
        names: The parameters.
        direction: Of the first objective.
        seed: Of the forest.

    Returns:
        The importance of each parameter that the evaluator can judge, in Optuna's unit; and why others are left out.
    """
    left_out = {}
    for name in names:
        having = sum(name in trial.params for trial in trials)
        if evaluator is not Evaluator.PED_ANOVA and having < len(trials):
            left_out[name] = "this evaluator cannot judge conditional parameters; the default evaluator can"
        elif having < FEWEST:
            left_out[name] = f"active in only {having} complete trials; at least {FEWEST} are needed"
    # sorted, since Optuna's MDI assigns the numbers of sorted parameters to the list that it is given
    judged = sorted(set(names) - set(left_out))
    if not judged or len({trial.values[0] for trial in trials}) == 1:
        return dict.fromkeys(judged, 0.0), left_out  # nothing varies, so nothing is explained
    always = [name for name in judged if all(name in trial.params for trial in trials)]
    found = _evaluated(evaluator, trials, always, direction, seed) if always else {}
    for name in judged:
        if name not in found:  # within its branch, where PED-ANOVA has a value for it
            branch = [trial for trial in trials if name in trial.params]
            active = sorted(other for other in judged if all(other in trial.params for trial in branch))
            found[name] = _evaluated(evaluator, branch, active, direction, seed)[name]
    return found, left_out


def _evaluator(evaluator: Evaluator, seed: int) -> "BaseImportanceEvaluator":
    from optuna import importance

    match evaluator:
        case Evaluator.FANOVA:
            return importance.FanovaImportanceEvaluator(seed=seed)
        case Evaluator.PED_ANOVA:
            return importance.PedAnovaImportanceEvaluator()
        case Evaluator.MDI:
            return importance.MeanDecreaseImpurityImportanceEvaluator(seed=seed)
    raise AssertionError(f"{evaluator} is not Optuna's")


def _evaluated(
    evaluator: Evaluator, trials: Sequence[FrozenTrial], names: list[str], direction: Direction, seed: int
) -> dict[str, float]:
    with quiet_optuna():
        study = optuna.create_study(direction=DIRECTIONS[direction])
        study.add_trials([_of_one_objective(trial) for trial in trials])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that PED-ANOVA is experimental, and that it was made for many trials
        try:
            found = _evaluator(evaluator, seed).evaluate(study, params=names)
        except RuntimeError as error:
            if NO_SPLIT not in str(error):
                raise
            return dict.fromkeys(names, 0.0)  # no tree found a parameter that varies
    total = sum(found.values()) if evaluator is Evaluator.PED_ANOVA else 0.0
    return {name: value / total for name, value in found.items()} if total > 0 else found


def _of_one_objective(trial: FrozenTrial) -> FrozenTrial:
    if len(trial.values) == 1:
        return trial
    alone = copy.copy(trial)
    alone.values = trial.values[:1]
    return alone
