"""From images that were found to the facts about them, by rules that are the same for folders and archives."""

import json
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from qpsearch.errors import DataError
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.pictures import fitted
from qpsearch.registry.own.record import PEAK, OwnData, Source
from qpsearch.registry.splits import SPLIT_SEED, stratified

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qpsearch.registry.own.pictures import Pixels

    Index = npt.NDArray[np.int64]

TEST_SHARE: Final = 0.1  # of the training images: the test split of a set that comes without one, as for Galaxy10
FEWEST: Final = 3  # images of a class from which a test split is held out: one there, two to train and validate
MEASURED: Final = 10_000  # images of which mean and deviation are taken; the mean is then right to about 0.002
MARGIN: Final = 8 / 7  # of 256 to 224 pixels, as for ImageNet: how much larger than seen resized images are kept
LISTED: Final = 5  # problems of one kind that a message lists
NAMED: Final = 3  # images that a sentence names
PATIENCE: Final = 1000  # images above which progress is shown


class ReadsImages(Protocol):
    """Reads an image; it can be sent to another process."""

    def __call__(self, part: Subset, row: int, channels: int) -> "Pixels":
        """Return an image (H, W, channels); raises ValueError with its place and what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Images that were found, before any of them is resized or held out.

    Attributes:
        classes: The names of the classes, by label.
        labels: The label of each image, by split; ``train`` is always there.
        sizes: How many images have which width and height.
        channels: 1 where all images are grey, else 3.
        read: Reads an image by its split and row.
        converted: What the images lose or gain by being read as 8 bits of grey or colour, and which arrays are not
            read, a sentence each.
    """

    classes: tuple[str, ...]
    labels: "Mapping[Subset, Index]"
    sizes: Counter[tuple[int, int]]
    channels: int
    read: ReadsImages
    converted: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What is known of a place without decoding an image.

    Attributes:
        fingerprint: Hash of all contents, with their labels and splits.
        contents: What is there, by name, and a hash of each; says what has changed.
        found: Returns the images, of which there is nothing to say in ``faults``.
        faults: What is wrong with the others, by kind.
        of_code: Hash of the code that made the images; two may make the same, of others that they convert. Else empty.
    """

    fingerprint: str
    contents: Mapping[str, str]
    found: Callable[[], Found]
    faults: Mapping[str, Sequence[str]] = field(default_factory=dict)
    of_code: str = ""


def facts_of(
    found: Found,
    source: Source,
    place: Path,
    fingerprint: str,
    size: int | None,
    faults: Mapping[str, Sequence[str]] | None = None,
) -> OwnData:
    """Return the facts about images.

    All that is wrong is said at once: where files or classes of a folder are, its images are decoded to name those that
    are damaged, too. For a size that is missing alone they are not.

    Args:
        found: The images.
        source: Where they are.
        place: The folder or archive.
        fingerprint: Hash of their contents.
        size: Height and width in pixels as the network sees an image; None where the images tell.
        faults: What is known to be wrong already, by kind.

    Raises:
        DataError: With a line for each problem.
    """
    import numpy as np

    wrong = {**(faults or {}), "small classes": _small_classes(found, place)}
    damaged = _damaged(found, place) if any(wrong.values()) and source is Source.FOLDER else {}
    wrong |= {"sizes": _wrong_sizes(found, place, size), **damaged}
    if any(wrong.values()):
        raise listed(wrong)
    side, stored = _sides(found, size)
    parts = split(found)
    origin, rows = parts[Subset.TRAIN]
    fewest = int(np.bincount(found.labels[origin][rows], minlength=len(found.classes)).min())
    try:
        mean, std = _moments(found, stored or side, place)
    except ValueError as error:
        raise listed(_damaged(found, place, str(error))) from None
    return OwnData(
        source=source,
        place=str(place),
        fingerprint=fingerprint,
        channels=found.channels,
        size=side,
        stored_size=stored,
        classes=found.classes,
        train_images=len(rows),
        validation_images=len(found.labels.get(Subset.VALIDATION, ())),
        test_images=len(parts[Subset.TEST][1]),
        fewest=fewest,
        mean=mean,
        std=std,
        converted=found.converted,
    )


def split(found: Found) -> "dict[Subset, tuple[Subset, Index]]":
    """Return of each split from which of the found ones its images come, and their rows there, in ascending order.

    Where there is no test split, a tenth of the training images is one: stratified by label, always the same.
    """
    import numpy as np

    parts = {part: (part, np.arange(len(labels))) for part, labels in found.labels.items()}
    if Subset.TEST not in parts:
        labels = found.labels[Subset.TRAIN]
        held = max(math.ceil(TEST_SHARE * len(labels) - 0.5), len(found.classes))
        rows = stratified(labels, held, SPLIT_SEED)
        parts |= {
            part: (Subset.TRAIN, np.sort(own)) for part, own in zip((Subset.TRAIN, Subset.TEST), rows, strict=True)
        }
    return parts


def conversions(total: int, *, grey: Sequence[str], clear: Sequence[str], deep: Mapping[str, int]) -> Iterator[str]:
    """Yield what images lose or gain by being read as 8 bits of grey or colour, a sentence each.

    Args:
        total: How many images there are.
        grey: What those are called that are grey, among others that are not.
        clear: Those that may be transparent.
        deep: Those of 16 bits, with the largest value of each once read as 8 bits.
    """
    for names, one, several in (
        (grey, "is grey and is read as colour", "are grey and are read as colour"),
        (clear, "has a channel of transparency, which is dropped", "have a channel of transparency, which is dropped"),
        ([*deep], "has 16 bits, of which the upper 8 count", "have 16 bits, of which the upper 8 count"),
    ):
        if names:
            what = one if len(names) == 1 else several
            yield f"{len(names):,} of {total:,} images {what}: {first_of(names)}"
    dark = sorted((name for name, brightest in deep.items() if brightest <= PEAK // 2), key=deep.__getitem__)
    if dark:
        low, high = deep[dark[0]], deep[dark[-1]]
        peaks = f"{low}" if low == high else f"{low} to {high}"
        what = (
            f"is dark, its brightest pixel {peaks}" if len(dark) == 1 else f"are dark, their brightest pixels {peaks}"
        )
        yield (
            f"Read as 8 bits, {len(dark):,} of {len(deep):,} images of 16 bits {what} of {PEAK}: {first_of(dark)}. "
            "Where white is below 65535, stretch the values so that it is 65535"
        )


def first_of(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def listed(faults: Mapping[str, Sequence[str]]) -> DataError:
    """Return the error that says what is wrong: the first problems of each kind, and how many more there are of it."""
    lines: list[str] = []
    for kind, problems in faults.items():
        lines += problems[:LISTED]
        if len(problems) > LISTED:
            lines.append(f"and {len(problems) - LISTED:,} more problems of this kind: {kind}.")
    return DataError("\n".join(lines))


def shown(items: Sequence[int], what: str) -> Iterable[int]:
    """Return items, with a bar on standard error where there are many and somebody looks."""
    if len(items) < PATIENCE or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description=what, console=Console(stderr=True), transient=True)


def kept_text(path: Path | None) -> str:
    """Return what a file holds that was kept for later; empty where there is none."""
    if path is not None:
        with suppress(OSError, UnicodeDecodeError):
            return path.read_text()
    return ""


def kept_mapping(path: Path | None) -> dict[str, list[object]]:
    """Return the mapping that a file of JSON holds; empty where there is none."""
    with suppress(ValueError):
        found = json.loads(kept_text(path))
        if isinstance(found, dict):
            return found
    return {}


def keep(path: Path | None, text: str) -> None:
    """Write a file whole or not at all; where it cannot be written, the work is done again the next time."""
    if path is None:
        return
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text)
        temporary.replace(path)


def _wrong_sizes(found: Found, place: Path, size: int | None) -> list[str]:
    """Return what is wrong with the sizes of images, where a size is not given."""
    common = found.sizes.most_common()
    if size is not None or not common or (len(common) == 1 and common[0][0][0] == common[0][0][1]):
        return []
    (width, height), _ = common[0]
    kinds = ", ".join(f"{w}x{h} ({count:,})" for (w, h), count in common[:4])
    more = f" and {len(common) - 4:,} other sizes" if len(common) > 4 else ""
    one = f"its images are {width}x{height} pixels, and a network sees squares"
    told = f"its images have several sizes: {kinds}{more}" if len(common) > 1 else one
    middle = sorted(min(w, h) for (w, h), count in common for _ in range(min(count, 1000)))
    fix = "Write data.size, the side in pixels to which they are resized and cut, such as size"
    return [f"{place}: {told}. {fix}: {middle[len(middle) // 2]}."]


def _sides(found: Found, size: int | None) -> tuple[int, int]:
    """Return the side as the network sees an image, and the side of images that are kept larger, else 0."""
    side = next(iter(found.sizes))[0] if size is None else size
    return side, 0 if set(found.sizes) == {(side, side)} else round(side * MARGIN)


def _small_classes(found: Found, place: Path) -> list[str]:
    """Return which classes have too few images for a test split that is to be held out."""
    import numpy as np

    if Subset.TEST in found.labels or Subset.TRAIN not in found.labels:
        return []
    counts = np.bincount(found.labels[Subset.TRAIN], minlength=len(found.classes)).tolist()
    return [
        f"{place}: class {name} has {count} image{'s' * (count != 1)}. Expected at least {FEWEST}, since images of "
        "each class are held out as the test split; or put the classes into train and add test beside it."
        for name, count in zip(found.classes, counts, strict=True)
        if count < FEWEST
    ]


def _moments(found: Found, side: int, place: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of each channel over the training images, each a share of white.

    Of more than 10,000 images, 10,000 at even distances are taken. Raises ValueError of the first damaged image.
    """
    import numpy as np

    origin, rows = split(found)[Subset.TRAIN]
    taken = rows[_some(len(rows))]
    total, squares = np.zeros(found.channels), np.zeros(found.channels)
    for row in shown(taken.tolist(), "reading images"):
        pixels = fitted(found.read(origin, row, found.channels), side).astype(np.int64)
        total += pixels.sum((0, 1))
        squares += (pixels**2).sum((0, 1))
    count = len(taken) * side**2
    mean = total / count / PEAK
    deviation = np.sqrt(np.maximum(squares / count / PEAK**2 - mean**2, 0))
    std = [round(value, 4) for value in deviation.tolist()]
    if not any(std):
        deep = "Of 16 bits the upper 8 count: stretch the values to 0 to 65535, or save values below 256 as 8 bits."
        raise DataError(
            f"{place}: read as 8 bits, all pixels of its training images are equal. Expected images that differ."
            f"{f' {deep}' if found.channels == 1 else ''}"
        )
    # a channel that two-coloured images do not use is 0 after normalisation, whatever its deviation
    return tuple(round(value, 4) for value in mean.tolist()), tuple(value or 1.0 for value in std)


def _some(count: int) -> "Index":
    """Return the rows of at most 10,000 of so many images, at even distances."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, MEASURED)).round().astype(np.int64))


def _damaged(found: Found, place: Path, *known: str) -> dict[str, list[str]]:
    """Decode images, of a split with more than 10,000 so many at even distances; return what is wrong with them."""
    problems = [*known]
    decoded = 0
    for part, labels in found.labels.items():
        rows = _some(len(labels)).tolist()
        decoded += len(rows)
        for row in shown(rows, f"checking {part} images"):
            try:
                found.read(part, row, found.channels)
            except ValueError as error:
                problems.append(str(error))
    total = found.sizes.total()
    left = f"{place}: {decoded:,} of {total:,} images were decoded to find damaged ones. Others may be damaged, too."
    return {"damaged images": [*dict.fromkeys(problems)], "left": [left] * (decoded < total)}


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """Yield how two contents differ: what was added, removed, changed, with the first names."""
    kinds = {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name in after if name in before and before[name] != after[name]],
    }
    for kind, names in kinds.items():
        if names:
            yield f"{len(names):,} {kind} ({first_of(names)})"
