"""What a user sees while one network trains: a bar and curves in a terminal, a line for each epoch in a pipe."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import RenderableType
from rich.text import Text

from qpsearch.display.curves import chart
from qpsearch.display.plain import plain, say
from qpsearch.display.shown import duration, score
from qpsearch.display.terminal import Drawing, LiveTerminal, Screen

BAR: Final = 16
HIGHEST: Final = 6  # lines of a chart
CURVES: Final = (("train_loss", "training loss"), ("val_accuracy", "validation accuracy"))
GAP: Final = 3


class EpochRow(Protocol):
    """The part of an epoch's report that is shown; see ``qpsearch.protocol.EpochReport``."""

    @property
    def epoch(self) -> int:
        """Counted from 1."""

    @property
    def train_loss(self) -> float:
        """Mean over the training images."""

    @property
    def val_loss(self) -> float | None:
        """Mean over the validation images; None where it is not finite or there are none."""

    @property
    def val_accuracy(self) -> float | None:
        """Share of the validation images; None where there are none."""

    @property
    def lr(self) -> float:
        """Learning rate of the last step."""

    @property
    def seconds(self) -> float:
        """Wall time."""

    @property
    def note(self) -> str:
        """What the user should know of how it was trained; mostly nothing."""


class TrainingDisplay:
    """The epochs of one network: each is printed as a line; in a terminal, a bar and curves stand below the lines.

    Args:
        name: What the network is called.
        epochs: Its epochs.
        is_live: Whether there is a terminal whose last lines can be redrawn.
        is_quiet: Whether nothing is to be shown.
        screen: Makes the place for the drawing.
    """

    def __init__(
        self,
        name: str,
        epochs: int,
        *,
        is_live: bool,
        is_quiet: bool = False,
        screen: Callable[[Drawing], Screen] = LiveTerminal,
    ) -> None:
        self._name, self._epochs, self._is_quiet = name, epochs, is_quiet
        self._screen = screen(self._draw) if is_live else None
        self._curves: dict[str, list[float]] = {key: [] for key, _ in CURVES}
        self._done, self._step, self._steps = 0, 0, 0
        self._began, self._first = time.monotonic(), 0

    def __enter__(self) -> Self:
        if self._screen is not None:
            self._screen.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._screen is not None:
            self._screen.stop()

    def continues(self, reports: Sequence[EpochRow]) -> None:
        """Take in the epochs of earlier trainings, which are not printed again."""
        for report in reports:
            self._add(report)
        self._first = self._done

    def stepped(self, done: int, of: int) -> None:
        """Take in how many steps of the epoch are done."""
        self._step, self._steps = done, of

    def reported(self, report: EpochRow) -> None:
        """Take in an epoch, and print its line."""
        self._add(report)
        self._step = 0
        self._say(epoch_line(report, self._epochs))
        if report.note:
            self._say(report.note)

    def _add(self, report: EpochRow) -> None:
        self._done = report.epoch
        for key, values in self._curves.items():
            value = getattr(report, key)
            if value is not None:
                values.append(value)

    def _say(self, text: str) -> None:
        if self._screen is not None:
            if self._screen.failure is not None:
                raise self._screen.failure
            self._screen.print(plain(text))
        elif not self._is_quiet:
            say(text, flush=True)

    def _draw(self, columns: int, rows: int) -> list[RenderableType]:
        return [self._head(), *self._charts(columns, min(HIGHEST, rows - 3))]

    def _head(self) -> Text:
        share = (self._done + (self._step / self._steps if self._steps else 0)) / self._epochs
        full = round(BAR * min(share, 1))
        bar = Text("#" * full, style="green").append("." * (BAR - full), style="dim")
        parts = [Text(self._name, style="bold"), bar, Text(f"epoch {min(self._done + 1, self._epochs)}/{self._epochs}")]
        if self._steps and self._step:
            parts.append(Text(f"step {self._step}/{self._steps}"))
        gone, here = time.monotonic() - self._began, share - self._first / self._epochs
        left = f", {duration(gone * (1 - share) / here)} left" if here > 0 and share < 1 else ""
        parts.append(Text(f"{duration(gone)} gone{left}", style="dim"))
        return Text("  ").join(parts)

    def _charts(self, columns: int, height: int) -> Iterator[Text]:
        """Yield the curves beside each other, each below its name, first and last value."""
        known = [(title, self._curves[key]) for key, title in CURVES if len(self._curves[key]) > 1]
        if not known or height < 2:
            return
        width = (columns - GAP * (len(known) - 1)) // len(known)
        heads = [f"{title} {score(values[0])} to {score(values[-1])}" for title, values in known]
        yield Text((" " * GAP).join(head[:width].ljust(width) for head in heads).rstrip(), style="dim")
        charts = [chart(values, width, height) for _, values in known]
        for lines in zip(*charts, strict=True):
            yield Text((" " * GAP).join(line.ljust(width) for line in lines).rstrip())


def epoch_line(report: EpochRow, epochs: int) -> str:
    """Return one line about an epoch."""
    number = f"{report.epoch:>{len(str(epochs))}}/{epochs}"
    parts = [f"epoch {number}", f"loss {score(report.train_loss)}"]
    if report.val_accuracy is not None:
        loss = "not finite" if report.val_loss is None or not math.isfinite(report.val_loss) else score(report.val_loss)
        parts += [f"val loss {loss}", f"accuracy {score(report.val_accuracy)}"]
    return "  ".join([*parts, f"lr {report.lr:.2g}", f"{report.seconds:.1f} s"])
