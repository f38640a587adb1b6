"""How fast networks train on images that stay on disk: ``python -m tests.benchmarks.streaming [--quick] [--threads N] [--json]``.

A folder of JPEG files is made, of smooth noise. Images for each second of our epochs, on files that are decoded meanwhile (``streamed``)
and on a mapped array (``mapped``), over those of an ordinary loop over a DataLoader of torchvision's ImageFolder, with as many processes
that decode as ours; of the mapped array over the same images in memory (``memory:``); and of both over our own loop that reads each batch
only when its step begins (``late:``), also with steps that wait as for a GPU instead of training. An epoch of each in turn.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from qpsearch.architecture.config import Recipe, TrialConfig
from qpsearch.architecture.named import named_network
from qpsearch.models import build_model
from qpsearch.protocol import RunSettings
from qpsearch.registry.datasets import Data
from qpsearch.registry.optimisers.sgd import Sgd
from qpsearch.registry.own.places import own_data
from qpsearch.registry.own.record import Source
from qpsearch.training import data as loading
from qpsearch.training import draws
from qpsearch.training.data import DiskSplit, Images, load_split, train_and_validation
from qpsearch.training.draws import StepDraws
from qpsearch.training.loop import TrainingRun
from qpsearch.training.optim import build_optimizer
from qpsearch.training.prepare import prepare_images
from qpsearch.training.reading import Begin, ahead, processes_kept, readers_of
from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row, timed

SIDE, BATCH, NETWORK = 32, 64, "resnet8"
LOOP = "an ordinary loop over a DataLoader of torchvision's ImageFolder, with as many processes that decode"
MEMORY = "our loop on the same images in memory"
LATE = "our loop, without reading ahead"
Rates = Iterator[float]


def photographs(root: Path, count: int, shape: tuple[int, int] = (375, 500)) -> Path:
    """Write JPEG files of smooth noise, in the size of ImageNet's, of four classes."""
    random = np.random.default_rng(0)
    for index in range(count):
        small = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        path = root / "train" / "abcd"[index % 4] / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.asarray(small.resize(shape[::-1], Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(pixels + random.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(path, quality=90)
        if index < 4:
            (root / "test" / "abcd"[index]).mkdir(parents=True, exist_ok=True)
            (root / "test" / "abcd"[index] / "0.jpg").write_bytes(path.read_bytes())
    return root


def measured(images: int, device: str, epoch: Callable[[], object]) -> float:
    """Return the images for each second that an epoch takes."""
    began = time.perf_counter()
    epoch()
    if device != "cpu":
        torch.cuda.synchronize()
    return images / (time.perf_counter() - began)


def ours(config: TrialConfig, run: RunSettings, images: Images, *, is_late: bool = False) -> Rates:
    """Yield the rate of each epoch of our loop, without evaluation.

    Args:
        config: What is trained.
        run: Device and threads.
        images: The images.
        is_late: Whether each batch is read only when its step begins.
    """
    training = TrainingRun(config, run, (images, None))
    with processes_kept():
        for number in itertools.cycle(range(1, config.recipe.epochs + 1)):
            with patch.object(draws, "ahead", late if is_late else ahead):
                rate = measured(len(images.labels), run.device, lambda epoch=number: list(training.train_epoch(epoch)))
            yield rate


def waiting(images: DiskSplit, run: RunSettings, *, is_late: bool) -> Rates:
    """Yield the rate of epochs whose steps train nothing, but wait as for a GPU: as long as a batch is read."""
    batches = torch.split(torch.arange(len(images.labels)), BATCH)

    def epoch(begin: Begin) -> None:
        for read in map(begin, batches) if is_late else ahead(batches, begin, readers_of(images.files)):
            read.result()
            time.sleep(seconds)

    with processes_kept(), images.reading() as begin:
        seconds = statistics.median(timed(begin(batches[0]).result) for _ in range(5))
        while True:
            yield measured(len(images.labels), run.device, partial(epoch, begin))


def late(steps: Iterable[StepDraws], begun: Callable[[StepDraws], StepDraws], readers: int) -> Iterator[StepDraws]:
    """Do as ``ahead``, but begin to read for a step when the one before has ended, and wait for it."""
    for step in map(begun, steps):
        for part in step:
            assert part.read is not None
            part.read.result()
        yield step


def ordinary(config: TrialConfig, run: RunSettings, root: Path) -> Rates:
    """Yield the rate of each epoch of an ordinary loop."""
    mean, std = config.data.moments
    change = transforms.Compose([
        transforms.Resize(config.data.facts.stored_size),
        transforms.RandomCrop(config.data.facts.size),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(mean, std),
    ])  # fmt: skip
    loader = DataLoader(
        datasets.ImageFolder(str(root / "train"), change),
        config.recipe.batch_size,
        shuffle=True,
        num_workers=run.threads,
        pin_memory=run.device != "cpu",
        persistent_workers=True,
    )
    model = build_model(config.network, 0).to(run.device).train()
    optimizer = build_optimizer(model, config.recipe)

    def epoch() -> None:
        total = torch.zeros((), device=run.device)
        for x, y in loader:
            there = y.to(run.device, non_blocking=True)
            loss = F.cross_entropy(model(x.to(run.device, non_blocking=True)), there)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
            optimizer.step()
            total += loss.detach() * len(y)
        float(total)  # waits for a GPU

    while True:
        yield measured(len(loader.dataset), run.device, epoch)  # type: ignore[arg-type]  # it has a length


@contextmanager
def in_memory(most: int) -> Iterator[None]:
    """Hold splits of at most so many bytes in memory."""
    before, loading.IN_MEMORY = loading.IN_MEMORY, most
    load_split.cache_clear()
    try:
        yield
    finally:
        loading.IN_MEMORY = before
        load_split.cache_clear()


def rows(folder: Path, images: int, repetitions: int, run: RunSettings, side: int = SIDE) -> Iterator[Row]:
    """Measure all loops in turn, below a folder, and yield the rows."""
    torch.set_num_threads(run.threads)
    own = own_data(Source.FOLDER, photographs(folder / "photographs", images), side)
    data = Data(dataset=own.name, validation=0, own=own, augment=("flip", "crop"))
    recipe = Recipe(
        epochs=100,
        batch_size=BATCH,
        optimizer=Sgd(lr=1e-4, momentum=0.9, weight_decay=1e-4),
        schedule="constant",
    )
    network = replace(named_network(NETWORK), size=side, classes=4)
    config = TrialConfig(data=data, network=network, recipe=recipe)
    streamed = replace(config, data=replace(data, stream=True))
    found: dict[str, Rates] = {"loop": ordinary(config, run, folder / "photographs")}
    for name, own_config, most in (
        ("memory", config, loading.IN_MEMORY),
        ("mapped", config, 0),
        ("streamed", streamed, 0),
    ):
        prepare_images(own_config.data, folder)
        with in_memory(most):
            split, _ = train_and_validation(own_config.data, folder, torch.device(run.device))
        found[name] = ours(own_config, run, split)
        if isinstance(split, DiskSplit):
            found[f"late {name}"] = ours(own_config, run, split, is_late=True)
    assert isinstance(split, DiskSplit)
    found |= {"streamed, steps that wait": waiting(split, run, is_late=False)}
    found |= {"late streamed, steps that wait": waiting(split, run, is_late=True)}
    with ExitStack() as ends:
        for each in found.values():
            ends.enter_context(closing(each))  # type: ignore[type-var]  # generators, which can be closed
            next(each)  # the first epoch chooses its kernels
        rates = alternate(repetitions, *(partial(next, each) for each in found.values()))
    names = list(found)
    note = (
        f"epochs of {images:,} JPEG files of 500x375, seen at {side}x{side}, by {NETWORK} in batches of {BATCH}, "
        f"{run.threads} threads, on {run.device}"
    )
    pairs = (
        ("streamed", "loop", LOOP),
        ("mapped", "loop", LOOP),
        ("mapped", "memory", MEMORY),
        ("streamed", "late streamed", LATE),
        ("mapped", "late mapped", LATE),
        ("streamed, steps that wait", "late streamed, steps that wait", LATE),
    )
    for name, other, alternative in pairs:
        yield row(
            f"{other.partition(' ')[0]}: {name}",
            [(each[names.index(name)], each[names.index(other)]) for each in rates],
            alternative=alternative,
            unit="images/s",
            note=note,
            more_is_better=True,
        )


def main() -> None:
    """Print the table, or the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer images and repetitions")
    parser.add_argument("--threads", type=int, default=1, help="CPUs, and processes that decode (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    has_gpu = torch.cuda.is_available()
    run = RunSettings(seed=0, threads=asked.threads, device="cuda" if has_gpu else "cpu")
    images, repetitions = (512, 3) if asked.quick else (4096 if has_gpu else 512, 7)
    where = f"{torch.cuda.get_device_name()}; {hardware()}" if has_gpu else hardware()
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(Path(folder), images, repetitions, run))
    print(as_json("streaming", found, where) if asked.json else as_table(found, where))


if __name__ == "__main__":
    main()
