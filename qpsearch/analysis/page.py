"""HTML pages that open offline: plotly's script is inside."""

import html
from pathlib import Path

import plotly.graph_objects as go

from qpsearch.errors import UserError


def write_page(figure: go.Figure, notes: tuple[str, ...], path: Path) -> None:
    """Write a figure with notes below it.

    Raises:
        UserError: The file cannot be written.
    """
    chart = figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False, "responsive": True})
    title = html.escape(str(figure.layout.title.text))
    below = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}"
        "li{color:#555}</style></head>\n"
        f"<body>{chart}<ul>{below}</ul></body></html>\n"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}). Name another file: --output FILE.") from None
