"""The driver's side of a Ray of its own, which is a process beside it (``qpsearch.dispatch.node``).

Ray takes a second to start, and a worker two and a half to load. A command that will need both says so when it begins:
they start while it loads its own libraries and reads the study.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

from qpsearch.dispatch.environment import for_worker
from qpsearch.vocabulary import Variable

END_S: Final = 20.0  # how long Ray may take to end
# With --import, no trial takes a worker without the modules; a value that the user sets is kept.
NO_WORKER: Final = {"RAY_enable_worker_prestart": "0"}


class OwnRay:
    """A Ray that is there for this process, and ends with it.

    Raises:
        OSError: No process can be started.
    """

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "qpsearch.dispatch.node"],  # -P: a ./ray.py must not stand in for Ray
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=(NO_WORKER if Variable.IMPORT.given is not None else {}) | for_worker(),
            start_new_session=True,  # Ctrl-C, or a signal to the whole group, is the driver's to handle
        )
        self._watcher: threading.Thread | None = None
        self._is_ending = False

    def address(self) -> str:
        """Return where it is, as soon as it is there.

        Raises:
            RuntimeError: It cannot be started; says why.
        """
        said = self._next()
        if "address" not in said:
            raise RuntimeError(said.get("fault") or self._last_error())
        return said["address"]

    def watch(self, tell: Callable[[str], None]) -> None:
        """Have the name of a program of Ray's told, once and in another thread, if it dies: node, or control store."""

        def wait() -> None:
            died = self._next().get("died", "node")
            if not self._is_ending:
                tell(died)

        self._watcher = threading.Thread(target=wait, name="qpsearch-ray", daemon=True)
        self._watcher.start()

    def leave(self) -> None:
        """Let it end, without waiting for that: in the midst of starting it takes a second."""
        threading.Thread(target=self.end, name="qpsearch-ray", daemon=True).start()

    def end(self) -> None:
        """End it, and wait for that."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._is_ending = True
        self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # Ray's programs end with the process that has started them
            self._process.wait()
        if self._watcher is not None:
            self._watcher.join()
        self._process.stdout.close()
        self._errors.close()

    def _next(self) -> dict[str, str]:
        """Wait for what the process says next; empty if it ends."""
        assert self._process.stdout is not None
        with suppress(ValueError):
            said: dict[str, str] = json.loads(self._process.stdout.readline())
            return said
        return {}

    def _last_error(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"its process has ended with {self._process.returncode}"


_begun: ContextVar[OwnRay | None] = ContextVar("_begun", default=None)


@contextmanager
def begun_early(wanted: bool) -> Iterator[None]:
    """Begin a Ray for the first ``begun`` within the block, if none is there; it ends with the block if none asks.

    Args:
        wanted: Whether ``begun`` will be called.
    """
    if not wanted or _begun.get() is not None:
        yield
        return
    with suppress(OSError):  # no process or memory is left; ``begun`` says so, if it comes to that
        _begun.set(OwnRay())
    try:
        yield
    finally:
        if (left := _begun.get()) is not None:
            _begun.set(None)
            left.leave()


def begun() -> OwnRay:
    """Return the Ray that was begun early, if there is one that nobody has, else begin one.

    Raises:
        OSError: No process can be started.
    """
    early = _begun.get()
    _begun.set(None)
    return OwnRay() if early is None else early
