"""Trials and studies as the database tells them: for tables, figures and the command line."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from qpsearch.architecture.config import TrialConfig
from qpsearch.space.space import Budget, Objective
from qpsearch.vocabulary import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial as the database tells it, for tables and figures.

    Attributes:
        number: Counted from 0 within the study.
        state: ``RUNNING``, ``COMPLETE``, ``PRUNED`` or ``FAIL``.
        value: The objective: mean score over the trial's runs when complete, the last reported value
            of the metric when pruned, None otherwise.
        values: One for each objective, the metric of training first, the network's costs after it.
        reason: Why it failed (``FailReason``), else None.
        detail: The failure's message, else None.
        params: What the sampler chose, by parameter name.
        epochs: Epoch rows recorded, over all runs.
        attempts: How many times it was started.
        duration_s: Seconds of training recorded for it, over all attempts.
        seconds: How long its attempts ran, all together: training, and what starting and storing took.
        is_held: Whether a driver that lives runs it now; a trial that is ``RUNNING`` without waits for the next.
        place: ``host device`` of the latest attempt, where known.
        config_json: The resolved configuration, as it is stored.
    """

    number: int
    state: str
    value: float | None
    reason: str | None
    detail: str | None
    values: tuple[float, ...]
    params: Mapping[str, Scalar]
    epochs: int
    attempts: int
    duration_s: float
    seconds: float
    is_held: bool
    place: str | None
    config_json: str

    @property
    def config(self) -> TrialConfig:
        """The resolved configuration."""
        return TrialConfig.from_json(self.config_json)

    @property
    def stages(self) -> tuple[str, ...]:
        """The kind of block of each stage of its network."""
        return tuple(str(stage["block"]) for stage in json.loads(self.config_json)["network"]["stages"])

    @property
    def blocks(self) -> tuple[str, ...]:
        """The kinds of block of its network, each once, in alphabetical order."""
        return blocks_of(self.config_json)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as ``--json`` prints it."""
        fields = asdict(self) | {"params": dict(self.params), "config": json.loads(self.config_json)}
        del fields["config_json"]
        return fields


def blocks_of(config_json: str) -> tuple[str, ...]:
    """Return the kinds of block of a configuration's network, each once, in alphabetical order."""
    return tuple(sorted({stage["block"] for stage in json.loads(config_json)["network"]["stages"]}))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of a trial.

    Attributes:
        replicate: From 0.
        seed: Its own.
        score: None until it is complete.
    """

    replicate: int
    seed: int
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt at a trial.

    Attributes:
        number: From 1.
        place: ``host device``, where its first report told it.
        seconds: How long it ran.
        ending: ``vocabulary.Ending``; None while it runs.
        reason: ``vocabulary.FailReason`` where it failed or lost its worker.
        detail: The message of that.
    """

    number: int
    place: str | None
    seconds: float
    ending: str | None
    reason: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDetail:
    """All that the database tells of one trial.

    Attributes:
        record: As in the list of trials.
        runs: By replicate.
        attempts: In their order.
        epochs: Columns of each recorded epoch, by replicate and epoch.
        checkpoints: Paths or URIs of the checkpoints that a run goes on from, or that were kept of it; by replicate.
    """

    record: TrialRecord
    runs: tuple[RunRecord, ...]
    attempts: tuple[AttemptRecord, ...]
    epochs: tuple[Mapping[str, Any], ...]
    checkpoints: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return self.record.to_dict() | {
            "runs": [asdict(run) for run in self.runs],
            "tries": [asdict(attempt) for attempt in self.attempts],
            "history": [dict(row) for row in self.epochs],
            "checkpoints": list(self.checkpoints),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the time of the trials with certain blocks went: seconds in which they held their slots.

    Attributes:
        blocks: The kinds of block of their networks, ``additive + quotient``.
        trials: How many there are.
        complete_s: In trials that are complete.
        running_s: In trials that have not ended.
        pruned_s: In pruned trials.
        failed_s: In failed trials.
        repeated_s: Work that was lost with its worker or driver, or done again after its checkpoint was lost;
            in none of the others.
    """

    blocks: str
    trials: int
    complete_s: float
    running_s: float
    pruned_s: float
    failed_s: float
    repeated_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySummary:
    """One line about a study.

    Attributes:
        name: The study's name.
        objectives: What it optimises, the metric of training first; none where there is a problem.
        budget: What it may spend.
        counts: Trials by state.
        failures: Failed trials by reason.
        infeasible: Draws that no network can be built from; they are not trials.
        best: The best complete trial, None where there is none yet.
        seconds: Seconds of training recorded.
        drivers: The drivers that work on it: ``process N on HOST``.
        sampler: Name of the sampler.
        pruner: Name of the pruner.
        epochs: Epochs recorded.
        wall_s: Wall time in which drivers held it.
        gpu_s: Seconds times GPUs.
        accounts: Where the time went, by kinds of block.
        source: Where its space came from: a file, or the name of a shipped space.
        created: When it was made, in Unix seconds.
        environment: Versions and machine where it was made.
        problem: Why its space cannot be read here, such as a block of the user's own that is not known; else None.
    """

    name: str
    objectives: tuple[Objective, ...]
    budget: Budget
    counts: Mapping[str, int]
    failures: Mapping[str, int]
    infeasible: int
    best: TrialRecord | None
    seconds: float
    drivers: tuple[str, ...]
    sampler: str
    pruner: str
    epochs: int
    wall_s: float
    gpu_s: float
    accounts: tuple[Account, ...]
    source: str
    created: float
    environment: Mapping[str, Any]
    problem: str | None = None
