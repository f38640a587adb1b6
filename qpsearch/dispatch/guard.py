"""A program that watches its parent from outside, and ends it when a trial does not report in time.

Nothing inside a process can count while the process is stopped, waits for a disk, or is stuck in C code that holds the
interpreter lock. The parent writes a line to standard input: the seconds to count and, after a tab, a file; an empty
line ends the count. When the seconds are over, the parent is asked for its stack by a signal and then killed. This
program imports nothing but the standard library, so that it starts in a fiftieth of a second.
"""

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Final

TICK_S: Final = 0.5
DUMP_S: Final = 3.0  # how long a process may take to write its stack
ASK: Final = signal.SIGUSR2


def watch(parent: int) -> None:
    """Count as the parent asks, until the parent is gone."""
    left: float | None = None
    file, last = "", time.monotonic()
    while os.getppid() == parent:
        ready, _, _ = select.select([0], [], [], TICK_S)
        now = time.monotonic()
        passed, last = min(now - last, 2 * TICK_S), now  # a stop that stopped this process too does not count
        if ready:
            lines = os.read(0, 65536).decode()
            if not lines:
                return
            seconds, _, file = lines.splitlines()[-1].partition("\t")
            left = float(seconds) if seconds else None
        elif left is not None:
            left -= passed
            if left <= 0:
                _end(parent, Path(file))
                return


def _end(parent: int, file: Path) -> None:
    """Let the parent write its stack into the file, and kill it."""
    state = _state(parent)
    with contextlib.suppress(OSError):
        if state[:1] not in ("T", "D"):  # stopped, or waiting for a disk: it could not answer
            os.kill(parent, ASK)
            began = time.monotonic()
            while time.monotonic() - began < DUMP_S and not file.stat().st_size:
                time.sleep(0.05)
            time.sleep(0.1)  # the rest of the stack
        if not file.stat().st_size:
            file.write_text(f"nothing: the process did not run (state {state})\n")
    with contextlib.suppress(OSError):
        os.kill(parent, signal.SIGKILL)


def _state(pid: int) -> str:
    """Return what the system says of a process, such as ``T (stopped)``."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("State:"):
                return line.partition(":")[2].strip()
    return "unknown"


if __name__ == "__main__":
    watch(int(sys.argv[1]))
