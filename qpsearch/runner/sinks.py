"""Showing a running study elsewhere: TensorBoard, and Weights & Biases.

A sink is somebody else's program: it may prompt, block or fail. So it runs in a process of its own without a terminal,
``python -m qpsearch.runner.sinks NAME STUDY WHERE``, which ``sink_process`` feeds. It reads calls from standard input,
each a JSON list in a line (``["end", 3, "COMPLETE", 0.9]``), until that ends. It answers its start, each call and its
end with a line: ``null``, or as a JSON string what is wrong, with which it ends.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from qpsearch.errors import UserError, first_line

ORPHAN_S: Final = 60  # how long a sink may take to close after its driver was killed


class Sink(Protocol):
    """A place where curves are shown: one run per trial, named by the trial's number.

    A trial that continues, also in another process, goes on in its run; each of its epochs comes once.

    It is made with the study's name and the text after ``--sink NAME:``, and raises UserError if the user has to do
    something first, such as logging in. Every other error ends the sink, but not the study.
    """

    def open(self, uid: str) -> None:
        """The study is opened; the identifier tells it from every other study, also one of the same name."""

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
        self._root = f"{folder or 'studies/tensorboard'}/{study}"
        self._writers: dict[int, Any] = {}
        if "://" not in self._root:
            try:
                os.makedirs(self._root, exist_ok=True)
            except OSError as error:
                given = f"--sink tensorboard{f':{folder}' if folder else ''}"
                raise UserError(
                    f"{given}: {self._root} cannot be made ({error.strerror}). Name another folder: "
                    "--sink tensorboard:FOLDER."
                ) from None

    def open(self, uid: str) -> None:
        """See ``Sink``."""

    def begin(self, trial: int, config: Mapping[str, Any]) -> None:
        """See ``Sink``."""
        from tensorboardX.event_file_writer import EventsWriter  # SummaryWriter writes in a thread, which fails unseen
        from tensorboardX.record_writer import directory_check
        from tensorboardX.summary import text

        folder = f"{self._root}/trial-{trial:05d}"
        directory_check(folder)
        self._writers[trial] = EventsWriter(f"{folder}/events", f".{time.time_ns()}")
        self._write(trial, text("config", f"```json\n{json.dumps(config, indent=1)}\n```"))

    def log(self, trial: int, epoch: int, values: Mapping[str, float]) -> None:
        """See ``Sink``."""
        from tensorboardX.summary import scalar

        for name, value in values.items():
            self._write(trial, scalar(name, value), epoch)
        self._writers[trial].flush()

    def end(self, trial: int, state: str, value: float | None) -> None:
        """See ``Sink``."""
        from tensorboardX.summary import text

        self._write(trial, text("state", state))
        self._writers.pop(trial).close()

    def close(self) -> None:
        """See ``Sink``."""
        for writer in self._writers.values():
            writer.close()

    def _write(self, trial: int, summary: Any, step: int | None = None) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._writers[trial].write_event(Event(wall_time=time.time(), step=step, summary=summary))


class WandB:
    """Runs of a project of Weights & Biases, grouped by study; WANDB_MODE=offline keeps the runs on disk.

    W&B numbers the steps of a run itself, and goes on behind the last one where a run is resumed.
    """

    def __init__(self, study: str, project: str) -> None:
        try:
            import wandb
        except ModuleNotFoundError:
            raise UserError("--sink wandb: the package is missing. pip install 'qpsearch[wandb]'.") from None
        self._wandb, self._study, self._project = wandb, study, project or "qpsearch"
        self._uid = ""
        self._runs: dict[int, Any] = {}
        try:
            wandb.login(verify=False)  # finds a key without asking the server; without a terminal it does not prompt
        except Exception as error:  # whichever kind its version has
            raise UserError(
                f"--sink wandb: not logged in ({first_line(error).rstrip('.')}). Log in: wandb login, or set "
                "WANDB_API_KEY. WANDB_MODE=offline keeps the runs on this disk instead."
            ) from None

    def open(self, uid: str) -> None:
        """See ``Sink``."""
        self._uid = uid

    def begin(self, trial: int, config: Mapping[str, Any]) -> None:
        """See ``Sink``."""
        self._runs[trial] = self._wandb.init(
            project=self._project,
            group=self._study,
            id=f"{self._uid}-{trial}",
            resume="allow",
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


SINKS: Final[dict[str, Callable[[str, str], Sink]]] = {"tensorboard": TensorBoard, "wandb": WandB}


def main(name: str, study: str, where: str) -> None:
    """Be a sink until standard input ends."""
    calls, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # who prompts reads nothing
    os.dup2(2, 1)  # what a library prints is not an answer

    def answer(problem: str | None = None) -> None:
        with contextlib.suppress(BrokenPipeError):  # the driver was killed
            print(json.dumps(problem), file=answers, flush=True)

    try:
        sink = SINKS[name](study, where)
        answer()
        for line in calls:
            method, *arguments = json.loads(line)
            getattr(sink, method)(*arguments)
            answer()
        signal.alarm(ORPHAN_S)
        sink.close()
        answer()
    except UserError as error:
        answer(str(error))
    except Exception as error:  # a service may raise anything
        answer(first_line(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
