"""Messages between processes: from a driver to its workers and back.

All records are frozen and hold plain values, or a configuration, so that they pass through Ray and pickles unchanged.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Final

from qpsearch.architecture.config import TrialConfig
from qpsearch.artifacts import content_hash
from qpsearch.errors import UserError, hidden, nearest
from qpsearch.registry.fidelity import Fidelity
from qpsearch.registry.metrics import Metric
from qpsearch.vocabulary import CudaGraphs, FailReason, WithWords, coerce_words

MOST_DETAIL: Final = 20_000  # characters of a failure's detail that are kept
STEPS_EVERY_S: Final = 5.0  # how often a worker says how far its epoch is
MEMORY_FORMATS: Final = ("channels_last", "contiguous")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """The results of one epoch of training.

    Attributes:
        epoch: Counted from 1.
        train_loss: Mean cross entropy over the epoch's training batches, finite.
        val_loss: Mean cross entropy on the validation images; None where some logits were not finite, or there are no
            such images.
        val_accuracy: Share of validation images classified correctly, in [0, 1]; an image whose logits
            are not finite counts as wrong. None where there are no such images.
        val_nonfinite: Validation images whose logits were not finite.
        lr: Learning rate at the epoch's last step.
        seconds: Wall time of training and evaluation.
        images_per_s: Training images a second, evaluation not counted.
        peak_memory_bytes: Peak of the device's allocator on CUDA, of the process on a CPU.
        checkpoint: Name of the checkpoint file written after this epoch; empty where no checkpoint folder was given.
        metrics: Values of the metrics that were asked for beyond these; None for one that does not have a value.
        note: What the user should know of how it was trained, in a sentence; told once a run, else empty.
    """

    epoch: int
    train_loss: float
    val_loss: float | None
    val_accuracy: float | None
    val_nonfinite: int = 0
    lr: float = 0.0
    seconds: float = 0.0
    images_per_s: float = 0.0
    peak_memory_bytes: int = 0
    checkpoint: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCount:
    """How far an epoch is.

    Attributes:
        epoch: Counted from 1.
        done: The steps that were made.
        of: The steps of the whole epoch.
    """

    epoch: int
    done: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What several runs that are trained at once say.

    Attributes:
        run: Which of them, from 0.
        report: What it says.
        together: Which of them were trained as one network; empty where this one was trained by itself.
        more: Whether another one's report of the same epoch follows at once.
    """

    run: int
    report: EpochReport | StepCount
    together: tuple[int, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings(WithWords):
    """Where and how one run (one seed of one configuration) trains; the configuration says what.

    Attributes:
        seed: Seed of weights, batch order and augmentation.
        device: ``"cpu"`` or ``"cuda"``.
        threads: CPU threads of torch; a resumed run repeats the same bits only with the same number.
        memory_format: ``"channels_last"``, the faster one on CPU and GPU alike, or ``"contiguous"``; a resumed run
            repeats the same bits only with the same format.
        data_folder: Folder of decoded archives and downloads; None for data sets that do not need one.
        checkpoint_folder: Path or URI of the folder where a checkpoint is written after each epoch; None writes none.
        checkpoint_stem: The start of checkpoint file names: ``r0-a1``, replicate and attempt.
        resume_from: Names of checkpoints in that folder to continue from, the newest first; an unreadable one is
            skipped.
        memory_share: The share of a GPU's memory that the run may use; beyond it, the run is out of memory.
        steps_every_s: How many seconds pass at least between two words about the steps of an epoch.
        metrics: Metrics that each epoch computes beyond those that it always reports, such as ``val_macro_f1``.
        fidelity: The levels at which the run trains; None for the whole training alone.
        epochs_before: Number of the epoch before the first one of this training, of a run that has levels.
        cuda_graphs: Whether a GPU is given each training step as one CUDA graph: ``never``, ``auto`` for networks of
            built-in blocks, or ``always``.

    Raises:
        UserError: A value is not one that its attribute can have. Whether there is such a device is known where the run
            trains.

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
    steps_every_s: float = STEPS_EVERY_S
    metrics: tuple[str, ...] = ()
    fidelity: Fidelity | None = None
    epochs_before: int = 0
    cuda_graphs: CudaGraphs = CudaGraphs.AUTO

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("threads", 1), ("epochs_before", 0)):
            value = getattr(self, name)
            is_whole = isinstance(value, Integral) and not isinstance(value, bool)
            _require(is_whole and value >= least, name, value, f"a whole number of at least {least}")
        for name in ("device", "memory_format"):
            _require(isinstance(getattr(self, name), str), name, getattr(self, name), "a text")
        for name in ("resume_from", "metrics"):
            _require(isinstance(getattr(self, name), tuple | list), name, getattr(self, name), "a tuple of texts")
        share: object = self.memory_share
        is_share = isinstance(share, int | float) and 0 < share <= 1
        _require(is_share, "memory_share", share, "a number above 0 and at most 1")
        if self.memory_format not in MEMORY_FORMATS:
            known = nearest(self.memory_format, list(MEMORY_FORMATS))
            raise UserError(f"memory_format: unknown value {self.memory_format!r}. {known}")
        try:
            coerce_words(self)
        except ValueError as error:
            raise UserError(f"{str(error).removeprefix('RunSettings.')}.") from None
        try:
            tuple(map(Metric, self.metrics))
        except ValueError as error:
            raise UserError(f"metrics: {error}") from None

    def checkpoint_name(self, epoch: int, content: bytes) -> str:
        """Return the file name of a checkpoint: ``r0-a1-e003-9f86d081884c7d65.pt``.

        The last part is a hash of the content, so that a name in the database identifies exactly these bytes.
        """
        return f"{self.checkpoint_stem}-e{self.epochs_before + epoch:03d}-{content_hash(content)}.pt"


def epoch_of(checkpoint: str) -> int:
    """Return the epoch that a checkpoint's name tells; 0 for a name that does not."""
    found = re.search(r"-e(\d+)(-[0-9a-f]+)?\.pt$", checkpoint)
    return int(found[1]) if found else 0


def _require(is_right: bool, name: str, value: object, expected: str) -> None:
    if not is_right:
        raise UserError(f"{name}: {value!r} is not {expected}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One seed of a trial's configuration.

    Attributes:
        replicate: The run, from 0.
        seed: Its seed.
        resume_from: Names of checkpoints to continue from, the newest first; empty where it has not begun.
    """

    replicate: int
    seed: int
    resume_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One attempt at a trial, as a worker receives it.

    Attributes:
        trial: The trial's number in its study.
        attempt: Number of the attempt, from 1; each continuation of an open trial is a new attempt.
        config: The trial's configuration.
        runs: The runs still to be trained, in order; several may be under way.
        alone: How many of these runs, from the first on, must be trained one by one, since what they report may end the
            trial, or since the study optimises their time. The others may be trained at once.
        threads: Threads of the first attempt; None where this is the first.
        memory_format: Memory format of the first attempt; None where this is the first.
        metrics: Metrics that each epoch computes beyond those that it always reports.
        fidelity: The levels at which each run trains; None for the whole training alone.
    """

    trial: int
    attempt: int
    config: TrialConfig
    runs: tuple[Run, ...]
    alone: int = 0
    threads: int | None = None
    memory_format: str | None = None
    metrics: tuple[str, ...] = ()
    fidelity: Fidelity | None = None

    @property
    def run_epochs(self) -> int:
        """Epochs of a whole run, over all its levels."""
        return self.config.recipe.epochs if self.fidelity is None else self.fidelity.whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an attempt runs."""

    host: str
    device: str
    threads: int
    memory_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One message of a worker: an epoch of one of the trial's runs is done.

    Attributes:
        replicate: The run, from 0.
        report: The epoch's results.
        place: Where the attempt runs.
        fused: The runs that were trained as one network in this epoch, this one included; empty where it was trained by
            itself.
        more: Whether the same epoch of another run is done too, and is told next.
    """

    replicate: int
    report: EpochReport
    place: Place
    fused: tuple[int, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """One message of a worker: an epoch of one of the trial's runs goes on. It is told, and not recorded."""

    replicate: int
    steps: StepCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(WithWords):
    """A trial cannot continue; it ends in state FAIL.

    Attributes:
        reason: The kind of failure, one of five words.
        detail: What happened, for the user: a message or a traceback; of a very long one the beginning and the end; of
            a URL neither user nor password.
        in_step: Of a trial that lacked memory, whether fewer images at once may help: a training step lacked it, or its
            worker held most of the machine's.
    """

    reason: FailReason
    detail: str
    in_step: bool = False

    def __post_init__(self) -> None:
        coerce_words(self)
        object.__setattr__(self, "detail", hidden(self.detail))  # an exception of others may quote a URL
        left_out = len(self.detail) - MOST_DETAIL
        if left_out > 0:
            half = MOST_DETAIL // 2
            shown = f"{self.detail[:half]}\n... {left_out:,} characters left out ...\n{self.detail[-half:]}"
            object.__setattr__(self, "detail", shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """The machine, not the trial, has a problem: no space for checkpoints, or no data. The trial stays open."""

    detail: str


Message = Progress | Underway | Failed | Halted
