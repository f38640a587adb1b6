"""Images of a folder that are decoded while networks train: a table of the files, and a process that decodes them.

The table of a split lists its files, with a hash of each: an image that is not what it was when the folder was looked
through is never trained on. ``python -m qpsearch.registry.own.streamed`` is the process, which does not load torch. It
reads a request a line, writes an image after the other, and ends when its input does: with its parent, however that
ends.
"""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import DataError
from qpsearch.registry.own.folder import HASH_LETTERS, FolderReader
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.pictures import fitted, pixels_of
from qpsearch.registry.own.record import DECODER, OwnData, own_folder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qpsearch.registry.own.found import Found, Index

    Pixels = npt.NDArray[np.uint8]

LENGTH: Final = 8  # bytes of the number before an answer: 0 before images, else the length of a message
CHANGED: Final = "has changed since the folder was looked through. Put it back as it was, or start a new study"


def tables_of(own: OwnData, folder: Path) -> Path:
    """Return where the tables of a streamed folder are kept, below the folder of the data sets."""
    return own_folder(folder) / f"{own.fingerprint[:16]}-files-{DECODER}"


def write_table(
    place: Path, part: Subset, found: "Found", origin: Subset, rows: "Index", hashes: Mapping[str, str]
) -> None:
    """Write which files are the images of a split, with the hash of each.

    Args:
        place: The folder of the tables.
        part: The split.
        found: The images of a folder.
        origin: The split of the folder from which they come.
        rows: Their rows there.
        hashes: The hash of each file, by its path.
    """
    import numpy as np

    assert isinstance(found.read, FolderReader)
    paths = [found.read.paths[origin][row] for row in rows.tolist()]
    entries = [(os.fsencode(path), hashes[path].encode()) for path in paths]
    longest = max(len(path) for path, _ in entries)
    np.save(place / f"{part}_files.npy", np.array(entries, [("path", f"S{longest}"), ("hash", f"S{HASH_LETTERS}")]))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedImages:
    """The images of a split that are decoded when they are asked for.

    Attributes:
        root: The folder of the images.
        table: The table of the split's files.
        channels: 1 or 3.
        side: Height and width, in pixels.
    """

    root: str
    table: str
    channels: int
    side: int

    def request(self, rows: "Index") -> bytes:
        """Return the line that asks a decoding process for images."""
        return json.dumps({"images": asdict(self), "rows": rows.tolist()}).encode() + b"\n"

    def image(self, row: int) -> "Pixels":
        """Decode an image to (side, side, channels), exactly as images are decoded that are kept as arrays.

        Raises:
            ValueError: The file is gone or has changed; with its path.
        """
        entry = _table(self.table)[row]
        path = Path(self.root, os.fsdecode(entry["path"]))
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ValueError(f"{path}: cannot be read ({error.strerror}). Put it back as it was.") from None
        if hashlib.sha256(content).hexdigest()[:HASH_LETTERS] != entry["hash"].decode():
            raise ValueError(f"{path}: {CHANGED}.")
        try:
            return fitted(pixels_of(content, self.channels), self.side)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


@lru_cache(maxsize=4)
def _table(path: str) -> Any:
    import numpy as np

    return np.load(path, mmap_mode="r")


def open_streamed(own: OwnData, folder: Path, part: Subset) -> tuple[StreamedImages, Any]:
    """Return the images of a split, and their labels (N,).

    Raises:
        DataError: The tables are missing or damaged.
    """
    import numpy as np

    place = tables_of(own, folder)
    table, labels = place / f"{part}_files.npy", place / f"{part}_labels.npy"
    try:
        count, found = len(np.load(table, mmap_mode="r")), np.load(labels)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{place}: cannot be read ({error}). Delete it to look through the images again.") from None
    if count != len(found):
        raise DataError(f"{labels}: has {len(found)} labels for {count} files. Delete {place} to make it again.")
    return StreamedImages(root=own.place, table=str(table), channels=own.channels, side=own.side), found


def main() -> None:
    """Answer the requests on standard input: images (N, C, H, W), or what is wrong with one of them."""
    import numpy as np

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # to end in silence when the parent is killed
    answer = sys.stdout.buffer
    for line in sys.stdin.buffer:
        if not line.endswith(b"\n"):  # the parent was killed while it asked
            return
        asked = json.loads(line)
        images = StreamedImages(**asked["images"])
        try:
            found = np.stack([images.image(row) for row in asked["rows"]])
        except (ValueError, OSError, MemoryError) as error:  # of an image, the table of the split, or the machine
            text = (str(error) or type(error).__name__).encode(errors="backslashreplace")
            answer.write(len(text).to_bytes(LENGTH, "little") + text)
        else:
            answer.write(bytes(LENGTH))
            answer.write(np.ascontiguousarray(found.transpose(0, 3, 1, 2)).data)
        answer.flush()


if __name__ == "__main__":
    main()
