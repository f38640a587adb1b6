"""The work of a worker process under any dispatcher: one attempt as a stream of messages.

Failures are messages too. A worker that hangs is ended by a watchdog that works even where the hanging code holds the
interpreter lock. A worker that dies cannot send a message; the driver finds the cause in the file that it left.
"""

import faulthandler
import math
import socket
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from qpsearch.architecture.config import TrialConfig
from qpsearch.artifacts import content_hash
from qpsearch.dispatch.interrupt import Signalled
from qpsearch.errors import ArtifactError, DataError, OutOfMemory, TrainingDiverged
from qpsearch.protocol import Assignment, EpochReport, Failed, Halted, Message, Place, Progress, Run, RunSettings
from qpsearch.study.trials.checkpoints import trial_folder
from qpsearch.vocabulary import FailReason

Trainer = Callable[[TrialConfig, RunSettings], Iterator[EpochReport]]

_signalled = Signalled()  # of this process


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """The settings that a worker has before its first trial.

    Attributes:
        trainer: Trains one run. It must be importable, since workers are other processes.
        checkpoints: Root of the study's checkpoints, a path or URI.
        data_folder: Root of the data sets.
        device: ``"cpu"`` or ``"cuda"``.
        threads: CPU threads of a trial.
        report_timeout_s: Seconds without a report after which a trial has hung; None for never.
        memory_share: The share of its GPU's memory that a trial may use.
        memory_format: ``"channels_last"`` or ``"contiguous"``; a continued trial keeps the format that it began with.
    """

    trainer: Trainer
    checkpoints: str
    data_folder: str | None
    device: str
    threads: int
    report_timeout_s: float | None
    memory_share: float = 1.0
    memory_format: str = "channels_last"


class WorkerMustRestart(Exception):
    """A trial failed in such a way that its process must not train another trial."""

    def __init__(self, failed: Failed) -> None:
        self.failed = failed
        super().__init__(failed)


def messages(assignment: Assignment, setup: WorkerSetup, device_name: str) -> Generator[Message, None, None]:
    """Train the rest of a trial; the last message is ``Failed`` or ``Halted`` if the trial cannot continue.

    Args:
        assignment: The attempt.
        setup: The worker's settings.
        device_name: The device's name in the study database: ``cpu``, ``cuda 3``.

    Raises:
        WorkerMustRestart: In place of a last message, where the process must be replaced.
    """
    _signalled.watch()
    with Watchdog(hang_file(setup.checkpoints, assignment), setup.report_timeout_s) as watchdog:
        stream = _train(assignment, setup, device_name)
        while (message := _next(stream, setup)) is not None:
            watchdog.stop()
            if not isinstance(message, Progress):
                break
            yield message
            watchdog.start()
    if message is not None:
        yield message


def _next(stream: Iterator[Message], setup: WorkerSetup) -> Message | None:
    """Return a trial's next message; None at its end. Whatever a trainer raises ends its trial, not the sweep."""
    try:
        return next(stream, None)
    except TrainingDiverged as error:
        return Failed(reason=FailReason.DIVERGED, detail=str(error))
    except OutOfMemory as error:
        raise WorkerMustRestart(Failed(reason=FailReason.OUT_OF_MEMORY, detail=str(error))) from None
    except (ArtifactError, DataError) as error:
        return Halted(detail=str(error))
    except BaseException as error:  # also a trainer's own SystemExit, KeyboardInterrupt or GeneratorExit
        if _signalled.is_set and not isinstance(error, Exception):
            raise  # somebody stops this process
        failed = Failed(reason=FailReason.ERROR, detail=traceback.format_exc())
        if setup.device == "cuda":
            raise WorkerMustRestart(failed) from None  # after many CUDA errors all later calls fail
        return failed


def _train(assignment: Assignment, setup: WorkerSetup, device_name: str) -> Iterator[Message]:
    config = assignment.config
    threads = assignment.threads or setup.threads
    memory_format = assignment.memory_format or setup.memory_format
    place = Place(host=socket.gethostname(), device=device_name, threads=threads, memory_format=memory_format)
    resume_from = assignment.resume_from
    for run in assignment.runs:
        settings = RunSettings(
            seed=run.seed,
            device=setup.device,
            threads=threads,
            memory_format=memory_format,
            data_folder=setup.data_folder,
            checkpoint_folder=trial_folder(setup.checkpoints, assignment.trial),
            checkpoint_stem=f"r{run.replicate}-a{assignment.attempt}",
            resume_from=resume_from,
            memory_share=setup.memory_share,
        )
        yield from _reports(setup.trainer, config, run, settings, place)
        resume_from = ()  # only the first run was under way


def _reports(trainer: Trainer, config: TrialConfig, run: Run, settings: RunSettings, place: Place) -> Iterator[Message]:
    last = 0
    for report in trainer(config, settings):
        last = report.epoch
        if not (math.isfinite(report.train_loss) and math.isfinite(report.val_accuracy)):
            detail = f"training loss {report.train_loss}, validation accuracy {report.val_accuracy} in epoch {last}"
            yield Failed(reason=FailReason.DIVERGED, detail=detail)
            return
        yield Progress(replicate=run.replicate, report=report, place=place)
    if last < config.recipe.epochs:
        detail = f"the trainer ended after epoch {last} of {config.recipe.epochs}"
        yield Failed(reason=FailReason.ERROR, detail=detail)


class Watchdog:
    """Ends the process when a trial does not report for too long, and leaves its stack in a file.

    The timer is faulthandler's: a thread in C that does not need the interpreter lock, so that code stuck inside
    an extension is ended too.
    """

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._path = path
        self._file: TextIO | None = None
        if timeout_s is not None:
            self._file = self._path.open("w")
        self.start()

    def start(self) -> None:
        """Begin to count."""
        if self._timeout_s is not None and self._file is not None:
            faulthandler.dump_traceback_later(self._timeout_s, exit=True, file=self._file)

    def stop(self) -> None:
        """Stop counting: a report is on its way, and the driver may take long to answer."""
        if self._timeout_s is not None:
            faulthandler.cancel_dump_traceback_later()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop for good, and remove the empty file."""
        self.stop()
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)


def hang_file(checkpoints: str, assignment: Assignment) -> Path:
    """Return the file, on the worker's own machine, that holds a stack if that attempt hung."""
    key = content_hash(f"{checkpoints} {assignment.trial} {assignment.attempt}".encode())
    return Path(tempfile.gettempdir()) / f"qpsearch-hang-{key}.txt"


def read_hang(path: Path) -> str:
    """Return the stack that a hanging worker of this machine left in its file, and remove the file; else empty."""
    try:
        stack = path.read_text()
        path.unlink()
        return stack
    except OSError:
        return ""


def cause_of_death(stack: str, detail: str) -> Failed:
    """Say why a worker was lost: ``timeout`` where the watchdog left a stack, else ``worker_lost``."""
    if stack:
        return Failed(
            reason=FailReason.TIMEOUT, detail=f"no report within resources.report_timeout; the worker hung in:\n{stack}"
        )
    return Failed(reason=FailReason.WORKER_LOST, detail=detail)
