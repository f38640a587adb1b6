"""The driver's side of sinks: events are passed on in the background.

A driver waits for a sink only at its start and at its end, and there not for long. A sink that fails, falls behind or
does not end in time is told once and left out; the study goes on.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from qpsearch.errors import UserError, hidden, nearest
from qpsearch.runner.machine import SAFE_PYTHON
from qpsearch.runner.sinks import SINKS
from qpsearch.study.trials.events import (
    Closed,
    Event,
    Interrupted,
    Lost,
    Paused,
    Raced,
    Reported,
    Retried,
    Started,
    StudyOpened,
)
from qpsearch.vocabulary import Variable

CURVES: Final = ("train_loss", "val_loss", "val_accuracy", "lr", "seconds", "images_per_s", "peak_memory_bytes")
START_S: Final = 60.0  # until a sink must have started
SILENT_S: Final = 120.0  # without an answer, after which a sink is left out; W&B itself gives up after 90 s
MOST_WAITING: Final = 10_000  # calls that wait for a sink
NOTICE_S: Final = 2.0  # after which the user is told what is waited for
CLOSE_S: Final = 30.0  # until a sink must have taken everything, when the study has ended


class SinkProcess:
    """A sink in a process of its own, with a thread that passes calls on.

    Args:
        name: A key of ``SINKS``.
        study: The study's name.
        where: The text after ``--sink NAME:``.

    Attributes:
        sent: Calls so far.
        done: Calls that the sink has answered.
        problem: Why the sink has ended; None while it has not.
    """

    def __init__(self, name: str, study: str, where: str) -> None:
        self.shown, self._option = SINKS[name].__name__, f"--sink {name}"
        self.sent, self.done = 0, 0
        self.problem: str | None = None
        self._calls: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._answered = time.monotonic()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by kill
        self._process = subprocess.Popen(
            [*SAFE_PYTHON, "-m", "qpsearch.runner.sinks", name, study, where],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=Variable.for_child(),
            start_new_session=True,  # neither prompts at the terminal nor gets its Ctrl-C
        )
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._pass_on, name=f"qpsearch-{name}", daemon=True)
        self._thread.start()

    def wait_until_started(self) -> None:
        """Wait for the start; raises UserError if the sink cannot be used, or does not start in time."""
        if not self._started.wait(START_S):
            self.kill()
            raise UserError(f"{self._option}: it did not start within {START_S:.0f} s. Leave it out, or try again.")
        if self.problem is not None:
            self.kill()
            is_ours = self.problem.startswith("--sink")
            raise UserError(self.problem if is_ours else f"{self._option}: cannot be used ({self.problem}).")

    def send(self, *call: Any) -> None:
        """Pass a call on, in the background."""
        if self.sent == self.done:
            self._answered = time.monotonic()
        self.sent += 1
        self._calls.put(call)

    def check(self) -> None:
        """Set ``problem`` if the sink has fallen behind."""
        silent_s = time.monotonic() - self._answered if self.sent > self.done else 0.0
        if self.problem is None and silent_s > SILENT_S:
            self.problem = f"no answer for {silent_s:.0f} s"
        if self.problem is None and self.sent - self.done > MOST_WAITING:
            self.problem = "too slow for this study"

    def left_over(self) -> str:
        """Say how many calls were not answered; empty if all were."""
        left = self.sent - self.done
        return f"; {left} of {self.sent} updates were not delivered" if left else ""

    def end(self) -> None:
        """Ask the sink to take what waits, and to end."""
        self._calls.put(None)

    def has_ended(self, within_s: float) -> bool:
        """Wait for the sink's end, and return whether it came."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End the sink's process, and the processes that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._calls.put(None)
        self._thread.join(NOTICE_S)
        with contextlib.suppress(subprocess.TimeoutExpired):  # the kernel cannot end it
            self._process.wait(NOTICE_S)
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # both are pipes
        self._errors.close()

    def _pass_on(self) -> None:
        assert self._process.stdin is not None
        try:
            self._take_answer()
            self._started.set()
            while self.problem is None and (call := self._calls.get()) is not None:
                print(json.dumps(call), file=self._process.stdin, flush=True)
                self._take_answer()
                self.done += self.problem is None
            if self.problem is None:
                self._process.stdin.close()
                self._take_answer()
        except (OSError, EOFError):  # its process has ended
            self.problem = self.problem or self._last_words()
        self._started.set()

    def _take_answer(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EOFError
        answer = json.loads(line)
        self.problem = self.problem or (answer and hidden(answer))
        self._answered = time.monotonic()

    def _last_words(self) -> str:
        """Return what the process wrote last to standard error, or how it ended."""
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return hidden(lines[-1]) if lines else f"its process has ended with code {code}"


def open_sinks(given: Sequence[str], study: str) -> list[SinkProcess]:
    """Start the sinks that ``--sink NAME`` or ``--sink NAME:WHERE`` names, and wait until all have started.

    Raises:
        UserError: There is no such sink, its package is missing, or it cannot be used before the user does something.
    """
    words = [text.partition(":") for text in given]
    for text, (name, _, _) in zip(given, words, strict=True):
        if name not in SINKS:
            raise UserError(f"--sink {text}: unknown sink {name!r}. {nearest(name, list(SINKS))}")
        if hidden(text) != text:
            raise UserError(
                f"--sink {text}: may hold credentials, which every process of this machine could read. "
                "Give them in the environment."
            )
    found: list[SinkProcess] = []
    try:
        found += (SinkProcess(name, study, where) for name, _, where in words)
        for sink in found:
            sink.wait_until_started()
    except BaseException:
        for sink in found:
            sink.kill()
        raise
    return found


class Sinks:
    """Passes the ledger's events on to all sinks."""

    def __init__(self, sinks: Sequence[SinkProcess], say: Callable[[str], None]) -> None:
        self._sinks, self._say = list(sinks), say

    def see(self, event: Event) -> None:
        """Handle an event."""
        match event:
            case StudyOpened(uid=uid):
                self._send("open", uid)
            case Started(number=number, config=config):
                self._send("begin", number, json.loads(config.to_json()))
            case Reported(number=number, replicate=replicate, report=report, is_new=True):
                values = {name: getattr(report, name) for name in CURVES} | dict(report.metrics)
                suffix = f".run{replicate}" if replicate else ""
                shown = {f"{name}{suffix}": value for name, value in values.items() if value is not None}
                self._send("log", number, report.epoch, shown)
            case Closed(number=number, state=state, value=value):
                self._send("end", number, state, value)
            case (
                Interrupted(number=number)
                | Lost(number=number)
                | Paused(number=number)
                | Raced(number=number)
                | Retried(number=number)
            ):
                self._send("end", number, "RUNNING", None)
            case _:
                pass

    def close(self) -> None:
        """Wait until the sinks have taken everything, but not for long; tell what was not delivered."""
        deadline = time.monotonic() + CLOSE_S
        try:
            for sink in self._sinks:
                sink.end()
            for sink in self._sinks:
                if not sink.has_ended(NOTICE_S):
                    self._say(f"waiting for {sink.shown}, {CLOSE_S:.0f} s at most")
                if not sink.has_ended(max(deadline - time.monotonic(), 0)):
                    sink.problem = sink.problem or f"it did not end within {CLOSE_S:.0f} s"
                if sink.problem is not None:
                    self._say(f"{sink.shown}: {sink.problem}{sink.left_over()}")
        finally:
            for sink in self._sinks:
                sink.kill()

    def _send(self, *call: Any) -> None:
        for sink in list(self._sinks):
            sink.check()
            if sink.problem is None:
                sink.send(*call)
                continue
            self._sinks.remove(sink)
            sink.kill()
            self._say(f"{sink.shown} is left out from here on: {sink.problem}{sink.left_over()}")
