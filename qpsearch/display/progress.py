"""What a user sees while a study runs: a live table in a terminal, plain lines in a pipe."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import RenderableType
from rich.text import Text

from qpsearch.display.console import Cell, Column, table_lines
from qpsearch.display.pace import Pace
from qpsearch.display.shown import WORDS, BlockNames, score, took
from qpsearch.display.terminal import Drawing, LiveTerminal, Screen
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
    Preparing,
    Reported,
    Started,
    StorageBack,
    StorageGone,
    StudyOpened,
    TakenOver,
    Waiting,
)
from qpsearch.vocabulary import Direction, Metric

BAR_WIDTH: Final = 16
CLOSED_BLOCKS: Final = 24  # width of the blocks in a line about an ended trial
BESIDE_BLOCKS: Final = 40  # columns that the rest of a running trial's line takes


class Display(Protocol):
    """Watches a driver."""

    @property
    def tally(self) -> "Tally":
        """The counts of the events so far."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def see(self, event: Event) -> None:
        """Handle an event."""

    def say(self, text: str) -> None:
        """Print a message for the user."""


@dataclass(slots=True)
class Running:
    """A trial that trains."""

    attempt: int
    stages: tuple[str, ...]
    epochs: int
    done: int
    began: float
    value: float | None = None
    place: str = ""


class Tally:
    """Counts events."""

    def __init__(self) -> None:
        self.name, self.asked, self.closed = "", 0, 0
        self.objective, self.is_alone = Objective(metric=Metric.VAL_ACCURACY, direction=Direction.MAXIMIZE), True
        self.best: tuple[float, int] | None = None
        self.here = 0
        self.states: dict[str, int] = {}
        self.running: dict[int, Running] = {}
        self.pace = Pace()
        self.began: float | None = None  # with the first trial: start-up does not belong to the search
        self.phase, self.phase_began = "", time.monotonic()
        self.is_legend_said = False
        self._left, self._gpus = Budget(trials=0), 0.0

    def see(self, event: Event) -> Running | None:
        """Count an event; return the trial that the event ended, if any."""
        now = time.monotonic()
        match event:
            case StudyOpened(space=space, ended=ended, best=best, left=left):
                search = space.search
                self.name, self.asked = space.study, search.budget.trials
                self.objective, self.is_alone = search.objective, len(search.objectives) == 1
                self.closed, self.best, self._left = ended, best, left
                self.pace.epochs = space.most_epochs * search.replicates
                self._enter("preparing", now)
            case Waiting(left_s=left_s):
                self._enter(
                    f"waiting {left_s:.0f} s for a silent driver on another host, then taking over its trials", now
                )
            case Preparing(what=what):
                self._enter(what, now)
            case Dispatching(slots=slots, gpus=gpus):
                self.pace.slots, self._gpus = slots, slots * gpus
                self._enter("starting workers", now)
            case Started(number=number, attempt=attempt, blocks=blocks, epochs=epochs, resumed_at=resumed_at):
                self.began = now if self.began is None else self.began
                self.running[number] = Running(attempt, blocks, epochs, resumed_at, now)
                self.pace.started(number, epochs, resumed_at, now)
            case Reported(number=number, value=value, place=place, report=report):
                trial = self.running[number]
                trial.done, trial.value, trial.place = trial.done + 1, value, place.device
                self.pace.reported(number, report.seconds, now)
                self.phase = ""
            case Elsewhere(number=number, state=state, value=value):
                self._count(number, state, value)
            case Closed(number=number, state=state, value=value):
                self._count(number, state, value)
                self.pace.ended(number, counts=state != "FAIL")
                return self.running.pop(number)
            case Interrupted(number=number) | Lost(number=number):
                self.pace.ended(number, counts=False)
                self.running.pop(number)
            case _:
                pass
        return None

    def _enter(self, phase: str, now: float) -> None:
        self.phase, self.phase_began = phase, now

    def _count(self, number: int, state: str, value: float | None) -> None:
        self.closed += 1
        self.here += 1
        self.states[state] = self.states.get(state, 0) + 1
        if state == "COMPLETE" and value is not None and self._is_better(value, number):
            self.best = (value, number)

    def left_s(self, share: float | None = None) -> float | None:
        """Estimate the seconds left from the epochs that this driver ran; None before the first epoch.

        Args:
            share: Of the trials' epochs that will be trained; None for the share that pruning leaves.
        """
        left, epoch_s = self.pace.left_s(self.asked - self.closed, share), self.pace.epoch_s
        if left is None or epoch_s is None or self.began is None:
            return None
        ran = time.monotonic() - self.began
        if self._left.seconds is not None:
            left = min(left, self._left.seconds - ran)
        if self._left.epochs is not None:
            left = min(left, (self._left.epochs - self.pace.reports) * epoch_s / self.pace.slots)
        if self._left.gpu_seconds is not None and self._gpus:
            left = min(left, self._left.gpu_seconds / self._gpus - ran)
        return max(left, 0.0)

    def best_text(self) -> str:
        """Say the best value so far; with several objectives, name the first one."""
        if self.best is None:
            return "no complete trial yet"
        value, number = self.best
        return f"best {value:.4f} (trial {number})" if self.is_alone else f"best {self.objective.metric} {value:.4f}"

    def _is_better(self, value: float, number: int) -> bool:
        """Whether a trial is better than the best so far; of equally good trials the first is the best."""
        if self.best is None:
            return True
        sign = self.objective.sign
        return (sign * value, -number) > (sign * self.best[0], -self.best[1])


