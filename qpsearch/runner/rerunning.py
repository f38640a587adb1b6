"""Training a stored trial again, to compare it with its record. The study is only read.

A run on a CPU is a function of configuration, seed, threads, memory format and the runs that were fused with it, so it
repeats to the bit with the same versions on the same kind of machine; fused runs of a trial that was interrupted are
equal but for rounding. On a GPU, some sums are added up in whatever order their threads come.
"""

import math
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from operator import ge
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import OutOfMemory, QpsearchError, TrainingDiverged, UserError
from qpsearch.protocol import EpochReport, RunSettings, Told
from qpsearch.registry.fidelity import Fidelity
from qpsearch.runner import trainer
from qpsearch.runner.changes import changes
from qpsearch.runner.machine import has_gpu, prepare_kept
from qpsearch.study.records import AttemptRecord, RunRecord, TrialDetail
from qpsearch.vocabulary import CudaGraphs, FailReason, Fuse, WithWords

if TYPE_CHECKING:
    from qpsearch.study.storage.database import Database

COMPARED: Final = ("train_loss", "val_loss", "val_accuracy", "val_nonfinite", "lr")  # time and memory are not repeated
OWN_FAULT: Final = (FailReason.DIVERGED, FailReason.OUT_OF_MEMORY, FailReason.ERROR)  # others are the machine's

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Where and how a trial is trained, as far as that changes its numbers.

    Attributes:
        device: ``cpu`` or ``cuda``.
        threads: CPU threads.
        memory_format: ``channels_last`` or ``contiguous``.
    """

    device: str
    threads: int
    memory_format: str


@dataclass(slots=True, kw_only=True)
class Repeated(WithWords):
    """A run that was trained again.

    Attributes:
        replicate: The run, from 0.
        seed: Its seed.
        epochs: How many recorded epochs were trained again.
        first: The first epoch with a value that is not the recorded one; None where all are equal.
        differences: By value, the largest absolute difference of an epoch, infinite where only one of them is a number;
            values without a difference are left out.
        then: How the run failed in the record; None where it did not, or where the machine was at fault.
        now: How it failed now; None where it did not.
        detail: The message of an error now.
    """

    replicate: int
    seed: int
    epochs: int = 0
    first: int | None = None
    differences: dict[str, float] = field(default_factory=dict)
    then: FailReason | None = None
    now: FailReason | None = None
    detail: str = ""

    @property
    def matches(self) -> bool:
        """Whether every recorded value was repeated to the bit, and the run ended alike."""
        return self.first is None and self.then is self.now

    def compare(self, recorded: Row, report: EpochReport) -> None:
        """Compare an epoch with its record."""
        self.epochs += 1
        for name in COMPARED:
            then, now = recorded[name], getattr(report, name)
            if then != now:
                self.first = report.epoch if self.first is None else self.first
                gap = math.inf if then is None or now is None else abs(then - now)
                self.differences[name] = max(self.differences.get(name, 0.0), gap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """A stored trial that was trained again, beside its record.

    Attributes:
        study: The study.
        trial: The trial.
        conditions: Where and how it was trained again.
        runs: Its runs that were trained again.
        changes: Versions, machine, host and device where they are not as recorded: by dotted name, then and now.
    """

    study: str
    trial: int
    conditions: Conditions
    runs: tuple[Repeated, ...]
    changes: Mapping[str, tuple[Any, Any]]

    @property
    def matches(self) -> bool:
        """Whether every run matches its record to the bit."""
        return all(run.matches for run in self.runs)


def rerun(
    database: "Database",
    study: str,
    number: int,
    *,
    replicate: int | None = None,
    seen: Callable[[int, int], None] = lambda done, planned: None,
) -> Rerun:
    """Train a stored trial again and compare each epoch with its record. The study is only read.

    Args:
        database: The study database.
        study: The study.
        number: The trial.
        replicate: One of its runs, from 0; None for all.
        seen: Called with the number of epochs that are done, and that are planned.

    Raises:
        UserError: There is no such trial or run, or nothing of it was trained here.
        DataError: The data set cannot be had.
    """
    from qpsearch.study import queries
    from qpsearch.study.drivers.facts import environment

    detail = queries.trial_detail(database, study, number)
    recorded = recorded_conditions(detail)
    space = queries.space_of(database, study)
    fidelity, graphs = space.search.fidelity, space.resources.cuda_graphs
    chosen = chosen_runs(detail, replicate, fidelity)
    there = queries.summary(database, study).environment
    folder = prepare_kept(detail.record.config.data)
    here = replace(recorded, device=_device_here(recorded))
    own = {run.replicate for run in chosen}
    planned = sum(row["replicate"] in own for row in detail.epochs) + (_failed_run(detail, fidelity) in own)
    done = count(1)
    return Rerun(
        study=study,
        trial=number,
        conditions=here,
        runs=tuple(repeat(detail, chosen, here, folder, lambda: seen(next(done), planned), fidelity, graphs)),
        changes=changes(_world(there, detail, recorded), _world(environment(), None, here)),
    )


def recorded_conditions(detail: TrialDetail) -> Conditions:
    """Return the conditions of a trial's first attempt that reported.

    Raises:
        UserError: No attempt has reported, so there is nothing to compare.
    """
    number = detail.record.number
    first = next((attempt for attempt in detail.attempts if attempt.place is not None), None)
    if first is None or first.place is None or first.threads is None or first.memory_format is None:
        raise UserError(
            f"trial {number} has no epoch that was trained here, so there is nothing to compare. Name another trial."
        )
    return Conditions(device=_device(first), threads=first.threads, memory_format=first.memory_format)


def chosen_runs(detail: TrialDetail, replicate: int | None, fidelity: Fidelity | None = None) -> list[RunRecord]:
    """Return the runs to train again: one of them, or all that began.

    Raises:
        UserError: There is no such run, or it did not begin.
    """
    began = {row["replicate"] for row in detail.epochs} | {_failed_run(detail, fidelity)}
    if replicate is None:
        return [run for run in detail.runs if run.replicate in began]
    last, number = len(detail.runs) - 1, detail.record.number
    if not 0 <= replicate <= last:
        there = "run 0 alone" if last == 0 else f"runs 0 to {last}"
        raise UserError(f"replicate {replicate}: trial {number} has {there}.")
    if replicate not in began:
        raise UserError(f"replicate {replicate}: this run of trial {number} has no recorded epoch to compare with.")
    return [detail.runs[replicate]]


def repeat(
    detail: TrialDetail,
    own_runs: Sequence[RunRecord],
    conditions: Conditions,
    data_folder: Path | None,
    seen: Callable[[], None] = lambda: None,
    fidelity: Fidelity | None = None,
    cuda_graphs: CudaGraphs = CudaGraphs.AUTO,
) -> Iterator[Repeated]:
    """Train runs of a trial again, as far as they are recorded; nothing is written.

    A run that failed by its own fault is trained one epoch further, to see whether it fails again. Runs that were
    trained as one network are trained as one again.

    Args:
        detail: The trial's record.
        own_runs: The runs, from ``chosen_runs``.
        conditions: How to train.
        data_folder: Folder of the data sets.
        seen: Called after each epoch.
        fidelity: The levels at which the study's runs train; None for the whole training alone.
        cuda_graphs: Whether a GPU is given each training step as one CUDA graph, as the study says.
    """
    left = {run.replicate for run in own_runs}
    while left:
        replicates = detail.fused_with(min(left))
        group = [
            Again(run=run, settings=_settings(run, conditions, data_folder, fidelity, cuda_graphs))
            for run in detail.runs
            if run.replicate in replicates
        ]
        yield from _repeat_together(detail, group, left, seen)
        left -= set(replicates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A run, and how it is trained again."""

    run: RunRecord
    settings: RunSettings


