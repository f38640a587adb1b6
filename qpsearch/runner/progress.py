"""What a user sees while a study runs: a live table in a terminal, plain lines in a pipe."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from qpsearch.space import Space
from qpsearch.space.space import Budget, Objective
from qpsearch.study.trials.events import (
    Closed,
    Dispatching,
    Elsewhere,
    Event,
    Interrupted,
    Lost,
    Noted,
    Reported,
    Started,
    StorageBack,
    StorageGone,
    StudyOpened,
    TakenOver,
    Waiting,
)
from qpsearch.vocabulary import Direction, Metric


class Display(Protocol):
    """Watches a driver."""

    @property
    def tally(self) -> "Tally":
        """What it has counted."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def see(self, event: Event) -> None:
        """Take an event in."""

    def say(self, text: str) -> None:
        """Tell the user something."""


def open_display(*, quiet: bool = False) -> Display:
    """Return the display that fits where output goes; a quiet one counts and shows nothing."""
    if quiet:
        return QuietDisplay()
    return LiveDisplay() if sys.stdout.isatty() else PlainDisplay()


@dataclass(slots=True)
class Running:
    """A trial that trains."""

    attempt: int
    blocks: str
    epochs: int
    done: int
    began: float
    value: float | None = None
    place: str = ""


class Tally:
    """Counts what the events tell."""

    def __init__(self) -> None:
        self.name, self.asked, self.closed = "", 0, 0
        self.objective, self.is_alone = Objective(metric=Metric.VAL_ACCURACY, direction=Direction.MAXIMIZE), True
        self.best: tuple[float, int] | None = None
        self.here = 0
        self.states: dict[str, int] = {}
        self.running: dict[int, Running] = {}
        self.began = time.monotonic()

    def see(self, event: Event) -> Running | None:
        """Take an event in; return the trial that it ended, if it did."""
        match event:
            case StudyOpened(space=space, ended=ended, best=best):
                search = space.search
                self.name, self.asked = space.study, search.budget.trials
                self.objective, self.is_alone = search.objective, len(search.objectives) == 1
                self.closed, self.best, self.began = ended, best, time.monotonic()
            case Started(number=number, attempt=attempt, blocks=blocks, epochs=epochs, resumed_at=resumed_at):
                self.running[number] = Running(attempt, " ".join(blocks), epochs, resumed_at, time.monotonic())
            case Reported(number=number, value=value, place=place):
                trial = self.running[number]
                trial.done, trial.value, trial.place = trial.done + 1, value, place.device
            case Elsewhere(number=number, state=state, value=value):
                self._count(number, state, value)
            case Closed(number=number, state=state, value=value):
                self._count(number, state, value)
                return self.running.pop(number)
            case Interrupted(number=number) | Lost(number=number):
                self.running.pop(number)
            case _:
                pass
        return None

    def _count(self, number: int, state: str, value: float | None) -> None:
        self.closed += 1
        self.here += 1
        self.states[state] = self.states.get(state, 0) + 1
        if state == "COMPLETE" and value is not None and self._is_better(value):
            self.best = (value, number)

    def left_s(self) -> float | None:
        """Estimate the seconds left from the trials that ended under this driver; None before the first."""
        if not self.here:
            return None
        return (time.monotonic() - self.began) / self.here * (self.asked - self.closed)

    def best_text(self) -> str:
        """Say the best value so far; of several objectives, that it is the best of one."""
        if self.best is None:
            return "no complete trial yet"
        value, number = self.best
        return f"best {value:.4f} (trial {number})" if self.is_alone else f"best {self.objective.metric} {value:.4f}"

    def _is_better(self, value: float) -> bool:
        return self.best is None or self.objective.sign * (value - self.best[0]) > 0


def closed_line(event: Closed, trial: Running, tally: Tally) -> str:
    """Return one line about a trial that ended."""
    value = f"{tally.objective.metric} {event.value:.4f}" if event.value is not None else event.reason or ""
    took = f"{trial.done} epochs, {time.monotonic() - trial.began:.1f} s"
    head = f"[{tally.closed}/{tally.asked}] trial {event.number} {event.state:<8} {value}"
    line = f"{head}  ({trial.blocks}; {took})  {tally.best_text()}"
    if event.detail and event.state == "FAIL":
        line += f"\n    {event.detail.strip().splitlines()[-1]}"
    return line


