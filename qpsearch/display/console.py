"""Tables and lines on a terminal, or in a pipe, where the width is not limited to 80 columns."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qpsearch.display.plain import plain, plain_cell

PIPE_WIDTH: Final = 200
GAP: Final = "  "
PROGRAM: Final = "qpsearch"
AT_ONCE: Final = 500  # lines of a table that are printed in one step

Cell = str | Text


class PlainConsole(Console):
    """A console that takes nothing for markup, and spells out what a terminal would obey."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def on_broken_pipe(self) -> None:
        """Tell the command that nobody reads on; rich would end the program with exit code 1."""
        raise BrokenPipeError

    def print(self, *objects: Any, **options: Any) -> None:
        """Print texts as they are, and renderables as they are drawn."""
        encoding = getattr(self.file, "encoding", None) or "utf-8"
        super().print(*(_plain_object(each, encoding) for each in objects), **options)


def _plain_object(each: Any, encoding: str) -> Any:
    """Spell out a text's characters; a styled text keeps its styles, and any other object is drawn as it is."""
    if isinstance(each, str):
        return plain(each, encoding)
    if isinstance(each, Text) and plain(each.plain, encoding) != each.plain:
        each = each.copy()
        each.plain = plain(each.plain, encoding)
    return each


class PlainTable(Table):
    """A table without borders whose cells are plain text."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row."""
        super().add_row(*(plain_cell(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def open_console(*, soft_wrap: bool = False) -> Console:
    """Return a console that keeps whole rows in a pipe; with ``soft_wrap`` it leaves long lines to the terminal."""
    console = PlainConsole(soft_wrap=soft_wrap)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = PIPE_WIDTH
    return console


def open_table(*columns: str) -> Table:
    """Make a table without borders; a column that begins with ``>`` holds numbers."""
    table = PlainTable(box=None)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table whose rows are one line each.

    Attributes:
        title: The column's heading.
        is_number: Whether the cells are aligned to the right.
        spare: If the columns do not fit beside each other, those with the highest number are left out first; a column
            with 0 is never left out.
    """

    title: str
    is_number: bool = False
    spare: int = 0


def print_rows(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, is_whole: bool = False
) -> list[str]:
    """Print a table with one line per row, as wide as the console; return titles of the columns that were left out.

    Args:
        console: The console to print on.
        columns: The columns.
        rows: The cells of each row.
        is_whole: Keep all columns, however long the lines are.
    """
    lines, left_out = table_lines(columns, rows, None if is_whole else console.width)
    for first in range(0, len(lines), AT_ONCE):
        print_line(console, Text("\n").join(lines[first : first + AT_ONCE]), is_whole=is_whole)
    return left_out


def print_sentence(console: Console, text: str) -> None:
    """Print a sentence, which a terminal breaks between words; one that names a command stays whole, to be copied."""
    console.print(text, soft_wrap=not console.is_terminal or f"{PROGRAM} " in text)


def table_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None
) -> tuple[list[Text], list[str]]:
    """Return a table's lines, headings first, and the titles of the columns that were left out.

    Args:
        columns: The columns.
        rows: The cells of each row.
        width: The width that the lines should fit; None for any width.
    """
    widths = [
        max([cell_len(column.title), *(_padded(row[index], 0, is_number=False).cell_len for row in rows)])
        for index, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    while width is not None and sum(widths[index] for index in kept) + len(GAP) * (len(kept) - 1) > width:
        last = max(kept, key=lambda index: (columns[index].spare, index))
        if not columns[last].spare:
            break
        kept.remove(last)
    titles: list[Cell] = [Text(column.title, style="bold") for column in columns]
    lines = []
    for row in [titles, *rows]:
        line = Text(GAP).join(_padded(row[index], widths[index], columns[index].is_number) for index in kept)
        line.rstrip()
        lines.append(line)
    return lines, [column.title for index, column in enumerate(columns) if index not in kept]


def print_line(console: Console, line: Text, *, is_whole: bool = False) -> None:
    """Print lines that do not wrap: each line is cut to fit unless it must be whole."""
    console.print(line, no_wrap=True, overflow="ignore" if is_whole else "ellipsis", crop=not is_whole, soft_wrap=False)


def _padded(cell: Cell, width: int, is_number: bool) -> Text:
    text = cell.copy() if isinstance(cell, Text) else Text(plain_cell(cell))
    missing = width - text.cell_len
    if is_number:
        text.pad_left(missing)
    else:
        text.pad_right(missing)
    return text
