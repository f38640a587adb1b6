"""Text of others as text: names, choices, paths and messages come from files, databases and programs of others.

What a terminal would obey, or an output cannot hold, is spelled out. This module loads nothing, since every command
and every error passes through it.
"""

import re
import select
import sys
from typing import IO, Final

# Control characters but line feed and tab, line separators, characters that change the direction of text, and halves of
# surrogates, of which file names that are not UTF-8 are made.
UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
CELL_UNSAFE: Final = re.compile(f"{UNSAFE.pattern[:-1]}\t\n]")
MOST_OF_LINE: Final = 500


def plain(text: str, encoding: str = "utf-8") -> str:
    r"""Return a text in which such characters are spelled as in Python: ``\x1b[31m``, ``\u202e``, ``\udcff``.

    Args:
        text: The text.
        encoding: Of the output; what it cannot hold is spelled, too.
    """
    shown = UNSAFE.sub(_spelled, text.replace("\r\n", "\n"))
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def plain_cell(text: str) -> str:
    """Return a text that fits in one line: tabs and line feeds are spelled, too."""
    return CELL_UNSAFE.sub(_spelled, text)


def last_line(text: str) -> str:
    """Return the last line that is not empty, shortened if it is very long; empty if there is none."""
    line = (text.strip().splitlines() or [""])[-1].strip()
    return line if len(line) <= MOST_OF_LINE else f"{line[: MOST_OF_LINE // 2]} ... {line[-MOST_OF_LINE // 2 :]}"


def say(text: str, *, out: IO[str] | None = None, flush: bool = False) -> None:
    """Print lines of text; by default to standard output, which may be any stream."""
    stream = sys.stdout if out is None else out
    print(plain(text, getattr(stream, "encoding", None) or "utf-8"), file=stream, flush=flush)


def is_left(output: IO[str]) -> bool:
    """Whether nobody reads a pipe any more, such as one to ``head``."""
    pipe = select.poll()
    pipe.register(output.fileno(), 0)  # errors and hang-ups are always told
    return bool(pipe.poll(0))


def _spelled(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
