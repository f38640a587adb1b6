"""Watching the other drivers of a study: which of them live, and which are gone."""

from collections.abc import Sequence

from qpsearch.study.drivers import lease
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.drivers.lease import Driver, Lease


class Watch:
    """What the counters of leases say, as far as they have been looked at.

    A driver on this host counts as gone as soon as its process is gone. Any driver, also one on this host whose process
    is there but frozen, counts as gone when its counter has stood still for a lease's length of the observer's own
    monotonic time, during which the database could be read; so neither a jump of a clock nor an outage of the database
    makes a driver look dead.

    Args:
        clock: The observer's clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._here = clock, Driver.this()
        self._seen: dict[int, tuple[int, float, float, Lease]] = {}  # counter, since when, when it last moved
        self._gone: dict[int, Lease] = {}

    @property
    def gone(self) -> list[Lease]:
        """Leases whose drivers are gone."""
        return list(self._gone.values())

    def alive(self, lease_id: int, since: float) -> bool:
        """Whether a lease's driver has given a sign of life since a moment of monotonic time."""
        seen = self._seen.get(lease_id)
        return seen is not None and seen[2] > since and not seen[3].expired_on(self._here)

    def look(self, standing: Sequence[Lease]) -> None:
        """Take in the leases of other drivers that stand, as the database has them now."""
        now = self._clock.monotonic()
        others = {other.lease_id: other for other in standing}
        self._seen = {key: seen for key, seen in self._seen.items() if key in others}
        self._gone = {key: gone for key, gone in self._gone.items() if key in others}
        for key, other in others.items():
            counter, since, moved, _ = self._seen.get(key, (other.beat, now, float("-inf"), other))
            if other.beat != counter:
                counter, since, moved = other.beat, now, now
                self._gone.pop(key, None)
            self._seen[key] = (counter, since, moved, other)
            if other.expired_on(self._here) or now - since >= lease.LEASE_S:
                self._gone[key] = other

    def forget(self) -> None:
        """Begin anew after an outage, in which a counter that stands still means nothing."""
        self._seen = {}
