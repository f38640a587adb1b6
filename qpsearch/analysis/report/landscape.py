"""Where the good trials lie: a line for each trial through all parameters, each parameter alone, the Pareto front."""

import math
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial

from qpsearch.analysis.page import Chart, for_plotly
from qpsearch.analysis.page.colours import INK, QUIET
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.thinning import spread, thinned, thinned_note
from qpsearch.analysis.report.words import count, scalar, short, value
from qpsearch.vocabulary import Direction, Metric

MOST_LINES: Final = 300
MOST_AXES: Final = 12
MOST_SLICES: Final = 24
MOST_IN_SLICE: Final = 300
LEVELS: Final = 8  # of a choice, that an axis names
MISSING: Final = -0.13  # where a line passes the axis of a parameter that its trial did not draw


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The axis of a parameter, or of the objective: places from 0 to 1, and what is written at some of them."""

    title: str
    marks: tuple[tuple[float, str], ...]
    low: float
    high: float
    is_log: bool = False
    levels: tuple[object, ...] | None = None

    @classmethod
    def of(cls, name: str, distribution: BaseDistribution) -> "Axis":
        """Return the axis of a parameter."""
        if isinstance(distribution, CategoricalDistribution):
            levels = tuple(distribution.choices)
            top = max(len(levels) - 1, 1)
            step = math.ceil(len(levels) / LEVELS)
            marks = tuple((at / top, scalar(levels[at])) for at in range(0, len(levels), step))
            return cls(title=name, marks=marks, low=0, high=top, levels=levels)
        if isinstance(distribution, IntDistribution) and not distribution.log:
            whole = range(distribution.low, distribution.high + 1, distribution.step)
            if len(whole) <= LEVELS:
                return cls.of(name, CategoricalDistribution(list(whole)))
        low, high = float(distribution.low), float(distribution.high)  # type: ignore[attr-defined]  # numbers have both
        is_log = bool(getattr(distribution, "log", False))
        marks = ((0.0, scalar(low)), (1.0, scalar(high)))
        return cls(title=name, marks=marks, low=low, high=high, is_log=is_log)

    def place(self, given: Any) -> float:
        """Return where a value lies."""
        if self.levels is not None:
            at = next((index for index, level in enumerate(self.levels) if level == given and type(level) is type(given)), 0)
            return at / self.high
        low, high, here = (math.log(each) if self.is_log else each for each in (self.low, self.high, float(given)))
        return (here - low) / (high - low) if high > low else 0.5


def parallel(material: Material) -> Chart | None:
    """Draw a line for each complete trial through its parameters to its value; None without complete trials."""
    subject = material.subject
    complete = subject.complete
    names = list(material.ranking[:MOST_AXES])
    if not complete or not names:
        return None
    is_more_better = subject.objective.direction is Direction.MAXIMIZE
    ranked = sorted(complete, key=lambda trial: -trial.values[0] if is_more_better else trial.values[0])
    axes = [Axis.of(material.names[name], subject.distributions[name]) for name in names]
    axes.append(_result(subject.objective.metric, [trial.values[0] for trial in complete], is_more_better=is_more_better))
    shown = thinned(complete, MOST_LINES, first=ranked[: MOST_LINES // 6])
    figure = go.Figure()
    for group, look in material.groups.looks.items():
        own = [trial for trial in shown if material.groups.of[trial.number] == group]
        if own:
            line = {"color": look.colour, "width": 1.1, "dash": look.dash}
            figure.add_trace(_through(own, names, axes, group, line, 0.5))
    figure.add_trace(_through(ranked[:1], names, axes, f"best: trial {ranked[0].number}", {"color": INK, "width": 3}, 1.0))
    figure.add_trace(_marks(axes))
    _add_axes(figure, axes)
    left_out = len(material.ranking) - len(names)
    notes = (
        thinned_note(len(shown), len(complete), "complete trials"),
        f"{count(left_out, 'parameter')} that explain{'s' if left_out == 1 else ''} less {'is' if left_out == 1 else 'are'} left out." if left_out > 0 else None,
        "Lines below an axis belong to trials that did not draw the parameter."
        if any(name not in trial.params for trial in shown for name in names)
        else None,
    )
    return Chart(
        name="parallel",
        figure=figure,
        label=f"a line for each complete trial through its parameters to its {subject.objective.metric}",
        columns=(("trial", "customdata.0"), ("parameter", "customdata.1"), ("value", "customdata.2")),
        series="blocks",
        least_width=74 * len(axes),
        note=" ".join(filter(None, notes)) or None,
    )


def slices(material: Material) -> list[Chart]:
    """Draw the value of complete trials by each parameter, those first that explain most."""
    subject = material.subject
    complete = subject.complete
    if not complete:
        return []
    is_more_better = subject.objective.direction is Direction.MAXIMIZE
    ranked = sorted(complete, key=lambda trial: -trial.values[0] if is_more_better else trial.values[0])
    values = [trial.values[0] for trial in complete]
    margin = 0.06 * (max(values) - min(values))
    heights = spread(values, is_more_better=is_more_better) or (min(values) - margin, max(values) + margin)
    names = material.ranking[:MOST_SLICES]
    return [_slice(material, name, index, complete, ranked, heights) for index, name in enumerate(names)]


def pareto(material: Material) -> Chart | None:
    """Draw complete trials by the first two objectives, and the Pareto front; None for one objective."""
    subject = material.subject
    goals = subject.objectives
    points = [trial for trial in subject.complete if all(map(math.isfinite, trial.values))]
    if len(goals) < 2 or not points:
        return None
    first, second = goals[:2]
    front = front_of(material)
    shown = thinned(points, 1500, first=front)
    figure = go.Figure()
    for group, look in material.groups.looks.items():
        own = [trial for trial in shown if material.groups.of[trial.number] == group]
        if own:
            marker = {"color": look.colour, "symbol": look.symbol, "size": 7}
            figure.add_trace(_places(own, group, "markers", marker=marker, opacity=0.7))
    ordered = sorted(front, key=lambda trial: trial.values[1])
    line = {"color": INK, "width": 1.6, "dash": "dot"}
    ring = {"color": INK, "symbol": "circle-open", "size": 12, "line": {"width": 2}}
    figure.add_trace(_places(ordered, "Pareto front", "markers+lines" if len(goals) == 2 else "markers", marker=ring, line=line))
    is_wide = min(trial.values[1] for trial in points) > 0 and _is_cost(second.metric)
    figure.update_layout(
        height=440,
        xaxis={"title": {"text": for_plotly(_better(second.metric, second.direction))}, "type": "log" if is_wide else "linear"},
        yaxis={"title": {"text": for_plotly(_better(first.metric, first.direction))}},
    )
    more = f"Further objectives ({', '.join(each.metric for each in goals[2:])}) are in the table." if goals[2:] else None
    notes = (thinned_note(len(shown), len(points), "complete trials"), more)
    return Chart(
        name="pareto",
        figure=figure,
        label=f"complete trials by {second.metric} and {first.metric}, with the Pareto front",
        columns=(("trial", "customdata"), (second.metric, "x"), (first.metric, "y")),
        series="blocks",
        note=" ".join(filter(None, notes)) or None,
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


def _is_cost(metric: str) -> bool:
    return metric in set(Metric) and Metric(metric).is_cost


def _better(metric: str, direction: Direction) -> str:
    return f"{metric} ({'more' if direction is Direction.MAXIMIZE else 'less'} is better)"


def _places(trials: Sequence[FrozenTrial], name: str, mode: str, **how: Any) -> go.Scatter:
    return go.Scatter(
        mode=mode,
        name=for_plotly(name),
        x=[trial.values[1] for trial in trials],
        y=[trial.values[0] for trial in trials],
        customdata=[trial.number for trial in trials],
        hovertemplate="trial %{customdata}: %{y:.4g} at %{x:.4s}",
        **how,
    )


def _result(metric: str, values: Sequence[float], *, is_more_better: bool) -> Axis:
    low, high = spread(values, is_more_better=is_more_better) or (min(values), max(values))
    low, high = max(low, min(values)), min(high, max(values))
    return Axis(title=metric, marks=((0.0, value(low)), (1.0, value(high))), low=low, high=high)


def _through(
    trials: Sequence[FrozenTrial], names: Sequence[str], axes: Sequence[Axis], group: str, line: dict[str, Any], opacity: float
) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    told: list[list[object] | None] = []
    for trial in trials:
        for at, (name, axis) in enumerate(zip(names, axes, strict=False)):
            has = name in trial.params
            y.append(axis.place(trial.params[name]) + _jitter(trial, name, axis) if has else MISSING)
            told.append([trial.number, for_plotly(axis.title), for_plotly(scalar(trial.params[name])) if has else "not drawn"])
            x.append(at)
        y += [min(max(axes[-1].place(trial.values[0]), 0.0), 1.0), None]
        x += [len(names), None]
        told += [[trial.number, for_plotly(axes[-1].title), value(trial.values[0])], None]
    return go.Scatter(
        mode="lines",
        name=for_plotly(group),
        x=x,
        y=y,
        customdata=told,
        line=line,
        opacity=opacity,
        hovertemplate="trial %{customdata[0]}<br>%{customdata[1]}: %{customdata[2]}<extra></extra>",
    )


def _jitter(trial: FrozenTrial, name: str, axis: Axis) -> float:
    """Return a small shift, the same in each report, by which lines through one choice can be told apart."""
    if axis.levels is None:
        return 0.0
    return (zlib.crc32(f"{trial.number} {name}".encode()) / 2**32 - 0.5) * 0.05


def _marks(axes: Sequence[Axis]) -> go.Scatter:
    marks = [(at, place, said) for at, axis in enumerate(axes) for place, said in axis.marks]
    return go.Scatter(
        mode="text",
        x=[at for at, _, _ in marks],
        y=[place for _, place, _ in marks],
        text=[f" {for_plotly(said if len(said) < 13 else said[:11] + chr(0x2026))}" for _, _, said in marks],
        textposition="middle right",
        textfont={"size": 10, "color": INK, "shadow": "auto"},
        showlegend=False,
        hoverinfo="skip",
        cliponaxis=False,
        meta={"is_decoration": True},
    )


def _add_axes(figure: go.Figure, axes: Sequence[Axis]) -> None:
    for at in range(len(axes)):
        figure.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, line={"color": QUIET, "width": 1}, layer="below")
    figure.update_layout(
        height=460,
        margin={"r": 40, "l": 10, "b": 90, "t": 10},
        xaxis={
            "tickvals": list(range(len(axes))),
            "ticktext": [for_plotly(axis.title) for axis in axes],
            "showgrid": False,
            "zeroline": False,
            "tickangle": 25,
            "range": [-0.15, len(axes) - 0.6],
            "fixedrange": True,
        },
        yaxis={"visible": False, "range": [MISSING - 0.05, 1.06], "fixedrange": True},
    )


def _slice(
    material: Material,
    name: str,
    index: int,
    complete: Sequence[FrozenTrial],
    ranked: Sequence[FrozenTrial],
    heights: tuple[float, float],
) -> Chart:
    subject = material.subject
    axis = Axis.of(material.names[name], subject.distributions[name])
    having = [trial for trial in complete if name in trial.params]
    shown = thinned(having, MOST_IN_SLICE, first=[trial for trial in ranked if name in trial.params][: MOST_IN_SLICE // 6])
    by_group: dict[str, list[FrozenTrial]] = defaultdict(list)
    for trial in shown:
        by_group[material.groups.of[trial.number]].append(trial)
    figure = go.Figure()
    for group, look in material.groups.looks.items():
        if own := by_group[group]:
            figure.add_trace(
                go.Scatter(
                    mode="markers",
                    name=for_plotly(group),
                    x=[_across(axis, trial, name) for trial in own],
                    y=[trial.values[0] for trial in own],
                    customdata=[[trial.number, for_plotly(scalar(trial.params[name]))] for trial in own],
                    marker={"color": look.colour, "symbol": look.symbol, "size": 6},
                    opacity=0.75,
                    hovertemplate="trial %{customdata[0]}, %{customdata[1]}: %{y:.4g}",
                )
            )
    figure.update_layout(
        height=250,
        showlegend=False,
        margin={"t": 36, "r": 10, "b": 42, "l": 50},
        title={"text": f"<b>{for_plotly(axis.title)}</b>", "font": {"size": 13}, "x": 0, "xref": "paper", "y": 0.97, "yanchor": "top"},
        xaxis=_ticks(axis),
        yaxis={"range": heights},
    )
    return Chart(
        name=f"slice-{index}",
        figure=figure,
        label=f"{subject.objective.metric} of complete trials by {name}",
        columns=(("trial", "customdata.0"), (name, "customdata.1"), (subject.objective.metric, "y")),
        series="blocks",
        note=thinned_note(len(shown), len(having), "trials"),
    )


def _across(axis: Axis, trial: FrozenTrial, name: str) -> float:
    given = trial.params[name]
    if axis.levels is None:
        return float(given)
    return axis.place(given) * axis.high + 8 * _jitter(trial, name, axis)


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


def shown_cost(metric: str, number: float) -> str:
    """Return a value of an objective that may be a cost."""
    return short(number) if _is_cost(metric) else value(number)
