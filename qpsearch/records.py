"""The records that travel between training, dispatch, the study database and the command line.

All are frozen and hold plain values only, so that they pass through Ray, JSON and pickles unchanged.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from qpsearch.vocabulary import Direction, FailReason, Metric

CUDA_CONTEXT_BYTES: Final = 600 * 2**20  # what a process takes of a GPU beside its tensors

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """What one epoch of training gave.

    Attributes:
        epoch: Counted from 1.
        train_loss: Mean cross entropy over the epoch's training batches, finite.
        val_loss: Mean cross entropy on the validation images; None where some logits were not finite.
        val_accuracy: Share of validation images classified rightly, in [0, 1]; an image whose logits
            are not finite counts as wrong (HAZARDS 30).
        val_nonfinite: Validation images whose logits were not finite.
        lr: Learning rate at the epoch's last step.
        seconds: Wall time of training and evaluation.
        images_per_s: Training images a second, evaluation not counted.
        peak_memory_bytes: Peak of the device's allocator on CUDA, of the process on a CPU.
        checkpoint: Name of the checkpoint file written after this epoch; empty where none was asked.
    """

    epoch: int
    train_loss: float
    val_loss: float | None
    val_accuracy: float
    val_nonfinite: int = 0
    lr: float = 0.0
    seconds: float = 0.0
    images_per_s: float = 0.0
    peak_memory_bytes: int = 0
    checkpoint: str = ""

    def metric(self, metric: Metric) -> float:
        """Return the value that a search optimises; a missing validation loss counts as infinite."""
        if metric is Metric.VAL_ACCURACY:
            return self.val_accuracy
        return float("inf") if self.val_loss is None else self.val_loss


def content_hash(content: bytes) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Where and how one run (one seed of one configuration) trains; the configuration says what.

    Attributes:
        seed: Seed of weights, batch order and augmentation.
        device: ``"cpu"`` or ``"cuda"``.
        threads: CPU threads of torch; a resumed run must repeat them to repeat its bits (HAZARDS 37).
        memory_format: ``"channels_last"``, the faster one on CPU and GPU alike, or ``"contiguous"``; likewise.
        data_folder: Folder of decoded archives and downloads; None for data sets that need none.
        checkpoint_folder: Path or URI below which a checkpoint is written after each epoch; None for none.
        checkpoint_stem: What its file names start with: ``r0-a1``, replicate and attempt.
        resume_from: Names of checkpoints in that folder to go on from, the newest first; an unreadable one is
            passed over.
        memory_share: The share of a GPU's memory that the run may use; beyond it, memory is out for this run.
    """

    seed: int
    device: str = "cpu"
    threads: int = 1
    memory_format: str = "channels_last"
    data_folder: str | None = None
    checkpoint_folder: str | None = None
    checkpoint_stem: str = "r0-a1"
    resume_from: tuple[str, ...] = ()
    memory_share: float = 1.0

    def checkpoint_name(self, epoch: int, content: bytes) -> str:
        """Return the file name of a checkpoint: ``r0-a1-e003-9f86d081884c7d65.pt``.

        The last part is a hash of the content, so that a name in the database stands for these bytes alone.
        """
        return f"{self.checkpoint_stem}-e{epoch:03d}-{content_hash(content)}.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One seed of a trial's configuration."""

    replicate: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One attempt at a trial, as it is handed to a worker.

    Attributes:
        trial: The trial's number in its study.
        attempt: Counted from 1; each take-over of an open trial is a new attempt.
        config_json: The trial's configuration (``TrialConfig.to_json``).
        runs: The runs still to be trained, in order; the first may be under way.
        resume_from: Checkpoint names for the first of them, the newest first.
        threads: Threads of the first attempt; None where this is the first.
        memory_format: Memory format of the first attempt, likewise.
    """

    trial: int
    attempt: int
    config_json: str
    runs: tuple[Run, ...]
    resume_from: tuple[str, ...] = ()
    threads: int | None = None
    memory_format: str | None = None

    def to_json(self) -> str:
        """Return the assignment as one JSON document."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Assignment":
        """Read what ``to_json`` wrote."""
        fields = json.loads(text)
        fields["runs"] = tuple(Run(**run) for run in fields["runs"])
        fields["resume_from"] = tuple(fields["resume_from"])
        return cls(**fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an attempt runs."""

    host: str
    device: str
    threads: int
    memory_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One message of a worker: an epoch of one of the trial's runs is done."""

    replicate: int
    report: EpochReport
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A trial cannot go on; it ends as FAIL.

    Attributes:
        reason: One of five words that tables can be sorted by.
        detail: What exactly happened, for the user: a message or a traceback.
    """

    reason: FailReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What a search optimises."""

    metric: Metric
    direction: Direction

    @property
    def sign(self) -> float:
        """+1 where larger is better, -1 where smaller is."""
        return 1.0 if self.direction is Direction.MAXIMIZE else -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a study may spend, over all its drivers and restarts; the first bound that is met ends it.

    Attributes:
        trials: Trials.
        epochs: Epochs recorded, over all trials; None for no bound, as below.
        seconds: Wall time in which at least one driver held the study.
        gpu_seconds: Seconds times GPUs (or shares of one) that attempts held.
    """

    trials: int
    epochs: int | None = None
    seconds: float | None = None
    gpu_seconds: float | None = None

    def updated(
        self,
        *,
        trials: int | None = None,
        epochs: int | None = None,
        seconds: float | None = None,
        gpu_seconds: float | None = None,
    ) -> "Budget":
        """Return the budget with each given bound in place of its own; None leaves one as it is."""
        return Budget(
            trials=self.trials if trials is None else trials,
            epochs=self.epochs if epochs is None else epochs,
            seconds=self.seconds if seconds is None else seconds,
            gpu_seconds=self.gpu_seconds if gpu_seconds is None else gpu_seconds,
        )


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
        place: ``host device`` of the latest attempt, where known.
        config_json: The resolved configuration.
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
    place: str | None
    config_json: str

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
class Account:
    """Where the time of the trials with certain blocks went: seconds in which they held their slots.

    Attributes:
        blocks: The kinds of block of their networks, ``additive + quotient``.
        trials: How many there are.
        useful_s: In trials that are complete.
        open_s: In trials that have not ended.
        pruned_s: In pruned trials.
        failed_s: In failed trials.
        repeated_s: Work that was lost with its worker or driver, or done again after its checkpoint was lost;
            in none of the others.
    """

    blocks: str
    trials: int
    useful_s: float
    open_s: float
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
    problem: str | None = None
