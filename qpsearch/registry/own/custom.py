"""Data sets from code of the user's own: a function that returns arrays, or a map-style torch dataset.

A space file cannot run code. A data set comes from a module that the user names (``--import``), or from an installed
package (entry points of the group ``qpsearch.datasets``); ``architecture.plugins`` finds and registers it. The function
is called for each version and each content of its module's file, once for the facts and once for the arrays: after
that, both are looked up, until another version of qpsearch has more to find. Where it is called again, it must return
what it returned then.
"""

import hashlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import DataError, UserError, blamed
from qpsearch.registry.own.arrays import (
    check_finite,
    eight_bits,
    found_of,
    in_arrays,
    is_channels_first,
    is_clear_array,
    is_deep_array,
    labels_of,
)
from qpsearch.registry.own.found import Found, Scan, conversions, differences, keep, kept_mapping
from qpsearch.registry.own.layout import NAMES, Subset
from qpsearch.registry.own.pictures import from_pillow, is_clear, is_deep
from qpsearch.registry.own.record import DECODER

if TYPE_CHECKING:
    from qpsearch.registry.own.pictures import Pixels

WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EXPECTED: Final = (
    "Expected a mapping of arrays (train_images, train_labels, ...), a map-style torch dataset of pairs (image, "
    "label), or a mapping of train, val and test to such datasets"
)


@dataclass(frozen=True, kw_only=True)
class CustomDataset:
    """A data set that space files can name.

    Attributes:
        name: The word in space files.
        load: Returns the images and labels.
        version: What the user changes when the images change.
        code: Hash of the file that defines ``load``, and of its path: functions of the same name are told apart by it.
    """

    name: str
    load: Callable[[], Any]
    version: str
    code: str


CUSTOM: Final[dict[str, CustomDataset]] = {}


def custom_dataset(name: str, load: Callable[[], Any], *, version: str | int = 1) -> CustomDataset:
    """Make a data set that space files can name.

    Define it at the top level of a module that ``--import`` names, or in an entry point of the group
    ``qpsearch.datasets``. ``load`` is called without arguments when the data set is first used, and after its version
    or the file that defines it has changed. It returns the same images each time, as one of:

    - a mapping of arrays as an archive has them: ``train_images``, ``train_labels``, perhaps ``val_images``,
      ``test_images``, ``class_names``; or ``images`` and ``labels``, of which a tenth becomes the test split;
    - a map-style torch dataset whose items are pairs of an image (PIL, array (H, W, C), or tensor (C, H, W)) and a
      label; of it, too, a tenth becomes the test split;
    - a mapping of ``train``, ``val`` and ``test`` to such datasets.

    Args:
        name: A word of letters, digits and ``_``.
        load: Returns the images and labels.
        version: Change it when the images change.

    Raises:
        UserError: The name is not such a word, or ``load`` is not callable.

    Example:
        >>> import numpy as np
        >>> import qpsearch
        >>> noise = qpsearch.custom_dataset(
        ...     "noise",
        ...     lambda: {"images": np.random.default_rng(0).integers(0, 256, (60, 8, 8)), "labels": np.arange(60) % 2},
        ... )
        >>> noise.name
        'noise'
    """
    given: object = load
    if not isinstance(name, str) or not WORD.fullmatch(name):
        raise UserError(f"a data set cannot be named {name!r}. Expected a word of letters, digits and '_'.")
    if not callable(given):
        raise UserError(f"data set {name!r}: {given!r} is not callable. Expected a function that returns the images.")
    return CustomDataset(name=name, load=load, version=str(version), code=_code(load))


def scan_custom(name: Path, cache: Path | None) -> Scan:
    """Look up what a data set holds; where that is not known of its version yet, load it.

    Args:
        name: The data set's name.
        cache: Where what was found is kept; None for nowhere.

    Raises:
        DataError: It cannot be loaded, or returns something else.
    """
    dataset = CUSTOM[str(name)]
    version = hashlib.sha256(f"{dataset.version}\0{dataset.code}\0{DECODER}".encode()).hexdigest()[:16]
    path = None if cache is None else cache / f"custom-{dataset.name}-{version}.json"
    known = {key: str(value) for key, value in kept_mapping(path).items()}
    if not known:
        found = _loaded(dataset)
        known = _contents(found)
        keep(path, json.dumps(known))
        return Scan(fingerprint=_hash(known), contents=known, found=lambda: found, of_code=version)
    return Scan(fingerprint=_hash(known), contents=known, found=partial(_loaded_again, dataset, known), of_code=version)


