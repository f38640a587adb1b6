"""Which parameters affect the objective most, with the evaluator's name, an interval and the number of trials.

The default, ``branches``, is fANOVA with a fair treatment of conditional parameters. Parameters that are always active
are judged on all complete trials; a parameter that exists only in a branch is judged on the trials of that branch,
together with the other parameters active there. Optuna's default evaluator answers another question and hides the
block types (docs/background/optuna-and-ray.md); Optuna's evaluators are here under their own names.
"""

import copy
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    MeanDecreaseImpurityImportanceEvaluator,
    PedAnovaImportanceEvaluator,
)
from optuna.trial import FrozenTrial, TrialState

from qpsearch.errors import UserError
from qpsearch.space.space import Objective
from qpsearch.study.search.optuna_logging import quiet_optuna
from qpsearch.study.storage.optuna_tables import DIRECTIONS
from qpsearch.vocabulary import Evaluator, WithWords, as_member

FEWEST: Final = 8  # fewer complete trials are too few for a forest
RESAMPLES: Final = 20
TREES: Final = 64
MANY: Final = 300  # trials above which resampled forests are kept small: their time grows with n squared
INTERVAL: Final = (0.05, 0.95)
FOREST: Final = 200  # trees of the forest that predicts: each trial is out of bag for some of them
NO_SPLIT: Final = "zero total variance"  # the words of Optuna's fANOVA


