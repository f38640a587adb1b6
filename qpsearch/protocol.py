"""What crosses the borders between processes: from a driver to its workers and back.

All records are frozen and hold plain values, or a configuration, so that they pass through Ray and pickles unchanged.
"""

from dataclasses import dataclass

from qpsearch.architecture.config import TrialConfig
from qpsearch.artifacts import content_hash
from qpsearch.vocabulary import FailReason, Metric, WithWords


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """What one epoch of training gave.

    Attributes:
        epoch: Counted from 1.
        train_loss: Mean cross entropy over the epoch's training batches, finite.
        val_loss: Mean cross entropy on the validation images; None where some logits were not finite.
        val_accuracy: Share of validation images classified rightly, in [0, 1]; an image whose logits
            are not finite counts as wrong.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Where and how one run (one seed of one configuration) trains; the configuration says what.

    Attributes:
        seed: Seed of weights, batch order and augmentation.
        device: ``"cpu"`` or ``"cuda"``.
        threads: CPU threads of torch; a resumed run must repeat them to repeat its bits.
        memory_format: ``"channels_last"``, the faster one on CPU and GPU alike, or ``"contiguous"``; likewise.
        data_folder: Folder of decoded archives and downloads; None for data sets that need none.
        checkpoint_folder: Path or URI below which a checkpoint is written after each epoch; None for none.
        checkpoint_stem: What its file names start with: ``r0-a1``, replicate and attempt.
        resume_from: Names of checkpoints in that folder to go on from, the newest first; an unreadable one is
            passed over.
        memory_share: The share of a GPU's memory that the run may use; beyond it, memory is out for this run.

    Example:
        >>> import qpsearch
        >>> qpsearch.RunSettings(seed=0, device="cuda").threads
        1
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
        config: The trial's configuration.
        runs: The runs still to be trained, in order; the first may be under way.
        resume_from: Checkpoint names for the first of them, the newest first.
        threads: Threads of the first attempt; None where this is the first.
        memory_format: Memory format of the first attempt, likewise.
    """

    trial: int
    attempt: int
    config: TrialConfig
    runs: tuple[Run, ...]
    resume_from: tuple[str, ...] = ()
    threads: int | None = None
    memory_format: str | None = None


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
class Failed(WithWords):
    """A trial cannot go on; it ends as FAIL.

    Attributes:
        reason: One of five words that tables can be sorted by.
        detail: What exactly happened, for the user: a message or a traceback.
    """

    reason: FailReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """The machine, not the trial, is at fault: no room for checkpoints, no data. The trial stays open."""

    detail: str


Message = Progress | Failed | Halted
