"""Ctrl-C with manners: the first ends a study softly, the second at once."""

import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, Self

GRACE_S: Final = 30.0
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Whether the user asked to stop.

    Inside ``with``, the first SIGINT or SIGTERM sets ``requested``: no new trials, and running ones stop at
    their next report. 30 seconds later, or at the second signal, ``expired`` tells to wait no longer.

    Args:
        told: Called once, at the first signal, to say so to the user.
        grace_s: How long running trials may take to reach their next report.
    """

    def __init__(self, told: Callable[[], None] = lambda: None, grace_s: float = GRACE_S) -> None:
        self._told, self._grace_s = told, grace_s
        self._deadline: float | None = None
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal came."""
        return self._deadline is not None

    @property
    def expired(self) -> bool:
        """Whether waiting is over."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def request(self) -> None:
        """Ask to stop; a second time, at once."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._grace_s
            self._told()
        else:
            self._deadline = time.monotonic()

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.request()
