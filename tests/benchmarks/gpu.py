"""What training costs on a GPU: ``python -m tests.benchmarks.gpu [--quick] [--json]``.

Training for an epoch of CIFAR-10's size, on noise, as qpsearch does it, against other loops of the same network, batch size
and optimiser in the same process: ``bare:`` keeps the images in the CPU's memory, moves each batch and augments it on the
GPU as we do; ``loader:`` is a DataLoader of four processes with torchvision's augmentations; ``contiguous:`` is our own
loop in torch's default memory format. A CPU has ``python -m tests.benchmarks.training``.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from qpsearch.architecture.config import Recipe, TrialConfig
from qpsearch.architecture.named import named_network
from qpsearch.models import build_model
from qpsearch.models.network import DTYPES
from qpsearch.protocol import RunSettings
from qpsearch.registry.augmentations import Augmentation
from qpsearch.registry.datasets import Data, DatasetName
from qpsearch.registry.optimisers import Sgd
from qpsearch.registry.schedules import ScheduleKind
from qpsearch.training.data import augmented, load_split, train_and_validation
from qpsearch.training.loop import train
from qpsearch.vocabulary import Precision
from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row

NETWORKS = ("resnet20", "quotient20", "pure20", "pure_norelu20")
PRECISIONS = (Precision.FLOAT32, Precision.BFLOAT16)
BATCH = 128
EPOCH_IMAGES = 45_000
STEPS = 60
VALIDATION = 100
LOADERS = 4
ALTERNATIVES = {
    "contiguous": "our loop, in torch's default memory format",
    "bare": "a plain loop that moves each batch, and augments it on the GPU as we do",
    "loader": f"a plain loop with a DataLoader of {LOADERS} processes and torchvision's augmentations",
}

Batches = Iterable[tuple[Tensor, Tensor]]


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's CIFAR10 gives them to the usual transforms, one by one."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, data: Data) -> None:
        mean, std = data.moments
        self._images, self._labels = images, labels
        self._change = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean, std),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._change(Image.fromarray(self._images[index])), int(self._labels[index])


def noise(folder: Path, images: int) -> None:
    """Write an archive of noise in the form of CIFAR-10."""
    draw = np.random.default_rng(0)
    count = images + VALIDATION
    made, labels = draw.integers(0, 256, (count, 32, 32, 3), np.uint8), (np.arange(count) % 10).astype(np.uint8)
    np.savez(
        folder / "cifar10.npz", train_images=made, train_labels=labels, test_images=made[:10], test_labels=labels[:10]
    )


def configured(name: str, precision: Precision, epochs: int) -> TrialConfig:
    """Return a network with a learning rate at which noise does not let it diverge."""
    return TrialConfig(
        data=Data(dataset=DatasetName.CIFAR10, validation=VALIDATION, augment=(Augmentation.FLIP, Augmentation.CROP)),
        network=named_network(name),
        recipe=Recipe(
            epochs=epochs,
            batch_size=BATCH,
            optimizer=Sgd(lr=1e-4, momentum=0.9, weight_decay=1e-4),
            schedule=ScheduleKind.CONSTANT,
            precision=precision,
        ),
    )


def ours(config: TrialConfig, device: str, folder: Path, memory_format: str) -> Iterator[float]:
    """Yield the seconds for an image in each epoch of our loop, evaluation not counted."""
    run = RunSettings(seed=0, device=device, data_folder=str(folder), memory_format=memory_format)
    for report in train(config, run):
        yield 1 / report.images_per_s


def theirs(config: TrialConfig, device: str, batches: Callable[[], Batches]) -> Iterator[float]:
    """Yield the same of a plain loop."""
    model, recipe = build_model(config.network, 0).to(device).train(), config.recipe
    optimizer = torch.optim.SGD(
        model.parameters(), recipe.optimizer.lr, momentum=0.9, weight_decay=recipe.optimizer.weight_decay
    )
    while True:
        began, images = time.perf_counter(), 0
        total = torch.zeros((), device=device)
        for x, y in batches():
            with torch.autocast(device, DTYPES[recipe.precision], enabled=recipe.precision is not Precision.FLOAT32):
                loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
            optimizer.step()
            total += loss.detach() * len(y)
            images += len(y)
        float(total)  # waits for the GPU
        yield (time.perf_counter() - began) / images


def moved(config: TrialConfig, device: str, images: Tensor, labels: Tensor) -> Batches:
    """Yield an epoch of batches, each moved from the CPU's memory and augmented on the device."""
    generator = torch.Generator().manual_seed(0)
    for index in torch.split(torch.randperm(len(labels)), BATCH):
        yield augmented(images[index].to(device), config.data, generator, 32), labels[index].to(device)


