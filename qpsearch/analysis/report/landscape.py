"""Where the good trials lie: a line for each trial through all parameters."""

import math
import zlib
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
from qpsearch.analysis.report.words import joined, scalar, value
from qpsearch.errors import counted

MOST_LINES: Final = 200
MOST_AXES: Final = 12
MOST_SAID: Final = 60  # characters of a value
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
            at = next(
                (index for index, level in enumerate(self.levels) if level == given and type(level) is type(given)), 0
            )
            return at / self.high
        low, high, here = (math.log(each) if self.is_log else each for each in (self.low, self.high, float(given)))
        return (here - low) / (high - low) if high > low else 0.5


def parallel(material: Material) -> Chart | None:
    """Draw a line for each complete trial through its parameters to its value; None without complete trials."""
    subject, ranked = material.subject, material.ranked
    names = list(material.ranking[:MOST_AXES])
    if not ranked or not names:
        return None
    values = [trial.values[0] for trial in ranked]
    axes = [Axis.of(material.names[name], subject.distributions[name]) for name in names]
    axes.append(_result(subject.objective.metric, values, is_more_better=material.is_more_better))
    shown = thinned(subject.complete, MOST_LINES, first=ranked[: MOST_LINES // 6])
    figure = go.Figure()
    for group, look, own in material.groups.parted(shown):
        line = {"color": look.colour, "width": 1.1, "dash": look.dash}
        figure.add_trace(_through(own, names, axes, group, line, 0.5 if len(shown) < 80 else 0.3))
    best = f"best: trial {ranked[0].number}"
    figure.add_trace(_through(ranked[:1], names, axes, best, {"color": INK, "width": 3}, 1.0))
    figure.add_trace(_marks(axes))
    _add_axes(figure, axes)
    return Chart(
        name="parallel",
        figure=figure,
        label=f"a line for each complete trial through its parameters to its {subject.objective.metric}",
        columns=(("trial", "customdata.0"), ("parameter", "customdata.1"), ("value", "customdata.2")),
        series="blocks",
        least_width=74 * len(axes),
        note=_note(material, names, shown),
    )


def _note(material: Material, names: Sequence[str], shown: Sequence[FrozenTrial]) -> str | None:
    left_out = len(material.ranking) - len(names)
    missing = any(name not in trial.params for trial in shown for name in names)
    return joined(
        thinned_note(len(shown), len(material.ranked), "complete trials"),
        f"Left out: {counted(left_out, 'parameter')} of less importance." if left_out else None,
        "Lines below an axis belong to trials that did not draw the parameter." if missing else None,
    )


def _result(metric: str, values: Sequence[float], *, is_more_better: bool) -> Axis:
    low, high = spread(values, is_more_better=is_more_better) or (min(values), max(values))
    low, high = max(low, min(values)), min(high, max(values))
    return Axis(title=metric, marks=((0.0, value(low)), (1.0, value(high))), low=low, high=high)


def _through(
    trials: Sequence[FrozenTrial],
    names: Sequence[str],
    axes: Sequence[Axis],
    group: str,
    line: dict[str, Any],
    opacity: float,
) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    told: list[list[object] | None] = []
    for trial in trials:
        for at, (name, axis) in enumerate(zip(names, axes, strict=False)):
            has = name in trial.params
            y.append(axis.place(trial.params[name]) + jitter(trial, name, axis) if has else MISSING)
            told.append([trial.number, for_plotly(axis.title), said(trial.params[name]) if has else "not drawn"])
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


def said(given: Any) -> str:
    """Return a parameter's value as plotly shows it, cut if it is very long."""
    whole = scalar(given)
    return for_plotly(whole if len(whole) <= MOST_SAID else f"{whole[: MOST_SAID - 3]}...")


def jitter(trial: FrozenTrial, name: str, axis: Axis) -> float:
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
