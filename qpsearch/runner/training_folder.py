"""The folder of a network that is trained by itself: whose it is, and what in it belongs to the training."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from qpsearch.errors import UserError

FORMAT: Final = "qpsearch train"
RECORD: Final = "run.json"
EPOCHS: Final = "epochs.jsonl"
LOCK: Final = ".lock"
STEM: Final = "checkpoint"  # begins the names of checkpoints


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder."""
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: another process trains there. Name another folder: --output.") from None
    try:
        yield
    finally:
        lock.release()


def check_replaceable(folder: Path, *, overwrite: bool) -> None:
    """Raise UserError unless a folder is empty, or holds a training that may be replaced."""
    if not any(path.name != LOCK for path in (folder.iterdir() if folder.exists() else ())):
        return
    try:
        is_training = f'"{FORMAT}"' in (folder / RECORD).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        is_training = False
    if not is_training:
        raise UserError(f"{folder}: is not empty, and nothing was trained there. Name another folder: --output.")
    if (folder / EPOCHS).exists() and not overwrite:
        raise UserError(
            f"{folder}: a network is already trained there. Continue it (--resume), replace it (--overwrite), or "
            "name another folder: --output."
        )


def remove_training(folder: Path) -> None:
    """Remove the files of a training, and leave those that a user put beside them."""
    from qpsearch.training.exported import FILES

    for path in (*folder.glob(f"{STEM}-*.pt"), *(folder / name for name in (RECORD, EPOCHS, *FILES))):
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.partial").unlink(missing_ok=True)


def not_written(folder: Path, error: OSError) -> UserError:
    """Return the error that says why a folder cannot be written."""
    return UserError(f"{folder}: cannot be written ({error.strerror or error}). Name another folder: --output.")
