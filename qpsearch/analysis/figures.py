"""Figures, each drawn from a table that also says how it was computed."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from qpsearch.analysis.effects import Effect, EffectTable
from qpsearch.analysis.importance import Importance, ImportanceTable
from qpsearch.analysis.page.colours import ALONE, LINE, TOTAL, WORSE_BETTER
from qpsearch.analysis.page.markup import for_plotly
from qpsearch.space.domains import as_written
from qpsearch.vocabulary import Direction

Names = Mapping[str, str]  # what figures call the parameters


def importance_bars(table: ImportanceTable, names: Names | None = None) -> go.Figure:
    """Draw a bar for each parameter, its total share with its interval and inside it its share alone.

    Args:
        table: The table.
        names: What to call the parameters; None for their full names.
    """
    rows = list(reversed(table.importances))
    figure = go.Figure([_total(rows, names), *([_alone(rows, names)] if table.unexplained else [])])
    figure.update_layout(
        title={"text": for_plotly(table.title), "font": {"size": 16}, "x": 0, "xref": "paper"},
        xaxis={
            "title": "share of variance; whiskers: 5th to 95th percentile" if table.unexplained else "importance",
            "rangemode": "tozero",
        },
        yaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [_named(row.parameter, names) for row in rows],
            "automargin": True,
        },
        template="plotly_white",
        height=160 + 28 * max(len(rows), 3),
        barmode="overlay",
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
        margin={"t": 90, "r": 30},
        bargap=0.3,
    )
    return figure


def _named(parameter: str, names: Names | None) -> str:
    return for_plotly((names or {}).get(parameter, parameter))


def _total(rows: Sequence[Importance], names: Names | None) -> go.Bar:
    whiskers = [(row.importance, row.low, row.high) for row in rows if row.low is not None and row.high is not None]
    return go.Bar(
        name="in total",
        orientation="h",
        y=[_named(row.parameter, names) for row in rows],
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
        customdata=[[row.low, row.high, row.trials, for_plotly(row.parameter)] for row in rows],
        hovertemplate="%{customdata[3]}<br>%{x:.3f}"
        + " [%{customdata[0]:.3f}, %{customdata[1]:.3f}]" * bool(whiskers)
        + "<br>%{customdata[2]} trials have it<extra></extra>",
    )


def _alone(rows: Sequence[Importance], names: Names | None) -> go.Bar:
    return go.Bar(
        name="alone",
        orientation="h",
        y=[_named(row.parameter, names) for row in rows],
        x=[row.first for row in rows],
        width=0.35,
        marker_color=ALONE,
        hovertemplate="%{y}<br>alone %{x:.3f}<extra></extra>",
    )


def effect_forest(table: EffectTable) -> go.Figure:
    """Draw each effect as a point with its interval, and beside them a map of blocks by stages."""
    blocks = block_effects(table)
    figure = make_subplots(
        rows=1,
        cols=2 if blocks else 1,
        column_widths=[0.68, 0.32] if blocks else None,
        subplot_titles=["", "blocks by stages"] if blocks else None,
        horizontal_spacing=0.2,
    )
    figure.add_trace(_points(table, None), row=1, col=1)
    figure.add_vline(x=0, line_width=1, line_color=LINE, row=1, col=1)
    if blocks:
        figure.add_trace(_map(table, blocks), row=1, col=2)
    figure.update_layout(
        title={"text": for_plotly(table.title), "font": {"size": 16}, "x": 0, "xref": "paper"},
        template="plotly_white",
        height=200 + 26 * max(len(table.effects), 5),
        showlegend=False,
        margin={"t": 90, "r": 30},
    )
    figure.update_xaxes(title=_difference(table), row=1, col=1)
    figure.update_yaxes(automargin=True, type="category")
    figure.update_xaxes(type="category", row=1, col=2) if blocks else None
    return figure


def effect_points(table: EffectTable, names: Names | None = None) -> go.Figure:
    """Draw each effect as a point with its interval; arguments as of ``importance_bars``."""
    figure = go.Figure(_points(table, names))
    figure.add_vline(x=0, line_width=1, line_color=LINE)
    figure.update_layout(
        height=90 + 26 * max(len(table.effects), 3),
        showlegend=False,
        xaxis={"title": {"text": _difference(table)}},
        yaxis={"type": "category", "automargin": True},
    )
    return figure


def block_map(table: EffectTable) -> go.Figure | None:
    """Draw a map of the effects of blocks by stages, the reference with them; None where no stage chooses its block."""
    blocks = block_effects(table)
    if not blocks:
        return None
    figure = go.Figure(_map(table, blocks))
    levels = len(figure.data[0].y)
    figure.update_layout(
        height=90 + 58 * levels,
        xaxis={"type": "category", "title": {"text": "stage"}, "showgrid": False},
        yaxis={"type": "category", "automargin": True, "autorange": "reversed", "showgrid": False},
    )
    return figure


def block_effects(table: EffectTable) -> list[Effect]:
    """Return the effects of parameters that choose a block."""
    return [row for row in table.effects if row.parameter.split(".")[-1] == "block"]


def _difference(table: EffectTable) -> str:
    return f"difference in {for_plotly(table.objective.metric)}; whiskers: 5th to 95th percentile"


def _points(table: EffectTable, names: Names | None) -> go.Scatter:
    rows = list(reversed(table.effects))
    return go.Scatter(
        mode="markers",
        x=[row.effect for row in rows],
        y=[f"{_named(row.parameter, names)}: {for_plotly(as_written(row.level))}" for row in rows],
        marker={"color": ALONE, "size": 9},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [row.high - row.effect for row in rows],
            "arrayminus": [row.effect - row.low for row in rows],
            "color": LINE,
            "thickness": 1.2,
        },
        customdata=[
            [
                for_plotly(f"{row.parameter}: {as_written(row.level)}"),
                for_plotly(as_written(row.reference)),
                row.low,
                row.high,
                row.trials,
            ]
            for row in rows
        ],
        hovertemplate="%{customdata[0]} against %{customdata[1]}<br>"
        "%{x:+.4f} [%{customdata[2]:+.4f}, %{customdata[3]:+.4f}]<br>%{customdata[4]} trials<extra></extra>",
    )


def _map(table: EffectTable, rows: Sequence[Effect]) -> go.Heatmap:
    stages = list(dict.fromkeys(row.parameter for row in rows))
    references = {row.parameter: as_written(row.reference) for row in rows}
    levels = list(dict.fromkeys([*references.values(), *(as_written(row.level) for row in rows)]))
    found = {(row.parameter, as_written(row.level)): row.effect for row in rows}
    found |= dict.fromkeys(references.items(), 0.0)
    cells = [[found.get((stage, level)) for stage in stages] for level in levels]
    shown = {
        (row.parameter, as_written(row.level)): f"{row.effect:+.3f}<br>({row.low:+.3f} to {row.high:+.3f})"
        for row in rows
    }
    shown |= dict.fromkeys(references.items(), "reference")
    widest = max(max(abs(row.low), abs(row.high)) for row in rows) or 1.0  # an effect that may be nothing is pale
    is_more_better = table.objective.direction is Direction.MAXIMIZE
    colours = WORSE_BETTER if is_more_better else [(1 - at, colour) for at, colour in reversed(WORSE_BETTER)]
    return go.Heatmap(
        z=cells,
        x=[for_plotly(stage.removesuffix(".block").rsplit(".", 1)[-1]) for stage in stages],
        y=[for_plotly(level) for level in levels],
        zmin=-widest,
        zmax=widest,
        colorscale=[list(each) for each in colours],
        text=[[shown.get((stage, level), "") for stage in stages] for level in levels],
        texttemplate="%{text}",
        colorbar={"thickness": 12},
        xgap=2,
        ygap=2,
        hovertemplate="stage %{x}, %{y}: %{z:+.4f}<extra></extra>",
    )