def closed_line(event: Closed, trial: Running, tally: Tally) -> str:
    """Return one line about an ended trial, and for a failed trial the reason below the line."""
    value = score(event.value) if event.value is not None else event.reason or ""
    epochs = f"{trial.done} epoch{'s' * (trial.done != 1)}"
    names = BlockNames([trial.stages], CLOSED_BLOCKS)
    is_best = tally.best is not None and tally.best[1] == event.number and event.state == "COMPLETE"
    line = (
        f"[{tally.closed}/{tally.asked}] trial {event.number} {event.state:<8} {value}  "
        f"{names.of(trial.stages)}, {epochs}, {took(event.seconds)}{'; best' * is_best}"
    )
    if names.legend and not tally.is_legend_said:
        tally.is_legend_said = True
        line += f"\n    blocks, by stage: {names.legend}"
    if event.detail and event.state == "FAIL":
        line += f"\n    {event.detail.strip().splitlines()[-1]}"
    return line


class Notes:
    """Messages about events other than a trial's beginning, report or end.

    Args:
        tally: Has already counted each event.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally, self._is_forecast = tally, False
        self._space: Space | None = None

    def of(self, event: Event) -> Iterator[str]:
        """Yield the messages about an event, if any."""
        match event:
            case StudyOpened(space=space):
                self._space = space
            case Dispatching(how=how) if self._space is not None:
                yield from self._plan(self._space, how)
            case Reported() if not self._is_forecast and self._tally.pace.is_known:
                self._is_forecast = True
                yield self._forecast()
            case Noted(text=text):
                yield text
            case Lost(number=number, detail=detail):
                yield f"trial {number} lost its worker and continues in another: {detail.strip().splitlines()[0]}"
            case TakenOver(driver=driver, trials=count):
                yield f"{driver} is gone; its {count} open trials are taken over"
            case StorageGone(detail=detail, patience_s=patience_s):
                yield f"waiting for the database, {duration(patience_s)} at most: {detail}"
            case StorageBack(seconds=seconds):
                yield f"the database is back after {duration(seconds)}"
            case _:
                pass

    def _plan(self, space: Space, how: str) -> Iterator[str]:
        """Say what is searched and what the search costs in epochs; ``space plan`` says more."""
        from qpsearch.analysis.plan import outlook

        search, tally = space.search, self._tally
        runs = f"{search.replicates} runs of " if search.replicates > 1 else ""
        yield f"study {space.study}: {budget_text(search.budget)} of {runs}at most {space.most_epochs} epochs, {how}"
        yield f"sampler {search.sampler}, pruner {search.pruner}, seed {search.seed}"
        found = outlook(space)
        tally.pace.epochs, tally.pace.kept = found.epochs, found.kept
        trials = tally.asked - tally.closed
        if trials <= 0:
            return
        whole = trials * found.epochs
        pruned = f", about {whole * found.kept:,.0f} of them with pruning (simulated)" if found.kept < 1 else ""
        yield f"cost: {trials} trial{'s' * (trials != 1)}, {whole:,.0f} epochs{pruned}"

    def _forecast(self) -> str:
        """Say how long the study will take, and what the estimate is based on."""
        pace, tally = self._tally.pace, self._tally
        left, whole = tally.left_s(), tally.left_s(share=1.0)
        unpruned = f", {duration(whole)} without pruning" if pace.kept < 1 and whole is not None else ""
        of = f" of {pace.networks} trials" if pace.networks > 1 else ""
        basis = f"the first {pace.reports} epochs{of} took {pace.epoch_s or 0:.2g} s each"
        return f"time: about {duration(left or 0)} left{unpruned}\n      ({basis}; trials at once: {pace.slots})"


class QuietDisplay:
    """A display that does not print: the calling program reads the study itself."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def see(self, event: Event) -> None:
        """Count an event."""
        self.tally.see(event)

    def say(self, text: str) -> None:
        """Say nothing."""


