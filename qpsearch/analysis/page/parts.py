"""What a page is made of: sections of text, tables and charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

from qpsearch.analysis.page.markup import Markup, breakable, tag, text

ANY: Final = "customdata"  # what a chart's points carry beside their places


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure with what makes it readable without seeing it, and usable without this page.

    Attributes:
        name: Its identifier in the page, also the name of its CSV file.
        figure: The figure.
        label: What it shows, in words.
        columns: The columns of its CSV file, each with the field of plotly's traces that fills it: ``x``, ``y``, ``z``,
            ``text``, or ``customdata.0``.
        series: The heading of the column with the traces' names; None for a figure of one trace.
        least_width: Width in pixels below which the figure scrolls in its own box.
        note: What was left out of it, or how to read it.
    """

    name: str
    figure: go.Figure
    label: str
    columns: tuple[tuple[str, str], ...]
    series: str | None = None
    least_width: int | None = None
    note: str | None = None

    def markup(self) -> Markup:
        """Return the place where the page's script draws it."""
        height = int(self.figure.layout.height or 420)
        least = f"min-width:{self.least_width}px" if self.least_width else None
        box = tag(
            "div",
            tag(
                "div",
                id=f"chart-{self.name}",
                class_="chart",
                style=f"height:{height}px",
                role="img",
                aria_label=self.label,
            ),
            style=least,
        )
        save = [
            tag(
                "button",
                word,
                type="button",
                class_=word.lower(),
                data_chart=self.name,
                aria_label=f"{what}: {self.label}",
            )
            for word, what in (("PNG", "The figure as a picture"), ("CSV", "The figure's data"))
        ]
        caption = tag("figcaption", tag("span", self.note) if self.note else None, tag("span", *save, class_="save"))
        legend = tag("div", class_="legend", role="group", aria_label="Legend")
        return tag("figure", legend, tag("div", box, class_="scroll"), caption, data_figure=self.name)

    def document(self) -> dict[str, Any]:
        """Return what the page's script draws."""
        figure = self.figure.to_plotly_json()
        layout = {key: value for key, value in figure["layout"].items() if key != "template"}
        return {
            "name": self.name,
            "data": list(figure["data"]),
            "layout": layout,
            "columns": [list(column) for column in self.columns],
            "series": self.series,
        }


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page with a heading.

    Attributes:
        name: Its identifier in the page.
        title: Its heading.
        body: What stands below the heading.
        charts: The charts whose places are in ``body``.
    """

    name: str
    title: str
    body: tuple[Markup, ...]
    charts: tuple[Chart, ...] = ()

    def markup(self) -> Markup:
        """Return the section."""
        heading = f"{self.name}-heading"
        return tag("section", tag("h2", self.title, id=heading), *self.body, id=self.name, aria_labelledby=heading)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The head of a column.

    Attributes:
        title: What it says.
        is_number: Whether its cells are numbers.
    """

    title: str
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """A cell that is shown in one way and sorted in another.

    Attributes:
        shown: Text or markup.
        value: The number by which it is sorted; None for a cell without one, which comes last.
    """

    shown: object
    value: float | None


def table(headings: Sequence[Heading], rows: Sequence[Sequence[object]], *, caption: str) -> Markup:
    """Return a table that a reader can sort, by mouse and by keyboard, and that scrolls in its own box.

    Args:
        headings: A heading for each column.
        rows: Cells: text, numbers, markup, or ``TableCell``; None is an empty cell.
        caption: What the table holds, for readers who hear it.
    """
    head = tag("tr", *(_head(each) for each in headings))
    lines = [tag("tr", *(_cell(each, head) for each, head in zip(row, headings, strict=True))) for row in rows]
    inner = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *lines), class_="sortable")
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def facts(rows: Sequence[tuple[str, object]]) -> Markup:
    """Return a list of names and values."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_="facts")


def paragraphs(sentences: Sequence[object], *, class_: str | None = None) -> Markup:
    """Return a paragraph for each sentence."""
    return Markup.joined([tag("p", each, class_=class_) for each in sentences])


def notes(sentences: Sequence[str]) -> Markup:
    """Return what a reader must know, a line each."""
    return tag("ul", *(tag("li", each) for each in sentences), class_="notes") if sentences else text("")


def _head(heading: Heading) -> Markup:
    button = tag("button", heading.title, type="button")
    return tag("th", button, scope="col", aria_sort="none", class_="number" if heading.is_number else None)


def _cell(given: object, heading: Heading) -> Markup:
    cell = given if isinstance(given, TableCell) else TableCell(shown=given, value=None)
    value = cell.value if isinstance(given, TableCell) else given if isinstance(given, int | float) else None
    shown = "" if cell.shown is None else cell.shown
    return tag("td", breakable(shown), class_="number" if heading.is_number else None, data_value=value)
