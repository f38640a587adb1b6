"""What a user sees while a study runs: a live table in a terminal, plain lines in a pipe."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import RenderableType
from rich.text import Text

from qpsearch.display.console import Cell, Column, table_lines
from qpsearch.display.plain import last_line, plain, say
from qpsearch.display.shown import WORDS, BlockNames, duration, score, took
from qpsearch.display.tally import Running, Tally
from qpsearch.display.terminal import Drawing, LiveTerminal, Screen
from qpsearch.errors import counted
from qpsearch.space import Space
from qpsearch.space.search import Budget
from qpsearch.study.trials.events import (
    Closed,
    Dispatching,
    Event,
    Lost,
    Noted,
    Paused,
    Raced,
    Reported,
    Retried,
    Started,
    StorageBack,
    StorageGone,
    StudyOpened,
    TakenOver,
    Waiting,
)

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


def closed_line(event: Closed, trial: Running, tally: Tally) -> str:
    """Return one line about an ended trial, and for a failed trial the reason below the line."""
    value = score(event.value) if event.value is not None else event.reason or ""
    epochs = f"{trial.done} epoch{'s' * (trial.done != 1)}"
    blocks, legend = _blocks(trial, tally)
    is_best = tally.best is not None and tally.best[1] == event.number and event.state == "COMPLETE"
    line = (
        f"[{tally.closed}/{tally.asked}] trial {event.number} {event.state:<8} {value}  "
        f"{blocks}, {epochs}, {took(event.seconds)}{'; best' * is_best}{legend}"
    )
    if event.detail and event.state == "FAIL":
        line += f"\n    {last_line(event.detail)}"
    return line


def raced_line(event: Raced) -> str:
    """Return one line about a trial that trains another seed."""
    seeds = f"{event.seeds} seed{'s' * (event.seeds != 1)}"
    return f"trial {event.number} may be the best: {score(event.value)} over {seeds}; it trains another one"


def paused_line(event: Paused, trial: Running, tally: Tally) -> str:
    """Return one line about a trial that is paused at a rung."""
    blocks, legend = _blocks(trial, tally)
    return f"trial {event.number} paused after epoch {event.epoch}: {score(trial.value)}  {blocks}{legend}"


def _blocks(trial: Running, tally: Tally) -> tuple[str, str]:
    """Return the name of a trial's blocks, and a line that says what initials mean, unless the last such line did."""
    names = BlockNames([trial.stages], CLOSED_BLOCKS)
    meant = {initials: kind for kind, initials in names.initials.items()}
    untold = {initials: kind for initials, kind in meant.items() if tally.told_kinds.get(initials) != kind}
    tally.told_kinds |= untold
    legend = ", ".join(f"{initials} {kind}" for initials, kind in untold.items())
    return names.of(trial.stages), f"\n    blocks, by stage: {legend}" if legend else ""


