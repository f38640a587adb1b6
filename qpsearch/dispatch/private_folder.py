"""A run's private folder on the driver's machine: removed when the driver ends, or by a later driver if it was killed.

In the folder, workers leave the stacks of trials that hang (``watchdog``); beside it, Tune writes. The driver locks a
file in it. The system gives the lock up when the driver ends, however it ends: a file that can be locked belonged to a
driver that is gone.
"""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

KEY: Final = re.compile(r"qpsearch-[0-9a-f]{32}")
STACK: Final = re.compile(r"trial-\d+-\d+\.txt")
LOCK: Final = "driver.lock"
SCRATCH: Final = "-tune"  # what follows the name of the folder beside it
PRIVATE: Final = 0o700


def new_key() -> str:
    """Return the name of a run's private folder, which nobody else can guess before it exists."""
    return f"qpsearch-{secrets.token_hex(16)}"


def path_of(key: str) -> Path:
    """Return a run's private folder on this machine; it need not exist."""
    return Path(tempfile.gettempdir()) / key


@contextlib.contextmanager
def held(key: str) -> Iterator[None]:
    """Hold a run's private folder; remove it at the end, and before that the folders of this user's killed drivers.

    Where the folder cannot be made, such as on a full disk, nothing is held; a worker that needs it says why.
    """
    folder, lock = path_of(key), None
    _sweep(folder.parent)
    with contextlib.suppress(OSError):
        folder.mkdir(mode=PRIVATE)
        lock = _locked(folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError), _own(folder) as place:
            _remove(folder, place)
        if lock is not None:
            os.close(lock)


def scratch(key: str) -> Path:
    """Make a folder for the files of another library beside a run's private folder, with which it is removed.

    It is not in that folder, of which such a library would make one that is open to others on other machines.

    Raises:
        OSError: It cannot be made, or the private folder is somebody else's.
    """
    folder = path_of(key)
    if not folder.exists():  # then nothing is held: this says why
        folder.mkdir(mode=PRIVATE)
    with _own(folder):
        _beside(folder).mkdir(mode=PRIVATE)
    return _beside(folder)


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}{SCRATCH}")


def _sweep(parent: Path) -> None:
    """Remove the folders of drivers that are gone: of this user, private, and with a lock that nobody holds."""
    for folder in parent.glob("qpsearch-*"):
        if KEY.fullmatch(folder.name):
            with contextlib.suppress(OSError), _own(folder) as place:
                lock = os.open(LOCK, os.O_RDWR | os.O_NOFOLLOW, dir_fd=place)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises while its driver lives
                    _remove(folder, place)
                finally:
                    os.close(lock)


def _locked(folder: Path) -> int:
    """Make the file that says that a driver lives, and hold its lock, before the file has its name."""
    new = folder / f"{LOCK}.new"
    lock = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode=0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    new.rename(folder / LOCK)
    return lock


@contextlib.contextmanager
def _own(folder: Path) -> Iterator[int]:
    """Open a folder that is this user's and private, not through a link; raises OSError for any other."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(place)
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != PRIVATE:
            raise PermissionError(f"{folder}: is somebody else's, or open to others")
        yield place
    finally:
        os.close(place)


def _remove(folder: Path, place: int) -> None:
    """Remove what qpsearch has written into an open folder, and the folder if nothing else is in it."""
    names = os.listdir(place)
    for name in names:
        if STACK.fullmatch(name):
            os.unlink(name, dir_fd=place)
    with contextlib.suppress(OSError), _own(_beside(folder)):
        shutil.rmtree(_beside(folder), ignore_errors=True)
    if all(name == LOCK or STACK.fullmatch(name) for name in names):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(LOCK, dir_fd=place)
        folder.rmdir()
