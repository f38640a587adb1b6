"""A whole HTML page in one file: plotly's script, styles, data and text are inside, and nothing is fetched."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from plotly.offline import get_plotlyjs

from qpsearch.analysis.page.colours import IN_THE_DARK, css
from qpsearch.analysis.page.markup import Markup, tag
from qpsearch.analysis.page.parts import Chart, Section
from qpsearch.errors import UserError

# What the page may do: run its own script (plotly makes functions of text for its figures in WebGL) and style. Only a
# page that is served asks an address, its own.
POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "connect-src {connect}; base-uri 'none'; form-action 'none'"
)
DIGITS: Final = 6  # significant digits of embedded numbers


@dataclass(frozen=True, kw_only=True)
class HtmlPage:
    """A page.

    Attributes:
        title: Its title and first heading.
        lead: What stands below the title, before the sections.
        sections: Its parts, in order.
        kicker: What stands above the title.
        foot: The last line.
        charts: Charts in ``lead``.
    """

    title: str
    lead: Markup
    sections: tuple[Section, ...] = ()
    kicker: str = ""
    foot: str = ""
    charts: tuple[Chart, ...] = field(default=())

    def content(self) -> dict[str, Any]:
        """Return what a served page replaces when its study has moved on: HTML and figures."""
        return {"html": self._main(), "charts": [each.document() for each in self._charts]}

    def html(self, *, live: Mapping[str, Any] | None = None) -> str:
        """Return the page.

        Args:
            live: Of a page that is served: what its script needs to follow the study; None for a file.
        """
        policy = POLICY.format(connect="'self'" if live else "'none'")
        data = {"charts": [each.document() for each in self._charts], "dark": IN_THE_DARK, "live": live}
        return "\n".join(
            (
                "<!doctype html>",
                '<html lang="en"><head><meta charset="utf-8">',
                f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                '<meta name="color-scheme" content="light dark">',
                '<link rel="icon" href="data:,">',
                tag("title", self.title),
                f"<style>{css()}{_asset('page.css')}</style>",
                "</head><body>",
                '<a class="skip" href="#content">To the content</a>',
                f'<div id="page">{self._main()}</div>',
                tag(
                    "noscript",
                    tag("p", "Figures are drawn by a script in this page, which may not run.", class_="warning"),
                ),
                f'<script type="application/json" id="data">{embedded(data)}</script>',
                f"<script>{get_plotlyjs()}</script>",
                f"<script>{_asset('page.js')}</script>",
                "</body></html>\n",
            )
        )

    @property
    def _charts(self) -> list[Chart]:
        return [*self.charts, *(chart for section in self.sections for chart in section.charts)]

    def _main(self) -> Markup:
        links = [tag("li", tag("a", each.title, href=f"#{each.name}")) for each in self.sections]
        contents = tag("details", tag("summary", "Contents"), tag("ul", *links), open=True)
        navigation = tag("nav", contents, aria_label="Contents") if len(links) > 1 else None
        main = tag(
            "main",
            tag(
                "header",
                tag("p", self.kicker, class_="kicker") if self.kicker else None,
                tag("h1", self.title),
                self.lead,
            ),
            *(section.markup() for section in self.sections),
            tag("footer", self.foot) if self.foot else None,
            id="content",
        )
        return tag("div", navigation, main, class_="columns" if navigation else "column")


def embedded(document: object) -> str:
    """Return JSON that can stand in a script element whatever its strings hold; a number that is not finite is null."""
    said = json.dumps(_rounded(document), separators=(",", ":"), ensure_ascii=False, default=_plain)
    for character in "<>&\u2028\u2029":
        said = said.replace(character, f"\\u{ord(character):04x}")
    return said


def write(page: HtmlPage, path: Path) -> None:
    """Write a page into a file.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page.html(), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}). Name another file: --output FILE.") from None


def _rounded(value: object) -> object:
    """Return a document with numbers of few digits: figures do not show more."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_rounded(each) for each in value]
    return value


def _plain(value: Any) -> Any:
    """Return an array or a number of NumPy as Python's, and any other object as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


@cache
def _asset(name: str) -> str:
    return files("qpsearch.analysis.page").joinpath("assets", name).read_text(encoding="utf-8")
