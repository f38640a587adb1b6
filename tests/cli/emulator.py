"""A terminal for tests: what a person sees in its window, and above it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pyte

from tests.cli.run import ROOT


class Terminal:
    """Runs a program in a window of so many columns and rows; somebody may type at it."""

    def __init__(self, columns: int = 80, rows: int = 24, *, types: bool = False) -> None:
        self.columns, self.rows, self.types = columns, rows, types
        self._screen = pyte.HistoryScreen(columns, rows, history=100_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)

    def run(self, arguments: Sequence[str], folder: Path, watch: Callable[[list[str]], None] | None = None) -> int:
        """Run ``python ARGUMENTS`` to its end and return its exit code; ``watch`` sees the window after each write."""
        main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        inherited = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=inherited | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "TERM": "xterm-256color"},
            stdin=other,
            stdout=other,
            stderr=other,
        )
        os.close(other)
        typist = threading.Timer(1.5, lambda: os.write(main, b"\n\n")) if self.types else threading.Timer(0, int)
        typist.start()
        killer = threading.Timer(100, process.kill)
        killer.start()
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:
                break  # the last process has closed it
            if not part:
                break
            self._stream.feed(part)
            if watch is not None:
                watch(self.window())
        killer.cancel()
        typist.cancel()
        os.close(main)
        return process.wait()

    def window(self) -> list[str]:
        """Return the lines that are seen now."""
        return [line.rstrip() for line in self._screen.display]

    def everything(self) -> list[str]:
        """Return all lines, those that were scrolled out of the window first, without what is empty at the end."""
        above = ["".join(row[x].data for x in range(self.columns)).rstrip() for row in self._screen.history.top]
        lines = above + self.window()
        while lines and not lines[-1]:
            lines.pop()
        return lines
