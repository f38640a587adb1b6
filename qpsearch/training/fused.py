"""Several runs of one configuration trained as one network, whose channels are those of all runs side by side.

Each run keeps its own weights, optimiser, draws, evaluation and checkpoints (``TrainingRun``). Forward and backward
passes alone are common to all: fewer and larger operations. What comes out is equal to the runs by themselves but for
rounding, and a run can go on by itself from its checkpoint.
"""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final

import torch
from torch import Tensor

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import OutOfMemory, TrainingDiverged
from qpsearch.models.joined import Joined, why_not_joined
from qpsearch.protocol import EpochReport, RunSettings, StepCount, Told
from qpsearch.training.captured import CapturedStep
from qpsearch.training.draws import BatchDraws, StepDraws
from qpsearch.training.dropping import Dropping
from qpsearch.training.evaluate import autocast
from qpsearch.training.loop import FORMATS, TrainingRun, prepared, settings_kept, shares, train_by_steps
from qpsearch.training.memory import give_memory_back, limit_gpu_memory, out_of_memory_named
from qpsearch.training.optim import lr_at
from qpsearch.training.reading import processes_kept
from qpsearch.training.timing import noise
from qpsearch.training.uploading import Nested
from qpsearch.vocabulary import Fuse

LESS: Final = 0.95  # of the time of runs by themselves, at most, for fused ones to be worth it
TIMED: Final = 3  # steps that are timed, behind one that warms up
SLOW: Final = 1e-6  # a learning rate at which noise does not make them diverge

_measured: dict[object, bool] = {}  # whether fusing pays, by all that the time of a step depends on


def train_runs(config: TrialConfig, runs: Sequence[RunSettings], fuse: Fuse) -> Generator[Told]:
    """Train several runs of a configuration, as one network where that is asked for and can be done.

    Fused runs are reported epoch by epoch. One that diverges ends the runs behind it; those before it are trained to
    their end, as they would have been one after the other, before the error is raised. Runs that stand at different
    epochs are first trained by themselves up to the furthest one.

    Args:
        config: The configuration.
        runs: One for each seed; device, threads and memory format are the same.
        fuse: Whether to fuse them: with ``auto``, where a short measurement says that it takes less time.

    Raises:
        TrainingDiverged: See ``train``; of the first run that diverged.
        OutOfMemory: A run by itself needs more memory than there is. Where fused runs do, they go on one by one.
    """
    with settings_kept():
        yield from _together_or_alone(config, runs, fuse)


def _together_or_alone(config: TrialConfig, runs: Sequence[RunSettings], fuse: Fuse) -> Generator[Told]:
    device = prepared(runs[0])
    kept = [run.resume_from for run in runs]
    why_not = ""
    try:
        if device.type == "cuda":
            limit_gpu_memory(device, runs[0].memory_share)
        with out_of_memory_named():
            if is_fused(config, runs, fuse):
                with processes_kept(), closing(_fused(config, runs)) as all_told:
                    for told in all_told:
                        if isinstance(told.report, EpochReport):
                            kept[told.run] = (told.report.checkpoint, *kept[told.run])
                            why_not = "" if told.report.checkpoint else "its epochs were not kept"
                        yield told
                return
    except OutOfMemory as error:
        if why_not:
            raise OutOfMemory(f"{error} The runs were not tried one by one: {why_not}.") from error
    finally:
        give_memory_back(device)
    with processes_kept():
        for index, run in enumerate(runs):
            for report in train_by_steps(config, replace(run, resume_from=kept[index])):
                yield Told(run=index, report=report)


def is_fused(config: TrialConfig, runs: Sequence[RunSettings], fuse: Fuse) -> bool:
    """Whether runs are trained as one network; with ``auto``, a process measures each kind of network once."""
    if len(runs) < 2 or fuse is Fuse.NEVER or why_not_joined(config.network):
        return False
    return fuse is Fuse.ALWAYS or _pays(config, len(runs), runs[0])


