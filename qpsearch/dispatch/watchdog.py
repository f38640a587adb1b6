"""Ending a worker that hangs, and saying where it hung.

The watchdog is another process (``guard``), so that it also ends a worker that is stopped, waits for a disk, or is
stuck in C code. The stack goes into a file in a private folder of the worker's machine, where the driver looks for it.
"""

import contextlib
import faulthandler
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from qpsearch.dispatch import guard
from qpsearch.dispatch.private_folder import path_of
from qpsearch.protocol import Assignment, Failed
from qpsearch.vocabulary import FailReason, Variable

TRIES: Final = 10  # another worker may remove the empty folder just now
SLACK_S: Final = 60.0  # how much longer than the watchdog a driver waits: the watchdog may be stuck with its worker
FROZEN: Final = "nothing that could be seen: neither the worker nor its watchdog answered"


def hang_file(key: str, assignment: Assignment) -> Path:
    """Return the file, on the worker's own machine, that holds a stack if that attempt hung."""
    return path_of(key) / f"trial-{assignment.trial}-{assignment.attempt}.txt"


class Watchdog:
    """Ends this process when an attempt does not report for too long, and leaves its stack in a file.

    Args:
        path: The file; its folder is made if it is missing.
        timeout_s: Seconds without a report; None for never.

    Raises:
        OSError: The file, or the watching process, cannot be made.
    """

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        self._path, self._timeout_s = path, timeout_s
        self._file: IO[str] | None = None
        if timeout_s is not None:
            self._file = _private_file(path)
            faulthandler.register(guard.ASK, file=self._file, all_threads=True, chain=False)
        self.start()

    def start(self) -> None:
        """Begin to count."""
        if self._file is not None:
            _guard.say(f"{self._timeout_s}\t{self._path}\n")

    def stop(self) -> None:
        """Stop counting: a report is on its way, and the driver may take long to answer."""
        if self._file is not None:
            _guard.say("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop for good, and remove the empty file and the folder if it is empty, too."""
        if self._file is None:
            return
        self.stop()
        faulthandler.unregister(guard.ASK)
        self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
            self._path.parent.rmdir()


class _Guard:
    """The watching process of this process, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def say(self, line: str) -> None:
        """Send a line to the watching process; start another if that one is gone."""
        for _ in range(2):
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", guard.__file__, str(os.getpid())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=Variable.for_child(),
                )
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
                return
            self._process.wait()
        raise OSError("the process that watches a worker ended at once")


_guard = _Guard()


def read_hang(path: Path) -> str:
    """Return the stack that a hanging worker of this machine left in its file, and remove the file; else empty."""
    stack = ""
    with contextlib.suppress(OSError):  # no such file; or other files in its folder
        stack = path.read_text()
        path.unlink()
        path.parent.rmdir()
    return stack


def cause_of_death(stack: str, detail: str) -> Failed:
    """Say why a worker was lost: ``timeout`` where the watchdog left a stack, else ``worker_lost``."""
    if stack:
        return Failed(
            reason=FailReason.TIMEOUT, detail=f"no report within resources.report_timeout; the worker hung in:\n{stack}"
        )
    return Failed(reason=FailReason.WORKER_LOST, detail=detail)


def _private_file(path: Path) -> IO[str]:
    """Make a file in a folder that only this user can enter; never write through what somebody else put there."""
    for _ in range(TRIES):
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(mode=0o700)
        found = path.parent.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise PermissionError(f"{path.parent}: is somebody else's, or open to others")
        with contextlib.suppress(FileNotFoundError):
            path.unlink(missing_ok=True)  # of an attempt with the same number that a killed driver began
            return path.open("x")
    raise FileNotFoundError(f"{path.parent}: is removed again and again")
