"""EuroSAT, in colours."""

from pathlib import Path
from typing import Final

from qpsearch.registry.datasets.base import Arrays, DatasetFacts
from qpsearch.registry.splits import SPLIT_SEED, stratified

NAMES: Final = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)


def _eurosat(folder: Path, facts: DatasetFacts) -> Arrays:
    """EuroSAT does not define a test split: we take a tenth, stratified, always the same images."""
    import numpy as np
    from torchvision import datasets

    found = datasets.EuroSAT(root=str(folder), download=True)
    images = np.stack([np.asarray(found.loader(path), np.uint8) for path, _ in found.samples])
    labels = np.asarray(found.targets, np.uint8)
    train, test = map(np.sort, stratified(labels, facts.test_images, SPLIT_SEED))
    return Arrays(images[train], labels[train], images[test], labels[test])


MEMBERS: Final = (
    DatasetFacts(
        name="eurosat",
        order=100,
        channels=3,
        size=64,
        classes=10,
        train_images=24_300,
        test_images=2700,
        peak=255,
        mean=(0.3444, 0.3803, 0.4078),
        std=(0.2035, 0.1367, 0.1152),
        names=NAMES,
        read=_eurosat,
    ),
)
