"""Fetching a data set: downloaded once, verified, decoded once, kept as arrays.

Small sets become one archive NAME.npz. Galaxy10 and ImageNet become a folder NAME of one .npy file for each array,
which workers map instead of reading. Runs as ``python -m qpsearch.training.prepare NAME FOLDER``, so that a driver
can have data prepared without loading torch.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError

import numpy as np
from filelock import FileLock
from rich.progress import track
from sklearn.model_selection import train_test_split
from torch.hub import download_url_to_file
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from qpsearch.datasets import DATASETS
from qpsearch.errors import DataError
from qpsearch.training.data import KEYS, SPLIT_SEED, UNREADABLE, Arrays, archive_of
from qpsearch.vocabulary import DatasetName

GALAXY10_URL: Final = "https://zenodo.org/records/10845026/files/Galaxy10_DECals.h5"
GALAXY10_SHA256: Final = "19aefc477c41bb7f77ff07599a6b82a038dc042f889a111b0d4d98bb755c1571"
LOADERS: Final = min(os.cpu_count() or 1, 16)  # processes that decode ImageNet's JPEG files


def prepare(name: DatasetName, folder: Path) -> None:
    """See to it that a data set can be loaded: download, verify, decode and archive what is missing.

    Any number of processes of one machine may call this at once; one of them works, the others wait.

    Raises:
        DataError: It cannot be fetched, or its archive cannot be read.
    """
    if DATASETS[name].bundled:
        return
    place = archive_of(name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):
            if not place.exists():
                SOURCES[name](folder, place)
    except (URLError, RuntimeError) as error:
        raise DataError(
            f"{name}: cannot be downloaded into {folder} ({error}). Connect this machine, "
            f"or put an archive {place.name} there."
        ) from None
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror}). Point QPSEARCH_DATA at another folder."
        ) from None
    check_archive(place, name)


def check_archive(place: Path, name: DatasetName) -> None:
    """Read the headers of an archive or a folder of arrays and compare them with the data set's facts.

    Raises:
        DataError: It is not that data set.
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
            raise DataError(f"{place}: {key} has shape {found[key]}, but {name} has {shape}. Wrong folder or file?")


def _cifar(source: Callable[..., Any]) -> Callable[[Path, Path], None]:
    def fetch(folder: Path, archive: Path) -> None:
        train, test = (source(root=str(folder), train=train, download=True) for train in (True, False))
        labels = (np.asarray(part.targets, np.uint8) for part in (train, test))
        _archive(
            Arrays(np.asarray(train.data, np.uint8), next(labels), np.asarray(test.data, np.uint8), next(labels)),
            archive,
        )

    return fetch


def _svhn(folder: Path, archive: Path) -> None:
    """The train split of 73,257 images, without the extra ones, as the quotient paper has it (PAPERS 1.5)."""
    train, test = (datasets.SVHN(root=str(folder), split=split, download=True) for split in ("train", "test"))
    images = (np.ascontiguousarray(part.data.transpose(0, 2, 3, 1)) for part in (train, test))
    train_labels, test_labels = (np.asarray(part.labels, np.uint8) for part in (train, test))
    _archive(Arrays(next(images), train_labels, next(images), test_labels), archive)


def _galaxy10(folder: Path, place: Path) -> None:
    """Galaxy10 DECaLS has no test split of its own: a tenth, stratified, always the same, is ours."""
    try:
        import h5py
    except ImportError:
        raise DataError("galaxy10: is read with h5py. Install it: pip install 'qpsearch[galaxy10]'.") from None
    source = folder / GALAXY10_URL.rpartition("/")[2]
    if not source.exists():
        download_url_to_file(GALAXY10_URL, str(source), hash_prefix=GALAXY10_SHA256)
    try:
        opened = h5py.File(source)
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error}). Delete it to fetch it again.") from None
    with opened as file:
        labels = np.asarray(file["ans"], np.uint8)
        test_images = DATASETS[DatasetName.GALAXY10].test_images
        rows = train_test_split(np.arange(len(labels)), test_size=test_images, stratify=labels, random_state=SPLIT_SEED)
        partial = _partial(place)
        for split, own in zip(("train", "test"), map(np.sort, rows), strict=True):
            images = _new_array(partial, split, (len(own), *file["images"].shape[1:]))
            for index, row in enumerate(track(own, description=f"galaxy10 {split}")):
                images[index] = file["images"][row]
            images.flush()
            np.save(partial / f"{split}_labels.npy", labels[own])
    partial.replace(place)


def _imagenet(folder: Path, place: Path) -> None:
    """ILSVRC 2012 cannot be downloaded: the user's own train and val folders, one folder a class in each, are read."""
    source = folder / "imagenet-jpeg"
    missing = [str(source / split) for split in ("train", "val") if not (source / split).is_dir()]
    if missing:
        raise DataError(
            f"imagenet: cannot be downloaded; its terms forbid it. Put ILSVRC 2012 (or links to it) at "
            f"{' and '.join(missing)}, one folder a class in each."
        )
    side = DATASETS[DatasetName.IMAGENET].stored_size
    resized = transforms.Compose([transforms.Resize(side), transforms.CenterCrop(side), transforms.PILToTensor()])
    found = {name: datasets.ImageFolder(str(source / name), transform=resized) for name in ("train", "val")}
    facts = DATASETS[DatasetName.IMAGENET]
    for name, count in (("train", facts.train_images), ("val", facts.test_images)):
        if len(found[name]) != count:
            raise DataError(f"{source / name}: has {len(found[name]):,} images, but ILSVRC 2012 has {count:,} there.")
    if found["train"].classes != found["val"].classes:
        raise DataError(f"{source}: train and val have other folders of classes. Name those of val as those of train.")
    partial = _partial(place)
    for split, name in (("train", "train"), ("test", "val")):
        files = found[name]
        images = _new_array(partial, split, (len(files), side, side, 3))
        loader = DataLoader(files, batch_size=64, num_workers=LOADERS)
        done = 0
        for batch, _ in track(loader, description=f"imagenet {split}"):
            images[done : done + len(batch)] = batch.permute(0, 2, 3, 1).numpy()
            done += len(batch)
        images.flush()
        np.save(partial / f"{split}_labels.npy", np.asarray(files.targets, np.int64))
    partial.replace(place)


SOURCES: Final[dict[DatasetName, Callable[[Path, Path], None]]] = {
    DatasetName.CIFAR10: _cifar(datasets.CIFAR10),
    DatasetName.CIFAR100: _cifar(datasets.CIFAR100),
    DatasetName.SVHN: _svhn,
    DatasetName.GALAXY10: _galaxy10,
    DatasetName.IMAGENET: _imagenet,
}


def _archive(arrays: Arrays, archive: Path) -> None:
    temporary = archive.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez(file, **{key: getattr(arrays, key) for key in KEYS})
    temporary.replace(archive)


def _partial(place: Path) -> Path:
    """Return a folder to write into before it takes its name."""
    partial = place.with_suffix(".partial")
    partial.mkdir(exist_ok=True)
    return partial


def _new_array(folder: Path, split: str, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    made: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(
        folder / f"{split}_images.npy", mode="w+", dtype=np.uint8, shape=shape
    )
    return made


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
    """Prepare one data set; print what is wrong, if anything, and return the exit code."""
    try:
        prepare(DatasetName(arguments[0]), Path(arguments[1]))
    except DataError as error:
        print(error)
        return error.exit_code
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
