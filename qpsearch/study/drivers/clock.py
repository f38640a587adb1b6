"""The time of a driver, in one place, so that tests can replace it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Clock:
    """Two times and how to wait.

    Attributes:
        now: Unix seconds, stored for people to read; decisions do not depend on them, since a clock may jump.
        monotonic: Seconds from an unknown beginning, which only grow; decisions depend only on these.
        sleep: Waits for so many seconds.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM: Final = Clock()
