"""The work of a worker process under any dispatcher: one attempt as a stream of messages.

Failures are messages too. A fault of the machine (no space, no permission, no file handles) is not the trial's
failure: it halts the study. A worker that hangs is ended by a watchdog. A worker that dies cannot send a message; the
driver finds the cause in the file that it left.
"""

import errno
import gc
import math
import socket
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Final

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.plugins import load_everything
from qpsearch.dispatch.interrupt import Signalled
from qpsearch.dispatch.private_folder import new_key
from qpsearch.dispatch.watchdog import Watchdog, hang_file
from qpsearch.errors import ArtifactError, DataError, OutOfMemory, TrainingDiverged
from qpsearch.protocol import (
    Assignment,
    EpochReport,
    Failed,
    Halted,
    Message,
    Place,
    Progress,
    Run,
    RunSettings,
    StepCount,
    Told,
    Underway,
)
from qpsearch.study.trials.checkpoints import trial_folder
from qpsearch.vocabulary import CudaGraphs, FailReason, WithWords

Trainer = Callable[[TrialConfig, RunSettings], Iterator[EpochReport | StepCount]]
RunsTrainer = Callable[[TrialConfig, Sequence[RunSettings]], Iterator[Told]]

# What a machine, not a trial, does wrong: no space, no permission, a file system that is read-only or away, no handles.
MACHINE: Final = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.ESTALE,
        errno.EACCES,
        errno.EPERM,
        errno.EMFILE,
        errno.ENFILE,
        errno.EAGAIN,
        errno.ENOMEM,
    }
)

_signalled = Signalled()  # of this process


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup(WithWords):
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
        key: Name of the private folder in which workers leave the stacks of trials that hang.
        runs_trainer: Trains several runs at once, importable too; None to train all runs one by one.
        cuda_graphs: Whether a GPU is given each training step as one CUDA graph.
        stream: How images of a folder are read (``Data.stream``), whatever the study said when its trials were drawn.
    """

    trainer: Trainer
    checkpoints: str
    data_folder: str | None
    device: str
    threads: int
    report_timeout_s: float | None
    memory_share: float = 1.0
    memory_format: str = "channels_last"
    key: str = field(default_factory=new_key)
    runs_trainer: RunsTrainer | None = None
    cuda_graphs: CudaGraphs = CudaGraphs.AUTO
    stream: bool | None = None


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
    gc.freeze()  # what is alive between trials stays: of 190,000 objects of torch, a collection takes 0.15 s a trial
    try:
        watching = Watchdog(hang_file(setup.key, assignment), setup.report_timeout_s)
    except OSError as error:
        yield Halted(detail=_of_machine(error))
        return
    with watching as watchdog, closing(_train(assignment, setup, device_name)) as stream:
        while (message := _next(stream, setup)) is not None:
            watchdog.stop()
            if not isinstance(message, Progress | Underway):
                break
            yield message
            watchdog.start()
    if message is not None:
        if isinstance(message, Failed):
            gc.collect()  # a network that is part of a cycle would be left out of collections for ever
        yield message


def _next(stream: Iterator[Message], setup: WorkerSetup) -> Message | None:
    """Return a trial's next message; None at its end. Whatever a trainer raises ends its trial, not the sweep."""
    try:
        return next(stream, None)
    except TrainingDiverged as error:
        return Failed(reason=FailReason.DIVERGED, detail=str(error))
    except OutOfMemory as error:
        failed = Failed(reason=FailReason.OUT_OF_MEMORY, detail=str(error), in_step=error.in_step)
        raise WorkerMustRestart(failed) from None
    except (ArtifactError, DataError) as error:
        return Halted(detail=str(error))
    except BaseException as error:  # also a trainer's own SystemExit, KeyboardInterrupt or GeneratorExit
        if _signalled.is_set and not isinstance(error, Exception):
            raise  # somebody stops this process
        fault = machine_fault(error)
        if fault is not None:
            return Halted(detail=_of_machine(fault))
        failed = Failed(reason=FailReason.ERROR, detail=traceback.format_exc())
        if setup.device == "cuda":
            raise WorkerMustRestart(failed) from None  # after many CUDA errors all later calls fail
        return failed


def machine_fault(error: BaseException) -> OSError | None:
    """Return the fault of the machine that caused an error, itself or what it was raised from; None if none did."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in MACHINE:
            return seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None


def _of_machine(error: OSError) -> str:
    return f"{socket.gethostname()}: {error}: the machine is at fault, not the trial."


def _train(assignment: Assignment, setup: WorkerSetup, device_name: str) -> Generator[Message]:
    load_everything()  # first of all: what follows may name a block, a data set or a metric of the user's own
    threads = assignment.threads or setup.threads
    memory_format = assignment.memory_format or setup.memory_format
    place = Place(host=socket.gethostname(), device=device_name, threads=threads, memory_format=memory_format)
    settings = [
        RunSettings(
            seed=run.seed,
            device=setup.device,
            threads=threads,
            memory_format=memory_format,
            data_folder=setup.data_folder,
            checkpoint_folder=trial_folder(setup.checkpoints, assignment.trial),
            checkpoint_stem=f"r{run.replicate}-a{assignment.attempt}",
            resume_from=run.resume_from,
            memory_share=setup.memory_share,
            metrics=assignment.metrics,
            fidelity=assignment.fidelity,
            epochs_before=assignment.fidelity.before(run.replicate) if assignment.fidelity else 0,
            cuda_graphs=setup.cuda_graphs,
        )
        for run in assignment.runs
    ]
    config = replace(assignment.config, data=replace(assignment.config.data, stream=setup.stream))
    pairs = list(zip(assignment.runs, settings, strict=True))
    together = pairs[assignment.alone :] if setup.runs_trainer is not None else []
    if len(together) < 2:
        together = []
    for run, own in pairs[: len(pairs) - len(together)]:
        told = (Told(run=0, report=report) for report in setup.trainer(config, own))
        yield from _reports(told, assignment.run_epochs, (run,), place)
    if together and setup.runs_trainer is not None:
        runs, theirs = zip(*together, strict=True)
        yield from _reports(setup.runs_trainer(config, theirs), assignment.run_epochs, runs, place)


def _reports(stream: Iterable[Told], epochs: int, runs: Sequence[Run], place: Place) -> Iterator[Message]:
    """Turn what a trainer says of runs into messages; the last one is a failure where their training is not whole."""
    last = [0] * len(runs)
    for told in stream:
        report, replicate = told.report, runs[told.run].replicate
        if isinstance(report, StepCount):
            yield Underway(replicate=replicate, steps=report)
            continue
        last[told.run] = report.epoch
        if not all(value is None or math.isfinite(value) for value in (report.train_loss, report.val_accuracy)):
            values = f"training loss {report.train_loss}, validation accuracy {report.val_accuracy}"
            yield Failed(reason=FailReason.DIVERGED, detail=f"{values} in epoch {report.epoch}")
            return
        fused = tuple(runs[index].replicate for index in told.together)
        yield Progress(replicate=replicate, report=report, place=place, fused=fused, more=told.more)
    if min(last) < epochs:
        detail = f"the trainer ended after epoch {min(last)} of {epochs}"
        yield Failed(reason=FailReason.ERROR, detail=detail)
