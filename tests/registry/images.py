"""Folders of small images, whose pixels follow from their names."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from qpsearch.seeds import derive_seed


def picture(path: Path, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Path:
    """Write an image of random pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(derive_seed(*path.parts[-3:]))
    width, height = size
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def class_folders(
    root: Path, count: int, classes: Iterable[str] = "ab", size: tuple[int, int] = (8, 8), mode: str = "RGB"
) -> Path:
    """Make one folder for each class, with images in it."""
    for label in classes:
        for index in range(count):
            picture(root / label / f"{index}.png", size, mode)
    return root
