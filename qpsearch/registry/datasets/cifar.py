"""CIFAR-10 and CIFAR-100."""

from pathlib import Path
from typing import Final

from qpsearch.registry.datasets.base import Arrays, DatasetFacts

CIFAR10_NAMES: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR100_NAMES: Final = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip


def _cifar(name: str, folder: Path) -> Arrays:
    import numpy as np
    from torchvision import datasets

    train, test = (getattr(datasets, name)(root=str(folder), train=train, download=True) for train in (True, False))
    labels = [np.asarray(part.targets, np.uint8) for part in (train, test)]
    return Arrays(np.asarray(train.data, np.uint8), labels[0], np.asarray(test.data, np.uint8), labels[1])


MEMBERS: Final = (
    DatasetFacts(
        name="cifar10",
        order=20,
        channels=3,
        size=32,
        classes=10,
        train_images=50_000,
        test_images=10_000,
        peak=255,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        names=CIFAR10_NAMES,
        read=lambda folder, facts: _cifar("CIFAR10", folder),
    ),
    DatasetFacts(
        name="cifar100",
        order=30,
        channels=3,
        size=32,
        classes=100,
        train_images=50_000,
        test_images=10_000,
        peak=255,
        mean=(0.5071, 0.4865, 0.4409),
        std=(0.2673, 0.2564, 0.2762),
        names=CIFAR100_NAMES,
        read=lambda folder, facts: _cifar("CIFAR100", folder),
    ),
)
