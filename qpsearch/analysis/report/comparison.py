"""The comparison of a study's arms, where it has arms: what ``compare`` says, without reading an image."""

from typing import Final

import plotly.graph_objects as go

from qpsearch.analysis.compare.arms import arms_of
from qpsearch.analysis.compare.comparison import Comparison
from qpsearch.analysis.compare.rendering import tables
from qpsearch.analysis.compare.sentences import POINT
from qpsearch.analysis.compare.table import compare
from qpsearch.analysis.page import Chart, Section, for_plotly, tag
from qpsearch.analysis.page.colours import ALONE, LINE
from qpsearch.analysis.page.parts import Heading, notes, table
from qpsearch.errors import QpsearchError
from qpsearch.space import Space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import SplitName

MOST_PAIRS: Final = 30  # that the figure shows; the table has all


def comparison_of(database: Database, name: str, space: Space) -> Comparison | None:
    """Compare the arms of a study: of a comparison, a small grid, or what was trained again on fresh seeds.

    On the test images where all runs have been evaluated, else on the validation images.

    Args:
        database: The study database.
        name: The study.
        space: Its space.

    Returns:
        The comparison; None where there is nothing to compare yet, or too much.
    """
    beside = queries.confirmation_name(database, name)
    has_arms = space.compare is not None or space.search.is_grid or queries.confirms(database, name)
    if not has_arms and beside is None:
        return None
    try:
        arms = arms_of(database, name if has_arms or beside is None else beside)
    except QpsearchError:  # too few are complete, or too many to compare unasked
        return None
    if len(arms.arms) < 2:
        return None
    runs = arms.runs
    is_read = all(run.accuracy is not None for number in arms.numbers for run in runs[number])
    varied = () if space.compare is None else tuple(space.compare.arms.values())
    return compare(arms, SplitName.TEST if is_read else SplitName.VALIDATION, varied=varied)


def comparison_section(found: Comparison) -> Section:
    """Return the section about a comparison."""
    chart = _differences(found)
    said = [f"{found.title}."]
    if found.split is SplitName.VALIDATION and not found.is_timed:
        said.append("Scores are of the training: the test images have not been read for all runs (qpsearch compare).")
    body = [tag("p", each) for each in said]
    for caption, head, rows in tables(found):
        headings = [Heading(title=title, is_number=place > 0) for place, title in enumerate(head)]
        body += [tag("h3", caption), table(headings, rows, caption=caption)]
    drawn = [chart.markup()] if chart else []
    return Section(
        name="comparison",
        title="Comparison",
        body=(notes(found.sentences), *drawn, *body),
        charts=(chart,) if chart else (),
    )


def _differences(found: Comparison) -> Chart | None:
    pairs = [pair for pair in found.pairs if pair.low is not None and pair.high is not None][:MOST_PAIRS]
    if not pairs:
        return None
    unit, scale = (" in points", 1 / POINT) if found.is_accuracy else ("", 1.0)
    rows = [
        (f"{pair.b} - {pair.a}", pair.difference * scale, (pair.low or 0.0) * scale, (pair.high or 0.0) * scale)
        for pair in reversed(pairs)
    ]
    figure = go.Figure(
        go.Scatter(
            mode="markers",
            x=[middle for _, middle, _, _ in rows],
            y=[for_plotly(name) for name, _, _, _ in rows],
            marker={"color": ALONE, "size": 9},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - middle for _, middle, _, high in rows],
                "arrayminus": [middle - low for _, middle, low, _ in rows],
                "color": LINE,
                "thickness": 1.2,
            },
            hovertemplate="%{y}: %{x:+.3g}<extra></extra>",
        )
    )
    figure.add_vline(x=0, line_width=1, line_color=LINE)
    figure.update_layout(
        height=100 + 30 * max(len(rows), 3),
        xaxis={"title": {"text": f"difference of means{unit}"}},
        yaxis={"type": "category"},
    )
    return Chart(
        name="comparison",
        figure=figure,
        label=f"the difference of each pair of arms in {found.metric}, with its 95% interval",
        columns=(("pair", "y"), ("difference", "x"), ("low", "error.low"), ("high", "error.high")),
        note="Whiskers are 95% intervals of single pairs, before the correction for many pairs.",
    )