def _settings(
    run: RunRecord,
    conditions: Conditions,
    data_folder: Path | None,
    fidelity: Fidelity | None,
    cuda_graphs: CudaGraphs,
) -> RunSettings:
    return RunSettings(
        seed=run.seed,
        device=conditions.device,
        threads=conditions.threads,
        memory_format=conditions.memory_format,
        data_folder=None if data_folder is None else str(data_folder),
        fidelity=fidelity,
        epochs_before=fidelity.before(run.replicate) if fidelity else 0,
        cuda_graphs=cuda_graphs,
    )


def _repeat_together(
    detail: TrialDetail, group: Sequence[Again], wanted: Collection[int], seen: Callable[[], None]
) -> Iterator[Repeated]:
    """Train runs again that were trained as one network, or a single one; see ``repeat``."""
    fidelity = group[0].settings.fidelity
    failed, whole = _failed_run(detail, fidelity), _whole(detail, fidelity)
    own = [each.run.replicate for each in group]
    recorded = [{row["epoch"]: row for row in detail.epochs if row["replicate"] == replicate} for replicate in own]
    found = [Repeated(replicate=each.run.replicate, seed=each.run.seed) for each in group]
    for each in found:
        each.then = FailReason(str(detail.record.reason)) if each.replicate == failed else None
    most = [
        max(rows, default=again.settings.epochs_before) + (each.then is not None)
        for rows, again, each in zip(recorded, group, found, strict=True)
    ]
    last = [each.settings.epochs_before for each in group]

    def unfinished() -> Repeated:
        return next(each for each, epoch in zip(found, last, strict=True) if epoch < whole)

    try:
        for told in _told(detail, [each.settings for each in group]):
            if not isinstance(told.report, EpochReport):
                continue
            run, epoch = told.run, told.report.epoch
            last[run] = epoch
            if epoch in recorded[run]:
                found[run].compare(recorded[run][epoch], told.report)
            if own[run] in wanted and epoch <= most[run]:
                seen()
            if all(map(ge, last, most)):
                break
        for each, epoch, planned in zip(found, last, most, strict=True):
            each.now = FailReason.ERROR if epoch < planned else None  # the trainer ended early
    except TrainingDiverged:
        unfinished().now = FailReason.DIVERGED
    except OutOfMemory:
        unfinished().now = FailReason.OUT_OF_MEMORY
    except QpsearchError:  # no data set, say: not the run's
        raise
    except Exception as error:  # whatever a block of the user's own raises
        each = unfinished()
        each.now, each.detail = FailReason.ERROR, f"{type(error).__name__}: {error}"
    yield from (each for each in found if each.replicate in wanted)


