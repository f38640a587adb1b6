"""The events that a driver reports to listeners: progress displays, sinks, tests."""

from collections.abc import Mapping
from dataclasses import dataclass

from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import EpochReport, Place, StepCount
from qpsearch.space.search import Budget
from qpsearch.space.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOpened:
    """This driver is about to run a study.

    Attributes:
        space: The space to search, with the current budget.
        ended: The state of each trial that has already ended, by number.
        best: Value and number of the best complete trial; None if no trial is complete.
        left: What is left of the budget, in each of its bounds.
        paused: Numbers of the trials that are paused at a rung.
        uid: What tells the study from every other one, also one of the same name.
    """

    space: Space
    ended: Mapping[int, str]
    best: tuple[float, int] | None
    left: Budget
    paused: tuple[int, ...] = ()
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatching:
    """Trials are about to start.

    Attributes:
        how: How many trials run at once, and on which devices, in words.
        slots: How many trials run at once.
        gpus: GPUs of each of them, fractions allowed.
    """

    how: str
    slots: int
    gpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """A slow step before trials start, such as ``starting Ray``."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something that the user should know, in a sentence."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A driver on another host is watched for signs of life, for the given number of seconds more."""

    left_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An attempt at a trial was handed out.

    Attributes:
        number: The trial's number.
        attempt: From 1.
        blocks: The kinds of its stages.
        config: Its configuration.
        epochs: Epochs of all the trial's runs together.
        resumed_at: How many of these epochs were already recorded.
    """

    number: int
    attempt: int
    blocks: tuple[str, ...]
    config: TrialConfig
    epochs: int
    resumed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """An epoch was recorded.

    Attributes:
        number: The trial's number.
        replicate: The run, from 0.
        value: The objective's value.
        report: The epoch's results.
        place: Where it was trained.
        is_new: False where the epoch had been recorded before, and was trained again since its checkpoint was lost.
    """

    number: int
    replicate: int
    value: float
    report: EpochReport
    place: Place
    is_new: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """An epoch of one of a trial's runs goes on; nothing was recorded."""

    number: int
    replicate: int
    steps: StepCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A trial ended.

    Attributes:
        number: The trial's number.
        state: The final state: ``COMPLETE``, ``PRUNED`` or ``FAIL``.
        value: The objective's value, as stored in the database.
        reason: Why the trial failed, else None.
        detail: What the failure's message comes to, in one line, else None.
        seconds: Total time of the trial's attempts, as stored in the database.
    """

    number: int
    state: str
    value: float | None
    reason: str | None
    detail: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """A trial has reached a rung: it waits there until it is among the best, or is pruned at the end of the study.

    Attributes:
        number: The trial's number.
        epoch: The rung.
    """

    number: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Raced:
    """A trial is too close to the best on its seeds so far: another one is trained in its next attempt.

    Attributes:
        number: The trial's number.
        value: The objective's mean over the seeds so far.
        seeds: How many they are.
    """

    number: int
    value: float
    seeds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """An attempt was released; its trial stays open."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An attempt's worker is gone, why in one line; its trial continues in another attempt."""

    number: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """A trial lacked memory before its first epoch: it begins again with another recipe, and is recorded with that.

    Attributes:
        number: The trial's number.
        images: How many images at once it lacked memory for.
        fewer: How many it is tried with now.
    """

    number: int
    images: int
    fewer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Another driver of the study ended a trial."""

    number: int
    state: str
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChanged:
    """Somebody has changed the budget of the study meanwhile.

    Attributes:
        budget: The budget.
        left: What is left of it, in each of its bounds but the number of trials.
    """

    budget: Budget
    left: Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """Another driver is gone; its open trials wait for this driver."""

    driver: str
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageGone:
    """The database cannot be reached; the ledger waits at most the given number of seconds."""

    detail: str
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageBack:
    """The database is back after the given number of seconds."""

    seconds: float


Event = (
    StudyOpened
    | Preparing
    | Dispatching
    | Noted
    | Waiting
    | Started
    | Reported
    | Stepped
    | Closed
    | Paused
    | Raced
    | Interrupted
    | Lost
    | Retried
    | Elsewhere
    | BudgetChanged
    | TakenOver
    | StorageGone
    | StorageBack
)
