"""The time of a driver, in one place, so that tests can replace it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Clock:
    """Two times and how to wait.

    Attributes:
        now: Unix seconds, stored for people to read. Since a clock may jump and hosts differ, only three things depend
            on them: which drivers ran side by side, whose time ``search.budget.time`` counts once; how many seconds of
            a lost attempt were not reported; and, for ``search.stop.patience``, the order in which trials ended or
            paused that this driver did not see.
        monotonic: Seconds from an unknown beginning, which only grow; every other decision depends on these.
        sleep: Waits for so many seconds.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM: Final = Clock()
