"""The training loop: a generator of epoch reports.

It does not depend on Ray, Optuna or the database. Stopping means that the caller stops iterating.
"""

import math
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import reduce
from itertools import cycle, islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.second_try import another_recipe, at_once, halved, why_not_halved
from qpsearch.artifacts import open_artifacts
from qpsearch.errors import OutOfMemory, TrainingDiverged
from qpsearch.models import build_model
from qpsearch.protocol import MEMORY_FORMATS, EpochReport, RunSettings, StepCount
from qpsearch.seeds import derive_seed
from qpsearch.training import checkpoint
from qpsearch.training.averaging import Average
from qpsearch.training.captured import CapturedStep, is_captured
from qpsearch.training.data import Images, Split, at_size, augmented_by, train_and_validation
from qpsearch.training.devices import usable_device
from qpsearch.training.draws import BatchDraws, EpochDraws, StepDraws, batches_of, reading_ahead
from qpsearch.training.dropping import Dropping
from qpsearch.training.evaluate import Evaluation, autocast, evaluate
from qpsearch.training.memory import (
    give_memory_back,
    limit_gpu_memory,
    out_of_memory_named,
    peak_memory_bytes,
    reuse_freed_memory,
)
from qpsearch.training.optim import build_optimizer, load_state, lr_at, set_lr
from qpsearch.training.reading import processes_kept
from qpsearch.training.scoring import Measured, carried, timed
from qpsearch.training.uploading import Nested
from qpsearch.vocabulary import CudaGraphs, Precision

FORMATS = dict(zip(MEMORY_FORMATS, (torch.channels_last, torch.contiguous_format), strict=True))
EXPLODED = 1000.0  # times the loss of guessing: far above any loss from which training recovered


def train_by_steps(config: TrialConfig, run: RunSettings) -> Generator[EpochReport | StepCount]:
    """Train one run without levels, as ``levels.train`` does; also say how far an epoch is, for epochs of minutes."""
    with settings_kept():
        device = prepared(run)
        if device.type == "cuda":
            limit_gpu_memory(device, run.memory_share)
        try:
            with processes_kept():
                yield from _with_a_second_try(config, run)
        finally:
            give_memory_back(device)


def _with_a_second_try(config: TrialConfig, run: RunSettings) -> Generator[EpochReport | StepCount]:
    """Train; after lack of memory go on from the last epoch in the next one of ``_ways``, each with less memory.

    Steps that were captured are tried without their graph, whose memory nothing else can use; then, once, with half as
    many images at once. A step is then made of the gradients of twice as many parts: the same but for rounding and for
    which images the same draws change. Where that is another recipe, or epochs were not kept, the error says so.
    """
    ways, kept, lost = _ways(config, run), run.resume_from, ""
    for number, (way, settings) in enumerate(ways, start=1):
        training: TrainingRun | None = None
        try:
            with out_of_memory_named():
                training = TrainingRun(way, replace(settings, resume_from=kept))
                with closing(training.epochs()) as told:
                    for each in told:
                        if isinstance(each, EpochReport):
                            kept = (each.checkpoint, *kept)
                            lost = "" if each.checkpoint else "its epochs were not kept"
                        yield each
            return
        except OutOfMemory as error:
            if lost or number == len(ways):
                in_step = training is not None and training.is_stepping
                raise OutOfMemory(f"{str(error).rstrip('.')}. {_tried(config, way, lost)}", in_step=in_step) from error
        give_memory_back(torch.device(run.device))  # the error is gone, and with it what its frames held


def _ways(config: TrialConfig, run: RunSettings) -> list[tuple[TrialConfig, RunSettings]]:
    """Return how a run is tried, each way with less memory than the one before it."""
    eager = replace(run, cuda_graphs=CudaGraphs.NEVER)
    plain = [(config, eager)] if is_captured(config, run) else []
    fewer = [] if why_not_halved(config) else [(halved(config), eager)]
    return [(config, run), *plain, *fewer]


def _tried(config: TrialConfig, last: TrialConfig, lost: str) -> str:
    """Say with how many images at once a run was tried, given the last try, or why no fewer were."""
    first, fewest = at_once(config), at_once(last)
    if fewest < first:
        return f"Tried: {first} images at once, then {fewest}."
    another = another_recipe(config)
    that = f" That recipe is training.gradient_accumulation: {another.recipe.gradient_accumulation}." if another else ""
    return f"Fewer images at once were not tried: {why_not_halved(config) or lost}.{that}"