def _told(detail: TrialDetail, settings: Sequence[RunSettings]) -> Iterator[Told]:
    """Train one run by itself, or several as one network."""
    if len(settings) > 1:
        return trainer.train_runs(detail.record.config, settings, Fuse.ALWAYS)
    return (Told(run=0, report=report) for report in trainer.train(detail.record.config, settings[0]))


def _device_here(recorded: Conditions) -> str:
    """Return the device to train on: the recorded kind, or the CPU where there is no GPU."""
    import torch

    return "cuda" if recorded.device != "cpu" and has_gpu() and torch.cuda.is_available() else "cpu"


def _world(environment: Mapping[str, Any], detail: TrialDetail | None, conditions: Conditions) -> dict[str, Any]:
    """Return versions, machine and host, of the record or of this process (without a record)."""
    first = next((each.place for each in detail.attempts if each.place), None) if detail is not None else None
    host = socket.gethostname() if detail is None else (first or "").split()[0]
    known = {name: environment.get(name, {}) for name in ("versions", "machine")}
    return {**known, "host": host, "device": conditions.device}


def _failed_run(detail: TrialDetail, fidelity: Fidelity | None) -> int | None:
    """Return the run by whose own fault a trial failed: the first one that is not whole."""
    if detail.record.state != "FAIL" or detail.record.reason not in OWN_FAULT:
        return None
    done = Counter({row["replicate"]: row["epoch"] for row in detail.epochs})  # the last ones
    whole = _whole(detail, fidelity)
    return next((run.replicate for run in detail.runs if done[run.replicate] < whole), None)


def _whole(detail: TrialDetail, fidelity: Fidelity | None) -> int:
    """Return the number of the last epoch of a run."""
    return detail.record.config.recipe.epochs if fidelity is None else fidelity.whole


def _device(attempt: AttemptRecord) -> str:
    """Return the kind of device in a place such as ``host cuda 3``."""
    return (attempt.place or "").split()[1]
