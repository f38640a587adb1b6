"""Fetching a data set: downloaded once, verified, decoded once, kept as arrays.

Small sets become one archive NAME.npz. Galaxy10 and ImageNet become a folder NAME of one .npy file for each array,
which workers map instead of reading. ``prepare_own`` does the same for images of the user's own. Runs as ``python -m
qpsearch.training.prepare NAME FOLDER``, so that a driver can have data prepared without loading torch.
"""

import contextlib
import os
import socket
import sys
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.error import URLError

import numpy as np
from filelock import FileLock

from qpsearch.architecture.plugins import load_everything
from qpsearch.errors import DataError
from qpsearch.registry.datasets import DATASETS, Data
from qpsearch.registry.datasets.base import Arrays
from qpsearch.registry.own.decoding import is_streamed, prepare_own
from qpsearch.registry.own.record import OWN, SAYS, STREAMED, OwnData, Source
from qpsearch.training.data import KEYS, UNREADABLE, archive_of

SILENT_S: Final = 60.0  # after which a server is given up that sends nothing; by default, never


def prepare_images(data: Data, folder: Path) -> None:
    """Make sure that the images of a data set can be loaded, whether it is in the table or the user's own.

    Raises:
        DataError: The images cannot be fetched or read, or are not those that a study was made with.
    """
    if data.own is None:
        prepare(data.dataset, folder)
        return
    if data.own.source is Source.CODE:
        load_everything()
    prepare_own(data.own, folder, streamed=is_streamed(data.own, folder, data.stream))


def prepare(name: str, folder: Path) -> None:
    """Make sure that a data set can be loaded: download, verify, decode and archive what is missing.

    Any number of processes of one machine may call this at once; one of them works, the others wait.

    Raises:
        DataError: The data set cannot be fetched, or its archive cannot be read.
    """
    if DATASETS[name].bundled:
        return
    place = archive_of(name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):
            if not place.exists():
                _fetch(name, folder, place)
    except (URLError, HTTPException, ConnectionError, TimeoutError, RuntimeError) as error:
        raise DataError(
            f"{name}: cannot be downloaded into {folder} ({error}). Connect this machine to the internet, "
            f"or put {place.name} there."
        ) from None
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror}). Point QPSEARCH_DATA at another folder."
        ) from None
    check_archive(place, name)


def check_archive(place: Path, name: str) -> None:
    """Read the headers of an archive or a folder of arrays and compare them with the data set's facts.

    Raises:
        DataError: The archive does not hold that data set.
    """
    facts = DATASETS[name]
    side = facts.stored_size or facts.size
    image = (side, side, facts.channels)
    expected = {
        "train_images": (facts.train_images, *image),
        "test_images": (facts.test_images, *image),
        "train_labels": (facts.train_images,),
        "test_labels": (facts.test_images,),
    }
    try:
        found = _shapes(place)
    except UNREADABLE as error:
        raise DataError(f"{place}: is not a readable archive ({error}). Delete it to fetch the data again.") from None
    for key, shape in expected.items():
        if found[key] != shape:
            raise DataError(f"{place}: {key} has shape {found[key]}, but {name} needs {shape}. Wrong folder or file?")


def _fetch(name: str, folder: Path, place: Path) -> None:
    facts = DATASETS[name]
    if facts.read is not None:
        _archive(facts.read(folder, facts), place)
    if facts.write is not None:
        partial = place.with_suffix(".partial")  # renamed when it is complete
        partial.mkdir(exist_ok=True)
        try:
            facts.write(folder, partial, facts)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.rmdir()  # only where nothing was written
            raise
        partial.replace(place)


def _archive(arrays: Arrays, archive: Path) -> None:
    temporary = archive.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez(file, **{key: getattr(arrays, key) for key in KEYS})
    temporary.replace(archive)


def _shapes(place: Path) -> dict[str, tuple[int, ...]]:
    """Read the arrays' shapes from their headers, without their data."""
    if place.is_dir():
        return {key: np.load(place / f"{key}.npy", mmap_mode="r").shape for key in KEYS}
    with np.load(place) as arrays:
        return {key: _shape(arrays, key) for key in KEYS}


def _shape(arrays: np.lib.npyio.NpzFile, key: str) -> tuple[int, ...]:
    with arrays.zip.open(f"{key}.npy") as file:  # type: ignore[union-attr]  # np.load opened it
        major, _ = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        return tuple(read(file)[0])


def main(arguments: list[str]) -> int:
    """Prepare one data set; print an error message, if any, and return the exit code.

    Args:
        arguments: The set's name, or ``own``, whose facts then come on standard input; the folder; and ``streamed``
            for a folder of images of the user's own that is streamed.
    """
    socket.setdefaulttimeout(SILENT_S)
    name, folder, *how = arguments
    try:
        if name == OWN:
            own = OwnData.from_text(sys.stdin.read())
            prepare_images(Data(dataset=own.name, validation=0, own=own, stream=how == [STREAMED]), Path(folder))
        else:
            prepare(name, Path(folder))
    except DataError as error:
        print(f"{SAYS}{error}")
        return error.exit_code
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