TITLES: dict[Evaluator, str] = {
    Evaluator.BRANCHES: "fANOVA, conditional parameters within their branch",
    Evaluator.FANOVA: "Optuna's fANOVA",
    Evaluator.PED_ANOVA: "Optuna's PED-ANOVA",
    Evaluator.MDI: "Optuna's mean decrease in impurity",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """One parameter's share.

    Attributes:
        parameter: The parameter's name.
        importance: fANOVA: share of the variance of a forest's predictions that the parameter explains alone; it
            speaks for the objective only as far as the forest predicts it (``predicted``). The importances of PED-ANOVA
            and MDI add up to 1.
        low: 5th percentile of the importance over resampled trials, or the importance where that is less.
        high: 95th percentile of the importance over resampled trials, or the importance where that is more.
        trials: Number of complete trials that the parameter was judged on.
    """

    parameter: str
    importance: float
    low: float
    high: float
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceTable(WithWords):
    """Importances with everything needed to read them.

    Attributes:
        study: The study's name.
        objective: The objective that was optimised.
        evaluator: The evaluator.
        n: Complete trials with a finite value.
        total: All trials of the study; pruned and failed ones are not used.
        resamples: Resampled sets of trials behind each interval.
        importances: The parameters judged on all n trials, the most important first; then the conditional
            ones, the most important first.
        left_out: Why other parameters are not in ``importances``, a sentence each.
        predicted: Out-of-bag R^2 of a forest on the parameters judged on all n trials; at most 1, and 0 or less where
            the parameters do not predict the objective. None where all parameters are conditional.
    """

    study: str
    objective: Objective
    evaluator: Evaluator
    n: int
    total: int
    resamples: int
    importances: tuple[Importance, ...]
    left_out: tuple[str, ...]
    predicted: float | None

    @property
    def title(self) -> str:
        """One line that says how the table was computed."""
        basis = f"{TITLES[self.evaluator]}; {self.n} complete trials of {self.total}"
        return f"{self.study}: what decides {self.objective.metric} ({basis})"

    def to_dict(self) -> dict[str, Any]:
        """Return the table as ``--json`` prints it."""
        fields = asdict(self)
        fields["objective"] = {"metric": self.objective.metric.value, "direction": self.objective.direction.value}
        return fields


def importance(
    trials: Sequence[FrozenTrial],
    objective: Objective,
    *,
    study: str,
    evaluator: Evaluator = Evaluator.BRANCHES,
    seed: int = 0,
) -> ImportanceTable:
    """Judge the parameters of a study.

    Args:
        trials: All trials of the study; only complete ones with a finite value are used.
        objective: The training metric that the study optimises.
        study: The study's name, for titles.
        evaluator: The evaluator.
        seed: Seed of forests and resamples.

    Raises:
        UserError: Fewer than 8 trials can be used, or the study did not search any parameter.
        ValueError: There is no such evaluator.
    """
    evaluator = as_member(Evaluator, evaluator, "evaluator")
    used = [
        _of_one_objective(trial)
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.values and np.isfinite(trial.values[0])
    ]
    if len(used) < FEWEST:
        raise UserError(
            f"study {study!r} has {len(used)} complete trials; importance needs at least {FEWEST}. "
            f"Run more trials: qpsearch resume {study} --trials N."
        )
    judge = _Judge(objective, evaluator, seed)
    searched = {name: distribution for trial in trials for name, distribution in trial.distributions.items()}
    left_out = [
        f"{name}: only one value is possible" for name, distribution in searched.items() if distribution.single()
    ]
    wanted = [name for name, distribution in searched.items() if not distribution.single()]
    if not wanted:
        raise UserError(f"study {study!r} does not search anything: each parameter of its space has only one value.")
    always = [name for name in wanted if all(name in trial.params for trial in used)]
    rows = judge.rows(used, always, always)
    for name in (name for name in wanted if name not in always):
        branch = [trial for trial in used if name in trial.params]
        reason = _why_not(evaluator, len(branch))
        if reason:
            left_out.append(f"{name}: {reason}")
            continue
        active = [other for other in wanted if all(other in trial.params for trial in branch)]
        rows += judge.rows(branch, active, [name])
    ranked = sorted(rows, key=lambda row: (row.trials != len(used), -row.importance, row.parameter))
    return ImportanceTable(
        study=study,
        objective=objective,
        evaluator=evaluator,
        n=len(used),
        total=len(trials),
        resamples=RESAMPLES,
        importances=tuple(ranked),
        left_out=tuple(left_out),
        predicted=_predicted(used, always, seed) if always else None,
    )


def _predicted(trials: Sequence[FrozenTrial], active: list[str], seed: int) -> float:
    """Return the out-of-bag R^2; see ``ImportanceTable``."""
    from sklearn.ensemble import RandomForestRegressor  # as Optuna, only where a forest is grown

    values = [trial.value for trial in trials]
    if len(set(values)) == 1:
        return 0.0
    columns: list[list[float]] = []
    for name in active:
        distribution = trials[0].distributions[name]
        column = [distribution.to_internal_repr(trial.params[name]) for trial in trials]
        if isinstance(distribution, CategoricalDistribution):  # words are not ordered
            columns += [[float(value == index) for value in column] for index in range(len(distribution.choices))]
        else:
            columns.append(column)
    forest = RandomForestRegressor(FOREST, oob_score=True, random_state=seed)
    return float(forest.fit(np.array(columns).T, values).oob_score_)


def _why_not(evaluator: Evaluator, in_branch: int) -> str | None:
    """Say why a conditional parameter is not judged; None where it is."""
    if evaluator in (Evaluator.FANOVA, Evaluator.MDI):
        return "this evaluator cannot judge conditional parameters; the default evaluator can"
    if in_branch < FEWEST:
        return f"active in only {in_branch} complete trials; at least {FEWEST} are needed"
    return None


class _Judge:
    """Applies one of Optuna's evaluators to sets of trials."""

    def __init__(self, objective: Objective, evaluator: Evaluator, seed: int) -> None:
        self._objective, self._evaluator, self._seed = objective, evaluator, seed

    def rows(self, trials: Sequence[FrozenTrial], active: list[str], wanted: list[str]) -> list[Importance]:
        """Judge the active parameters on the trials and return those wanted."""
        if not wanted:
            return []
        point = self._evaluate(trials, active, self._seed, TREES)
        drawn = list(self._resampled(trials, active))
        return [_row(name, point[name], [sample[name] for sample in drawn], len(trials)) for name in wanted]

    def _resampled(self, trials: Sequence[FrozenTrial], active: list[str]) -> Iterator[dict[str, float]]:
        generator = random.Random(self._seed)
        trees = TREES // 4 if len(trials) <= MANY else TREES // 16
        for index in range(RESAMPLES):
            yield self._evaluate(generator.choices(trials, k=len(trials)), active, self._seed + index, trees)

    def _evaluate(self, trials: Sequence[FrozenTrial], active: list[str], seed: int, trees: int) -> dict[str, float]:
        if len({trial.value for trial in trials}) == 1:
            return dict.fromkeys(active, 0.0)  # nothing varies, so nothing is explained
        study = _study_of(trials, self._objective)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that PED-ANOVA is experimental, and that it was made for many trials
            try:  # sorted, since Optuna's MDI assigns the numbers of sorted parameters to the list that it is given
                found = EVALUATORS[self._evaluator](seed, trees).evaluate(study, params=sorted(active))
            except RuntimeError as error:
                if NO_SPLIT not in str(error):
                    raise
                return dict.fromkeys(active, 0.0)  # no tree found a parameter that varies
        total = sum(found.values()) if self._evaluator is Evaluator.PED_ANOVA else 0.0
        return {name: value / total for name, value in found.items()} if total > 0 else found


EVALUATORS: dict[Evaluator, Callable[[int, int], BaseImportanceEvaluator]] = {
    Evaluator.BRANCHES: lambda seed, trees: FanovaImportanceEvaluator(n_trees=trees, seed=seed),
    Evaluator.FANOVA: lambda seed, trees: FanovaImportanceEvaluator(n_trees=trees, seed=seed),
    Evaluator.PED_ANOVA: lambda seed, trees: PedAnovaImportanceEvaluator(),
    Evaluator.MDI: lambda seed, trees: MeanDecreaseImpurityImportanceEvaluator(n_trees=trees, seed=seed),
}


def _row(name: str, point: float, drawn: list[float], trials: int) -> Importance:
    low, high = np.quantile(drawn, INTERVAL)
    return Importance(
        parameter=name, importance=point, low=min(float(low), point), high=max(float(high), point), trials=trials
    )


def _of_one_objective(trial: FrozenTrial) -> FrozenTrial:
    if len(trial.values) == 1:
        return trial
    alone = copy.copy(trial)
    alone.values = trial.values[:1]
    return alone


def _study_of(trials: Sequence[FrozenTrial], objective: Objective) -> optuna.Study:
    with quiet_optuna():
        study = optuna.create_study(direction=DIRECTIONS[objective.direction])
        study.add_trials(trials)
    return study