def loaded(device: str, loader: "DataLoader[tuple[Tensor, int]]") -> Batches:
    """Yield an epoch of a loader's batches."""
    for x, y in loader:
        yield x.to(device, non_blocking=True), y.to(device, non_blocking=True)


def sides(config: TrialConfig, device: str, folder: Path, *, loads: bool) -> dict[str, Iterator[float]]:
    """Return our loop and its alternatives by name; each yields once for an epoch."""
    kept, _ = train_and_validation(config.data, folder, torch.device("cpu"))
    split = kept.batch(torch.arange(len(kept.labels)))
    found = {
        "ours": ours(config, device, folder, "channels_last"),
        "contiguous": ours(config, device, folder, "contiguous"),
        "bare": theirs(config, device, partial(moved, config, device, split.images, split.labels)),
    }
    if loads:
        pictures = Pictures(split.images.permute(0, 2, 3, 1).numpy(), split.labels.numpy(), config.data)
        loader = DataLoader(
            pictures, BATCH, shuffle=True, num_workers=LOADERS, pin_memory=device == "cuda", persistent_workers=True
        )
        found["loader"] = theirs(config, device, partial(loaded, device, loader))
    return found


def rows(
    device: str,
    repetitions: int,
    networks: Sequence[str] = NETWORKS,
    precisions: Sequence[Precision] = PRECISIONS,
    steps: int = STEPS,
    *,
    loads: bool = True,
) -> Iterator[Row]:
    """Measure all sides of each network in turn, and yield rows as they are known."""
    with tempfile.TemporaryDirectory() as name:
        noise(Path(name), steps * BATCH)
        for precision, network in ((precision, network) for precision in precisions for network in networks):
            config = configured(network, precision, repetitions + 1)
            with ExitStack() as ends:
                # a loader's work does not depend on the precision
                found = sides(config, device, Path(name), loads=loads and precision is Precision.FLOAT32)
                for side in found.values():
                    ends.enter_context(closing(side))  # type: ignore[type-var]  # generators, which can be closed
                    next(side)  # the first epoch chooses its kernels
                taken = alternate(repetitions, *(partial(next, side) for side in found.values()))
            for index, alternative in enumerate(list(found)[1:], start=1):
                yield row(
                    f"{alternative}: {network}, {precision}",
                    [(each[0] * EPOCH_IMAGES, each[index] * EPOCH_IMAGES) for each in taken],
                    alternative=ALTERNATIVES[alternative],
                    unit="s/epoch",
                    note=f"{EPOCH_IMAGES:,} images of 32x32 in batches of {BATCH}, flipped and cropped, from {steps} steps on "
                    f"noise, on {device}",
                )
        load_split.cache_clear()


def main() -> None:
    """Print the table, or one JSON document; each row goes to standard error as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repetition instead of five")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This benchmark needs a GPU; python -m tests.benchmarks.training measures a CPU.")
    found = []
    for each in rows("cuda", 1 if asked.quick else 5):
        found.append(each)
        print(f"{each.name}: {each.ours:.3g} {each.against:.3g} {each.unit}", file=sys.stderr, flush=True)
    where = f"{torch.cuda.get_device_name()}; {hardware()}"
    print(as_json("gpu", found, where) if asked.json else as_table(found, where))


if __name__ == "__main__":
    main()
