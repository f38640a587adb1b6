"""MNIST and Fashion-MNIST."""

from pathlib import Path
from typing import Final

from qpsearch.registry.datasets.base import NUMERALS, Arrays, DatasetFacts

FASHION_NAMES: Final = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def _mnist(name: str, folder: Path) -> Arrays:
    import numpy as np
    from torchvision import datasets

    parts = [getattr(datasets, name)(root=str(folder), train=train, download=True) for train in (True, False)]
    images = [np.asarray(part.data, np.uint8)[..., None] for part in parts]
    labels = [np.asarray(part.targets, np.uint8) for part in parts]
    return Arrays(images[0], labels[0], images[1], labels[1])


MEMBERS: Final = (
    DatasetFacts(
        name="mnist",
        order=70,
        channels=1,
        size=28,
        classes=10,
        train_images=60_000,
        test_images=10_000,
        peak=255,
        mean=(0.1307,),
        std=(0.3081,),
        names=NUMERALS,
        read=lambda folder, facts: _mnist("MNIST", folder),
    ),
    DatasetFacts(
        name="fashion_mnist",
        order=80,
        channels=1,
        size=28,
        classes=10,
        train_images=60_000,
        test_images=10_000,
        peak=255,
        mean=(0.2860,),
        std=(0.3530,),
        names=FASHION_NAMES,
        read=lambda folder, facts: _mnist("FashionMNIST", folder),
    ),
)
