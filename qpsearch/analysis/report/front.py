"""The Pareto front of several objectives."""

import math
from collections.abc import Sequence
from typing import Any, Final

import plotly.graph_objects as go
from optuna.trial import FrozenTrial

from qpsearch.analysis.page import Chart, for_plotly
from qpsearch.analysis.page.colours import INK
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.thinning import thinned, thinned_note
from qpsearch.analysis.report.words import joined, short, value
from qpsearch.analysis.subject import Goal
from qpsearch.space.constraints import COSTS
from qpsearch.vocabulary import Direction

MOST_POINTS: Final = 1500
RING: Final = {"color": INK, "symbol": "circle-open", "size": 12, "line": {"width": 2}}


def pareto(material: Material) -> Chart | None:
    """Draw complete trials by the first two objectives, and the Pareto front; None for one objective."""
    goals = material.subject.objectives
    points = [trial for trial in material.subject.complete if all(map(math.isfinite, trial.values))]
    if len(goals) < 2 or not points:
        return None
    first, second = goals[:2]
    front = front_of(material)
    means = {each.number: each.values for each in material.own.front} if material.own else {}
    shown = thinned(points, MOST_POINTS, first=front)
    figure = go.Figure()
    for group, look, own in material.groups.parted(shown):
        marker = {"color": look.colour, "symbol": look.symbol, "size": 7}
        places = [(trial.number, trial.values) for trial in own]
        figure.add_trace(_places(places, group, "markers", marker=marker, opacity=0.7))
    ordered = [(trial.number, means.get(trial.number, trial.values)) for trial in front]
    ordered.sort(key=lambda place: place[1][1])
    mode = "markers+lines" if len(goals) == 2 else "markers"
    figure.add_trace(
        _places(ordered, "Pareto front", mode, marker=RING, line={"color": INK, "width": 1.6, "dash": "dot"})
    )
    is_log = min(trial.values[1] for trial in points) > 0 and _is_cost(second.metric)
    figure.update_layout(
        height=440,
        xaxis={"title": {"text": for_plotly(_better(second))}, "type": "log" if is_log else "linear"},
        yaxis={"title": {"text": for_plotly(_better(first))}},
    )
    others = ", ".join(each.metric for each in goals[2:])
    more = f"Further objectives ({others}) are in the table." if others else None
    has_means = material.own is not None and any(len(each.trials) > 1 for each in material.own.front)
    mean = "The front is that of configurations, each at the mean of its trials." if has_means else None
    return Chart(
        name="pareto",
        figure=figure,
        label=f"complete trials by {second.metric} and {first.metric}, with the Pareto front",
        columns=(("trial", "customdata"), (second.metric, "x"), (first.metric, "y")),
        series="blocks",
        note=joined(thinned_note(len(shown), len(points), "complete trials"), mean, more),
    )


def front_of(material: Material) -> list[FrozenTrial]:
    """Return the trials on the Pareto front; of a study of qpsearch, the first trial of each configuration on it."""
    complete = material.subject.complete
    if material.own is not None:
        numbers = {each.number for each in material.own.front}
        return [trial for trial in complete if trial.number in numbers]
    signs = [1.0 if goal.direction is Direction.MAXIMIZE else -1.0 for goal in material.subject.objectives]
    gains = [([sign * each for sign, each in zip(signs, trial.values, strict=True)], trial) for trial in complete]
    gains.sort(key=lambda each: [-gain for gain in each[0]])
    found: list[tuple[list[float], FrozenTrial]] = []
    for own, trial in gains:  # who could beat it comes before it
        if not any(other != own and all(a >= b for a, b in zip(other, own, strict=True)) for other, _ in found):
            found.append((own, trial))
    return [trial for _, trial in found]


def shown_cost(metric: str, number: float) -> str:
    """Return a value of an objective that may be a cost."""
    return short(number) if _is_cost(metric) else value(number)


def _is_cost(metric: str) -> bool:
    return metric in COSTS


def _better(goal: Goal) -> str:
    return f"{goal.metric} ({'more' if goal.direction is Direction.MAXIMIZE else 'less'} is better)"


def _places(places: Sequence[tuple[int, Sequence[float]]], name: str, mode: str, **how: Any) -> go.Scatter:
    """Draw numbers of trials at values of the objectives."""
    return go.Scatter(
        mode=mode,
        name=for_plotly(name),
        x=[values[1] for _, values in places],
        y=[values[0] for _, values in places],
        customdata=[number for number, _ in places],
        hovertemplate="trial %{customdata}: %{y:.4g} at %{x:.4s}",
        **how,
    )
