"""An ``.npz`` archive of arrays: images and labels of each split, under the names that archives have for them."""

import hashlib
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import DataError
from qpsearch.registry.own.found import Found, Scan
from qpsearch.registry.own.layout import Subset

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qpsearch.registry.own.pictures import Pixels

    Images = npt.NDArray[np.uint8]
    Labels = npt.NDArray[np.generic]

# Ours, MedMNIST's, Keras's; and of an archive without splits, those of scikit-learn and others.
PAIRS: Final = (
    (Subset.TRAIN, (("train_images", "train_labels"), ("x_train", "y_train"), ("X_train", "y_train"))),
    (
        Subset.VALIDATION,
        (
            ("validation_images", "validation_labels"),
            ("val_images", "val_labels"),
            ("x_val", "y_val"),
            ("X_val", "y_val"),
        ),
    ),
    (Subset.TEST, (("test_images", "test_labels"), ("x_test", "y_test"), ("X_test", "y_test"))),
    (Subset.TRAIN, (("images", "labels"), ("x", "y"), ("X", "y"), ("data", "target"))),
)
CLASS_NAMES: Final = ("class_names", "classes", "names")
DAMAGED: Final = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)  # what np.load raises


@dataclass(frozen=True, slots=True)
class ArrayReader:
    """Reads the images of arrays (N, H, W, C)."""

    images: "Mapping[Subset, Images]"

    def __call__(self, part: Subset, row: int, channels: int) -> "Pixels":
        """Return an image (H, W, channels)."""
        image: Pixels = self.images[part][row]
        return image


def scan_archive(path: Path, cache: Path | None) -> Scan:
    """Look through an archive: at the sums of its members, without reading them.

    Args:
        path: The archive.
        cache: Not needed.

    Raises:
        DataError: It is not such an archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
    except DAMAGED as error:
        fix = "Expected the .npz archive that numpy.savez writes"
        raise DataError(f"{path}: is not a readable archive ({_line(error)}). {fix}.") from None
    _pairs(path, list(members))
    contents = {name: f"{each.file_size}-{each.CRC:08x}" for name, each in sorted(members.items())}
    fingerprint = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()
    return Scan(fingerprint=fingerprint, contents=contents, found=partial(_found, path))


def _pairs(path: Path, names: list[str]) -> dict[Subset, tuple[str, str]]:
    """Return the names of images and labels, by split."""
    found: dict[Subset, tuple[str, str]] = {}
    for part, pairs in PAIRS:
        own = next((pair for pair in pairs if pair[0] in names and pair[1] in names), None)
        if own is not None and part not in found and (part is not Subset.TRAIN or not found):
            found[part] = own
    if Subset.TRAIN not in found:
        raise DataError(
            f"{path}: does not hold training images with labels. Expected arrays such as train_images and "
            f"train_labels, x_train and y_train, or images and labels; it has {', '.join(names[:8]) or 'none'}."
        )
    return found


def _found(path: Path) -> Found:
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        pairs = _pairs(path, archive.files)
        images = {part: _pixels(_array(archive, path, name), path, name) for part, (name, _) in pairs.items()}
        raw = {part: _labels(_array(archive, path, name), path, name) for part, (_, name) in pairs.items()}
        given = next((_array(archive, path, name) for name in CLASS_NAMES if name in archive.files), None)
    for part, (name, _) in pairs.items():
        if len(images[part]) != len(raw[part]):
            raise DataError(f"{path}: {name} has {len(images[part])} images, but {len(raw[part])} labels.")
    values, counts = np.unique(raw[Subset.TRAIN], return_counts=True)
    if len(values) < 2:
        raise DataError(f"{path}: has only one class, {values[0] if len(counts) else 'none'}. Expected two or more.")
    for part, labels in raw.items():
        unknown = np.setdiff1d(labels, values)
        if len(unknown):
            raise DataError(f"{path}: class {unknown[0]} is in the {part} split, but not in the training images.")
    has_names = given is not None and given.shape == (len(values),)
    names = tuple(str(name) for name in (given if has_names and given is not None else values))
    channels = {each.shape[3] for each in images.values()}
    if len(channels) > 1:
        raise DataError(f"{path}: its splits have different numbers of channels: {', '.join(map(str, channels))}.")
    sizes: Counter[tuple[int, int]] = Counter()
    for each in images.values():
        sizes[each.shape[2], each.shape[1]] += len(each)
    return Found(
        classes=names,
        labels={part: np.searchsorted(values, labels).astype(np.int64) for part, labels in raw.items()},
        sizes=sizes,
        channels=channels.pop(),
        read=ArrayReader(images),
    )


def _array(archive: Any, path: Path, name: str) -> Any:
    try:
        return archive[name]
    except ValueError as error:
        if "pickle" in str(error):
            raise DataError(f"{path}: {name} holds Python objects. Expected an array of numbers.") from None
        raise DataError(f"{path}: {name} is damaged ({_line(error)}). Write the archive again.") from None
    except DAMAGED as error:
        raise DataError(f"{path}: {name} is damaged ({_line(error)}). Write the archive again.") from None


def _pixels(given: Any, path: Path, name: str) -> "Images":
    """Return images as (N, H, W, C) uint8: grey without channels, channels first, 16 bits, floats from 0 to 1."""
    if given.ndim == 4 and given.shape[3] not in (1, 2, 3, 4) and given.shape[1] in (1, 3):
        given = given.transpose(0, 2, 3, 1)
    if given.ndim == 3:
        given = given[..., None]
    if given.ndim != 4 or given.shape[3] not in (1, 3, 4) or not len(given):
        raise DataError(
            f"{path}: {name} has shape {given.shape}. Expected (N, H, W), or (N, H, W, C) with 1 or 3 channels."
        )
    given = given[..., : 1 if given.shape[3] == 1 else 3]  # transparency is dropped
    found: Images = _eight_bits(given, path, name)
    return found


def _eight_bits(given: Any, path: Path, name: str) -> Any:
    """Return values as 8 bits: of uint16 the upper ones; fractions and truth values from 0, black, to 1, white."""
    import numpy as np

    if given.dtype == np.uint16:
        return (given >> 8).astype(np.uint8)
    if given.dtype == bool:
        return given.astype(np.uint8) * np.uint8(255)
    if given.dtype.kind not in "iuf":
        raise DataError(f"{path}: {name} has values of type {given.dtype}. Expected numbers, best uint8.")
    low, high = float(given.min()), float(given.max())
    if given.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.rint(given * 255).astype(np.uint8)
    if low >= 0 and high <= 255 and (given.dtype.kind != "f" or not (given % 1).any()):
        return given.astype(np.uint8)
    raise DataError(
        f"{path}: {name} has values from {low:g} to {high:g}. Expected 0 to 255, fractions from 0 to 1, or uint16."
    )


def _labels(given: Any, path: Path, name: str) -> "Labels":
    """Return labels as (N,), whole numbers or words; one-hot rows become the number of their one."""
    import numpy as np

    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if (
        given.ndim == 2
        and given.dtype.kind in "iufb"
        and ((given == 0) | (given == 1)).all()
        and (given.sum(1) == 1).all()
    ):
        given = given.argmax(1)
    is_whole = given.dtype.kind in "iub" or (given.dtype.kind == "f" and not np.mod(given, 1).any())
    if given.ndim != 1 or not (is_whole or given.dtype.kind in "US"):
        raise DataError(f"{path}: {name} has shape {given.shape} of {given.dtype}. Expected one whole number an image.")
    return given.astype(np.int64) if is_whole else given  # type: ignore[no-any-return]  # an array of NumPy's


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
