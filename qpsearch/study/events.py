"""What a ledger tells whoever watches a study: progress displays, sinks, tests."""

from dataclasses import dataclass

from qpsearch.records import EpochReport, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An attempt at a trial was handed out.

    Attributes:
        number: The trial's number.
        attempt: From 1.
        blocks: The kinds of its stages.
        config_json: Its configuration.
        epochs: Epochs of all its runs together.
        resumed_at: Of those, recorded before.
    """

    number: int
    attempt: int
    blocks: tuple[str, ...]
    config_json: str
    epochs: int
    resumed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """An epoch was recorded; ``value`` is the objective's."""

    number: int
    replicate: int
    value: float
    report: EpochReport
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An attempt's worker is gone; its trial goes on in another attempt."""

    number: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Another driver of the study ended a trial."""

    number: int
    state: str
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """Another driver is gone; its open trials wait to be handed out here."""

    driver: str
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageGone:
    """The database cannot be reached; the ledger waits for it, for so many seconds at most."""

    detail: str
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageBack:
    """The database is back after so many seconds."""

    seconds: float


Event = Started | Reported | Closed | Interrupted | Lost | Elsewhere | TakenOver | StorageGone | StorageBack
