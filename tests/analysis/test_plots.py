"""Optuna's figures: each is drawn, of the study's objectives by their names, or refused in one sentence."""

import math
import warnings
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta

import optuna
import plotly.graph_objects as go
import pytest
from optuna.trial import FrozenTrial

from qpsearch.analysis.plots import FOR_SEVERAL, PLOTS, plot
from qpsearch.analysis.subject import Goal, Subject
from qpsearch.cli.answers import plot as command
from qpsearch.errors import UserError
from qpsearch.vocabulary import Direction
from tests.analysis.test_importance import planted, subject


def started(several: bool) -> list[FrozenTrial]:
    """Planted trials with curves, times and, if asked for, a second objective."""
    trials = planted(16, 0)
    for number, trial in enumerate(trials):
        trial.intermediate_values = {1: 0.5 * trial.value, 2: trial.value}
        trial.datetime_start = datetime(2026, 1, 1) + timedelta(minutes=number)
        trial.datetime_complete = trial.datetime_start + timedelta(minutes=2)
        if several:
            trial.values = [trial.value, float(number)]
    return trials


ONE = subject(started(several=False))
TWO = replace(
    subject(started(several=True)), objectives=(ONE.objective, Goal(metric="parameters", direction=Direction.MINIMIZE))
)


@pytest.mark.parametrize("kind", PLOTS)
def test_each_figure_is_drawn_with_the_objectives_name(kind: str) -> None:
    studied = TWO if kind in FOR_SEVERAL else ONE
    figure = plot(studied, kind)
    assert len(figure.data) >= 1
    assert figure.layout.title.text == f"s: {PLOTS[kind][0]}"
    if kind not in ("curves", "timeline", "importances", "hypervolume", "rank"):
        assert "val_accuracy" in figure.to_json()
    assert kind in (command.__doc__ or "")


def test_another_objective_and_some_parameters_can_be_asked_for() -> None:
    figure = plot(TWO, "slice", params=["lr"], objective="parameters")
    assert "parameters" in figure.to_json()
    assert list(figure.data[0].y) == [float(number) for number in range(16)]


@pytest.mark.parametrize("kind", ["history", "importances", "contour", "rank", "parallel", "edf", "slice"])
@pytest.mark.parametrize(("studied", "place"), [(ONE, 0), (TWO, 1)])
def test_a_figure_is_that_of_optuna_of_a_study_of_the_objective_alone(kind: str, studied: Subject, place: int) -> None:
    """Optuna minimises whatever it is given as a target: the best tenth was the worst one, and nothing was the best."""
    goal = studied.objectives[place]
    study = optuna.create_study(direction=goal.direction.value, study_name="s")
    for trial in studied.trials:
        alone = copy(trial)
        alone.values = [trial.values[place]]
        study.add_trial(alone)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two parameters of branches do not have a contour
        theirs = PLOTS[kind][1](study, target_name=goal.metric)
    ours = plot(studied, kind, objective=goal.metric)
    assert go.Figure(ours.data).to_json() == go.Figure(theirs.data).to_json()
    if kind == "history":
        assert "Best Value" in [each.name for each in ours.data]


def test_a_trial_without_a_finite_value_does_not_empty_the_volume() -> None:
    trials = started(several=True)
    trials[5].values = [0.5, math.inf]
    figure = plot(replace(TWO, trials=trials), "hypervolume")
    volumes = [float(volume) for volume in figure.data[0].y]
    assert len(volumes) == 15
    assert all(map(math.isfinite, volumes))
    history = plot(
        replace(ONE, trials=[*(each if n != 2 else _infinite(each) for n, each in enumerate(ONE.trials))]), "history"
    )
    assert list(history.data[0].x) == [n for n in range(16) if n != 2]  # the others keep their numbers
    for trial in trials:
        trial.values = [0.5, math.inf]
    with pytest.raises(UserError, match="does not have a complete trial with finite values yet"):
        plot(replace(TWO, trials=trials), "hypervolume")
    assert len(plot(replace(TWO, trials=trials), "curves").data) == 16


def _infinite(trial: FrozenTrial) -> FrozenTrial:
    other = copy(trial)
    other.values = [math.inf]
    return other


@pytest.mark.parametrize(
    ("studied", "kind", "options", "message"),
    [
        (ONE, "histroy", {}, "no plot 'histroy'. Did you mean 'history'"),
        (ONE, "pareto", {}, "pareto needs several objectives; study 's' has one, val_accuracy"),
        (ONE, "slice", {"params": ["lrr"]}, "does not search 'lrr'. Did you mean 'lr'"),
        (ONE, "history", {"params": ["lr"]}, "history is not a plot of parameters"),
        (TWO, "curves", {"objective": "parameters"}, "curves is not a plot of one objective; leave --objective out"),
        (TWO, "history", {"objective": "parameter"}, "an objective 'parameter'. Did you mean 'parameters'"),
        (
            replace(TWO, objectives=TWO.objectives * 2),
            "pareto",
            {},
            "3 objectives at most; study 's' has 4. Its front as",
        ),
        (replace(ONE, trials=[]), "history", {}, "does not have a complete trial with a finite value yet"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    studied: Subject, kind: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError) as error:
        plot(studied, kind, **options)  # type: ignore[arg-type]
    assert message in str(error.value)
