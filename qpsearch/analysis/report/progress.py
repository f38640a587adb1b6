"""How a search went: the value of each trial with the best so far, and learning curves."""

import math
from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go
from optuna.trial import FrozenTrial, TrialState

from qpsearch.analysis.anova.observations import is_complete, stopped_at
from qpsearch.analysis.page import Chart, for_plotly
from qpsearch.analysis.page.colours import FAILED, INK, PRUNED
from qpsearch.analysis.report.groups import Groups
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.thinning import spread, thinned, thinned_note
from qpsearch.analysis.report.words import joined
from qpsearch.errors import counted

MOST_POINTS: Final = 2000
MOST_CURVES: Final = 150
MOST_STEPS: Final = 60  # of a curve
BEST_CURVES: Final = 20  # of them, those of the best trials


def history(material: Material) -> Chart | None:
    """Draw the value of each trial by its number, and the best so far; None while no trial has a value."""
    subject = material.subject
    is_more_better = material.is_more_better
    complete = subject.complete
    stopped = [trial for trial in subject.trials if not is_complete(trial) and stopped_at(trial) is not None]
    if not complete and not stopped:
        return None
    steps = incumbents(complete, is_more_better=is_more_better)
    shown = thinned([*complete, *stopped], MOST_POINTS, first=steps)
    figure = go.Figure()
    _add_stopped(figure, [trial for trial in shown if not is_complete(trial)])
    _add_groups(figure, [trial for trial in shown if is_complete(trial)], material.groups)
    _add_failed(figure, [trial for trial in subject.trials if trial.state is TrialState.FAIL])
    if steps:
        _add_incumbent(figure, steps, max(trial.number for trial in subject.trials))
    zoomed = spread([trial.values[0] for trial in complete], is_more_better=is_more_better)
    figure.update_layout(
        height=420,
        xaxis={"title": {"text": "trial"}},
        yaxis={"title": {"text": for_plotly(subject.objective.metric)}, "range": zoomed},
    )
    notes = (
        thinned_note(len(shown), len(complete) + len(stopped), "trials"),
        "Pruned trials stand at the last value that they reported, which is not a final one." if stopped else None,
        "The axis shows most of the trials; a double click on the figure shows all." if zoomed else None,
    )
    return Chart(
        name="history",
        figure=figure,
        label=f"{subject.objective.metric} of each trial by its number, with the best so far",
        columns=(("trial", "x"), (subject.objective.metric, "y")),
        series="blocks",
        note=joined(*notes),
    )


def incumbents(complete: Sequence[FrozenTrial], *, is_more_better: bool) -> list[FrozenTrial]:
    """Return the trials that were better than all before them."""
    found: list[FrozenTrial] = []
    for trial in complete:
        gain = trial.values[0] if is_more_better else -trial.values[0]
        if not found or gain > (found[-1].values[0] if is_more_better else -found[-1].values[0]):
            found.append(trial)
    return found


def curves(material: Material) -> Chart | None:
    """Draw learning curves in the colours of the kinds of block; None where no trial reported twice."""
    subject, groups = material.subject, material.groups
    is_more_better = material.is_more_better
    all_of_them = [trial for trial in subject.trials if len(_points(trial)) > 1]
    if not all_of_them:
        return None
    best = [trial for trial in material.ranked if len(_points(trial)) > 1]
    shown = thinned(all_of_them, MOST_CURVES, first=best[:BEST_CURVES])
    figure = go.Figure()
    for group, look, own in groups.parted(shown):
        line = {"color": look.colour, "width": 1.2, "dash": look.dash}
        figure.add_trace(_lines(own, group, line, 0.75))
    ends = [trial for trial in shown if trial.state is TrialState.PRUNED]
    if ends:
        figure.add_trace(_ends(ends))
    if best:
        figure.add_trace(_lines(best[:1], f"best: trial {best[0].number}", {"color": INK, "width": 2.6}, 1.0))
    figure.update_layout(
        height=460,
        xaxis={"title": {"text": "epoch" if material.own else "step"}},
        yaxis={
            "title": {"text": for_plotly(subject.objective.metric)},
            "range": _heights(shown, is_more_better=is_more_better),
        },
    )
    return Chart(
        name="curves",
        figure=figure,
        label=f"{subject.objective.metric} by epoch, a line for each trial, coloured by the kinds of block",
        columns=(("trial", "customdata"), ("epoch", "x"), (subject.objective.metric, "y")),
        series="blocks",
        note=joined(thinned_note(len(shown), len(all_of_them), "curves"), _steps_note(shown)),
    )


