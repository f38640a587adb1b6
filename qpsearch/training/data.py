"""Data sets as arrays: fetched once, decoded once, kept as one archive, split the same way every time.

An archive is ``FOLDER/NAME.npz`` with train_images, test_images (N, H, W, C) uint8 and train_labels,
test_labels (N,). FOLDER is QPSEARCH_DATA, or ``~/.cache/qpsearch`` where that is not set. torchvision
downloads and verifies by checksum. The validation split is a function of the data set and its size
alone, never of a trial's seed: all trials of all studies are steered by the same images.

Runs as ``python -m qpsearch.training.data NAME [FOLDER]``, so that a driver can prepare data without
loading torch itself.
"""

import os
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.error import URLError

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torchvision import datasets

from qpsearch.architecture import Data
from qpsearch.errors import DataError
from qpsearch.vocabulary import DATASETS, DatasetName

SPLIT_SEED = 620  # the quotient authors' seed; their split itself depended on a file system's order (PAPERS 1.8)
KEYS = ("train_images", "train_labels", "test_images", "test_labels")
DOWNLOADS: dict[DatasetName, Callable[..., datasets.CIFAR10]] = {
    DatasetName.CIFAR10: datasets.CIFAR10,
    DatasetName.CIFAR100: datasets.CIFAR100,
}

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


def prepare(name: DatasetName, folder: Path) -> None:
    """See to it that a data set can be loaded: download, verify, decode and archive what is missing.

    Any number of processes of one machine may call this at once; one of them works, the others wait.

    Raises:
        DataError: It cannot be fetched, or its archive cannot be read.
    """
    if name not in DOWNLOADS:
        return  # digits come with scikit-learn
    archive = folder / f"{name}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):
            if not archive.exists():
                _write(_download(name, folder), archive)
    except (URLError, RuntimeError) as error:
        raise DataError(
            f"{name}: cannot be downloaded into {folder} ({error}). Connect this machine, "
            f"or put an archive {archive.name} there."
        ) from None
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}). Point QPSEARCH_DATA at another folder.") from None
    check_archive(archive, name)


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
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{archive}: cannot be read ({error}). Delete it to fetch the data again.") from None


def check_archive(archive: Path, name: DatasetName) -> None:
    """Read an archive's headers and compare them with the data set's facts.

    Raises:
        DataError: It is not the archive of that data set.
    """
    facts = DATASETS[name]
    image = (facts.size, facts.size, facts.channels)
    expected = {
        "train_images": (facts.train_images, *image),
        "test_images": (facts.test_images, *image),
        "train_labels": (facts.train_images,),
        "test_labels": (facts.test_images,),
    }
    try:
        with np.load(archive) as arrays:
            found = {key: _shape(arrays, key) for key in KEYS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{archive}: is not a readable archive ({error}). Delete it to fetch the data again.") from None
    for key, shape in expected.items():
        if found[key] != shape:
            raise DataError(f"{archive}: {key} has shape {found[key]}, but {name} has {shape}. Wrong folder or file?")


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
        _split(arrays.train_images[index], arrays.train_labels[index], device) for index in (np.sort(kept), np.sort(held))
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


def _download(name: DatasetName, folder: Path) -> Arrays:
    train, test = (DOWNLOADS[name](root=str(folder), train=train, download=True) for train in (True, False))
    return Arrays(
        np.asarray(train.data, np.uint8),
        np.asarray(train.targets, np.uint8),
        np.asarray(test.data, np.uint8),
        np.asarray(test.targets, np.uint8),
    )


def _write(arrays: Arrays, archive: Path) -> None:
    temporary = archive.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez(file, **{key: getattr(arrays, key) for key in KEYS})
    temporary.replace(archive)


def _shape(arrays: np.lib.npyio.NpzFile, key: str) -> tuple[int, ...]:
    """Read an array's shape from its header, without its data."""
    with arrays.zip.open(f"{key}.npy") as file:  # type: ignore[union-attr]
        major, _ = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        return tuple(read(file)[0])


def main(arguments: list[str]) -> int:
    """Prepare one data set; print what is wrong, if anything, and return the exit code."""
    try:
        prepare(DatasetName(arguments[0]), Path(arguments[1]))
    except DataError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
