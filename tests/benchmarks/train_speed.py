"""How fast training is: ``python -m tests.benchmarks.train_speed [--quick] [--json] [--only TEXT] [--threads N] [--n N]``.

Images for each second of CPU time (on a GPU: each second) in our epochs, order, augmentation and loss included, over those of two
other loops of the same network, batch size and optimiser, an epoch of each in turn. ``bare:`` makes nothing but forward passes,
backward passes and steps, on batches that are ready in our memory format, in our process: no loop can do much better. ``loop:`` is an
ordinary loop over a DataLoader with torchvision's augmentations, on a CPU in a process of its own, whose C library uses memory as it
does by default. On a GPU, ``moved:`` keeps the images in the CPU's memory, moves each batch and
augments it as we do, and ``contiguous:`` is our own loop in torch's default memory format. There, ``captured:`` is the bare step as one CUDA
graph, which is all that a loop launches, and the floor of ours.
"""

import argparse
import itertools
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from qpsearch.architecture.candidates import sample
from qpsearch.architecture.config import Recipe, TrialConfig
from qpsearch.architecture.named import named_network
from qpsearch.models import build_model
from qpsearch.models.network import DTYPES
from qpsearch.protocol import RunSettings
from qpsearch.registry.datasets import Data
from qpsearch.registry.optimisers.sgd import Sgd
from qpsearch.space import load_space
from qpsearch.training.captured import GRAPHS, WARM_UP
from qpsearch.training.data import Split, augmented, train_and_validation
from qpsearch.training.draws import batches_of
from qpsearch.training.loop import FORMATS, TrainingRun, prepared
from qpsearch.training.optim import build_optimizer
from qpsearch.vocabulary import Precision
from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row

NETWORKS = ("resnet20", "quotient20", "pure20")
DRAWS = 4  # of spaces/digits.yaml
STEPS, QUICK_STEPS, GPU_STEPS = 6, 2, 60
BATCH = 128
LOADERS = 4  # processes that load, on a GPU; on a CPU there are none, so that all work is counted
TARGETS = {"bare": (0.95, 0.93), "loop": (1.25, 1.25)}  # on a CPU: networks of 20 layers, and draws
GPU_TARGETS = {"captured": 0.9, "loop": 5.0}
GPU_ROWS = tuple(
    f"{side}: {name}, {kind}, cuda" for kind in ("float32", "bfloat16") for name in NETWORKS for side in GPU_TARGETS
)
ALTERNATIVES = {
    "bare": "forward passes, backward passes and steps alone, on batches that are ready",
    "captured": "the same as one CUDA graph, replayed on each batch",
    "loop": "an ordinary loop over a DataLoader with torchvision's augmentations",
    "moved": "a plain loop that moves each batch, and augments it on the GPU as we do",
    "contiguous": "our loop, in torch's default memory format",
}