def _steps_note(trials: Sequence[FrozenTrial]) -> str | None:
    most = max(len(trial.intermediate_values) for trial in trials)
    return f"Of long curves {MOST_STEPS} points are drawn, of {most:,} at most." if most > MOST_STEPS else None


def _heights(trials: Sequence[FrozenTrial], *, is_more_better: bool) -> tuple[float, float] | None:
    return spread([value for trial in trials for _, value in _points(trial)], is_more_better=is_more_better)


def _points(trial: FrozenTrial) -> list[tuple[int, float]]:
    found = [(step, value) for step, value in sorted(trial.intermediate_values.items()) if math.isfinite(value)]
    return thinned(found, MOST_STEPS, first=[found[0], found[-1]]) if found else []


def _lines(trials: Sequence[FrozenTrial], name: str, line: dict[str, object], opacity: float) -> go.Scatter:
    x: list[int | None] = []
    y: list[float | None] = []
    numbers: list[int | None] = []
    for trial in trials:
        points = _points(trial)
        x += [*(step for step, _ in points), None]
        y += [*(value for _, value in points), None]
        numbers += [*[trial.number] * len(points), None]
    return go.Scatter(
        mode="lines",
        name=for_plotly(name),
        x=x,
        y=y,
        customdata=numbers,
        line=line,
        opacity=opacity,
        connectgaps=False,
        hovertemplate="trial %{customdata}, epoch %{x}: %{y:.4g}",
    )


def _ends(trials: Sequence[FrozenTrial]) -> go.Scatter:
    last = [_points(trial)[-1] for trial in trials]
    return go.Scatter(
        mode="markers",
        name="pruned here",
        x=[step for step, _ in last],
        y=[value for _, value in last],
        customdata=[trial.number for trial in trials],
        marker={"symbol": "x-thin-open", "size": 6, "color": INK, "line": {"width": 1.1}},
        opacity=0.6,
        meta={"is_decoration": True},
        hovertemplate="trial %{customdata} was pruned after epoch %{x}<extra></extra>",
    )


def _add_groups(figure: go.Figure, trials: Sequence[FrozenTrial], groups: Groups) -> None:
    for group, look, own in groups.parted(trials):
        figure.add_trace(
            go.Scatter(
                mode="markers",
                name=for_plotly(group),
                x=[trial.number for trial in own],
                y=[trial.values[0] for trial in own],
                marker={"color": look.colour, "symbol": look.symbol, "size": 7 if len(trials) < 600 else 5},
                opacity=0.85,
                hovertemplate="trial %{x}: %{y:.4g}",
            )
        )


def _add_stopped(figure: go.Figure, trials: Sequence[FrozenTrial]) -> None:
    if trials:
        figure.add_trace(
            go.Scatter(
                mode="markers",
                name="pruned, last value",
                x=[trial.number for trial in trials],
                y=[trial.intermediate_values[stopped_at(trial) or 0] for trial in trials],
                marker={"color": PRUNED, "symbol": "circle-open", "size": 5},
                hovertemplate="trial %{x}: %{y:.4g} when it was pruned<extra></extra>",
            )
        )


def _add_failed(figure: go.Figure, trials: Sequence[FrozenTrial]) -> None:
    if trials:
        shown = thinned(trials, MOST_POINTS // 4)
        figure.add_trace(
            go.Scatter(
                mode="markers",
                name=f"failed ({counted(len(trials), 'trial')})",
                x=[trial.number for trial in shown],
                y=[0.01] * len(shown),
                yaxis="y2",
                marker={"color": FAILED, "symbol": "x-thin-open", "size": 7, "line": {"width": 1.5}},
                meta={"is_decoration": True},
                hovertemplate="trial %{x} failed<extra></extra>",
            )
        )
        figure.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True})


def _add_incumbent(figure: go.Figure, steps: Sequence[FrozenTrial], last: int) -> None:
    figure.add_trace(
        go.Scatter(
            mode="lines",
            name="best so far",
            x=[*(trial.number for trial in steps), last],
            y=[*(trial.values[0] for trial in steps), steps[-1].values[0]],
            line={"color": INK, "width": 2, "shape": "hv"},
            hovertemplate="best so far %{y:.4g}<extra></extra>",
        )
    )
