"""Each parameter alone: the values of complete trials by it."""

import math
from collections.abc import Sequence
from typing import Any, Final

import plotly.graph_objects as go
from optuna.trial import FrozenTrial

from qpsearch.analysis.page import Chart, for_plotly
from qpsearch.analysis.report.groups import Style
from qpsearch.analysis.report.landscape import Axis, jitter, said
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.thinning import spread, thinned

MOST_SLICES: Final = 24
MOST_IN_SLICE: Final = 200
TITLE: Final = {"font": {"size": 13}, "x": 0, "xref": "paper", "y": 0.97, "yanchor": "top"}


def slices(material: Material) -> list[Chart]:
    """Draw the value of complete trials by each parameter, those first that explain most."""
    if not material.ranked:
        return []
    values = [trial.values[0] for trial in material.ranked]
    margin = 0.06 * (max(values) - min(values))
    whole = (min(values) - margin, max(values) + margin)
    heights = spread(values, is_more_better=material.is_more_better) or whole
    return [_slice(material, name, at, heights) for at, name in enumerate(material.ranking[:MOST_SLICES])]


def _slice(material: Material, name: str, index: int, heights: tuple[float, float]) -> Chart:
    axis = Axis.of(material.names[name], material.subject.distributions[name])
    having = [trial for trial in material.subject.complete if name in trial.params]
    best = [trial for trial in material.ranked if name in trial.params][: MOST_IN_SLICE // 6]
    shown = thinned(having, MOST_IN_SLICE, first=best)
    figure = go.Figure([_points(own, name, axis, group, look) for group, look, own in material.groups.parted(shown)])
    figure.update_layout(
        height=250,
        margin={"t": 36, "r": 10, "b": 42, "l": 50},
        title={"text": f"<b>{for_plotly(axis.title)}</b>", **TITLE},
        xaxis=_ticks(axis),
        yaxis={"range": heights},
    )
    metric = material.subject.objective.metric
    return Chart(
        name=f"slice-{index}",
        figure=figure,
        label=f"{metric} of complete trials by {name}",
        columns=(("trial", "customdata.0"), (name, "customdata.1"), (metric, "y")),
        series="blocks",
    )


def _points(trials: Sequence[FrozenTrial], name: str, axis: Axis, group: str, look: Style) -> go.Scatter:
    return go.Scatter(
        mode="markers",
        name=for_plotly(group),
        x=[_across(axis, trial, name) for trial in trials],
        y=[trial.values[0] for trial in trials],
        customdata=[[trial.number, said(trial.params[name])] for trial in trials],
        marker={"color": look.colour, "symbol": look.symbol, "size": 6},
        opacity=0.75,
        hovertemplate="trial %{customdata[0]}, %{customdata[1]}: %{y:.4g}",
    )


def _across(axis: Axis, trial: FrozenTrial, name: str) -> float:
    given = trial.params[name]
    if axis.levels is None:
        return float(given)
    return axis.place(given) * axis.high + 8 * jitter(trial, name, axis)


def _broken(said: str) -> str:
    """Return a word in lines that fit beside others, cut if it is very long."""
    cut = said if len(said) < 28 else f"{said[:26]}..."
    return for_plotly(cut).replace("_", "_<br>") if len(cut) > 9 else for_plotly(cut)


def _ticks(axis: Axis) -> dict[str, Any]:
    if axis.is_log:
        decades = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
        steps = (1, 3) if axis.high / axis.low < 150 else (1,)
        marks = [step * 10.0**decade for decade in decades for step in steps]
        kept = [mark for mark in marks if 0.99 * axis.low <= mark <= 1.01 * axis.high]
        return {"type": "log", "tickvals": kept, "ticktext": [f"{mark:g}" for mark in kept], "tickangle": 0}
    if axis.levels is None:
        return {"type": "linear", "nticks": 6, "tickangle": 0}
    return {
        "type": "linear",
        "tickvals": [place * axis.high for place, _ in axis.marks],
        "ticktext": [_broken(said) for _, said in axis.marks],
        "tickangle": 0,
        "range": [-0.5, len(axis.levels) - 0.5],
        "showgrid": False,
        "zeroline": False,
    }
