"""Opening the display that suits the output; a study goes on without its display when that fails."""

import contextlib
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

from qpsearch.display.notebook import LiveNotebook, is_notebook
from qpsearch.display.plain import say
from qpsearch.display.progress import Display, LiveDisplay, PlainDisplay, QuietDisplay
from qpsearch.display.tally import Tally
from qpsearch.errors import command
from qpsearch.study.trials.events import Event


def open_display(*, quiet: bool = False) -> Display:
    """Return the display that suits the output; a quiet display counts and does not show anything."""
    if quiet:
        return QuietDisplay(Tally())
    return SteadyDisplay(LiveDisplay(LiveNotebook) if is_notebook() else LiveDisplay() if is_live() else PlainDisplay())


class SteadyDisplay:
    """A display that never raises: if its output fails, it says so once on standard error, and then only counts.

    Args:
        display: The display that may fail: its pipe or terminal may be closed, or the disk of its file full.
    """

    def __init__(self, display: Display) -> None:
        self._display = display

    @property
    def tally(self) -> Tally:
        """The counts of the events so far."""
        return self._display.tally

    def __enter__(self) -> Self:
        self._steadily(self._display.__enter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._steadily(lambda: self._display.__exit__(kind, error, trace))

    def see(self, event: Event) -> None:
        """Handle an event."""
        self._steadily(lambda: self._display.see(event))

    def say(self, text: str) -> None:
        """Print a message for the user."""
        self._steadily(lambda: self._display.say(text))

    def _steadily(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # a study must survive whatever happens to its display
            failed, self._display = self._display, QuietDisplay(self._display.tally)
            with contextlib.suppress(Exception):
                failed.__exit__(None, None, None)
            if isinstance(error, OSError):
                _close_output()
            with contextlib.suppress(Exception):  # standard error may be gone too
                why = f"{type(error).__name__}: {error}"
                status = command("status", failed.tally.name)
                say(f"the display failed ({why}); the study goes on without it: {status}", out=sys.stderr, flush=True)


def is_live() -> bool:
    """Whether standard output is a terminal whose lines can be redrawn."""
    try:
        return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def _close_output() -> None:
    """Send standard output nowhere, since what is left in its buffer would fail again at the program's end."""
    with contextlib.suppress(Exception):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
