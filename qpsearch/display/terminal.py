"""A terminal whose bottom lines are redrawn, below lines that stay.

Only one thread writes to the terminal while it is live, so that other output does not come between the codes that erase
the drawing and the next drawing. Output of anything else (a library, a child process) passes through a pipe to the same
queue. The drawing is always lower and narrower than the terminal, so the line where it begins is known.
"""

import contextlib
import io
import os
import queue
import re
import selectors
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from rich.cells import cell_len
from rich.console import Console, RenderableType

PERIOD_S: Final = 0.25
FALLBACK: Final = os.terminal_size((80, 24))
MOST_LEFT: Final = 100  # reads after the end: a child that keeps printing must not delay the exit
UP: Final = "\x1b[A"
ERASED: Final = "\x1b[2K"  # the line; of a screen that is erased as a whole, tmux keeps a copy in its history
CONTROL: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")  # moves the cursor, rings the bell

Drawing = Callable[[int, int], Sequence[RenderableType]]


class Screen(Protocol):
    """A place for lines that stay, above a drawing that is renewed."""

    @property
    def is_live(self) -> bool:
        """Whether the drawing is started and not yet stopped."""

    @property
    def failure(self) -> Exception | None:
        """What ended the thread that draws, if it failed; nothing is drawn from then on."""

    def start(self) -> None:
        """Begin to draw."""

    def stop(self) -> None:
        """Print the remaining lines and erase the drawing."""

    def print(self, text: str) -> None:
        """Print lines above the drawing."""


