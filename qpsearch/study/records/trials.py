"""Trials as records, with their runs and attempts."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import StorageDamaged, command
from qpsearch.vocabulary import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial, for tables and figures.

    Attributes:
        number: Counted from 0 within the study.
        state: ``RUNNING``, ``COMPLETE``, ``PRUNED`` or ``FAIL``.
        value: The objective: mean score over the trial's runs when complete, the last reported value
            of the metric when pruned, None otherwise.
        values: A value for each objective: first the metric of training, then the network's costs.
        reason: Why the trial failed (``FailReason``), else None.
        detail: The failure's message, else None.
        started: When its first attempt began, in Unix seconds.
        seeds: The seed of each run, by replicate; empty for a trial that was imported with a value.
        params: What the sampler chose, by parameter name; None where it chose ``none``. A parameter that was not drawn,
            since nothing in this network uses it, is not there.
        epochs: Epoch rows recorded, over all runs.
        attempts: How many times the trial was started.
        duration_s: Recorded seconds of training, over all attempts.
        seconds: Total time of the trial's attempts: training, starting and storing.
        is_held: Whether a live driver runs the trial now; a ``RUNNING`` trial without a driver waits for the next one.
        is_paused: Whether the trial is paused at a rung, and goes on if it is among the best there; ``RUNNING``, too.
        is_retried: Whether it lacked memory, and its configuration is another one since: that which was drawn, with
            half as many images at once (``recipe.gradient_accumulation`` is twice as large).
        place: ``host device`` of the latest attempt, where known.
        config_json: The resolved configuration, as stored.
    """

    number: int
    state: str
    value: float | None
    reason: str | None
    detail: str | None
    values: tuple[float, ...]
    started: float
    seeds: tuple[int, ...]
    params: Mapping[str, Scalar]
    epochs: int
    attempts: int
    duration_s: float
    seconds: float
    is_held: bool
    is_paused: bool
    is_retried: bool
    place: str | None
    config_json: str = field(repr=False)

    @property
    def phase(self) -> str:
        """What a user is told of it: its state, where ``RUNNING`` is ``PAUSED``, or ``WAITING`` without a driver."""
        if self.is_paused:
            return "PAUSED"
        return "WAITING" if self.state == "RUNNING" and not self.is_held else self.state

    @property
    def config(self) -> TrialConfig:
        """The resolved configuration."""
        with self._readable():
            return TrialConfig.from_json(self.config_json)

    @property
    def stages(self) -> tuple[str, ...]:
        """The kind of block of each stage of its network."""
        with self._readable():
            return tuple(str(stage["block"]) for stage in json.loads(self.config_json)["network"]["stages"])

    @property
    def blocks(self) -> tuple[str, ...]:
        """The kinds of block of its network, each once, in alphabetical order."""
        with self._readable():
            return blocks_of(self.config_json)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as ``--json`` prints it."""
        with self._readable():
            fields = asdict(self) | {"params": dict(self.params), "config": json.loads(self.config_json)}
        del fields["config_json"]
        return fields

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Raise StorageDamaged if the stored configuration cannot be read."""
        try:
            yield
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            why = " ".join(str(error).partition("[type=")[0].split())[:200]  # pydantic says more
            raise StorageDamaged(
                f"trial {self.number}: its config_json in the database cannot be read ({why}). Restore a backup, or "
                f"remove its study: {command('studies', 'delete', 'STUDY')}."
            ) from None


def blocks_of(config_json: str) -> tuple[str, ...]:
    """Return the kinds of block of a configuration's network, each once, in alphabetical order."""
    from pydantic_core import from_json  # a third of the time of json.loads, for thousands of trials

    return tuple(sorted({stage["block"] for stage in from_json(config_json)["network"]["stages"]}))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of a trial.

    Attributes:
        replicate: From 0.
        seed: The run's seed.
        score: The run's score; None until the run is complete.
    """

    replicate: int
    seed: int
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt at a trial.

    Attributes:
        number: From 1.
        place: ``host device``, if the first report has arrived.
        threads: CPU threads, likewise.
        memory_format: ``channels_last`` or ``contiguous``, likewise.
        fused: The runs that were trained as one network; empty where each was trained by itself.
        seconds: How long the attempt ran.
        ending: ``vocabulary.Ending``; None while the attempt runs.
        reason: ``vocabulary.FailReason`` if the attempt failed or lost its worker.
        detail: The message of the failure.
    """

    number: int
    place: str | None
    threads: int | None
    memory_format: str | None
    fused: tuple[int, ...]
    seconds: float
    ending: str | None
    reason: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDetail:
    """Everything that the database holds about one trial.

    Attributes:
        record: The trial's record, as in the list of trials.
        runs: The trial's runs, by replicate; empty for a trial that was imported with a value.
        attempts: The trial's attempts, in order.
        epochs: Columns of each recorded epoch, by replicate and epoch.
        checkpoints: Path or URI of each run's checkpoint, by replicate: of the epoch that counts in a complete trial,
            the newest one while it runs; empty for a pruned or failed trial.
        evaluations: Columns of each evaluation on the test images, in order.
    """

    record: TrialRecord
    runs: tuple[RunRecord, ...]
    attempts: tuple[AttemptRecord, ...]
    epochs: tuple[Mapping[str, Any], ...]
    checkpoints: tuple[str, ...]
    evaluations: tuple[Mapping[str, Any], ...]

    def fused_with(self, replicate: int) -> tuple[int, ...]:
        """Return the runs that were trained as one network with a run, itself included; itself alone if none were."""
        return next((each.fused for each in self.attempts if replicate in each.fused), (replicate,))

    @property
    def begun(self) -> int:
        """How many runs were begun: of a race, also one that the end of the budget cut short."""
        return max(len(self.runs), 1 + max((row["replicate"] for row in self.epochs), default=0))

    def to_dict(self) -> dict[str, Any]:
        """Return the details as ``--json`` prints them."""
        return self.record.to_dict() | {
            "runs": [asdict(run) for run in self.runs],
            "tries": [asdict(attempt) for attempt in self.attempts],
            "history": [dict(row) for row in self.epochs],
            "checkpoints": list(self.checkpoints),
            "evaluations": [dict(row) for row in self.evaluations],
        }