class PlainDisplay:
    """A line for each trial that restarts or ends."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._notes = Notes(self.tally)
        self._out = sys.stdout  # dispatch may redirect what libraries print

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def see(self, event: Event) -> None:
        """Print the lines that a log should hold."""
        ended = self.tally.see(event)
        if isinstance(event, Started) and event.attempt > 1:
            self.say(f"trial {event.number} continues after epoch {event.resumed_at} (attempt {event.attempt})")
        if isinstance(event, Waiting) and round(event.left_s) % 10 == 0:
            self.say(self.tally.phase)
        for text in self._notes.of(event):
            self.say(text)
        if isinstance(event, Closed) and ended is not None:
            self.say(closed_line(event, ended, self.tally))

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=self._out, flush=True)


class LiveDisplay:
    """A table of the running trials, redrawn four times a second; messages stay above the table."""

    def __init__(self, screen: Callable[[Drawing], Screen] = LiveTerminal) -> None:
        self.tally = Tally()
        self._notes = Notes(self.tally)
        self._screen = screen(self._draw)
        self._out = sys.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._screen.stop()

    def see(self, event: Event) -> None:
        """Handle an event; the line of an ended trial stays on the screen. Raises what the drawing thread raised."""
        ended = self.tally.see(event)
        if self._screen.failure is not None:
            raise self._screen.failure
        if isinstance(event, StudyOpened | Waiting) and not self._screen.is_live:
            self._screen.start()
        for text in self._notes.of(event):
            self.say(text)
        if isinstance(event, Closed) and ended is not None:
            self.say(closed_line(event, ended, self.tally))

    def say(self, text: str) -> None:
        """Print lines above the table."""
        if self._screen.is_live:
            self._screen.print(text)
            return
        print(text, file=self._out, flush=True)

    def _draw(self, columns: int, rows: int) -> list[RenderableType]:
        tally = self.tally
        if not tally.name:
            return [Text(tally.phase)]
        lines: list[RenderableType] = [*self._head(columns)]
        running = sorted(tally.running.copy().items())
        if tally.phase:
            lines.append(Text(f"{tally.phase} ... {duration(time.monotonic() - tally.phase_began)}", style="dim"))
        if not running:
            return lines
        most = max(rows - len(lines) - 1, 0)  # without the headings
        shown = running if len(running) <= most else running[: max(most - 1, 0)]
        lines += self._table(shown, columns)
        if len(shown) < len(running):
            lines.append(Text(f"and {len(running) - len(shown)} more", style="dim"))
        return lines

    def _head(self, columns: int) -> Iterator[Text]:
        tally = self.tally
        counts = ", ".join(f"{count} {WORDS[state][0]}" for state, count in sorted(tally.states.copy().items()))
        done = f"{tally.closed}/{tally.asked} trials"
        full = BAR_WIDTH if not tally.asked else round(BAR_WIDTH * min(tally.closed / tally.asked, 1))
        bar = Text("#" * full, style="green").append("." * (BAR_WIDTH - full), style="dim")
        name = Text(tally.name, style="bold")
        name.truncate(max(columns - BAR_WIDTH - len(done) - len(counts) - 6, 8), overflow="ellipsis")
        yield Text("  ").join([name, bar, Text(done), Text(counts)])
        parts = [tally.best_text()]
        if tally.began is not None:
            left = tally.left_s()
            about = "" if left is None else f", about {duration(left)} left"
            parts.append(f"{duration(time.monotonic() - tally.began)} gone{about}")
        yield Text("; ".join(parts))

    def _table(self, running: list[tuple[int, Running]], columns: int) -> list[Text]:
        titles = [Column(title="trial", is_number=True), Column(title="epoch", is_number=True)]
        titles += [Column(title=str(self.tally.objective.metric), is_number=True), Column(title="time", is_number=True)]
        titles += [Column(title="blocks"), Column(title="device", spare=1)]
        names = BlockNames([trial.stages for _, trial in running], columns - BESIDE_BLOCKS)
        now = time.monotonic()
        rows: list[list[Cell]] = [
            [
                str(number),
                f"{trial.done}/{trial.epochs}",
                "" if trial.value is None else score(trial.value),
                duration(now - trial.began),
                names.of(trial.stages),
                trial.place,
            ]
            for number, trial in running
        ]
        return table_lines(titles, rows, columns)[0]


def duration(seconds: float) -> str:
    """Return ``45 s``, ``3 min``, ``2.5 h`` or ``3.1 days``."""
    if 0.05 <= seconds < 1:
        return f"{seconds:.1f} s"
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