class Notes:
    """Messages about events other than a trial's beginning, report or end.

    Args:
        tally: Has already counted each event.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally, self._is_forecast = tally, False
        self._told = {""}
        self._space: Space | None = None

    def of(self, event: Event) -> Iterator[str]:
        """Yield the messages about an event, if any."""
        match event:
            case StudyOpened(space=space):
                self._space, self._is_forecast = space, False
            case Dispatching(how=how) if self._space is not None:
                yield from self._plan(self._space, how)
            case Reported(report=report):
                yield from self._once(report.note)
                if not self._is_forecast and self._tally.pace.is_known:
                    self._is_forecast = True
                    yield self._forecast()
            case Noted(text=text):
                yield text
            case Lost(number=number, detail=detail):
                yield f"trial {number} lost its worker and continues in another: {last_line(detail)}"
            case Retried(number=number, images=images, fewer=fewer):
                again = f"It begins again with {fewer}: another recipe, with which it is recorded"
                yield f"trial {number} ran out of memory with {counted(images, 'image')} at once. {again}"
            case TakenOver(driver=driver, trials=count):
                yield f"{driver} is gone; its open trials are taken over: {count}"
            case StorageGone(detail=detail, patience_s=patience_s):
                yield f"waiting for the database, {duration(patience_s)} at most: {detail}"
            case StorageBack(seconds=seconds):
                yield f"the database is back after {duration(seconds)}"
            case _:
                pass

    def _once(self, text: str) -> Iterator[str]:
        """Yield what a trial's training has to say, unless another trial's has said it."""
        if text not in self._told:
            self._told.add(text)
            yield text

    def _plan(self, space: Space, how: str) -> Iterator[str]:
        """Say what is searched and what the search costs in epochs; ``space plan`` says more."""
        from qpsearch.analysis.plan import outlook

        search, tally = space.search, self._tally
        longest = f"{space.run_epochs} epoch{'s' * (space.run_epochs != 1)}"
        runs = f"{search.seeds_text} runs of " if search.most_replicates > 1 else ""
        yield f"study {space.study}: {budget_text(search.budget)} of {runs}at most {longest}, {how}"
        if search.fidelity is not None:
            yield f"fidelity {search.fidelity.told}"
        yield f"sampler {search.sampler}, pruner {search.pruner}, seed {search.seed}"
        found = outlook(space)
        tally.pace.epochs, tally.pace.kept = found.epochs, found.kept
        paused = len(tally.paused)
        trials = tally.asked - tally.closed - paused
        if paused:
            yield f"paused: {counted(paused, 'trial')} may go on, whose epochs are not in the cost"
        if trials <= 0:
            return
        whole = trials * found.epochs
        pruned = f", about {whole * found.kept:,.0f} of them with pruning (simulated)" if found.kept < 1 else ""
        bounds = ", unless the budget ends it before" if search.budget.has_others else ""
        yield f"cost: {counted(trials, 'trial')}, {counted(round(whole), 'epoch')}{pruned}{bounds}"

    def _forecast(self) -> str:
        """Say how long the study will take, and what the estimate is based on."""
        pace, tally = self._tally.pace, self._tally
        left, whole = tally.left_s(), tally.left_s(share=1.0)
        unpruned = f", {duration(whole)} without pruning" if pace.kept < 1 and whole is not None else ""
        about = "not known: paused trials may go on" if left is None else f"about {duration(left)} left{unpruned}"
        of = f" of {pace.networks} trials" if pace.networks > 1 else ""
        each_s = pace.epoch_s or 0
        each = took(each_s) if each_s >= 0.1 else "less than 0.1 s"
        basis = f"the first {counted(pace.reports, 'epoch')}{of} took {each}{' each' * (pace.reports > 1)}"
        if pace.trained != pace.reports:
            basis += f", a whole one about {took(pace.whole_s or 0)}"
        return f"time: {about}\n      ({basis}; trials at once: {pace.slots})"


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
        was_paused = isinstance(event, Started) and event.number in (*self.tally.paused, *self.tally.raced)
        ended = self.tally.see(event)
        if isinstance(event, Started) and event.attempt > 1 and not was_paused:
            how = f"continues after epoch {event.resumed_at}" if event.resumed_at else "begins again"
            self.say(f"trial {event.number} {how} (attempt {event.attempt})")
        if isinstance(event, Waiting) and round(event.left_s) % 10 == 0:
            self.say(self.tally.phase)
        for text in self._notes.of(event):
            self.say(text)
        if isinstance(event, Closed) and ended is not None:
            self.say(closed_line(event, ended, self.tally))
        if isinstance(event, Paused) and ended is not None:
            self.say(paused_line(event, ended, self.tally))
        if isinstance(event, Raced):
            self.say(raced_line(event))

    def say(self, text: str) -> None:
        """Print a line."""
        say(text, out=self._out, flush=True)


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
            self._screen.print(plain(text))
            return
        say(text, out=self._out, flush=True)

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
        states = Counter(tally.ended.copy().values()) | ({"PAUSED": len(tally.paused)} if tally.paused else {})
        counts = ", ".join(f"{count} {WORDS[state][0]}" for state, count in sorted(states.items()))
        begun = tally.closed + len(tally.paused)
        done = f"{begun}/{tally.asked} trials"
        full = BAR_WIDTH if not tally.asked else round(BAR_WIDTH * min(begun / tally.asked, 1))
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
        has_steps = any(trial.steps is not None for _, trial in running)  # where an epoch takes seconds
        titles += [Column(title="step", is_number=True, spare=2)] if has_steps else []
        titles += [Column(title=str(self.tally.objective.metric), is_number=True), Column(title="time", is_number=True)]
        titles += [Column(title="blocks"), Column(title="device", spare=1)]
        names = BlockNames([trial.stages for _, trial in running], columns - BESIDE_BLOCKS)
        now = time.monotonic()
        rows: list[list[Cell]] = [
            [
                str(number),
                f"{trial.done}/{trial.epochs}",
                *(["{}/{}".format(*trial.steps) if trial.steps else ""] if has_steps else []),
                "" if trial.value is None else score(trial.value),
                duration(now - trial.began),
                names.of(trial.stages),
                trial.place,
            ]
            for number, trial in running
        ]
        return table_lines(titles, rows, columns)[0]


def budget_text(budget: Budget) -> str:
    """Return ``60 trials``, or ``60 trials or 12 h``."""
    bounds = [f"{budget.trials} trial{'s' * (budget.trials != 1)}"]
    bounds += [f"{budget.epochs} epochs"] if budget.epochs is not None else []
    bounds += [duration(budget.seconds)] if budget.seconds is not None else []
    bounds += [f"{budget.gpu_seconds / 3600:g} GPU hours"] if budget.gpu_seconds is not None else []
    return " or ".join(bounds)
