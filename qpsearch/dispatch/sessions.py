"""The folders in which Ray keeps the logs and sockets of a session: there must be room, and old ones must go.

Ray leaves the folder of each session behind. A Ray of qpsearch locks a file in its own. The system gives the lock up
when the Ray ends, however it ends: the next one removes the folders whose file can be locked. The last one stays, for
whoever wants to read its logs.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

LOCK: Final = "qpsearch.lock"
ROOM: Final = 2**22  # bytes that a session needs at least


def check_room(folder: Path) -> None:
    """Raise OSError where the files of a session cannot be written; Ray itself would try for most of a minute."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(ROOM))
            probe.flush()
    except OSError as error:
        raise OSError(f"{folder}: its files cannot be written there: {error.strerror}") from None


def hold(session: Path) -> int:
    """Lock the file that says that a session lives, before it has its name; return it: closing it gives the lock up."""
    new = session / f"{LOCK}.new"
    lock = os.open(new, os.O_RDWR | os.O_CREAT, mode=0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    new.rename(session / LOCK)
    return lock


def sweep(folder: Path) -> None:
    """Remove the sessions of this user's Rays of qpsearch that have ended."""
    for session in folder.glob("session_*"):
        with contextlib.suppress(OSError):
            if session.is_symlink():
                continue
            lock = os.open(session / LOCK, os.O_RDWR | os.O_NOFOLLOW)  # raises where it is not one of ours
            try:
                if os.fstat(lock).st_uid != os.getuid():
                    continue
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises while it lives
                shutil.rmtree(session)
            finally:
                os.close(lock)
