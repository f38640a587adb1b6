"""Optuna's own figures of a study, with its objectives by their names."""

import inspect
import math
import warnings
from collections.abc import Callable, Sequence
from copy import copy
from typing import Final

import optuna
import plotly.graph_objects as go
from optuna import visualization
from optuna.study import StudyDirection
from optuna.trial import TrialState

from qpsearch.analysis.subject import Goal, Subject
from qpsearch.errors import UserError, command, nearest
from qpsearch.study.search.optuna_logging import quiet_optuna
from qpsearch.study.storage.optuna_tables import DIRECTIONS

# What a figure shows, by the word that names it; Optuna's function.
PLOTS: Final[dict[str, tuple[str, Callable[..., go.Figure]]]] = {
    "history": ("values by trial, and the best so far", visualization.plot_optimization_history),
    "curves": ("values by epoch, a line a trial", visualization.plot_intermediate_values),
    "slice": ("values by each parameter", visualization.plot_slice),
    "parallel": ("a line a trial through all parameters", visualization.plot_parallel_coordinate),
    "contour": ("values over two parameters", visualization.plot_contour),
    "rank": ("ranks over two parameters", visualization.plot_rank),
    "importances": ("Optuna's default importances, PED-ANOVA", visualization.plot_param_importances),
    "edf": ("share of trials below each value", visualization.plot_edf),
    "timeline": ("when each trial ran and how it ended", visualization.plot_timeline),
    "pareto": ("the Pareto front of several objectives", visualization.plot_pareto_front),
    "hypervolume": ("volume that the Pareto front dominates, by trial", visualization.plot_hypervolume_history),
}
FOR_SEVERAL: Final = {"pareto", "hypervolume"}
OF_TRIALS: Final = {"curves", "timeline"}  # which draw every trial, whatever its values
MOST_DRAWN: Final = 3  # axes of Optuna's figure of the front
WORST: Final = 0.1  # share of the range that the reference point lies beyond the worst values


def plot(subject: Subject, kind: str, *, params: Sequence[str] = (), objective: str | None = None) -> go.Figure:
    """Draw one of Optuna's figures.

    Args:
        subject: The study.
        kind: A key of ``PLOTS``.
        params: The parameters that are drawn, where the figure is of parameters; without them all.
        objective: The name of the objective that is drawn; without it the first.

    Raises:
        UserError: There is no such kind, parameter or objective, or the figure needs several objectives, or a complete
            trial, that the study does not have.
    """
    if kind not in PLOTS:
        raise UserError(f"there is no plot {kind!r}. {nearest(kind, list(PLOTS))}")
    goal = _goal(subject, objective)
    if kind in FOR_SEVERAL and len(subject.objectives) == 1:
        raise UserError(f"{kind} needs several objectives; study {subject.study!r} has one, {goal.metric}.")
    if kind == "pareto" and len(subject.objectives) > MOST_DRAWN:
        raise UserError(
            f"pareto draws {MOST_DRAWN} objectives at most; study {subject.study!r} has {len(subject.objectives)}. "
            f"Its front as a table: {command('best', subject.study)}."
        )
    if not subject.complete:
        raise UserError(f"study {subject.study!r} does not have a complete trial with a finite value yet.")
    draw = PLOTS[kind][1]
    takes = inspect.signature(draw).parameters
    options: dict[str, object] = {}
    if objective is not None and "target" not in takes:
        raise UserError(f"{kind} is not a plot of one objective; leave --objective out.")
    if params:
        _check_params(subject, kind, params, has_params="params" in takes)
        options["params"] = list(params)
    study = _study(subject, [goal] if "target_name" in takes else subject.objectives, is_whole=kind in OF_TRIALS)
    if not _complete(study):
        raise UserError(f"study {subject.study!r} does not have a complete trial with finite values yet.")
    if "target_name" in takes:
        options["target_name"] = goal.metric
    if "target_names" in takes:
        options["target_names"] = [each.metric for each in subject.objectives]
    if "reference_point" in takes:
        options["reference_point"] = _beyond_the_worst(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a figure is experimental
        figure = draw(study, **options)
    shown = f"{subject.study}: {PLOTS[kind][0]}"
    figure.update_layout(title={"text": shown, "font": {"size": 16}}, template="plotly_white")
    return figure


def _goal(subject: Subject, objective: str | None) -> Goal:
    if objective is None:
        return subject.objective
    names = [each.metric for each in subject.objectives]
    if objective not in names:
        raise UserError(
            f"study {subject.study!r} does not have an objective {objective!r}. {nearest(objective, names)}"
        )
    return subject.objectives[names.index(objective)]


def _check_params(subject: Subject, kind: str, params: Sequence[str], *, has_params: bool) -> None:
    if not has_params:
        raise UserError(f"{kind} is not a plot of parameters; leave --params out.")
    known = list(subject.distributions)
    for name in params:
        if name not in known:
            raise UserError(f"study {subject.study!r} does not search {name!r}. {nearest(name, known)}")


def _beyond_the_worst(study: optuna.Study) -> list[float]:
    """Return a point that every complete trial dominates."""
    found = []
    for direction, values in zip(study.directions, zip(*_complete(study), strict=True), strict=True):
        margin = WORST * ((max(values) - min(values)) or 1.0)
        found.append(min(values) - margin if direction is StudyDirection.MAXIMIZE else max(values) + margin)
    return found


def _complete(study: optuna.Study) -> list[list[float]]:
    """Return the values of the complete trials."""
    return [trial.values for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])]


def _study(subject: Subject, goals: Sequence[Goal], *, is_whole: bool) -> optuna.Study:
    """Return a study of some objectives alone, with their directions, which Optuna's figures cannot be told otherwise.

    Unless it is to be whole, a complete trial without a finite value of one of them is a failed one, which figures
    leave out: the others keep their numbers.
    """
    places = [subject.objectives.index(goal) for goal in goals]
    trials = []
    for trial in subject.trials:
        own = copy(trial)
        own.values = None
        if trial.values:
            own.values = [trial.values[place] for place in places]
            if not is_whole and trial.state is TrialState.COMPLETE and not all(map(math.isfinite, own.values)):
                own.state, own.values = TrialState.FAIL, None
        trials.append(own)
    with quiet_optuna():
        study = optuna.create_study(study_name=subject.study, directions=[DIRECTIONS[each.direction] for each in goals])
        study.add_trials(trials)
    return study
