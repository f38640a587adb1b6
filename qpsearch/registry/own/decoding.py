"""Decoding images of the user's own: once, in several processes where there are many, kept as arrays.

The arrays are a folder of .npy files, named by the fingerprint of the images. They are used wherever they are found, so
a machine that has them does not need the images; where the images are there, they must be those of the study. Of a
folder that is streamed, tables of its files are kept instead, after each image was decoded once to find damaged ones.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import DataError
from qpsearch.registry.large import LOADERS
from qpsearch.registry.own.found import Found, Scan, listed, shown, split
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.pictures import fitted
from qpsearch.registry.own.places import check_unchanged, is_there, mode_of, scanned
from qpsearch.registry.own.record import OwnData, Source, own_folder
from qpsearch.registry.own.streamed import tables_of, write_table

if TYPE_CHECKING:
    from qpsearch.registry.own.found import Index

MANY: Final = 40_000_000  # pixels of a split that are worth starting processes for, which load torch
GIB: Final = 2**30
MOST: Final = 100 * GIB  # of a folder's arrays that are kept without being asked for
MOST_OF_DISK: Final = 0.5  # and their share of what is free


def prepare_own(own: OwnData, folder: Path, *, streamed: bool = False) -> None:
    """Make sure that images of the user's own can be loaded: compare them with the facts, decode what is missing.

    Any number of processes of one machine may call this at once; one of them works, the others wait.

    Args:
        own: The facts.
        folder: The folder of the data sets.
        streamed: Whether they are decoded while networks train; then only tables of their files are made.

    Raises:
        DataError: The images are gone, have changed, or cannot be decoded; with a line for each image.
    """
    from filelock import FileLock

    cache = own_folder(folder)
    place = kept_at(own, folder, streamed=streamed)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{place.name}.lock"):
            if not streamed and _is_gone(own, place):
                _check_kept(own, place)
                return
            scan = scanned(own.source, Path(own.place), cache)
            check_unchanged(own, scan, cache)
            if not place.is_dir():
                _write(own, scan, folder, streamed=streamed)
    except OSError as error:
        raise DataError(f"{cache}: cannot be written ({error.strerror}). Point QPSEARCH_DATA elsewhere.") from None


def kept_at(own: OwnData, folder: Path, *, streamed: bool) -> Path:
    """Return where decoded images, or the tables of a streamed folder, are kept."""
    return tables_of(own, folder) if streamed else own_folder(folder) / own.key


def is_streamed(own: OwnData, folder: Path, asked: bool | None) -> bool:
    """Whether images are to be decoded while networks train.

    Args:
        own: The facts.
        folder: The folder of the data sets.
        asked: What ``data.stream`` says; None for where arrays of a folder are not there and would take too much room.
    """
    if asked is not None or own.source is not Source.FOLDER:
        return bool(asked)
    return not kept_at(own, folder, streamed=False).is_dir() and own.kept_bytes > most_kept(folder)


def most_kept(folder: Path) -> int:
    """Return how many bytes arrays of a folder of images may take to be kept where the user does not say it."""
    return min(MOST, int(MOST_OF_DISK * free_bytes(folder)))


def free_bytes(folder: Path) -> int:
    """Return how much room there is for images of the user's own, below the folder of the data sets.

    Raises:
        DataError: The disk does not say it.
    """
    try:
        place = own_folder(folder).absolute()
        existing = next(each for each in (place, *place.parents) if each.is_dir())
        return shutil.disk_usage(existing).free
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}). Point QPSEARCH_DATA elsewhere.") from None


def is_large(own: OwnData, folder: Path, *, streamed: bool = False) -> bool:
    """Whether images are still to be decoded and are so many that several processes decode them, with torch's help."""
    most = max(own.train_images, own.validation_images, own.test_images)
    return most * own.side**2 >= MANY and LOADERS > 1 and not kept_at(own, folder, streamed=streamed).is_dir()


def _is_gone(own: OwnData, kept: Path) -> bool:
    """Whether there is nothing where the images were, or, where they are kept as arrays, nothing that can be seen."""
    try:
        return not is_there(own.source, Path(own.place)) and (own.source is Source.CODE or not mode_of(Path(own.place)))
    except DataError:
        if kept.is_dir():
            return True
        raise


def _check_kept(own: OwnData, place: Path) -> None:
    if not place.is_dir() and own.source is Source.CODE:
        scanned(own.source, Path(own.place), None)  # says that its module is missing
    if not place.is_dir():
        raise DataError(
            f"{own.place}: is not there, and its images were not decoded on this machine. Put them there (a link will "
            f"do), or copy {place} from a machine that has it."
        )


def _check_room(own: OwnData, folder: Path) -> None:
    """Raise DataError if arrays of the images would not find room."""
    if own.kept_bytes > (free := free_bytes(folder)):
        fix = "Write data.stream: true, or point" if own.source is Source.FOLDER else "Point"
        raise DataError(
            f"{own.place}: its images take {own.kept_bytes / GIB:,.1f} GiB as arrays, but {free / GIB:,.1f} GiB are "
            f"free in {folder}. {fix} QPSEARCH_DATA at a folder with more room."
        )


def _write(own: OwnData, scan: Scan, folder: Path, *, streamed: bool) -> None:
    """Decode all images, and keep them, or the tables of their files, in a folder that is renamed when complete."""
    import numpy as np

    found = scan.found()
    place = kept_at(own, folder, streamed=streamed)
    partial = place.with_name(f"{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if not streamed:
        _check_room(own, folder)
    partial.mkdir()
    problems: list[str] = []
    for part, (origin, rows) in split(found).items():
        if streamed:
            write_table(partial, part, found, origin, rows, scan.contents)
        images = None if streamed else _new_array(partial / f"{part}_images.npy", len(rows), own)
        given = _Rows(found, origin, rows, own.side)
        for row, image in zip(shown(range(len(rows)), f"{own.name} {part}"), _decoded(given), strict=True):
            if isinstance(image, str):
                problems.append(image)
            elif images is not None:
                images[row] = image
        if images is not None:
            images.flush()
        np.save(partial / f"{part}_labels.npy", found.labels[origin][rows])
    if problems:
        shutil.rmtree(partial)
        raise listed({"damaged images": problems})
    partial.replace(place)


def _new_array(path: Path, count: int, own: OwnData) -> Any:
    import numpy as np

    shape = (count, own.side, own.side, own.channels)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)


class _Rows:
    """Images by their place in a split, as torch's DataLoader asks for them: an image, or what is wrong with it."""

    def __init__(self, found: Found, origin: Subset, rows: "Index", side: int) -> None:
        self._found, self._origin, self._rows, self._side = found, origin, rows, side

    @property
    def pixels(self) -> int:
        """How many pixels all images have."""
        return len(self._rows) * self._side**2

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        try:
            return fitted(self._found.read(self._origin, int(self._rows[index]), self._found.channels), self._side)
        except ValueError as error:
            return str(error)


def _decoded(given: _Rows) -> Iterator[Any]:
    """Yield all images in their order."""
    if given.pixels < MANY or LOADERS < 2:
        yield from (given[index] for index in range(len(given)))
        return
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(given, batch_size=64, num_workers=LOADERS, collate_fn=_as_they_are)  # type: ignore[arg-type]  # it has what is called
    for batch in loader:
        yield from batch


def _as_they_are(batch: Sequence[Any]) -> Sequence[Any]:
    return batch