class LiveTerminal:
    """Lines that stay, above a drawing that is renewed.

    Args:
        draw: Returns the drawing for a number of columns and rows, as a renderable for each line.
    """

    def __init__(self, draw: Drawing) -> None:
        self._draw = draw
        self._texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # its put may be called in a signal handler
        self._thread = threading.Thread(target=self._write_all, name="qpsearch-terminal", daemon=True)
        self._style = Console(file=sys.stdout)
        self._out: io.TextIOWrapper | None = None
        self._drawn: list[int] = []  # width of each line
        self._own_modes = 0
        self._capture = _Capture(self.print)
        self.failure: Exception | None = None

    @property
    def is_live(self) -> bool:
        """Whether the drawing is started and not yet stopped."""
        return self._out is not None

    def start(self) -> None:
        """Begin to draw; from now on all output passes through this object."""
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace")
        self._echo(False)
        self._capture.start()
        self._thread.start()

    def stop(self) -> None:
        """Print the remaining lines and erase the drawing."""
        if self._out is None:
            return
        self._capture.stop()
        self._texts.put(None)
        self._thread.join()
        self._echo(True)
        with contextlib.suppress(OSError):
            self._out.close()
        self._out = None

    def print(self, text: str) -> None:
        """Print lines above the drawing."""
        self._texts.put(text)

    def _write_all(self) -> None:
        is_over = False
        while not is_over:
            texts = self._waiting()
            is_over = None in texts
            lines = "".join(f"{CONTROL.sub('', text)}\n" for text in texts if text is not None)
            erased = self._erased()  # before the next drawing is known
            try:
                drawing = "" if is_over or self.failure is not None else self._drawing()
            except Exception as error:  # the driver's thread tells it; lines are still printed until then
                self.failure, drawing = error, ""
            try:
                self._write(erased + lines + drawing)
            except OSError as error:  # the terminal is gone
                self.failure = error
                return

    def _waiting(self) -> list[str | None]:
        """Wait at most one period for something to print, and return everything that waits."""
        texts: list[str | None] = []
        with contextlib.suppress(queue.Empty):
            texts.append(self._texts.get(timeout=PERIOD_S))
            while True:
                texts.append(self._texts.get_nowait())
        return texts

    def _erased(self) -> str:
        """Return the codes that erase the drawing and put the cursor where the drawing began."""
        columns, _ = self._size()
        rows = sum(max(1, -(-width // columns)) for width in self._drawn)  # a narrower window has folded its lines
        self._drawn = []
        return f"\r{ERASED}{f'{UP}{ERASED}' * (rows - 1)}" if rows else ""

    def _drawing(self) -> str:
        columns, rows = self._size()
        out = io.StringIO()
        console = Console(
            file=out,
            force_terminal=True,
            width=max(columns - 1, 1),
            height=rows,
            highlight=False,
            color_system=self._style.color_system,  # type: ignore[arg-type]  # one of rich's own names
            no_color=self._style.no_color,
        )
        lines = []
        for renderable in list(self._draw(columns - 1, rows - 1))[: max(rows - 1, 0)]:
            console.print(renderable, no_wrap=True, overflow="ellipsis", end="")
            lines.append(out.getvalue().partition("\n")[0])
            out.seek(0)
            out.truncate()
        self._drawn = [cell_len(CONTROL.sub("", line)) for line in lines]
        return "\n".join(lines)

    def _size(self) -> tuple[int, int]:
        """Return columns and rows from the environment, else from the terminal itself, which can be resized."""
        try:
            size = os.get_terminal_size(self._out.fileno()) if self._out is not None else FALLBACK
        except OSError:
            size = FALLBACK
        given = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
        columns, rows = (int(word) if word.isdigit() else own for word, own in zip(given, size, strict=True))
        return max(columns, 1), max(rows, 1)

    def _echo(self, is_on: bool) -> None:
        """Switch the echo of typed characters on or off: a return key would move the cursor below the drawing."""
        if self._out is None:
            return
        number = self._out.fileno()
        with contextlib.suppress(OSError):  # raised if the process does not have a controlling terminal
            if os.tcgetpgrp(number) != os.getpgrp():
                return  # in the background: the terminal belongs to another process
        with contextlib.suppress(termios.error):
            modes = termios.tcgetattr(number)
            if is_on:
                modes[3] |= self._own_modes
            else:
                self._own_modes = modes[3] & termios.ECHO
                modes[3] &= ~termios.ECHO
            termios.tcsetattr(number, termios.TCSADRAIN, modes)

    def _write(self, text: str) -> None:
        if self._out is not None:
            self._out.write(text)
            self._out.flush()


class _Capture:
    """Captures what this process and its children write to standard output and error, if these are the terminal.

    Args:
        tell: Called with each line.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._saved: list[tuple[int, int]] = []
        self._source, self._wake = -1, -1
        self._thread = threading.Thread(target=self._read, name="qpsearch-output", daemon=True)

    def start(self) -> None:
        """Capture the streams."""
        self._source, into = os.pipe()
        self._stopped, self._wake = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            if not stream.isatty():
                continue  # the stream does not go to the terminal
            number = stream.fileno()
            self._saved.append((number, os.dup(number)))
            os.dup2(into, number)
        os.close(into)
        self._thread.start()

    def stop(self) -> None:
        """Restore the streams, after everything written to them has been passed on."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        for number, saved in self._saved:
            os.dup2(saved, number)
            os.close(saved)
        os.write(self._wake, b".")  # closing the pipe does not suffice: a forked child has it open too
        self._thread.join()
        for number in (self._source, self._stopped, self._wake):
            os.close(number)

    def _read(self) -> None:
        """Pass lines on until stopped; the pipe may not reach its end, since a child may keep the other end open."""
        rest, left = b"", MOST_LEFT
        with selectors.DefaultSelector() as selector:
            selector.register(self._source, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._source in ready:
                    part = os.read(self._source, 65536)
                    *lines, rest = (rest + part).split(b"\n")
                    for line in lines:
                        self._tell(line.decode(errors="replace").rstrip("\r").rpartition("\r")[2])
                if self._stopped in ready:
                    left -= 1
                if left == 0 or self._source not in ready:
                    break
        if rest:
            self._tell(rest.decode(errors="replace"))