def prepared(run: RunSettings) -> torch.device:
    """Set threads, memory and the choice of kernels for the whole process; return the run's device."""
    torch.set_num_threads(run.threads)
    reuse_freed_memory()
    device = usable_device(run.device)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # shapes stay the same, but for an epoch's last batch
    return device


@contextmanager
def settings_kept() -> Iterator[None]:
    """Leave torch's threads and choice of kernels as they were: the process may go on with other work."""
    threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = benchmark


def shares(parts: StepDraws) -> list[float]:
    """Return the share of each part of a batch."""
    images = sum(len(part.index) for part in parts)
    return [len(part.index) / images for part in parts]


class TrainingRun:
    """The state of one run: network, optimiser, data.

    Attributes:
        splits: The images that it is trained on, and those that it is validated on, before they are resized.
        draws: Draws what its steps need.
        captured: Makes its steps.
        done: The epochs that were trained.
        is_stepping: Whether a step was begun and not made: an error is the step's own.
    """

    def __init__(
        self, config: TrialConfig, run: RunSettings, splits: tuple[Images, Images | None] | None = None
    ) -> None:
        self._config, self._recipe, self._run = config, config.recipe, run
        self._device = torch.device(run.device)
        self._format = FORMATS[run.memory_format]
        folder = Path(run.data_folder) if run.data_folder else None
        self.splits = splits or train_and_validation(config.data, folder, self._device)
        train, held = self.splits
        self._train = at_size(train, config.data, config.network.size)
        self._validation = held and at_size(held, config.data, config.network.size)
        model = build_model(config.network, derive_seed(run.seed, "weights"))
        self._model: nn.Module = model.to(self._device).to(memory_format=self._format)
        self.captured = CapturedStep(config, run)
        self._average = None
        if self._recipe.ema is not None:
            self._average = Average(self._model, self._recipe.ema, self.captured.number(0.0, self._device))
        dropout, drop_path = self._recipe.dropout, self._recipe.drop_path
        self._dropping = Dropping(model, dropout, drop_path) if dropout or drop_path else None
        self.draws = EpochDraws(config, self._train.side, self._dropping, self._device)
        self._optimizer = build_optimizer(self._model, self._recipe, capturable=self.captured.is_possible)
        is_half = self._recipe.precision is Precision.FLOAT16  # whose small gradients would vanish unscaled
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=is_half)
        self._measured: Measured = {}  # metrics that later epochs need, or repeat
        self.done, self.is_stepping = self._restore(), False
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)

    def epochs(self, last: int | None = None) -> Generator[EpochReport | StepCount]:
        """Train the epochs that are not done yet, up to a last one, and report each; see ``train_by_steps``."""
        for epoch in range(self.done + 1, (self._recipe.epochs if last is None else last) + 1):
            began = time.perf_counter()
            train_loss, lr = yield from self.train_epoch(epoch)
            yield self.report(epoch, train_loss, lr, time.perf_counter() - began)

    def report(self, epoch: int, train_loss: float, lr: float, trained_s: float) -> EpochReport:
        """Evaluate the network after an epoch that took some seconds, write the checkpoint, and return the report."""
        began = time.perf_counter()
        evaluation = self._evaluate()
        seconds = trained_s + time.perf_counter() - began
        if self._run.metrics:
            self._measure(epoch, evaluation)
        self.done = epoch
        return EpochReport(
            epoch=epoch,
            train_loss=train_loss,
            val_loss=evaluation.loss if evaluation else None,
            val_accuracy=evaluation.accuracy if evaluation else None,
            val_nonfinite=evaluation.nonfinite if evaluation else 0,
            lr=lr,
            seconds=seconds,
            images_per_s=len(self._train.labels) / trained_s,
            peak_memory_bytes=peak_memory_bytes(self._device),
            checkpoint=self._save(epoch),
            metrics=(evaluation.metrics if evaluation else {}) | self._measured,
            note=self.captured.note(),
        )

    @property
    def model(self) -> nn.Module:
        """The network that is trained."""
        return self._model

    def steps(self, count: int, *, evaluates: bool = True) -> None:
        """Train on the first few batches, over again where there are fewer; then on the last one, and evaluate."""
        generator = torch.Generator().manual_seed(0)
        order = torch.arange(len(self._train.labels))
        self._model.train()
        batches = batches_of(order, self._recipe.batch_size)
        wanted = [*islice(cycle(batches), count), *batches[-1:] * evaluates]
        with closing(reading_ahead(self.draws.steps(wanted, generator), self._train)) as steps:
            for step, draws in enumerate(steps):
                self.step(step, draws, self._recipe.optimizer.lr)
        if evaluates:
            self._evaluate()

    def _evaluate(self) -> Evaluation | None:
        """Evaluate on the validation images; None where there are none."""
        if self._validation is None:
            return None
        precision, asked = self._evaluated_in, self._run.metrics
        data, size = self._config.data, self._config.network.size
        return evaluate(self.evaluated, self._validation, data, size=size, precision=precision, metrics=asked)

    @property
    def _evaluated_in(self) -> Precision:
        return self._recipe.precision if self._device.type == "cuda" else Precision.FLOAT32

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated and kept: averages of weights where the recipe averages them."""
        return self._model if self._average is None else self._average.module

    def _measure(self, epoch: int, evaluation: Evaluation | None) -> None:
        """Take in the metrics that do not come from logits; what is timed is timed once a run."""
        accuracy = evaluation.accuracy if evaluation else None
        self._measured = carried(self._run.metrics, self._config, epoch, accuracy, self._measured)
        network = self._config.network
        image = torch.zeros(1, network.channels, network.size, network.size, device=self._device)
        missing = [word for word in self._run.metrics if word not in self._measured]
        with autocast(self._device, self._evaluated_in):
            self._measured |= timed(missing, self.evaluated, image.contiguous(memory_format=self._format))

    def train_epoch(self, epoch: int) -> Generator[StepCount, None, tuple[float, float]]:
        """Say how far it is; return the mean training loss and the last learning rate.

        Raises:
            TrainingDiverged: See ``train``.
        """
        batches, steps = self.drawn(epoch)
        lr, losses = self._recipe.optimizer.lr, []
        self._model.train()
        told = time.monotonic()
        with closing(steps):
            for step, draws in enumerate(steps):
                lr = lr_at(self._recipe, (epoch - 1 + step / len(batches)) / self._recipe.epochs)
                losses.append(self.step((epoch - 1) * len(batches) + step, draws, lr))
                if (now := time.monotonic()) - told >= self._run.steps_every_s:
                    told = now
                    yield StepCount(epoch=epoch, done=step + 1, of=len(batches))
        return self.mean_loss(epoch, losses, batches), lr

    def drawn(self, epoch: int, beside: int = 1) -> tuple[list[Tensor], Generator[StepDraws]]:
        """Return the batches of an epoch, and what is drawn for each of them, a few steps early for images on disk.

        What is drawn must be closed: it may have readers, of which it has a share where several runs draw side by side.
        """
        generator = torch.Generator().manual_seed(derive_seed(self._run.seed, "epoch", epoch))
        order = torch.randperm(len(self._train.labels), generator=generator)
        batches = batches_of(order, self._recipe.batch_size)
        return batches, reading_ahead(self.draws.steps(batches, generator), self._train, beside)

    def mean_loss(self, epoch: int, losses: Sequence[Tensor], batches: Sequence[Tensor]) -> float:
        """Return the mean loss of an epoch's images, given that of each batch; raises TrainingDiverged."""
        found = torch.stack(list(losses)).tolist()  # all at once: a sum on a GPU would take two kernels a step
        total = 0.0
        for loss, batch in zip(found, batches, strict=True):
            total += loss * len(batch)
        mean = total / sum(map(len, batches))
        self._check(epoch, mean, found)
        return mean

    def batch(self, draws: BatchDraws) -> tuple[Split, float | Tensor]:
        """Return the images and labels of a batch, and the share of each image's own label (``DrawnMixture.mix``)."""
        data, batch = self._config.data, self._train.batch(draws.index, draws.there, draws.read)
        images = augmented_by(batch.images, data, draws.changes, self._config.network.size)
        own: float | Tensor = 1.0
        if draws.mixture is not None:
            images, share = draws.mixture.mix(images)
            own = self.captured.number(share, self._device)
        return Split(images.contiguous(memory_format=self._format), batch.labels), own

    def step(self, step: int, draws: StepDraws, lr: float) -> Tensor:
        """Make a step, counted from 0 over the whole run; return the mean loss of its images.

        On a GPU, nothing waits for it, unless the precision is float16: whether gradients overflowed is asked of the
        GPU, to skip that step.
        """
        self.is_stepping = True
        self.begin_step(step, lr)
        loss = self.captured(self._made, map(self._inputs, draws, shares(draws)))
        self.is_stepping = False
        return loss

    def begin_step(self, step: int, lr: float) -> None:
        """Set the numbers that a step needs: its learning rate, and the share of its weights in averages."""
        set_lr(self._optimizer, lr)
        if self._average is not None:
            self._average.begin(step)

    def forget_gradients(self) -> None:
        """Forget the gradients of the step before."""
        self._optimizer.zero_grad(set_to_none=True)

    def end_step(self) -> None:
        """Change the weights by their gradients."""
        if self._recipe.grad_clip is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._model.parameters(), self._recipe.grad_clip, foreach=True)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update()

    def _inputs(self, draws: BatchDraws, share: float) -> Nested:
        """Return what a part of a batch is computed from, with its share of the batch."""
        batch, own = self.batch(draws)
        return batch.images, batch.labels, own, draws.kept, share

    def _made(self, parts: Iterable[Nested]) -> Tensor:
        """Make a step from the inputs of the parts of its batch; return the mean loss of its images."""
        self.forget_gradients()
        losses = [self._backward(*part) for part in parts]
        self.end_step()
        return reduce(torch.add, losses)

    def _backward(self, images: Tensor, labels: Tensor, own: float | Tensor, kept: Nested, share: float) -> Tensor:
        """Add the gradients of the mean loss of images, times their share of a batch; return that loss times it."""
        if self._dropping is not None:
            self._dropping.kept = kept
        with autocast(self._device, self._recipe.precision):
            logits = self._model(images)
        loss = self.loss(logits.float(), labels, own)
        self.scaled(loss, share).backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        loss = loss.detach().double()
        return loss if share == 1 else loss * share

    def loss(self, logits: Tensor, labels: Tensor, own: float | Tensor) -> Tensor:
        """Return the mean loss of images, given the share of each one's own label."""
        loss = self._loss(logits, labels)
        if not isinstance(own, Tensor) and own == 1:
            return loss
        return own * loss + (1 - own) * self._loss(logits, labels.roll(1))

    def scaled(self, loss: Tensor, share: float) -> Tensor:
        """Return what gradients are taken of: a share of a loss, scaled for float16."""
        scaled: Tensor = self._scaler.scale(loss if share == 1 else loss * share)
        return scaled

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self._recipe.label_smoothing)

    def _check(self, epoch: int, mean: float, losses: Sequence[float]) -> None:
        """Raise TrainingDiverged at the first step beyond the bound, which is looked for only where the mean is."""
        most = EXPLODED * math.log(self._config.network.classes)
        if not mean < most:  # also where it is nan
            first = next(step for step, loss in enumerate(losses) if not loss < most)
            raise TrainingDiverged(epoch, mean, step=first + 1, steps=len(losses), loss=losses[first])

    def _save(self, epoch: int) -> str:
        if self._run.checkpoint_folder is None:
            return ""
        averaged = None if self._average is None else self._average.module
        content = checkpoint.serialise(epoch, self._model, self._optimizer, self._scaler, averaged, self._measured)
        name = self._run.checkpoint_name(epoch, content)
        open_artifacts(self._run.checkpoint_folder).write(name, content)
        return name

    def _restore(self) -> int:
        """Load the newest usable checkpoint; return the number of epochs that it was trained for."""
        found = checkpoint.newest(self._run.checkpoint_folder, self._run.resume_from)
        if found is None:
            return 0
        self._model.load_state_dict(found.raw or found.model)
        if self._average is not None:
            self._average.module.load_state_dict(found.model)
        load_state(self._optimizer, found.optimizer)
        if found.scaler:
            self._scaler.load_state_dict(found.scaler)
        self._measured = dict(found.measured)
        return found.epoch
