"""Arrays of images and labels, under the names that archives have for them: what they hold, in 8 bits."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import DataError
from qpsearch.registry.own.found import Found, conversions, first_of
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.record import PEAK

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
LARGEST: Final = 2**63  # labels are kept as numbers of 64 bits


@dataclass(frozen=True, slots=True)
class ArrayReader:
    """Reads the images of arrays, each (H, W, C)."""

    images: "Mapping[Subset, Sequence[Pixels] | Images]"

    def __call__(self, part: Subset, row: int, channels: int) -> "Pixels":
        """Return an image (H, W, channels)."""
        image: Pixels = self.images[part][row]
        return image


def pairs_in(where: str, names: list[str]) -> dict[Subset, tuple[str, str]]:
    """Return the names of images and labels, by split; raises DataError where there are no training images."""
    found: dict[Subset, tuple[str, str]] = {}
    for part, pairs in PAIRS:
        own = next((pair for pair in pairs if pair[0] in names and pair[1] in names), None)
        if own is not None and part not in found and (part is not Subset.TRAIN or not found):
            found[part] = own
    if Subset.TRAIN not in found:
        raise DataError(
            f"{where}: does not hold training images with labels. Expected arrays such as train_images and "
            f"train_labels, x_train and y_train, or images and labels; it has {', '.join(names[:8]) or 'none'}."
        )
    return found


def in_arrays(read: Callable[[str], Any], names: list[str], where: str) -> Found:
    """Return the images of arrays.

    Args:
        read: Returns an array by its name.
        names: The names of all arrays.
        where: What messages call the place of the arrays.

    Raises:
        DataError: The arrays do not hold images and labels.
    """
    pairs = pairs_in(where, names)
    converted: list[str] = []
    images = {part: _pixels(read(name), name, where, converted) for part, (name, _) in pairs.items()}
    labels = {part: labels_of(read(name), f"{where}: {name}") for part, (_, name) in pairs.items()}
    for part, (name, _) in pairs.items():
        if len(images[part]) != len(labels[part]):
            raise DataError(f"{where}: {name} has {len(images[part])} images, but {len(labels[part])} labels.")
    given = next((name for name in CLASS_NAMES if name in names), None)
    unread = sorted({*names} - {given, *(name for pair in pairs.values() for name in pair)})
    if unread:
        what = "1 array is" if len(unread) == 1 else f"{len(unread):,} arrays are"
        converted.append(f"{what} not read: {first_of(unread)}")
    class_names = None if given is None else _names(read(given), labels[Subset.TRAIN], f"{where}: {given}")
    return found_of(images, labels, class_names, where, converted)


def _names(given: Any, labels: "Labels", where: str) -> list[str]:
    """Return the names of the classes."""
    import numpy as np

    if given.ndim != 1:
        raise DataError(f"{where} has shape {given.shape}. Expected one name for each class.")
    count = len(np.unique(labels))
    if len(given) != count:
        raise DataError(f"{where} has {len(given)} names, but the training labels have {count} classes.")
    return [str(name) for name in _words(given, where)]


def _words(given: Any, where: str) -> Any:
    """Return an array whose words are text, not bytes."""
    import numpy as np

    if given.dtype.kind != "S":
        return given
    try:
        return np.char.decode(given, "utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{where} has words that are not UTF-8. Save them as text.") from None


def found_of(
    images: "Mapping[Subset, Sequence[Pixels] | Images]",
    labels: "Mapping[Subset, Labels]",
    class_names: Sequence[object] | None,
    where: str,
    converted: Sequence[str],
) -> Found:
    """Return images, each (H, W, C) uint8, with their labels; raises DataError where those do not fit together.

    Args:
        images: The images of each split.
        labels: Their labels.
        class_names: The names of the classes, in the order of their labels; else the labels themselves are the names.
        where: What messages call the place of the images.
        converted: As in ``Found``.
    """
    import numpy as np

    values, counts = np.unique(labels[Subset.TRAIN], return_counts=True)
    if len(values) < 2:
        raise DataError(f"{where}: has only one class, {values[0] if len(counts) else 'none'}. Expected two or more.")
    for part, own in labels.items():
        unknown = np.setdiff1d(own, values)
        if len(unknown):
            raise DataError(f"{where}: class {unknown[0]} is in the {part} split, but not in the training images.")
    if class_names is not None and len(class_names) != len(values):
        text = f"{len(class_names)} class names, but the training labels have {len(values)} classes"
        raise DataError(f"{where}: has {text}. Expected one name for each class, in the order of the labels.")
    are_words = class_names is not None and {*map(str, values)} == {*map(str, class_names)}  # which are in any order
    names = values if class_names is None or are_words else class_names
    shapes = Counter(shape for each in images.values() for shape in _shapes(each))
    channels = {shape[2] for shape in shapes}
    if len(channels) > 1:
        raise DataError(f"{where}: its images have different numbers of channels: {', '.join(map(str, channels))}.")
    sizes: Counter[tuple[int, int]] = Counter()
    for (height, width, _), count in shapes.items():
        sizes[width, height] += count
    return Found(
        classes=tuple(map(str, names)),
        labels={part: np.searchsorted(values, own).astype(np.int64) for part, own in labels.items()},
        sizes=sizes,
        channels=channels.pop(),
        read=ArrayReader(images),
        converted=tuple(converted),
    )


def _shapes(images: "Sequence[Pixels] | Images") -> list[tuple[int, ...]]:
    shape: tuple[int, ...] | None = getattr(images, "shape", None)
    return [each.shape for each in images] if shape is None else [shape[1:]] * len(images)


def _pixels(given: Any, name: str, place: str, converted: list[str]) -> "Images":
    """Return images as (N, H, W, C) uint8: grey without channels, channels first, and any type of ``eight_bits``."""
    if given.ndim == 4 and is_channels_first(given.shape[1:]):
        given = given.transpose(0, 2, 3, 1)
    if given.ndim == 3:
        given = given[..., None]
    if given.ndim != 4 or given.shape[3] not in (1, 3, 4) or not given.size:
        expected = "Expected (N, H, W), or (N, H, W, C) with 1 or 3 channels"
        raise DataError(f"{place}: {name} has shape {given.shape}. {expected}.")
    names = [f"{name}[{row}]" for row in range(len(given))]
    check_finite(dict(zip(names, given, strict=True)), f"{place}: {name}")
    clear = [each for each, image in zip(names, given, strict=True) if is_clear_array(image)]
    found: Images = eight_bits(given[..., :3], name, place)
    deep = dict(zip(names, found.max((1, 2, 3)).tolist(), strict=True)) if is_deep_array(given) else {}
    converted += conversions(len(given), grey=(), clear=clear, deep=deep)
    return found


def is_clear_array(image: Any) -> bool:
    """Whether some pixels of an array (H, W, C) are transparent: of four channels the last one, below its white."""
    if image.ndim != 3 or image.shape[2] != 4 or not image.size:
        return False
    white = 65535 if is_deep_array(image) else 1 if image.dtype.kind in "fb" and image.max() <= 1 else PEAK
    return bool((image[..., 3] < white).any())


def is_deep_array(values: Any) -> bool:
    """Whether values are those of 16 bits, of which the upper 8 count."""
    return bool(values.dtype.kind == "u" and values.dtype.itemsize == 2)


def check_finite(images: Mapping[str, Any], where: str) -> None:
    """Raise DataError where arrays, by what they are called, have fractions that are not numbers."""
    import numpy as np

    wrong = [name for name, image in images.items() if image.dtype.kind == "f" and not np.isfinite(image).all()]
    if wrong:
        what = f"{len(wrong):,} of {len(images):,} images: {first_of(wrong)}"
        raise DataError(f"{where} has pixels that are NaN or infinite, in {what}. Write a number for each.")


def is_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether an image of a shape can only be (C, H, W)."""
    return shape[2] not in (1, 2, 3, 4) and shape[0] in (1, 3)


