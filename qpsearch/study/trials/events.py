"""What a driver tells whoever watches a study: progress displays, sinks, tests."""

from dataclasses import dataclass

from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import EpochReport, Place
from qpsearch.space.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOpened:
    """A study is about to be run here.

    Attributes:
        space: What is searched, with the budget that holds now.
        ended: Trials that have ended already.
        best: Value and number of the best complete one; None where there is none.
    """

    space: Space
    ended: int
    best: tuple[float, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatching:
    """Trials are about to be placed.

    Attributes:
        how: How many at once, and on what, in words.
        slots: How many at once.
    """

    how: str
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """What takes its time before trials are placed, such as ``starting Ray``."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something that the user should know, in a sentence."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A driver on another host is watched for signs of life, for so many seconds more."""

    left_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An attempt at a trial was handed out.

    Attributes:
        number: The trial's number.
        attempt: From 1.
        blocks: The kinds of its stages.
        config: Its configuration.
        epochs: Epochs of all its runs together.
        resumed_at: Of those, recorded before.
    """

    number: int
    attempt: int
    blocks: tuple[str, ...]
    config: TrialConfig
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
    """A trial ended.

    Attributes:
        number: The trial's number.
        state: What it ended as: ``COMPLETE``, ``PRUNED`` or ``FAIL``.
        value: The objective's, as the database has it.
        reason: Why it failed, else None.
        detail: The failure's message, else None.
        seconds: How long its attempts ran, all together: what the database has of them.
    """

    number: int
    state: str
    value: float | None
    reason: str | None
    detail: str | None
    seconds: float


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


Event = (
    StudyOpened
    | Preparing
    | Dispatching
    | Noted
    | Waiting
    | Started
    | Reported
    | Closed
    | Interrupted
    | Lost
    | Elsewhere
    | TakenOver
    | StorageGone
    | StorageBack
)
