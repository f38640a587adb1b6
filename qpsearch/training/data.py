"""Data sets as arrays, split the same way every time.

An archive is ``FOLDER/NAME.npz`` with train_images, test_images (N, H, W, C) uint8 and train_labels,
test_labels (N,); ``prepare.py`` makes it. The validation split is a function of the data set and its
size alone, never of a trial's seed: all trials of all studies are steered by the same images.
"""

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from qpsearch.architecture import Data
from qpsearch.errors import DataError
from qpsearch.vocabulary import DATASETS, DatasetName

SPLIT_SEED = 620  # the quotient authors' seed; their split itself depended on a file system's order (PAPERS 1.8)
UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)  # what np.load raises on damaged files
KEYS = ("train_images", "train_labels", "test_images", "test_labels")

Array = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Arrays:
    """A whole data set in memory: images (N, H, W, C) uint8, labels (N,)."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


@dataclass(frozen=True, slots=True)
class Split:
    """Images (N, C, H, W) uint8 and labels (N,) int64 of one split, on one device."""

    images: Tensor
    labels: Tensor


@lru_cache(maxsize=1)
def load(name: DatasetName, folder: Path | None) -> Arrays:
    """Load a prepared data set; a worker that trains trial after trial reads it once.

    Raises:
        DataError: There is no readable archive of it in the folder.
    """
    if name is DatasetName.DIGITS:
        return _digits()
    if folder is None:
        raise DataError(f"{name}: needs a data folder. Set QPSEARCH_DATA.")
    archive = folder / f"{name}.npz"
    try:
        with np.load(archive) as arrays:
            return Arrays(**{key: arrays[key] for key in KEYS})
    except UNREADABLE as error:
        raise DataError(f"{archive}: cannot be read ({error}). Delete it to fetch the data again.") from None


def train_and_validation(data: Data, folder: Path | None, device: torch.device) -> tuple[Split, Split]:
    """Load and split: the training images less ``data.validation`` of them, stratified by label; and those."""
    arrays = load(data.dataset, folder)
    kept, held = train_test_split(
        np.arange(len(arrays.train_labels)),
        test_size=data.validation,
        stratify=arrays.train_labels,
        random_state=SPLIT_SEED,
    )
    return tuple(  # type: ignore[return-value]  # two of them
        _split(arrays.train_images[index], arrays.train_labels[index], device)
        for index in (np.sort(kept), np.sort(held))
    )


def normalise(images: Tensor, name: DatasetName) -> Tensor:
    """Turn uint8 images (N, C, H, W) into float32 with the training images' mean 0 and deviation 1 per channel."""
    facts = DATASETS[name]
    mean, std = (torch.tensor(value, device=images.device).view(1, -1, 1, 1) for value in (facts.mean, facts.std))
    return (images.float() / facts.peak - mean) / std


def _split(images: Array, labels: Array, device: torch.device) -> Split:
    nchw = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return Split(nchw.to(device), torch.from_numpy(labels.astype(np.int64)).to(device))


def _digits() -> Arrays:
    """1,797 handwritten digits, 8x8, 17 grey levels; 300 of them, stratified, are the test split."""
    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.uint8)
    test = DATASETS[DatasetName.DIGITS].test_images
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=test, stratify=labels, random_state=SPLIT_SEED
    )
    return Arrays(train_images, train_labels, test_images, test_labels)
