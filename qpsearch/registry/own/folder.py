"""A folder of image files: each is read once for its hash and header; later, its size and time are compared."""

import hashlib
import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qpsearch.registry.own.found import Found, Scan, conversions, keep, kept_mapping
from qpsearch.registry.own.layout import Picture, Subset, pictures_in
from qpsearch.registry.own.pictures import header_of, pixels_of
from qpsearch.registry.own.record import DECODER, TOLD

if TYPE_CHECKING:
    from qpsearch.registry.own.pictures import Pixels

READERS: Final = 8  # threads that wait for the disk
HASH_LETTERS: Final = 32  # of a file's SHA-256
Seen = list[object]  # what tells that it stays as it is, hash, width, height, is grey, is clear, brightest of 16 bits


@dataclass(frozen=True, slots=True)
class FolderReader:
    """Reads the images of a folder."""

    root: str
    paths: dict[Subset, tuple[str, ...]]

    def __call__(self, part: Subset, row: int, channels: int) -> "Pixels":
        """Return an image (H, W, channels); raises ValueError with its path."""
        path = Path(self.root, self.paths[part][row])
        try:
            return pixels_of(path.read_bytes(), channels)
        except OSError as error:
            raise ValueError(f"{path}: cannot be read ({error.strerror}).") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def scan_folder(root: Path, cache: Path | None) -> Scan:
    """Look through a folder: at all its names, and the headers of all images.

    Args:
        root: The folder.
        cache: Where what was found of each file is kept; None for nowhere.
    """
    pictures, faults = pictures_in(root)
    name = f"files-{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}-{TOLD}-{DECODER}.json"
    index = None if cache is None else cache / name
    known = kept_mapping(index)
    entries = {each.path: entry for each in pictures if (entry := _unchanged(root, each, known.get(each.path)))}
    others = [each for each in pictures if each.path not in entries]
    with ThreadPoolExecutor(READERS) as pool:
        seen = list(pool.map(lambda each: _seen(root / each.path), others))
    if unreadable := [entry for entry in seen if isinstance(entry, str)]:
        faults["unreadable images"] = unreadable
    entries |= {each.path: entry for each, entry in zip(others, seen, strict=True) if not isinstance(entry, str)}
    if entries != known:
        keep(index, json.dumps(entries))
    if faults:  # of the other images it is found out what is wrong with them
        pictures = [each for each in pictures if each.path in entries]
        known_classes = {each.label for each in pictures if each.part is Subset.TRAIN}
        pictures = [each for each in pictures if each.label in known_classes]
    digest = hashlib.sha256()
    for each in pictures:
        digest.update(
            f"{each.part}\0{each.label}\0{each.path}\0{entries[each.path][1]}\n".encode(errors="surrogateescape")
        )
    contents = {each.path: str(entries[each.path][1]) for each in pictures}
    found = partial(_found, root, pictures, {each.path: entries[each.path] for each in pictures})
    return Scan(fingerprint=digest.hexdigest(), contents=contents, found=found, faults=faults)


def _unchanged(root: Path, picture: Picture, known: object) -> Seen | None:
    """Return what is known of a file, if it is the same one, and was not touched since."""
    if not isinstance(known, list) or len(known) != 7:
        return None
    try:
        there = os.stat(f"{root}/{picture.path}")
    except OSError:
        return None
    return known if known[0] == _state(there) else None


def _state(there: os.stat_result) -> list[int]:
    """Return what changes where a file is written, touched, or another one is moved to its place.

    Two files of one size may have one time of writing, as an archive gave it to them; the time of the last change of
    any kind (ctime) is set by the file system alone.
    """
    return [there.st_size, there.st_mtime_ns, there.st_ctime_ns, there.st_ino]


def _seen(path: Path) -> Seen | str:
    """Read a file; return what is then known of it, or what is wrong with it."""
    try:
        there = path.stat()
        content = path.read_bytes()
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})."
    try:
        header = header_of(content)
    except ValueError as error:
        return f"{path}: {error}"
    digest = hashlib.sha256(content).hexdigest()[:HASH_LETTERS]
    return [_state(there), digest, *astuple(header)]


def _found(root: Path, pictures: list[Picture], entries: dict[str, Seen]) -> Found:
    import numpy as np

    classes = tuple(sorted({each.label for each in pictures if each.part is Subset.TRAIN}))
    label_of = {name: label for label, name in enumerate(classes)}
    parts = {part: [each for each in pictures if each.part is part] for part in Subset}
    channels = 1 if all(entry[4] for entry in entries.values()) else 3
    sizes = Counter((int(str(entry[2])), int(str(entry[3]))) for entry in entries.values())
    return Found(
        classes=classes,
        labels={part: np.array([label_of[each.label] for each in own], np.int64) for part, own in parts.items() if own},
        sizes=sizes,
        channels=channels,
        read=FolderReader(str(root), {part: tuple(each.path for each in own) for part, own in parts.items()}),
        converted=_converted(entries, channels),
    )


def _converted(entries: dict[str, Seen], channels: int) -> tuple[str, ...]:
    """Say which images are not what they are read as."""
    grey = [path for path, entry in entries.items() if entry[4] and channels > 1]
    clear = [path for path, entry in entries.items() if entry[5]]
    deep = {path: int(str(entry[6])) for path, entry in entries.items() if entry[6] is not None}
    return tuple(conversions(len(entries), grey=grey, clear=clear, deep=deep))