def eight_bits(given: Any, name: str, place: str) -> Any:
    """Return values as 8 bits: of uint16 the upper ones; fractions and truth values from 0, black, to 1, white.

    Args:
        given: The values.
        name: What messages call them.
        place: What messages call their place.

    Raises:
        DataError: The values are not those of images.
    """
    import numpy as np

    where = f"{place}: {name}"
    if is_deep_array(given):
        if given.max() <= PEAK:  # the upper bits of all are 0
            raise DataError(f"{where} has values of type uint16, but only up to {given.max()}. Save them as uint8.")
        return (given >> 8).astype(np.uint8)
    if given.dtype == bool:
        return given.astype(np.uint8) * np.uint8(255)
    if given.dtype.kind not in "iuf":
        raise DataError(f"{where} has values of type {given.dtype}. Expected numbers, best uint8.")
    low, high = float(given.min()), float(given.max())
    if given.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.rint(given * 255).astype(np.uint8)
    if low >= 0 and high <= 255 and (given.dtype.kind != "f" or not (given % 1).any()):
        return given.astype(np.uint8)
    raise DataError(
        f"{where} has values from {low:g} to {high:g}. Expected 0 to 255, fractions from 0 to 1, or uint16."
    )


def labels_of(given: Any, where: str) -> "Labels":
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
    if given.ndim != 1 or given.dtype.kind not in "iubfUS":
        raise DataError(f"{where} has shape {given.shape} of {given.dtype}. Expected one whole number an image.")
    if given.dtype.kind in "US":
        return _words(given, where)  # type: ignore[no-any-return]  # an array
    wrong = [each for each in np.unique(given).tolist() if not (abs(each) < LARGEST and each == int(each))]
    if wrong:
        raise DataError(f"{where} has {wrong[0]} as a label. Expected whole numbers below 2**63, or words.")
    return given.astype(np.int64)  # type: ignore[no-any-return]  # an array
