"""The words of the field, as string enums, and the fixed facts about the data sets.

Everything above this file speaks these words; this file knows nothing but the standard library. The
value of a member is what a user writes in a space file and what the study database stores, so it
never changes once released.
"""

from dataclasses import dataclass
from enum import StrEnum


class BlockKind(StrEnum):
    """How a residual block combines its branch with its shortcut (PAPERS rules Q1, P1)."""

    ADDITIVE = "additive"
    QUOTIENT = "quotient"
    PRODUCT_UNIT = "product_unit"


class NormKind(StrEnum):
    """The normalisation used in blocks, stem and projection shortcuts."""

    BATCH = "batch"
    GROUP = "group"
    LAYER = "layer"
    NONE = "none"


class NormPlacement(StrEnum):
    """Normalisation after each weight layer (He 2015, both papers) or before it (He 2016)."""

    POST = "post"
    PRE = "pre"


class InitKind(StrEnum):
    """How convolution weights start; see ``qpsearch.models.inits``."""

    FRAMEWORK = "framework"
    KAIMING_FAN_IN = "kaiming_fan_in"
    KAIMING_FAN_OUT = "kaiming_fan_out"
    ORTHOGONAL = "orthogonal"
    ZERO_LAST_NORM = "zero_last_norm"


class ShortcutKind(StrEnum):
    """The shortcut of a block that changes width or resolution (rule Q14); identity elsewhere."""

    CONV3X3 = "conv3x3"
    CONV1X1 = "conv1x1"
    AVERAGE_POOL = "average_pool"
    PAD = "pad"


class ExponentInit(StrEnum):
    """How the exponents of a product unit start (rule P9)."""

    KAIMING_FAN_OUT = "kaiming_fan_out"
    SMALL = "small"
    FRAMEWORK = "framework"


class QuotientKind(StrEnum):
    """The function on a quotient's branch (rules Q2, Q3); ``relu`` is the paper's case that fails to train."""

    SIGMOID = "sigmoid"
    LINEAR = "linear"
    RELU = "relu"


class StemPool(StrEnum):
    """What follows the stem's convolution."""

    NONE = "none"
    MAX = "max"


class ScheduleKind(StrEnum):
    """Learning-rate schedules of a recipe."""

    STEP = "step"
    COSINE = "cosine"
    CONSTANT = "constant"


class Augmentation(StrEnum):
    """Random changes of training images."""

    FLIP = "flip"
    CROP = "crop"


class DatasetName(StrEnum):
    """Data sets that qpsearch can prepare and load."""

    DIGITS = "digits"
    CIFAR10 = "cifar10"
    CIFAR100 = "cifar100"
    SVHN = "svhn"
    GALAXY10 = "galaxy10"
    IMAGENET = "imagenet"


class SamplerKind(StrEnum):
    """Optuna samplers that a space file may name; ``grid`` tries every point of a finite space once."""

    TPE = "tpe"
    RANDOM = "random"
    GP = "gp"
    GRID = "grid"


class PrunerKind(StrEnum):
    """Optuna pruners that a space file may name."""

    NONE = "none"
    MEDIAN = "median"
    SUCCESSIVE_HALVING = "successive_halving"
    HYPERBAND = "hyperband"


class Confidence(StrEnum):
    """How sure an expert is of a prior."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Metric(StrEnum):
    """What a search can optimise: two fields of an epoch report, and three costs known before training."""

    VAL_ACCURACY = "val_accuracy"
    VAL_LOSS = "val_loss"
    PARAMETERS = "parameters"
    MACS = "macs"
    ACTIVATION_BYTES = "activation_bytes"

    @property
    def is_cost(self) -> bool:
        """Whether arithmetic on the configuration tells it."""
        return self not in (Metric.VAL_ACCURACY, Metric.VAL_LOSS)

    @property
    def direction(self) -> "Direction":
        """Which way it gets better."""
        return Direction.MAXIMIZE if self is Metric.VAL_ACCURACY else Direction.MINIMIZE


class Direction(StrEnum):
    """Which way a metric improves."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


class ScoreKind(StrEnum):
    """Which epoch's value of the metric is a run's score."""

    LAST = "last"
    BEST = "best"


class FailReason(StrEnum):
    """Why a trial ended as FAIL."""

    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_LOST = "worker_lost"
    TIMEOUT = "timeout"
    ERROR = "error"


class Ending(StrEnum):
    """How one attempt at a trial ended.

    ``finished``, ``pruned`` and ``failed`` end the trial too; after ``interrupted`` (the user stopped
    the driver, or the budget is spent) and ``lost`` (the driver, the worker or its machine is gone) the
    trial stays open and its next attempt goes on from the last recorded checkpoint.
    """

    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFacts:
    """What is fixed about a data set, so that a network can be built without loading it.

    Attributes:
        channels: Image channels.
        size: Height and width in pixels, as the network sees an image.
        stored_size: Height and width as it is kept, where larger; training cuts a random part out, else the centre.
        classes: Number of labels.
        train_images: Size of the official training split, from which validation images are taken.
        test_images: Size of the test split.
        peak: Largest pixel value; images are divided by it before normalisation.
        mean: Per-channel mean of the training images after division by ``peak``; for GALAXY10 that of ImageNet.
        std: Per-channel standard deviation, likewise.
        bundled: Whether it comes with a package that qpsearch depends on, so that no folder is needed.
    """

    channels: int
    size: int
    classes: int
    train_images: int
    test_images: int
    peak: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    stored_size: int = 0
    bundled: bool = False


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

DATASETS: dict[DatasetName, DatasetFacts] = {
    DatasetName.DIGITS: DatasetFacts(
        channels=1,
        size=8,
        classes=10,
        train_images=1497,
        test_images=300,
        peak=16,
        mean=(0.3053,),
        std=(0.3760,),
        bundled=True,  # scikit-learn's
    ),
    DatasetName.CIFAR10: DatasetFacts(
        channels=3,
        size=32,
        classes=10,
        train_images=50_000,
        test_images=10_000,
        peak=255,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
    ),
    DatasetName.CIFAR100: DatasetFacts(
        channels=3,
        size=32,
        classes=100,
        train_images=50_000,
        test_images=10_000,
        peak=255,
        mean=(0.5071, 0.4865, 0.4409),
        std=(0.2673, 0.2564, 0.2762),
    ),
    DatasetName.SVHN: DatasetFacts(
        channels=3,
        size=32,
        classes=10,
        train_images=73_257,
        test_images=26_032,
        peak=255,
        mean=(0.4377, 0.4438, 0.4728),
        std=(0.1980, 0.2010, 0.1970),
    ),
    DatasetName.GALAXY10: DatasetFacts(
        channels=3,
        size=256,
        classes=10,
        train_images=15_962,
        test_images=1_774,
        peak=255,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    ),
    DatasetName.IMAGENET: DatasetFacts(
        channels=3,
        size=224,
        stored_size=256,
        classes=1000,
        train_images=1_281_167,
        test_images=50_000,
        peak=255,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    ),
}
