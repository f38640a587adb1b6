"""Text of others is shown as text: it neither styles nor moves anything, and no character ends a program."""

import io
import os
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from qpsearch.display.console import Column, PlainConsole, open_table, print_rows
from qpsearch.display.plain import is_left, last_line, plain, plain_cell, say
from qpsearch.display.steady import open_display
from qpsearch.errors import StudyNotFound
from qpsearch.protocol import MOST_DETAIL, Failed
from qpsearch.space import Space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.cli.run import qpsearch
from tests.helpers import new_ledger, progress

EMBEDS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
HOSTILE = {
    "ValueError: cannot read [/data/x]": "ValueError: cannot read [/data/x]",
    "expected [batch, channels] [bold]x[/bold] :smile:": "expected [batch, channels] [bold]x[/bold] :smile:",
    "\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07": r"\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07",
    "half \udcff of a surrogate, nul \0, backspace \b": r"half \udcff of a surrogate, nul \x00, backspace \x08",
    "right-to-left \u202etxt.exe": r"right-to-left \u202etxt.exe",
    "no line \u2028 here": r"no line \u2028 here",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_everything_that_prints_shows_it_as_it_is_written(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = HOSTILE[text]
    say(text)
    assert capsys.readouterr().out == f"{shown}\n"
    console = PlainConsole(file=io.StringIO(), width=200, force_terminal=False)
    console.print(text)
    print_rows(console, [Column(title="x")], [[text]])
    table = open_table("x")
    table.add_row(text)
    console.print(table)
    assert console.file.getvalue().count(shown) == 3  # type: ignore[attr-defined]
    with open_display() as display:
        display.say(text)
    assert shown in capsys.readouterr().out


@given(st.text(st.characters(codec=None)))
def test_what_is_shown_can_be_printed_and_moves_nothing(text: str) -> None:
    for narrow in ("utf-8", "ascii", "latin-1"):
        shown = plain(text, narrow)
        shown.encode(narrow)
        assert not [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t"]
        assert not [letter for letter in shown if unicodedata.bidirectional(letter) in EMBEDS]
    assert "\n" not in plain_cell(text)
    assert "\n" not in last_line(text)


def test_an_output_that_holds_ascii_alone_is_no_reason_to_end() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    say("Σ \udcff", out=out, flush=True)
    assert out.buffer.getvalue() == b"\\u03a3 \\udcff\n"  # type: ignore[attr-defined]


def test_a_detail_has_a_bound_and_keeps_both_ends() -> None:
    failed = Failed(reason=FailReason.ERROR, detail="begin" + "x" * 3_000_000 + "end")
    assert len(failed.detail) < MOST_DETAIL + 100
    assert failed.detail.startswith("begin")
    assert failed.detail.endswith("end")
    assert "2,980,008 characters left out" in failed.detail


@pytest.mark.parametrize("text", HOSTILE)
def test_a_failures_words_are_shown_by_every_reader(sqlite_url: str, space: Space, tmp_path: Path, text: str) -> None:
    with new_ledger(sqlite_url, space) as ledger:
        assert ledger.ask() is not None
        ledger.report(0, 1, progress(1, 0.5))
        ledger.fail(0, 1, Failed(reason=FailReason.ERROR, detail=f"Traceback ...\nValueError: {text}"))
    for words in (
        "trials scripted",
        "trials scripted 0",
        "trials scripted --wide",
        "status scripted",
        "trials scripted --json",
    ):
        done = qpsearch(tmp_path, *words.split(), "--storage", sqlite_url, COLUMNS="300")
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "\x07" not in done.stdout
    done = qpsearch(tmp_path, "trials", "scripted", "0", "--storage", sqlite_url, COLUMNS="300")
    assert text.split()[0].split("\x1b")[0] in done.stdout


def test_a_name_of_a_study_is_shown_as_it_is_written(sqlite_url: str) -> None:
    with closing(Database.open(sqlite_url)) as database, pytest.raises(StudyNotFound, match="no study 'x"):
        queries.space_of(database, "x\x1b[31m")


def test_markup_is_for_renderables_alone() -> None:
    console = PlainConsole(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    console.print(Text("red", style="red"))
    assert "\x1b[31m" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_pipe_that_nobody_reads_is_told_from_others() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as output:
        assert not is_left(output)
        os.close(reader)
        assert is_left(output)