def _pays(config: TrialConfig, count: int, where: RunSettings) -> bool:
    """Measure whether a step of fused runs takes less time than one of each run by itself, on noise."""
    recipe = config.recipe
    kind = (
        (config.network, recipe.batch_size, recipe.precision, recipe.gradient_accumulation, recipe.optimizer.kind),
        (recipe.ema is None, recipe.grad_clip is None, recipe.dropout > 0, recipe.drop_path > 0),
        (count, where.device, where.threads, where.memory_format, where.cuda_graphs),
    )
    if kind not in _measured:
        optimizer: Any = recipe.optimizer  # a dataclass of one kind or another
        slow = replace(config, recipe=replace(recipe, optimizer=replace(optimizer, lr=SLOW)))
        clean = RunSettings(
            seed=0,
            device=where.device,
            threads=where.threads,
            memory_format=where.memory_format,
            cuda_graphs=where.cuda_graphs,
        )  # without checkpoints
        seconds = seconds_of_steps(slow, count, clean)
        _measured[kind] = min(seconds.fused) < LESS * min(seconds.unfused)
    return _measured[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeconds:
    """How long steps took, each of fused runs and of the same runs by themselves, in turns.

    Attributes:
        fused: Seconds of each step of fused runs.
        unfused: Seconds of a step of each run, one after the other.
    """

    fused: tuple[float, ...]
    unfused: tuple[float, ...]


def seconds_of_steps(config: TrialConfig, count: int, where: RunSettings, timed: int = TIMED) -> StepSeconds:
    """Time steps of fused and unfused runs in turns, on noise, behind those that warm up or are captured.

    Args:
        config: What is trained, at a learning rate at which noise does not make it diverge.
        count: How many runs.
        where: Device, threads and memory format.
        timed: How many steps of each are timed.
    """
    device = prepared(where)
    split = noise(config, config.recipe.batch_size, device)
    runs = [TrainingRun(config, replace(where, seed=seed), (split, None)) for seed in range(count)]
    fused, lr = FusedRuns(config, runs, where), config.recipe.optimizer.lr
    index = torch.arange(len(split.labels))

    def drawn(run: TrainingRun) -> StepDraws:
        return next(iter(run.draws.steps([index], torch.Generator().manual_seed(0))))

    def one_by_one() -> None:
        for run in runs:
            run.step(0, drawn(run), lr)

    def seconds(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    sides = (lambda: fused.step(0, [drawn(run) for run in runs], lr), one_by_one)
    before = fused.captured.unsteady
    taken = [tuple(map(seconds, sides)) for _ in range(before + timed)][before:]
    return StepSeconds(fused=tuple(each[0] for each in taken), unfused=tuple(each[1] for each in taken))


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedEpoch:
    """What came of an epoch of fused runs.

    Attributes:
        means: The mean loss of each run, up to the first one that diverged.
        diverged: How that one diverged; None where none did.
        lr: Learning rate at the last step.
        seconds: Wall time for each run: that of all, divided by their number.
    """

    means: tuple[float, ...]
    diverged: TrainingDiverged | None
    lr: float
    seconds: float


class FusedRuns:
    """Runs whose networks are joined from now on; each can still be evaluated, kept, and trained by itself.

    Attributes:
        runs: The runs.
        captured: Makes their steps.

    Args:
        config: The configuration of all of them.
        runs: The runs, with the same number of epochs behind each.
        where: Device and memory format.
    """

    def __init__(self, config: TrialConfig, runs: Sequence[TrainingRun], where: RunSettings) -> None:
        self.runs = tuple(runs)
        self.captured = CapturedStep(config, where)
        self._recipe, self._steps_every_s = config.recipe, where.steps_every_s
        self._device, self._format = torch.device(where.device), FORMATS[where.memory_format]
        self._joined = Joined(config.network, [run.model for run in runs]).train()
        for run in runs:
            run.captured.forget()
        dropout, drop_path = self._recipe.dropout, self._recipe.drop_path
        self._dropping = Dropping(self._joined.network, dropout, drop_path) if dropout or drop_path else None

    @property
    def together(self) -> tuple[int, ...]:
        """The places of the runs in what is trained."""
        return tuple(range(len(self.runs)))

    def train_epoch(self, epoch: int) -> Generator[Told, None, FusedEpoch]:
        """Say how far it is; return what came of it."""
        began = told = time.monotonic()
        drawn = [run.drawn(epoch, beside=len(self.runs)) for run in self.runs]
        count, lr = len(drawn[0][0]), self._recipe.optimizer.lr
        losses: list[list[Tensor]] = []
        with ExitStack() as ends:
            all_steps = [ends.enter_context(closing(steps)) for _, steps in drawn]
            for step, draws in enumerate(zip(*all_steps, strict=True)):
                lr = lr_at(self._recipe, (epoch - 1 + step / count) / self._recipe.epochs)
                losses.append(self.step((epoch - 1) * count + step, draws, lr))
                if (now := time.monotonic()) - told >= self._steps_every_s:
                    told = now
                    done = StepCount(epoch=epoch, done=step + 1, of=count)
                    yield Told(run=0, report=done, together=self.together)
        means: list[float] = []
        diverged = None
        for run, (batches, _), own in zip(self.runs, drawn, zip(*losses, strict=True), strict=True):
            try:
                means.append(run.mean_loss(epoch, own, batches))
            except TrainingDiverged as error:
                diverged = error
                break
        seconds = (time.monotonic() - began) / len(self.runs)
        return FusedEpoch(means=tuple(means), diverged=diverged, lr=lr, seconds=seconds)

    def step(self, step: int, draws: Sequence[StepDraws], lr: float) -> list[Tensor]:
        """Make a step of each run, given its draws; return the mean loss of its images."""
        for run in self.runs:
            run.begin_step(step, lr)
        return list(self.captured(self._made, map(self._inputs, zip(*draws, strict=True), shares(draws[0]))))

    def _inputs(self, parts: Sequence[BatchDraws], share: float) -> Nested:
        """Return what a part of each run's batch is computed from, side by side, with its share of the batch."""
        batches, own = zip(*(run.batch(part) for run, part in zip(self.runs, parts, strict=True)), strict=True)
        images = torch.cat([batch.images for batch in batches], 1).contiguous(memory_format=self._format)
        masks = zip(*(part.kept for part in parts), strict=True)
        kept = tuple(torch.cat(each, 1) for each in masks)
        return images, tuple(batch.labels for batch in batches), own, kept, share

    def _made(self, parts: Iterable[Nested]) -> Tensor:
        """Make a step of each run from the inputs of the parts of their batches; return their losses (runs,)."""
        self._joined.forget_gradients()
        for run in self.runs:
            run.forget_gradients()
        losses = [self._backward(*part) for part in parts]
        self._joined.hand_gradients_over()
        for run in self.runs:
            run.end_step()
        return reduce(torch.add, losses)

    def _backward(self, images: Tensor, labels: Nested, own: Nested, kept: Nested, share: float) -> Tensor:
        """Add the gradients of each run's mean loss, times the images' share of a batch; return the losses times it."""
        if self._dropping is not None:
            self._dropping.kept = kept
        with autocast(self._device, self._recipe.precision):
            logits = self._joined(images)
        losses = [run.loss(*each) for run, *each in zip(self.runs, logits.float().unbind(1), labels, own, strict=True)]
        scaled = [run.scaled(loss, share) for run, loss in zip(self.runs, losses, strict=True)]
        torch.stack(scaled).sum().backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        return torch.stack(losses).detach().double() * share


def _fused(config: TrialConfig, settings: Sequence[RunSettings]) -> Generator[Told]:
    """Train runs as one network; see ``train_runs``."""
    first = TrainingRun(config, settings[0])
    runs = [first, *(TrainingRun(config, each, first.splits) for each in settings[1:])]
    furthest, error = max(run.done for run in runs), None
    for index, run in enumerate(runs):
        try:
            yield from (Told(run=index, report=report) for report in run.epochs(furthest))
        except TrainingDiverged as diverged:
            runs, error = runs[:index], diverged
            break
    fused: FusedRuns | None = None
    while len(runs) > 1 and (epoch := runs[0].done + 1) <= config.recipe.epochs:
        if fused is None or len(fused.runs) > len(runs):
            fused = FusedRuns(config, runs, settings[0])
        ended = yield from fused.train_epoch(epoch)
        runs, error = runs[: len(ended.means)], ended.diverged or error
        for index, (run, mean) in enumerate(zip(runs, ended.means, strict=True)):
            report = run.report(epoch, mean, ended.lr, ended.seconds)
            report = replace(report, note=report.note or fused.captured.note())
            yield Told(run=index, report=report, together=fused.together, more=index + 1 < len(runs))
    for run in runs[:1]:  # all that is left where the second one diverged
        yield from (Told(run=0, report=report) for report in run.epochs())
    if error is not None:
        raise error
