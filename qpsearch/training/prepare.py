"""Fetching a data set: downloaded once, verified, decoded once, kept as one archive.

torchvision downloads with a progress bar and verifies by checksum. Runs as ``python -m
qpsearch.training.prepare NAME FOLDER``, so that a driver can have data prepared without loading torch.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import numpy as np
from filelock import FileLock
from torchvision import datasets

from qpsearch.errors import DataError
from qpsearch.training.data import KEYS, UNREADABLE, Arrays
from qpsearch.vocabulary import DATASETS, DatasetName

DOWNLOADS: dict[DatasetName, Callable[..., datasets.CIFAR10]] = {
    DatasetName.CIFAR10: datasets.CIFAR10,
    DatasetName.CIFAR100: datasets.CIFAR100,
}


def prepare(name: DatasetName, folder: Path) -> None:
    """See to it that a data set can be loaded: download, verify, decode and archive what is missing.

    Any number of processes of one machine may call this at once; one of them works, the others wait.

    Raises:
        DataError: It cannot be fetched, or its archive cannot be read.
    """
    if DATASETS[name].bundled:
        return
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
        raise DataError(
            f"{folder}: cannot be written ({error.strerror}). Point QPSEARCH_DATA at another folder."
        ) from None
    check_archive(archive, name)


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
    except UNREADABLE as error:
        raise DataError(f"{archive}: is not a readable archive ({error}). Delete it to fetch the data again.") from None
    for key, shape in expected.items():
        if found[key] != shape:
            raise DataError(f"{archive}: {key} has shape {found[key]}, but {name} has {shape}. Wrong folder or file?")


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
    with arrays.zip.open(f"{key}.npy") as file:  # type: ignore[union-attr]  # np.load opened it
        major, _ = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        return tuple(read(file)[0])


def main(arguments: list[str]) -> int:
    """Prepare one data set; print what is wrong, if anything, and return the exit code."""
    try:
        prepare(DatasetName(arguments[0]), Path(arguments[1]))
    except DataError as error:
        print(error)
        return error.exit_code
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
