"""The file of an SQLite database while a process uses it: is it still there, and how is it copied.

An open connection goes on writing to a file that was removed, moved or replaced, without an error. Each transaction
therefore begins with a look at the path.
"""

import contextlib
import fcntl
import glob
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from qpsearch.artifacts import partial_of
from qpsearch.errors import StorageError, command

CHECKPOINT_S: Final = 2.0  # how often rows move from the log into the file, so that a copy of the file alone has them
IDLE_S: Final = 5.0  # how long to wait for another thread's step
PARTIAL: Final = re.compile(r"(\.[0-9a-f]+)?\.partial")  # what follows a file's name while it is written
PROCESSES: Final = Path("/proc")
DESCRIPTORS: Final = PROCESSES / "self" / "fd"


class SqliteFile:
    """An SQLite file in use.

    Args:
        path: The file.
        engine: Connects to it.
        identity: What the file was when the engine connected to it first; None if the file has just been made.
    """

    def __init__(self, path: Path, engine: Engine, identity: tuple[int, int] | None) -> None:
        self._path, self._engine = path, engine
        self._identity = identity or identity_of(path)
        self._moved_rows = time.monotonic()
        self._saving = threading.Lock()
        self._saved_to: Path | None = None

    def check(self) -> None:
        """Raise StorageError if the path does not lead to the file any more; say where its rows are."""
        if self._identity is not None and identity_of(self._path) == self._identity:
            return
        now = "another file is in its place" if self._path.exists() else "the file is gone"
        where = self._found()
        if where is not None:
            raise StorageError(
                f"{self._path}: {now}. The study's database was moved to {where}, with every trial up to here. Move it "
                "back, with the files beside it, or continue there: qpsearch resume STUDY --storage DATABASE."
            )
        saved = self._saved()
        rows = "Its rows could not be saved." if saved is None else f"Every trial up to here is saved in {saved}."
        raise StorageError(
            f"{self._path}: {now}; the study's database was deleted or replaced while it was in use. {rows} Move the "
            f"right file there, without {self._path.name}-wal and -shm of the old one. Then: "
            f"{command('resume', 'STUDY')}."
        )

    def tidy(self) -> None:
        """Now and then move rows from the write-ahead log into the file; wait for nobody."""
        if time.monotonic() - self._moved_rows < CHECKPOINT_S:
            return
        self._moved_rows = time.monotonic()
        with contextlib.suppress(sqlite3.Error):  # a full disk, say: the next write will tell
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                raw.close()

    def backup(self, target: Path) -> None:
        """Write a consistent copy of the database to a new file, whoever else reads or writes.

        Raises:
            StorageError: The file exists, or cannot be written.
        """
        if target.exists():
            raise StorageError(f"{target}: exists already. Name another file: --to FILE.")
        try:
            with whole_file(target) as partial:
                self._write_to(partial)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"{target}: cannot be written ({error}).") from None

    def _write_to(self, target: Path) -> None:
        copy = sqlite3.connect(target)
        raw = self._engine.raw_connection()
        try:
            source = raw.driver_connection
            assert isinstance(source, sqlite3.Connection)
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        finally:
            raw.close()
            copy.close()

    def _found(self) -> Path | None:
        """Return where the open file is now; None if it was deleted, or the system does not tell."""
        with contextlib.suppress(OSError):
            for descriptor in DESCRIPTORS.iterdir():
                with contextlib.suppress(OSError):
                    status = descriptor.stat()
                    if (status.st_dev, status.st_ino) == self._identity and status.st_nlink:
                        return descriptor.readlink()
        return None

    def _saved(self) -> Path | None:
        """Save the rows of a deleted file through a connection that still has it open; return the new file.

        A driver's threads may miss the file one after the other; the last one saves what others wrote meanwhile.
        """
        with self._saving:
            if not self._has_idle_connection():
                return None  # a new connection would make a new file
            if self._saved_to is None:
                folder = next(parent for parent in self._path.parents if parent.is_dir())
                name = f"{self._path.stem}-saved-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.db"
                self._saved_to = folder / name
            try:
                self._write_to(self._saved_to)
            except (OSError, sqlite3.Error):
                return None
            return self._saved_to

    def _has_idle_connection(self) -> bool:
        """Wait for a connection that no other thread uses; a step that began before the loss soon ends."""
        began = time.monotonic()
        while not self._engine.pool.checkedin():  # type: ignore[attr-defined]  # a pool with a queue has it
            if time.monotonic() - began > IDLE_S:
                return False
            time.sleep(0.01)
        return True


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give the path at which a new file is written: it gets its name when it is whole, and is removed on an error.

    The path is this call's alone, and locked: what can be locked there was left by a process that is gone.

    Raises:
        OSError: The file exists, or its folder cannot be written to.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f"{glob.escape(target.name)}*.partial"):
        if PARTIAL.fullmatch(left.name.removeprefix(target.name)):
            _remove_left(left)
    partial = partial_of(target)
    new = partial.with_suffix(".new")  # until it is locked
    lock = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode=0o666)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(partial)
        yield partial
        try:
            os.link(partial, target)
        except FileExistsError:
            raise  # another process was quicker
        except OSError:
            partial.rename(target)  # a file system without links, such as a USB stick's
    finally:
        os.close(lock)
        partial.unlink(missing_ok=True)


def _remove_left(path: Path) -> None:
    """Remove a file that nobody has locked."""
    with contextlib.suppress(OSError):
        lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(lock)


def is_open_in(pid: int, path: Path) -> bool | None:
    """Return whether a process of this machine has a file open; None where the system does not tell."""
    wanted, found = identity_of(path), False
    try:
        for descriptor in (PROCESSES / str(pid) / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                status = descriptor.stat()
                found = found or (status.st_dev, status.st_ino) == wanted
    except OSError:
        return None
    return found


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
