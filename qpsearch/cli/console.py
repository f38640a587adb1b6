"""Tables and lines on a terminal, or in a pipe, where nothing is 80 columns wide."""

from typing import Final

from rich.console import Console
from rich.table import Table

PIPE_WIDTH: Final = 200


def open_console(*, soft_wrap: bool = False) -> Console:
    """Return a console that keeps whole rows in a pipe; with ``soft_wrap`` it leaves long lines to the terminal."""
    console = Console(highlight=False, soft_wrap=soft_wrap)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def open_table(*columns: str) -> Table:
    """Make a table without borders; a column that begins with ``>`` holds numbers."""
    table = Table(box=None)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table
