"""Data sets as arrays, split the same way every time.

An archive is ``FOLDER/NAME.npz`` with train_images, test_images (N, H, W, C) uint8 and train_labels,
test_labels (N,); ``prepare.py`` makes it. Sets that are too large for memory are a folder ``FOLDER/NAME`` of .npy
files instead, which are memory-mapped and read batch by batch. Images of the user's own are a folder of .npy files
below ``FOLDER/own``, mapped where a split takes more than a gigabyte; or they are decoded while a network trains. The
validation split is a function of the data set and the split's size alone, never of a trial's seed: all trials of all
studies are validated on the same images.
"""

import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from qpsearch.errors import DataError
from qpsearch.registry.augmentations import Padding, changed, changes_among, draw_changes
from qpsearch.registry.augmentations.base import Draws, ImageForm, constant
from qpsearch.registry.datasets import DATASETS, Data
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.record import OwnData, own_folder
from qpsearch.registry.own.streamed import StreamedImages, open_streamed, tables_of
from qpsearch.registry.splits import SPLIT_SEED, nested, stratified
from qpsearch.training.reading import Begin, DecodedImages, MappedImages, OnDisk, ahead, readers_of, reading
from qpsearch.training.uploading import uploaded

UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)  # what np.load raises on damaged files
KEYS = ("train_images", "train_labels", "test_images", "test_labels")
RESIZED_AT_ONCE = 1000  # images, which are float32 meanwhile
IN_MEMORY = 2**30  # bytes of a split of the user's own images; a larger one is mapped

