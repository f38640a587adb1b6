"""What a ledger tells whoever watches a study: progress displays, sinks, tests."""

from dataclasses import dataclass

from qpsearch.records import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An attempt at a trial was handed out; ``blocks`` are the kinds of its stages."""

    number: int
    attempt: int
    blocks: tuple[str, ...]
    epochs: int
    resumed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """An epoch was recorded."""

    number: int
    replicate: int
    epoch: int
    value: float
    seconds: float
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A trial ended."""

    number: int
    state: str
    value: float | None
    reason: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """An attempt was let go; its trial stays open."""

    number: int


Event = Started | Reported | Closed | Interrupted