Batches = Iterable[tuple[Tensor, Tensor]]
Rates = Iterator[float]
Step = Callable[[Tensor, Tensor], Tensor]
"""Trains on images and labels; returns their mean loss."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison: a configuration, the images that it is trained on, and where.

    Attributes:
        name: As rows show it.
        config: The configuration.
        split: The images, on the device.
        run: Device, threads and memory format.
    """

    name: str
    config: TrialConfig
    split: Split
    run: RunSettings

    def measured(self, epoch: Callable[[], object]) -> float:
        """Return the images for each second that an epoch takes: of CPU time, or of time where a GPU trains."""
        clock = time.process_time if self.run.device == "cpu" else time.perf_counter
        began = clock()
        epoch()
        if self.run.device != "cpu":
            torch.cuda.synchronize()
        return len(self.split.labels) / (clock() - began)


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's data sets give them to the usual transforms, one by one."""

    def __init__(self, split: Split, config: TrialConfig) -> None:
        mean, std = config.data.moments
        size = config.network.size
        changes = {
            "crop": transforms.RandomCrop(size, padding=size // 8),
            "flip": transforms.RandomHorizontalFlip(),
        }
        self._images = split.images.cpu().permute(0, 2, 3, 1).contiguous().numpy()
        self._labels = split.labels.tolist()
        self._change = transforms.Compose([
            *(changes[str(kind)] for kind in config.data.augment),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self._images[index]
        return self._change(Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)), self._labels[index]


def ours(case: Case, **changes: object) -> Rates:
    """Yield the rate of each epoch of our loop, without evaluation."""
    run = TrainingRun(case.config, replace(case.run, **changes), (case.split, None))  # type: ignore[arg-type]
    for number in itertools.cycle(range(1, case.config.recipe.epochs + 1)):
        yield case.measured(lambda epoch=number: list(run.train_epoch(epoch)))


def plain(case: Case, batches: Callable[[], Batches], memory_format: str = "contiguous") -> Rates:
    """Yield the rate of each epoch of a plain loop over batches."""
    yield from epochs(case, batches, bare_step(case, memory_format))


def replayed(case: Case, batches: Sequence[tuple[Tensor, Tensor]]) -> Rates:
    """Yield the rate of each epoch of bare steps that are captured, over batches of one size."""
    graph, step = GRAPHS[case.run.device](), bare_step(case, case.run.memory_format, capturable=True)
    x, y = (each.clone() for each in batches[0])
    for _ in range(WARM_UP):
        graph.rehearse(lambda: step(x, y))
    loss = graph.capture(lambda: step(x, y))

    def on(images: Tensor, labels: Tensor) -> Tensor:
        x.copy_(images)
        y.copy_(labels)
        graph.replay()
        return loss

    yield from epochs(case, lambda: batches, on)


def bare_step(case: Case, memory_format: str, *, capturable: bool = False) -> Step:
    """Return a step of a fresh network: forward pass, backward pass, and that of the optimiser."""
    recipe, device = case.config.recipe, case.run.device
    model = build_model(case.config.network, 0).to(device).to(memory_format=FORMATS[memory_format]).train()
    optimizer = build_optimizer(model, recipe, capturable=capturable)

    def step(x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast(device, DTYPES[recipe.precision], enabled=recipe.precision is not Precision.FLOAT32):
            logits = model(x)
        loss = F.cross_entropy(logits.float(), y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        optimizer.step()
        return loss.detach()

    return step


def epochs(case: Case, batches: Callable[[], Batches], step: Step) -> Rates:
    """Yield the rate of each epoch of steps over batches."""

    def epoch() -> None:
        total = torch.zeros((), device=case.run.device)
        for x, y in batches():
            total += step(x, y) * len(y)
        float(total)  # waits for a GPU

    while True:
        yield case.measured(epoch)


def ready(case: Case) -> list[tuple[Tensor, Tensor]]:
    """Return the batches of an epoch, augmented, on the device, in the memory format of the run."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(case.split.labels), generator=generator)
    return [
        (x.contiguous(memory_format=FORMATS[case.run.memory_format]), y)
        for x, y in moved(case, case.split, batches_of(order, case.config.recipe.batch_size))
    ]


def moved(case: Case, split: Split, batches: Sequence[Tensor] | None = None) -> Batches:
    """Yield batches, each moved to the device and augmented there."""
    generator = torch.Generator().manual_seed(0)
    for index in batches or torch.split(torch.randperm(len(split.labels)), case.config.recipe.batch_size):
        part = split.batch(index)
        images = augmented(part.images.to(case.run.device), case.config.data, generator, case.config.network.size)
        yield images, part.labels.to(case.run.device)


def loaded(case: Case, loader: "DataLoader[tuple[Tensor, int]]") -> Batches:
    """Yield an epoch of a loader's batches."""
    for x, y in loader:
        yield x.to(case.run.device, non_blocking=True), y.to(case.run.device, non_blocking=True)


def ordinary(case: Case) -> Rates:
    """Yield the rate of each epoch of an ordinary loop."""
    is_gpu = case.run.device != "cpu"
    torch.set_num_threads(case.run.threads)
    loader = DataLoader(
        Pictures(case.split, case.config),
        case.config.recipe.batch_size,
        shuffle=True,
        num_workers=LOADERS if is_gpu else 0,
        pin_memory=is_gpu,
        persistent_workers=is_gpu,
    )
    yield from plain(case, partial(loaded, case, loader))


def serve(pipe: Connection, case: Case) -> None:
    """Body of a process: train an epoch of an ordinary loop whenever it is asked."""
    side = ordinary(case)
    while pipe.recv():
        pipe.send(next(side))


def apart(case: Case) -> Rates:
    """Yield the same of an ordinary loop in a process of its own, which rests in between."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, case), daemon=True)
    process.start()
    try:
        while True:
            pipe.send(True)
            yield pipe.recv()
    finally:
        pipe.send(False)
        process.join()


def sides(case: Case, *, is_apart: bool) -> dict[str, Rates]:
    """Return our loop and its alternatives by name; each yields the rate of an epoch after the other."""
    batches = ready(case)
    found = {
        "ours": ours(case),
        "bare": plain(case, lambda: batches, case.run.memory_format),
        "loop": apart(case) if is_apart else ordinary(case),
    }
    if case.run.device != "cpu":
        kept = Split(case.split.images.cpu(), case.split.labels.cpu())
        found |= {
            "captured": replayed(case, batches),
            "moved": plain(case, partial(moved, case, kept)),
            "contiguous": ours(case, memory_format="contiguous"),
        }
    return found


def rows(cases: Iterable[Case], repetitions: int, *, is_apart: bool = True) -> Iterator[Row]:
    """Measure all sides of each case in turn, and yield rows as they are known."""
    for case in cases:
        prepared(case.run)  # as every run is
        is_gpu = case.run.device != "cpu"
        found = sides(case, is_apart=is_apart and not is_gpu)
        with ExitStack() as ends:
            for side in found.values():
                ends.enter_context(closing(side))  # type: ignore[type-var]  # generators, which can be closed
                next(side)  # the first epoch chooses its kernels
            rates = alternate(repetitions, *(partial(next, side) for side in found.values()))
        for index, side in enumerate(list(found)[1:], start=1):
            small = case.config.data.dataset == "digits"
            yield row(
                f"{side}: {case.name}",
                [(each[0], each[index]) for each in rates],
                alternative=ALTERNATIVES[side],
                unit="images/s" if is_gpu else "images/CPU s",
                note=f"epochs of {len(case.split.labels):,} images in batches of {case.config.recipe.batch_size}, "
                f"{case.run.threads} threads, on {case.run.device}",
                target=GPU_TARGETS.get(side) if is_gpu else TARGETS[side][small],
                more_is_better=True,
            )


def noise(data: Data, size: int, images: int, device: str) -> Split:
    """Return random images of a data set's shape."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (images, data.facts.channels, size, size), np.uint8)
    return Split(torch.from_numpy(pixels).to(device), (torch.arange(images) % data.facts.classes).to(device))


def networks(
    names: Sequence[str], run: RunSettings, steps: int, batch: int = BATCH, precision: Precision = Precision.FLOAT32
) -> Iterator[Case]:
    """Yield the papers' networks on noise of CIFAR-10's shape, at a learning rate at which it does not diverge."""
    data = Data(dataset="cifar10", validation=100, augment=("flip", "crop"))
    recipe = Recipe(
        epochs=100,
        batch_size=batch,
        optimizer=Sgd(lr=1e-4, momentum=0.9, weight_decay=1e-4),
        schedule="constant",
        precision=precision,
    )
    split = noise(data, 32, steps * batch, run.device)
    for name in names:
        config = TrialConfig(data=data, network=named_network(name), recipe=recipe)
        yield Case(
            name=name if run.device == "cpu" else f"{name}, {precision}, cuda", config=config, split=split, run=run
        )


def draws(count: int, run: RunSettings) -> Iterator[Case]:
    """Yield draws of spaces/digits.yaml, trained on the digits themselves."""
    for number, point in enumerate(sample(load_space("digits"), count)):
        split, _ = train_and_validation(point.config.data, None, torch.device(run.device))
        assert isinstance(split, Split)
        blocks = "/".join(f"{stage.block} x{stage.depth}" for stage in point.config.network.stages)
        yield Case(name=f"draw {number} of digits, {blocks}", config=point.config, split=split, run=run)


def measured(quick: bool, threads: int, only: str, repetitions: int) -> Iterator[Row]:
    """Yield the rows of this machine: of its CPU, then of its GPU if it has one."""
    cpu, gpu = RunSettings(seed=0, threads=threads), RunSettings(seed=0, threads=threads, device="cuda")
    cases = [*networks(NETWORKS, cpu, QUICK_STEPS if quick else STEPS), *draws(2 if quick else DRAWS, cpu)]
    if torch.cuda.is_available():
        for precision in (Precision.FLOAT32, Precision.BFLOAT16):
            cases += networks(NETWORKS, gpu, GPU_STEPS, precision=precision)
    yield from rows((case for case in cases if only in case.name), repetitions)


def main() -> None:
    """Print the table, or the JSON document; each row goes to standard error as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps, draws and repetitions")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their name")
    parser.add_argument("--n", type=int, help="repetitions (default: 9; with --quick 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    found = []
    for each in measured(asked.quick, asked.threads, asked.only, asked.n or (3 if asked.quick else 9)):
        found.append(each)
        low, high = each.spread
        print(f"{each.name}: {each.ratio:.3f} [{low:.3f}, {high:.3f}], n = {each.n}", file=sys.stderr, flush=True)
    has_gpu = torch.cuda.is_available()
    where = f"{torch.cuda.get_device_name()}; {hardware()}" if has_gpu else hardware()
    missing = () if has_gpu else GPU_ROWS
    print(as_json("train_speed", found, where, missing) if asked.json else as_table(found, where, missing))


if __name__ == "__main__":
    main()
