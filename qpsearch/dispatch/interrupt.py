"""Signals. In a driver, Ctrl-C once: running trials finish their epoch. Twice: stop now. A worker notes them."""

import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Final, Self

GRACE_S: Final = 30.0
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Whether the user asked to stop.

    Inside ``with``, the first SIGINT or SIGTERM sets ``requested``: no new trials, and running ones stop at
    their next report. 30 seconds later, or at the second signal, ``expired`` becomes true and waiting ends. A third
    signal raises KeyboardInterrupt wherever the program is.

    Args:
        told: Called once when the first signal is noticed, to inform the user; not called from the signal handler,
            which must not print.
        grace_s: How long running trials may take to reach their next report.
    """

    def __init__(self, told: Callable[[], None] = lambda: None, grace_s: float = GRACE_S) -> None:
        self._told, self._grace_s = told, grace_s
        self._deadline: float | None = None
        self._signals, self._has_told = 0, False
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal came."""
        if self._deadline is not None and not self._has_told:
            self._has_told = True
            self._told()
        return self._deadline is not None

    @property
    def expired(self) -> bool:
        """Whether waiting is over."""
        return self.requested and self._deadline is not None and time.monotonic() >= self._deadline

    def request(self) -> None:
        """Ask to stop; a second request stops at once."""
        self._signals += 1
        self._deadline = time.monotonic() + (self._grace_s if self._signals == 1 else 0)

    def reinstall(self) -> None:
        """Take the signals back from a library that took them (``ray.init`` does)."""
        for number in self._previous:
            signal.signal(number, self._handle)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # other threads must not take signals
            self._previous = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.request()
        if self._signals > 2:
            raise KeyboardInterrupt


class Signalled:
    """Whether a signal asked this process to stop; the signals' own handlers do what they did before.

    An interrupt that no signal caused is raised by the code that runs, such as a ``sys.exit`` of a trainer.
    """

    def __init__(self) -> None:
        self.is_set = False

    def watch(self) -> None:
        """Begin to notice signals; calling this again has no effect, unless a library has taken the signals since."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler) and getattr(handler, "func", None) != self._note:
                signal.signal(number, partial(self._note, handler))

    def _note(self, handler: Callable[[int, FrameType | None], object], number: int, frame: FrameType | None) -> None:
        self.is_set = True
        handler(number, frame)