def _loaded_again(dataset: CustomDataset, known: Mapping[str, str]) -> Found:
    """Load a data set whose contents are known; raises DataError where they are others now."""
    found = _loaded(dataset)
    told = "; ".join(differences(known, _contents(found)))
    if told:
        raise DataError(
            f"data set {dataset.name!r}: its function returns other images than when it was first called: {told}. Make "
            "it return the same ones each time; where the images have changed, change the version of custom_dataset."
        )
    return found


def _code(load: Callable[..., Any]) -> str:
    """Return a hash of the file that defines a function, and of its path; of a session without a file, of nothing."""
    given: Any = load
    while isinstance(given, partial):
        given = given.func
    given = inspect.unwrap(given)
    file = getattr(sys.modules.get(getattr(given, "__module__", None) or ""), "__file__", None) or ""
    digest = hashlib.sha256(str(Path(file).absolute()).encode(errors="surrogateescape") if file else b"")
    with suppress(OSError):  # a module in an archive has a path, but no file
        digest.update(Path(file).read_bytes() if file else b"")
    return digest.hexdigest()[:16]


def _hash(contents: Mapping[str, str]) -> str:
    return hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()


def _contents(found: Found) -> dict[str, str]:
    """Return a hash of the images and of the labels of each split."""
    contents = {"classes": _hash(dict(enumerate(found.classes)))}  # type: ignore[arg-type]  # numbers sort, too
    for part, labels in found.labels.items():
        digest = hashlib.sha256()
        for row in range(len(labels)):
            pixels = found.read(part, row, found.channels)
            digest.update(f"{pixels.shape}".encode() + pixels.tobytes())
        contents |= {
            f"{part} images": digest.hexdigest(),
            f"{part} labels": hashlib.sha256(labels.tobytes()).hexdigest(),
        }
    return contents


def _loaded(dataset: CustomDataset) -> Found:
    """Call the user's function, and name the place in its code in any error."""
    with blamed("data set", dataset.name, DataError):
        return _found(dataset.load(), f"data set {dataset.name!r}")


