"""A display that fails is told once and switched off; the study, and the counts of its events, go on."""

import io
import itertools
import sys
import threading
from collections.abc import Callable, Sequence

import pytest
from rich.console import RenderableType
from rich.text import Text

from qpsearch.display.progress import LiveDisplay, PlainDisplay
from qpsearch.display.steady import SteadyDisplay, open_display
from qpsearch.display.terminal import Drawing, LiveTerminal
from qpsearch.space import Space
from qpsearch.study.trials.events import Closed, Dispatching, Noted, Started, StudyOpened


class Broken(io.StringIO):
    """Standard output that raises at each write."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


class DeadScreen:
    """A screen whose thread has failed."""

    is_live, failure, stops = False, ValueError("cannot draw"), 0

    def __init__(self, draw: Drawing) -> None:
        pass

    def start(self) -> None:
        self.is_live = True

    def stop(self) -> None:
        DeadScreen.stops += 1
        raise OSError("nor stop")

    def print(self, text: str) -> None:
        raise AssertionError("it was switched off")


def run_through(display: SteadyDisplay, space: Space) -> None:
    """A trial of a study, in which other things are noted too."""
    with display:
        display.see(StudyOpened(space=space, ended={}, best=None, left=space.search.budget))
        display.see(Dispatching(how="one at a time", slots=1, gpus=0.0))
        config: object = None
        display.see(Started(number=0, attempt=1, blocks=("additive",), config=config, epochs=1, resumed_at=0))  # type: ignore[arg-type]  # no display looks at it
        display.see(Noted(text="something"))
        display.see(Closed(number=0, state="COMPLETE", value=0.5, reason=None, detail=None, seconds=1.0))
        display.say("the end")


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError("gone"),
        OSError(28, "No space left on device"),
        ValueError("I/O operation on closed file"),
        UnicodeEncodeError("ascii", "\u00e9", 0, 1, "not in range"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_output_that_fails_is_told_once(
    error: Exception, space: Space, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(error))
    display = SteadyDisplay(PlainDisplay())
    run_through(display, space)
    assert (display.tally.closed, display.tally.best) == (1, (0.5, 0))
    said = f"the display failed ({type(error).__name__}: {error}); the study goes on without it: qpsearch status scripted\n"
    assert capsys.readouterr().err == said


def test_a_live_display_whose_thread_fails_is_stopped_and_told_once(
    space: Space, capsys: pytest.CaptureFixture[str]
) -> None:
    display = SteadyDisplay(LiveDisplay(DeadScreen))
    run_through(display, space)
    assert (display.tally.closed, DeadScreen.stops) == (1, 1)
    assert capsys.readouterr().err.count("the display failed (ValueError: cannot draw)") == 1


@pytest.mark.parametrize("stream", [None, "closed"])
def test_without_standard_output_a_study_goes_on(
    stream: str | None, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed if stream else None)
    display = open_display()
    assert isinstance(display, SteadyDisplay)
    run_through(display, space)
    assert display.tally.closed == 1


def drawing(drawn: threading.Event, error: Exception | None) -> Callable[[int, int], Sequence[RenderableType]]:
    def draw(columns: int, rows: int) -> Sequence[RenderableType]:
        drawn.set()
        if error is not None:
            raise error
        return [Text("drawn")]

    return draw


def test_a_terminal_whose_drawing_fails_still_prints_lines(capfd: pytest.CaptureFixture[str]) -> None:
    drawn, error = threading.Event(), KeyError("no such trial")
    screen = LiveTerminal(drawing(drawn, error))
    screen.start()
    assert drawn.wait(10)
    screen.print("a line")
    screen.stop()
    assert screen.failure is error
    assert "a line\n" in capfd.readouterr().out


def test_lines_of_a_drawing_are_erased_one_by_one(capfd: pytest.CaptureFixture[str]) -> None:
    """Of a screen that is erased from its first place to its end, tmux keeps each drawing in its history."""
    third = threading.Event()
    count = itertools.count(1)

    def draw(columns: int, rows: int) -> list[RenderableType]:
        if next(count) == 3:
            third.set()
        return [Text("one"), Text("another")]

    screen = LiveTerminal(draw)
    screen.start()
    assert third.wait(10)
    screen.stop()
    written = capfd.readouterr().out
    assert "\r\x1b[2K\x1b[A\x1b[2K" in written
    assert "\x1b[J" not in written


def test_a_terminal_that_is_gone_is_known(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = threading.Event()
    screen = LiveTerminal(drawing(drawn, None))
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        screen.start()
        assert drawn.wait(10)
        screen.stop()
    assert isinstance(screen.failure, OSError)