Array = npt.NDArray[np.uint8]
Labelled = tuple[Array, npt.NDArray[Any]]
WithLabels = tuple[Array | StreamedImages, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Split:
    """Images (N, C, H, W) uint8 and labels (N,) int64 of one split, on one device."""

    images: Tensor
    labels: Tensor

    @property
    def side(self) -> int:
        """Height and width of the images as they are stored."""
        return self.images.shape[-1]

    def batch(self, index: Tensor, there: Tensor | None = None, read: "Future[Tensor] | None" = None) -> "Split":
        """Return the images and labels at an index on the CPU, which may also be given on the device of the images."""
        own = index.to(self.labels.device) if there is None else there
        return Split(self.images[own], self.labels[own])

    def part(self, first: int, last: int) -> "Split":
        """Return the images and labels from one up to, but not including, another."""
        return Split(self.images[first:last], self.labels[first:last])


@dataclass(frozen=True, slots=True)
class DiskSplit:
    """A split whose images stay on disk: ``rows`` of some images there; labels (n,) int64 on a device.

    Its images are resized to a height and width of ``side``, batch by batch, where they are stored with another.
    """

    files: OnDisk
    rows: npt.NDArray[np.int64]
    labels: Tensor
    side: int

    def batch(self, index: Tensor, there: Tensor | None = None, read: "Future[Tensor] | None" = None) -> Split:
        """Return the images and labels at an index on the CPU, on the device of the labels.

        Args:
            index: Which images.
            there: The same, on that device.
            read: The images, which may still be read; None reads them now.
        """
        device = self.labels.device
        if read is None:
            with self.reading() as begin:
                images = begin(index).result()
        else:
            images = read.result()
        own = index.to(device) if there is None else there
        return Split(resized(images.to(device, non_blocking=True), self.side), self.labels[own])

    def reading(self, beside: int = 1) -> AbstractContextManager[Begin]:
        """Start what reads the images; see ``reading``."""
        return reading(self.files, self.rows, self.labels.device, beside)


Images = Split | DiskSplit


def in_parts(images: Images, size: int) -> Iterator[Split]:
    """Yield all images and labels in their order, some at a time; those on disk are read ahead."""
    parts = torch.split(torch.arange(len(images.labels)), size)
    if isinstance(images, Split):
        yield from (images.part(int(part[0]), int(part[-1]) + 1) for part in parts)
        return
    with images.reading() as begin:
        for part, read in ahead(parts, lambda part: (part, begin(part)), readers_of(images.files)):
            yield images.batch(part, None, read)


def resized(images: Tensor, side: int) -> Tensor:
    """Return uint8 images (N, C, H, W) at another height and width, bilinear with antialiasing."""
    if images.shape[-1] == side:
        return images
    parts = [
        F.interpolate(part.float(), size=(side, side), mode="bilinear", antialias=True).round().to(torch.uint8)
        for part in torch.split(images, RESIZED_AT_ONCE)
    ]
    return torch.cat(parts)


def archive_of(name: str, folder: Path) -> Path:
    """Return the archive of a data set, or its folder of arrays."""
    return folder / name if DATASETS[name].write is not None else folder / f"{name}.npz"


@lru_cache(maxsize=2)
def load_split(data: Data, folder: Path | None, part: Subset) -> WithLabels:
    """Load images (N, H, W, C) and labels (N,) of one split of a prepared data set; the other splits are not loaded.

    Of a folder that is streamed, no image is decoded yet. Where only arrays or only tables of the files are there, they
    are used, whatever ``data.stream`` says.

    A worker that trains trial after trial reads what it trains on only once.

    Raises:
        DataError: The folder does not hold a readable archive of the data set.
    """
    if data.own is not None:
        return _own_split(data.own, folder, part, data.stream)
    return _known_split(data.dataset, folder, part)


def _known_split(name: str, folder: Path | None, part: Subset) -> Labelled:
    facts, keys = DATASETS[name], [f"{part}_{kind}" for kind in ("images", "labels")]
    if facts.bundled and facts.read is not None:
        arrays = facts.read(Path(), facts)
        images, labels = (getattr(arrays, key) for key in keys)
        return images, labels
    if folder is None:
        raise DataError(f"{name}: needs a data folder. Set QPSEARCH_DATA.")
    place = archive_of(name, folder)
    if facts.write is not None:
        return _pair(place, keys, f"Delete {place} to fetch the data again.")
    try:
        with np.load(place) as archive:
            return archive[keys[0]], archive[keys[1]]
    except UNREADABLE as error:
        raise DataError(f"{place}: cannot be read ({error}). Delete it to fetch the data again.") from None


def _own_split(own: OwnData, folder: Path | None, part: Subset, stream: bool | None) -> WithLabels:
    if folder is None:
        raise DataError(f"{own.name}: needs a data folder. Set QPSEARCH_DATA.")
    place = own_folder(folder) / own.key
    if tables_of(own, folder).is_dir() and (stream or not place.is_dir()):
        return open_streamed(own, folder, part)
    keys = [f"{part}_{kind}" for kind in ("images", "labels")]
    images, labels = _pair(place, keys, f"Delete {place} to decode the images again.")
    return images if images.nbytes > IN_MEMORY else np.array(images), labels


def _pair(folder: Path, keys: Sequence[str], fix: str) -> Labelled:
    """Map the images and the labels of a folder of arrays.

    Raises:
        DataError: A file, which is named, cannot be read, or the two do not have the same length.
    """
    found = []
    for path in (folder / f"{key}.npy" for key in keys):
        try:
            found.append(np.load(path, mmap_mode="r"))
        except UNREADABLE as error:
            raise DataError(f"{path}: cannot be read ({error}). {fix}") from None
    images, labels = found
    if len(images) != len(labels):
        raise DataError(f"{path}: has {len(labels)} labels, but there are {len(images)} images. {fix}")
    return images, labels


def train_and_validation(data: Data, folder: Path | None, device: torch.device) -> tuple[Images, Images | None]:
    """Load the images that a network is trained on and those that it is validated on.

    The latter are ``data.validation`` images held out from the training split, stratified by label, or the set's own
    validation split. Where there are none, the second part is None. Where ``data.share`` is below 1, only a part of the
    others is trained on. The test split is not loaded.
    """
    images, labels = load_split(data, folder, Subset.TRAIN)
    if data.own_validation or data.validation == 0:
        whole = _split(images, labels, _share(np.arange(len(labels)), labels, data), device)
        return whole, _whole(data, folder, Subset.VALIDATION, device) if data.own_validation else None
    kept, held = map(np.sort, stratified(labels, data.validation, SPLIT_SEED))
    train = _split(images, labels, _share(kept, labels, data), device)
    return train, _split(images, labels, held, device)


def at_size(images: Images, data: Data, size: int) -> Images:
    """Return images for a network that sees them at a size: resized by as much as that is below the data set's own."""
    side = round(images.side * size / data.facts.size)
    if side == images.side:
        return images
    if isinstance(images, Split):
        return Split(resized(images.images, side), images.labels)
    return replace(images, side=side)


def test_images(data: Data, folder: Path | None, device: torch.device) -> Images:
    """Load the test split, which measures a chosen network and never takes part in choosing it."""
    return _whole(data, folder, Subset.TEST, device)


def normalise(images: Tensor, data: Data) -> Tensor:
    """Turn uint8 images (N, C, H, W) into float32: ``(x / peak - mean) / std`` with the moments of ``data``.

    With the data set's own moments, each channel has mean 0 and standard deviation 1 over the training images.
    """
    mean, std = (constant(tuple(value), images.device).view(1, -1, 1, 1) for value in data.moments)
    return (images.float() / data.facts.peak - mean) / std


def augmented(images: Tensor, data: Data, generator: torch.Generator, size: int) -> Tensor:
    """Turn uint8 images (N, C, H, W) into normalised ones (N, C, size, size), changed at random as ``data`` says.

    Zeros are padded: black before normalisation, the mean after it. What changes pixels comes right before
    normalisation, what sets parts of an image to the mean comes last.

    Draws are made on the CPU, by its generator, and moved to the device of the images.
    """
    draws = draw_augmented(len(images), images.shape[-1], data, generator, size)
    there = draws if images.device.type == "cpu" else uploaded(draws, images.device)
    return augmented_by(images, data, there, size)


def draw_augmented(n: int, side: int, data: Data, generator: torch.Generator, size: int) -> Draws:
    """Draw what ``augmented`` draws for n images of a side, without the images."""
    found = []
    for form in _forms(data):
        found.append(draw_changes(data.augment, n, side, generator, size, form=form, given=data.augment_options))
        side = side if form is ImageForm.PIXELS else size
    return tuple(found)


def augmented_by(images: Tensor, data: Data, draws: Draws, size: int) -> Tensor:
    """Change images as ``augmented`` does, by draws that lie on their device."""
    own = dict(zip(_forms(data), draws, strict=True))
    if data.padding is Padding.BLACK:
        images = changed(images, data.augment, own[ImageForm.FRAME], size)
    images = normalise(_recoloured(images, data, own[ImageForm.PIXELS], size), data)
    if data.padding is not Padding.BLACK:
        images = changed(images, data.augment, own[ImageForm.FRAME], size)
    last, given = own[ImageForm.NORMALISED], data.augment_options
    return changed(images, data.augment, last, size, form=ImageForm.NORMALISED, given=given)


def _forms(data: Data) -> tuple[ImageForm, ...]:
    """Return the forms that images have, one after the other, when they are changed."""
    if data.padding is Padding.BLACK:
        return ImageForm.FRAME, ImageForm.PIXELS, ImageForm.NORMALISED
    return ImageForm.PIXELS, ImageForm.FRAME, ImageForm.NORMALISED


def _recoloured(images: Tensor, data: Data, draws: Draws, size: int) -> Tensor:
    """Apply what changes pixels, on a scale of 0 to 255; the result is on the data set's own scale."""
    if not changes_among(data.augment, ImageForm.PIXELS):
        return images
    peak = data.facts.peak
    scaled = images if peak == 255 else (images * (255 / peak)).round().to(torch.uint8)
    given = data.augment_options
    found = changed(scaled, data.augment, draws, size, form=ImageForm.PIXELS, given=given)
    return found if peak == 255 else found * (peak / 255)


def _share(rows: npt.NDArray[np.int64], labels: npt.NDArray[Any], data: Data) -> npt.NDArray[np.int64]:
    """Return those of the training rows that are trained on."""
    return rows if data.share == 1 else rows[nested(labels[rows], round(data.share * len(rows)), SPLIT_SEED)]


def _whole(data: Data, folder: Path | None, part: Subset, device: torch.device) -> Images:
    images, labels = load_split(data, folder, part)
    return _split(images, labels, np.arange(len(labels)), device)


def _split(
    images: Array | StreamedImages, labels: npt.NDArray[Any], index: npt.NDArray[np.int64], device: torch.device
) -> Images:
    own = torch.from_numpy(labels[index].astype(np.int64)).to(device)
    if isinstance(images, StreamedImages):
        return DiskSplit(DecodedImages(images), index, own, images.side)
    if isinstance(images, np.memmap):
        return DiskSplit(MappedImages(images), index, own, images.shape[1])
    nchw = torch.from_numpy(np.ascontiguousarray(images[index].transpose(0, 3, 1, 2)))
    return Split(nchw.to(device), own)