def _found(given: Any, where: str) -> Found:
    import numpy as np

    is_split = isinstance(given, Mapping) and bool(given) and all(str(name).lower() in NAMES for name in given)
    if not is_split and isinstance(given, Mapping) and all(isinstance(name, str) for name in given):
        arrays = {
            name: value for name, value in given.items() if hasattr(value, "shape") or isinstance(value, list | tuple)
        }
        if len(arrays) == len(given):
            return in_arrays(lambda name: np.asarray(arrays[name]), list(arrays), where)
    datasets = given if isinstance(given, Mapping) else {"train": given}
    parts = {NAMES.get(str(name).lower()): value for name, value in datasets.items()}
    others = [
        each
        for each in datasets.values()
        if isinstance(each, Mapping) or not hasattr(each, "__getitem__") or not hasattr(each, "__len__")
    ]
    if Subset.TRAIN not in parts or None in parts or others:
        what = type(others[0]).__name__ if others else f"the splits {', '.join(map(str, datasets)) or '(none)'}"
        raise DataError(f"{where}: returns {what}. {EXPECTED}.")
    images: dict[Subset, list[Pixels]] = {}
    labels: dict[Subset, Any] = {}
    deep, clear = list[tuple[Subset, int]](), list[str]()
    for part, value in parts.items():
        assert part is not None
        pairs = [_pair(value[row], f"{where}: item {row} of the {part} split") for row in range(len(value))]
        read = [_read(image, f"{where}: image {row} of the {part} split") for row, (image, _) in enumerate(pairs)]
        deep += [(part, row) for row, each in enumerate(read) if each.is_deep]
        clear += [f"{part} {row}" for row, each in enumerate(read) if each.is_clear]
        images[part] = _same_white([each.array for each in read], f"the {part} split", where)
        found = np.asarray([label.tolist() if hasattr(label, "tolist") else label for _, label in pairs])
        labels[part] = labels_of(found, f"{where}: the label array of the {part} split")
    channels = max(image.shape[2] for own in images.values() for image in own)
    grey = [
        f"{part} {row}"
        for part, own in images.items()
        for row, image in enumerate(own)
        if channels > 1 and image.shape[2] == 1
    ]
    bright = {f"{part} {row}": int(images[part][row].max()) for part, row in deep}
    converted = [*conversions(sum(map(len, images.values())), grey=grey, clear=clear, deep=bright)]
    same = {part: [np.repeat(each, channels // each.shape[2], 2) for each in own] for part, own in images.items()}
    class_names: object = getattr(parts[Subset.TRAIN], "classes", None)  # as torchvision's have; or something else
    if not isinstance(class_names, Collection) or isinstance(class_names, str | bytes):
        return found_of(same, labels, None, where, converted)
    return found_of(same, labels, list(class_names), where, converted)


def _pair(item: Any, where: str) -> tuple[Any, Any]:
    """Return an image and its label; raises DataError where an item is something else."""
    if isinstance(item, tuple | list) and len(item) == 2:
        return item[0], item[1]
    kind = type(item).__name__
    if isinstance(item, Mapping):
        names = ", ".join(map(str, item)) or "nothing"
        raise DataError(f"{where} is a {kind} of {names}. Expected a pair (image, label): make pairs of its values.")
    many = f" of {len(item)}" if isinstance(item, tuple | list) else ""
    raise DataError(f"{where} is a {kind}{many}. Expected a pair (image, label).")


@dataclass(frozen=True, slots=True)
class _Read:
    """An image as an array (H, W, C); whether it has 16 bits a channel, and whether some pixels are transparent."""

    array: Any
    is_deep: bool
    is_clear: bool


def _read(image: Any, where: str) -> _Read:
    """Read an image; raises DataError where its kind cannot be taken."""
    try:
        if hasattr(image, "getbands"):
            deep, clear = is_deep(image), is_clear(image)  # before it is decoded: later the first is no longer known
            return _Read(from_pillow(image), deep, clear)
        array = _array(image)
    except ValueError as error:
        raise DataError(f"{where} {str(error).rstrip('.')}.") from None
    return _Read(array, is_deep_array(array), is_clear_array(array))


def _array(image: Any) -> Any:
    """Return a tensor (C, H, W), or an array (H, W, C), (C, H, W) or (H, W), as an array (H, W, C)."""
    import numpy as np

    is_tensor = hasattr(image, "numpy")
    array = np.asarray(image.numpy() if is_tensor else image)
    if array.ndim == 3 and (is_tensor or is_channels_first(array.shape)):
        array = array.transpose(1, 2, 0)
    return array[..., None] if array.ndim == 2 else array


def _same_white(images: Sequence[Any], name: str, place: str) -> "list[Pixels]":
    """Return images as 8 bits, with one white for all of them: none is taken for another range because it is dark.

    Of four channels the last is dropped, which is transparency.
    """
    import numpy as np

    where = f"{place}: {name}"
    wrong = next(
        (each.shape for each in images if each.ndim != 3 or each.shape[2] not in (1, 3, 4) or not each.size), None
    )
    if not images:
        raise DataError(f"{where} does not have images. {EXPECTED}.")
    kinds = sorted({str(each.dtype) for each in images})
    if len(kinds) > 1:
        raise DataError(f"{where} has images of several types: {', '.join(kinds)}. Return all of them as one type.")
    if wrong is not None:
        raise DataError(f"{where} has an image of shape {wrong}. Expected (H, W), or (H, W, C) with 1 or 3 channels.")
    check_finite({f"{row}": each for row, each in enumerate(images)}, where)
    images = [each[..., :3] for each in images]
    flat = eight_bits(np.concatenate([each.ravel() for each in images]), name, place)
    ends = np.cumsum([each.size for each in images])[:-1]
    return [part.reshape(each.shape) for part, each in zip(np.split(flat, ends), images, strict=True)]
