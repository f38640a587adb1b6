"""Figures, each drawn from a table that also says how it was computed."""

import plotly.graph_objects as go

from qpsearch.analysis.importance import Importance, ImportanceTable

ALWAYS, BRANCH = "#3566a8", "#d07f2e"


def importance_bars(table: ImportanceTable) -> go.Figure:
    """Draw a bar for each parameter with its interval, the most important on top."""
    rows = list(reversed(table.importances))
    sides = (
        _bars("judged on all complete trials", ALWAYS, [row for row in rows if row.trials == table.n]),
        _bars("judged within its branch", BRANCH, [row for row in rows if row.trials != table.n]),
    )
    figure = go.Figure([bars for bars in sides if bars.y])
    figure.update_layout(
        title={"text": table.title, "font": {"size": 16}, "x": 0, "xref": "paper"},
        xaxis={
            "title": f"importance; whiskers: 5th to 95th percentile of {table.resamples} resamples of the trials",
            "rangemode": "tozero",
        },
        yaxis={"categoryorder": "array", "categoryarray": [row.parameter for row in rows], "automargin": True},
        template="plotly_white",
        height=160 + 28 * max(len(rows), 3),
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
        margin={"t": 90, "r": 30},
        bargap=0.3,
    )
    return figure


def _bars(name: str, color: str, rows: list[Importance]) -> go.Bar:
    return go.Bar(
        name=name,
        orientation="h",
        y=[row.parameter for row in rows],
        x=[row.importance for row in rows],
        marker_color=color,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [row.high - row.importance for row in rows],
            "arrayminus": [row.importance - row.low for row in rows],
            "color": "#444444",
            "thickness": 1.2,
        },
        customdata=[[row.low, row.high, row.trials] for row in rows],
        hovertemplate="%{y}<br>importance %{x:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
        "<br>%{customdata[2]} complete trials<extra></extra>",
    )