class Notes:
    """What to say about events that are no trial's beginning, report or end."""

    def __init__(self) -> None:
        self._space: Space | None = None

    def of(self, event: Event) -> str | None:
        """Return a sentence; None for events that need none."""
        match event:
            case StudyOpened(space=space):
                self._space = space
                return None
            case Dispatching(how=how):
                return None if self._space is None else self._plan(self._space, how)
            case Noted(text=text):
                return text
            case Lost(number=number, detail=detail):
                return f"trial {number} lost its worker and goes on in another: {detail.strip().splitlines()[0]}"
            case TakenOver(driver=driver, trials=count):
                return f"{driver} is gone; its {count} open trials are taken over"
            case StorageGone(detail=detail, patience_s=patience_s):
                return f"waiting for the database, {duration(patience_s)} at most: {detail}"
            case StorageBack(seconds=seconds):
                return f"the database is back after {duration(seconds)}"
            case _:
                return None

    @staticmethod
    def _plan(space: Space, how: str) -> str:
        search = space.search
        runs = f"{search.replicates} runs of " if search.replicates > 1 else ""
        return (
            f"study {space.study}: {budget_text(search.budget)} of {runs}at most {space.most_epochs} epochs, {how}; "
            f"sampler {search.sampler}, pruner {search.pruner}, seed {search.seed}"
        )


class QuietDisplay:
    """Nothing to see: a program looks at the study itself."""

    def __init__(self) -> None:
        self.tally = Tally()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def see(self, event: Event) -> None:
        """Count."""
        self.tally.see(event)

    def say(self, text: str) -> None:
        """Say nothing."""


class PlainDisplay:
    """A line for each trial that starts over or ends."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._notes = Notes()
        self._out = sys.stdout  # dispatch may redirect what libraries print

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def see(self, event: Event) -> None:
        """Print what a log should hold."""
        ended = self.tally.see(event)
        if isinstance(event, Started) and event.attempt > 1:
            self.say(f"trial {event.number} goes on after epoch {event.resumed_at} (attempt {event.attempt})")
        if isinstance(event, Waiting) and round(event.left_s) % 10 == 0:
            self.say(f"its driver is on another host and silent; taken over in {event.left_s:.0f} s")
        if (text := self._notes.of(event)) is not None:
            self.say(text)
        if isinstance(event, Closed) and ended is not None:
            self.say(closed_line(event, ended, self.tally))

    def say(self, text: str) -> None:
        """Print a line."""
        with display_may_be_gone(self._out):
            print(text, file=self._out, flush=True)


class LiveDisplay:
    """A table of what runs, redrawn four times a second; the last endings stand above it."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._notes = Notes()
        self._console = Console(file=sys.stdout)
        self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def see(self, event: Event) -> None:
        """Take an event in; an ending stays on the screen."""
        ended = self.tally.see(event)
        if isinstance(event, StudyOpened):
            self._live.start()
        if isinstance(event, Waiting):
            text = f"\rits driver is on another host and silent; taken over in {event.left_s:3.0f} s "
            with display_may_be_gone(self._console.file):
                print(text, end="", file=self._console.file, flush=True)
        if isinstance(event, Closed) and ended is not None:
            self.say(closed_line(event, ended, self.tally))
        if (note := self._notes.of(event)) is not None:
            self.say(note)

    def say(self, text: str) -> None:
        """Print a line above the table."""
        with display_may_be_gone(self._console.file):
            self._console.print(Text(text), soft_wrap=True)

    def _draw(self) -> RenderableType:
        tally = self.tally
        head = Table.grid(padding=(0, 2))
        counts = ", ".join(f"{count} {state.lower()}" for state, count in sorted(tally.states.items()))
        left = tally.left_s()
        head.add_row(
            Text(tally.name, style="bold"),
            ProgressBar(total=tally.asked, completed=tally.closed, width=24),
            f"{tally.closed}/{tally.asked}",
            counts,
            Text(tally.best_text(), style="bold"),
            f"{duration(time.monotonic() - tally.began)} gone"
            + (f", about {duration(left)} left" if left is not None else ""),
        )
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("trial", "blocks", "epoch", str(tally.objective.metric), "device", "seconds"):
            table.add_column(title, justify="left" if title in ("blocks", "device") else "right")
        for number, trial in sorted(tally.running.copy().items()):
            value = "" if trial.value is None else f"{trial.value:.4f}"
            table.add_row(
                str(number),
                trial.blocks,
                f"{trial.done}/{trial.epochs}",
                value,
                trial.place,
                f"{time.monotonic() - trial.began:.0f}",
            )
        return Group(head, table)


@contextlib.contextmanager
def display_may_be_gone(out: IO[str]) -> Iterator[None]:
    """Go on without a display where the pipe or terminal behind it was closed: a study outlives its reader."""
    try:
        yield
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, out.fileno())
        os.close(nowhere)


def duration(seconds: float) -> str:
    """Return ``45 s``, ``3 min``, ``2.5 h`` or ``3.1 days``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def budget_text(budget: Budget) -> str:
    """Return ``60 trials``, or ``60 trials or 12 h``."""
    bounds = [f"{budget.trials} trials"]
    bounds += [f"{budget.epochs} epochs"] if budget.epochs is not None else []
    bounds += [duration(budget.seconds)] if budget.seconds is not None else []
    bounds += [f"{budget.gpu_seconds / 3600:g} GPU hours"] if budget.gpu_seconds is not None else []
    return " or ".join(bounds)
