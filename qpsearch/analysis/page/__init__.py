"""HTML pages that open offline: plotly's script is inside, and names of studies and choices are text."""

import html
from pathlib import Path
from typing import Final

import plotly.graph_objects as go

from qpsearch.analysis.page.document import HtmlPage, embedded, write
from qpsearch.analysis.page.markup import Markup, for_plotly, tag
from qpsearch.analysis.page.parts import Chart, Section, notes

HEIGHT: Final = 640  # pixels of a figure that does not say how high it is

__all__ = ["Chart", "Markup", "HtmlPage", "Section", "embedded", "for_plotly", "tag", "write", "write_page"]


def write_page(figure: go.Figure, sentences: tuple[str, ...], path: Path) -> None:
    """Write a figure with notes below it; the figure's title becomes the page's.

    Raises:
        UserError: The file cannot be written.
    """
    title = html.unescape(str(figure.layout.title.text))
    alone = go.Figure(figure)
    alone.update_layout(title=None, margin={"t": 30}, height=figure.layout.height or HEIGHT)
    chart = Chart(
        name="figure",
        figure=alone,
        label=title,
        columns=(("x", "x"), ("y", "y"), ("z", "z"), ("low", "error.low"), ("high", "error.high")),
        series="series",
    )
    lead = Markup.joined([chart.markup(), notes(sentences)])
    write(HtmlPage(title=title, lead=lead, charts=(chart,)), path)
