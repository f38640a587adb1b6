"""Showing a running study elsewhere: TensorBoard and Weights & Biases as listeners of the ledger.

A sink is given what the database has already stored; a failing sink is dropped with a message, and the study continues.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from qpsearch.errors import UserError, nearest
from qpsearch.study.trials.events import Closed, Event, Interrupted, Lost, Reported, Started

CURVES = ("train_loss", "val_loss", "val_accuracy", "lr", "seconds", "images_per_s", "peak_memory_bytes")


class Sink(Protocol):
    """A place where curves are shown: one run per trial, named by the trial's number."""

    def begin(self, trial: int, config: Mapping[str, Any]) -> None:
        """A trial begins or continues."""

    def log(self, trial: int, epoch: int, values: Mapping[str, float]) -> None:
        """An epoch's values."""

    def end(self, trial: int, state: str, value: float | None) -> None:
        """A trial has ended, or is left open (state ``RUNNING``)."""

    def close(self) -> None:
        """Flush everything."""


class TensorBoard:
    """Event files below a folder, one folder per trial; ``tensorboard --logdir FOLDER`` shows them."""

    def __init__(self, study: str, folder: str) -> None:
        from tensorboardX import SummaryWriter

        self._make = SummaryWriter
        self._root = f"{folder or 'studies/tensorboard'}/{study}"
        self._writers: dict[int, Any] = {}

    def begin(self, trial: int, config: Mapping[str, Any]) -> None:
        """See ``Sink``."""
        self._writers[trial] = self._make(logdir=f"{self._root}/trial-{trial:05d}")
        self._writers[trial].add_text("config", f"```json\n{json.dumps(config, indent=1)}\n```")

    def log(self, trial: int, epoch: int, values: Mapping[str, float]) -> None:
        """See ``Sink``."""
        for name, value in values.items():
            self._writers[trial].add_scalar(name, value, epoch)

    def end(self, trial: int, state: str, value: float | None) -> None:
        """See ``Sink``."""
        writer = self._writers.pop(trial)
        writer.add_text("state", state)
        writer.close()

    def close(self) -> None:
        """See ``Sink``."""
        for writer in self._writers.values():
            writer.close()


class WandB:
    """Runs of a project of Weights & Biases, grouped by study; WANDB_MODE=offline keeps the runs on disk."""

    def __init__(self, study: str, project: str) -> None:
        try:
            import wandb
        except ModuleNotFoundError:
            raise UserError("--sink wandb: the package is missing. pip install 'qpsearch[wandb]'.") from None
        self._wandb, self._study, self._project = wandb, study, project or "qpsearch"
        self._runs: dict[int, Any] = {}

    def begin(self, trial: int, config: Mapping[str, Any]) -> None:
        """See ``Sink``."""
        self._runs[trial] = self._wandb.init(
            project=self._project,
            group=self._study,
            name=f"{self._study}-{trial}",
            config=dict(config),
            reinit="create_new",
            settings=self._wandb.Settings(silent=True, console="off"),
        )

    def log(self, trial: int, epoch: int, values: Mapping[str, float]) -> None:
        """See ``Sink``."""
        self._runs[trial].log(dict(values) | {"epoch": epoch})

    def end(self, trial: int, state: str, value: float | None) -> None:
        """See ``Sink``."""
        run = self._runs.pop(trial)
        run.summary.update({"state": state, "value": value})
        run.finish(exit_code=0 if state != "FAIL" else 1)

    def close(self) -> None:
        """See ``Sink``."""
        for run in self._runs.values():
            run.finish()


SINKS: dict[str, Callable[[str, str], Sink]] = {"tensorboard": TensorBoard, "wandb": WandB}


def open_sinks(given: Sequence[str], study: str) -> list[Sink]:
    """Return the sinks that ``--sink NAME`` or ``--sink NAME:WHERE`` names.

    Raises:
        UserError: There is no such sink, or its package is missing.
    """
    found = []
    for text in given:
        name, _, where = text.partition(":")
        if name not in SINKS:
            raise UserError(f"--sink {text}: unknown sink {name!r}. {nearest(name, list(SINKS))}")
        found.append(SINKS[name](study, where))
    return found


class Sinks:
    """Passes the ledger's events on to all sinks."""

    def __init__(self, sinks: list[Sink], say: Callable[[str], None]) -> None:
        self._sinks, self._say = list(sinks), say

    def see(self, event: Event) -> None:
        """Handle an event."""
        match event:
            case Started(number=number, config=config):
                self._each(lambda sink: sink.begin(number, json.loads(config.to_json())))
            case Reported(number=number, replicate=replicate, report=report):
                values = {name: getattr(report, name) for name in CURVES}
                suffix = f".run{replicate}" if replicate else ""
                shown = {f"{name}{suffix}": value for name, value in values.items() if value is not None}
                self._each(lambda sink: sink.log(number, report.epoch, shown))
            case Closed(number=number, state=state, value=value):
                self._each(lambda sink: sink.end(number, state, value))
            case Interrupted(number=number) | Lost(number=number):
                self._each(lambda sink: sink.end(number, "RUNNING", None))
            case _:
                pass

    def close(self) -> None:
        """Flush everything."""
        self._each(lambda sink: sink.close())

    def _each(self, action: Callable[[Sink], None]) -> None:
        for sink in list(self._sinks):
            try:
                action(sink)
            except Exception as error:  # whatever a service raises must not touch the study
                self._sinks.remove(sink)
                self._say(f"{type(sink).__name__} is left out from here on: {error}")
