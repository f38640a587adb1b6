"""Figures, each drawn from a table that also says how it was computed."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from qpsearch.analysis.effects import Effect, EffectTable
from qpsearch.analysis.importance import Importance, ImportanceTable
from qpsearch.space.domains import text_of
from qpsearch.vocabulary import Direction

TOTAL, ALONE, LINE = "#9fb8d8", "#3566a8", "#444444"


def importance_bars(table: ImportanceTable) -> go.Figure:
    """Draw a bar for each parameter, its total share with its interval and inside it its share alone."""
    rows = list(reversed(table.importances))
    figure = go.Figure([_total(rows), *([_alone(rows)] if table.unexplained else [])])
    figure.update_layout(
        title={"text": table.title, "font": {"size": 16}, "x": 0, "xref": "paper"},
        xaxis={
            "title": "share of variance; whiskers: 5th to 95th percentile" if table.unexplained else "importance",
            "rangemode": "tozero",
        },
        yaxis={"categoryorder": "array", "categoryarray": [row.parameter for row in rows], "automargin": True},
        template="plotly_white",
        height=160 + 28 * max(len(rows), 3),
        barmode="overlay",
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
        margin={"t": 90, "r": 30},
        bargap=0.3,
    )
    return figure


def _total(rows: list[Importance]) -> go.Bar:
    whiskers = [(row.importance, row.low, row.high) for row in rows if row.low is not None and row.high is not None]
    return go.Bar(
        name="in total",
        orientation="h",
        y=[row.parameter for row in rows],
        x=[row.importance for row in rows],
        marker_color=TOTAL if whiskers else ALONE,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - mean for mean, _, high in whiskers],
            "arrayminus": [mean - low for mean, low, _ in whiskers],
            "color": LINE,
            "thickness": 1.2,
        },
        customdata=[[row.low, row.high, row.trials] for row in rows],
        hovertemplate="%{y}<br>%{x:.3f}"
        + " [%{customdata[0]:.3f}, %{customdata[1]:.3f}]" * bool(whiskers)
        + "<br>%{customdata[2]} trials have it<extra></extra>",
    )


def _alone(rows: list[Importance]) -> go.Bar:
    return go.Bar(
        name="alone",
        orientation="h",
        y=[row.parameter for row in rows],
        x=[row.first for row in rows],
        width=0.35,
        marker_color=ALONE,
        hovertemplate="%{y}<br>alone %{x:.3f}<extra></extra>",
    )


def effect_forest(table: EffectTable) -> go.Figure:
    """Draw each effect as a point with its interval, and beside them a map of blocks by stages."""
    rows = list(reversed(table.effects))
    blocks = [row for row in table.effects if row.parameter.endswith(".block") or row.parameter == "block"]
    figure = make_subplots(
        rows=1,
        cols=2 if blocks else 1,
        column_widths=[0.68, 0.32] if blocks else None,
        subplot_titles=["", "blocks by stages"] if blocks else None,
        horizontal_spacing=0.2,
    )
    figure.add_trace(_points(rows, table.objective.metric), row=1, col=1)
    figure.add_vline(x=0, line_width=1, line_color=LINE, row=1, col=1)
    if blocks:
        figure.add_trace(_map(blocks, is_more_better=table.objective.direction is Direction.MAXIMIZE), row=1, col=2)
    figure.update_layout(
        title={"text": table.title, "font": {"size": 16}, "x": 0, "xref": "paper"},
        template="plotly_white",
        height=200 + 26 * max(len(rows), 5),
        showlegend=False,
        margin={"t": 90, "r": 30},
    )
    figure.update_xaxes(title=f"difference in {table.objective.metric}; whiskers: 5th to 95th percentile", row=1, col=1)
    figure.update_yaxes(automargin=True)
    return figure


def _points(rows: list[Effect], metric: str) -> go.Scatter:
    return go.Scatter(
        mode="markers",
        x=[row.effect for row in rows],
        y=[f"{row.parameter}: {text_of(row.level)}" for row in rows],
        marker={"color": ALONE, "size": 9},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [row.high - row.effect for row in rows],
            "arrayminus": [row.effect - row.low for row in rows],
            "color": LINE,
            "thickness": 1.2,
        },
        customdata=[[text_of(row.reference), row.low, row.high, row.trials] for row in rows],
        hovertemplate="%{y} against %{customdata[0]}<br>"
        + metric
        + " %{x:+.4f} [%{customdata[1]:+.4f}, %{customdata[2]:+.4f}]<br>%{customdata[3]} trials<extra></extra>",
    )


def _map(rows: list[Effect], *, is_more_better: bool) -> go.Heatmap:
    stages = list(dict.fromkeys(row.parameter for row in rows))
    levels = list(dict.fromkeys(text_of(row.level) for row in rows))
    found = {(row.parameter, text_of(row.level)): row.effect for row in rows}
    cells = [[found.get((stage, level)) for stage in stages] for level in levels]
    return go.Heatmap(
        z=cells,
        x=[stage.removesuffix(".block").rsplit(".", 1)[-1] for stage in stages],
        y=levels,
        zmid=0,
        colorscale="RdBu" if is_more_better else "RdBu_r",
        texttemplate="%{z:+.3f}",
        colorbar={"thickness": 12},
        hovertemplate="stage %{x}, %{y}: %{z:+.4f}<extra></extra>",
    )
