"""The words of the field, as string enums.

All other files use these words; this file needs only the standard library. The value of a member is what a user writes
in a space file and what the study database stores, so it never changes once released.
"""

import os
from enum import StrEnum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

Word = TypeVar("Word", bound=StrEnum)
Scalar = str | int | float | bool | None  # what a leaf of a space file may hold, and a parameter of a trial


class Variable(StrEnum):
    """The environment variables of qpsearch."""

    STORAGE = "QPSEARCH_STORAGE"
    ARTIFACTS = "QPSEARCH_ARTIFACTS"
    DATA = "QPSEARCH_DATA"
    IMPORT = "QPSEARCH_IMPORT"
    IMPORT_FOLDERS = "QPSEARCH_IMPORT_FOLDERS"  # where modules shipped to Ray's workers came from, for what they import
    COMPLETE = "_QPSEARCH_COMPLETE"  # set by a shell that completes a word

    @property
    def given(self) -> str | None:
        """What the environment says; None where the variable is unset, or empty, which means the same."""
        return os.environ.get(self) or None

    @classmethod
    def for_child(cls) -> dict[str, str]:
        """The environment for a process that this one starts: its own without the database's URL, with its password."""
        return {name: value for name, value in os.environ.items() if name != cls.STORAGE}


class PluginGroup(StrEnum):
    """The groups of entry points by which installed packages bring what they add to the built-in ones."""

    BLOCKS = "qpsearch.blocks"
    DATASETS = "qpsearch.datasets"
    SAMPLERS = "qpsearch.samplers"
    METRICS = "qpsearch.metrics"


class BlockKind(StrEnum):
    """How a residual block combines its branch with its shortcut (rules Q1, P1)."""

    ADDITIVE = "additive"
    QUOTIENT = "quotient"
    PRODUCT_UNIT = "product_unit"
    QUOTIENT_PRODUCT_UNIT = "quotient_product_unit"


MULTIPLYING: Final = frozenset({BlockKind.QUOTIENT, BlockKind.QUOTIENT_PRODUCT_UNIT})
WITH_PRODUCT_UNITS: Final = frozenset({BlockKind.PRODUCT_UNIT, BlockKind.QUOTIENT_PRODUCT_UNIT})


class BranchKind(StrEnum):
    """The layers with weights on a branch: two of 3x3, or 1x1, 3x3, 1x1 with a quarter of the channels inside."""

    BASIC = "basic"
    BOTTLENECK = "bottleneck"

    @property
    def layers(self) -> int:
        """Layers with weights on the branch."""
        return 3 if self is BranchKind.BOTTLENECK else 2


class Activation(StrEnum):
    """A pointwise activation."""

    RELU = "relu"
    SILU = "silu"
    GELU = "gelu"
    NONE = "none"


class OutputActivation(StrEnum):
    """Activation after the sum of a product-unit block (rule P4); ``auto`` is ReLU in post placement, none in pre."""

    AUTO = "auto"
    RELU = "relu"
    NONE = "none"


class StemActivation(StrEnum):
    """Activation after the stem's convolution (rules Q9, P5); ``auto`` fits the block of the first stage."""

    AUTO = "auto"
    QUOTIENT = "quotient"
    RELU = "relu"
    NONE = "none"


class ShortcutActivation(StrEnum):
    """Activation after the projection shortcut of a quotient block (rule Q10)."""

    QUOTIENT = "quotient"
    RELU = "relu"
    NONE = "none"


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
    QUOTIENT_AT_ONE = "quotient_at_one"
    FIXUP = "fixup"


class ShortcutKind(StrEnum):
    """The shortcut of a block that changes width or resolution (rule Q14); identity elsewhere."""

    CONV3X3 = "conv3x3"
    CONV1X1 = "conv1x1"
    AVERAGE_POOL = "average_pool"
    PAD = "pad"
    IDENTITY = "identity"


class ExponentInit(StrEnum):
    """How the exponents of a product unit start (rule P9)."""

    KAIMING_FAN_OUT = "kaiming_fan_out"
    SMALL = "small"
    FRAMEWORK = "framework"


class QuotientKind(StrEnum):
    """The function on a quotient's branch (rules Q2, Q3, Q8).

    ``unbounded`` and ``relu`` are two readings of the paper's case that fails to train: max(0, z + 1) and max(0, z).
    """

    SIGMOID = "sigmoid"
    LINEAR = "linear"
    UNBOUNDED = "unbounded"
    RELU = "relu"


class Sharing(StrEnum):
    """How a learned number is shared: one for each layer, or one for each channel."""

    LAYER = "layer"
    CHANNEL = "channel"


class Position(StrEnum):
    """Which layers of a branch are product units (rule P2)."""

    FIRST = "first"
    SECOND = "second"
    BOTH = "both"


class NormsAround(StrEnum):
    """Which of the normalisations before and after a product unit are kept (rule P6)."""

    BOTH = "both"
    BEFORE = "before"
    AFTER = "after"


class Positivity(StrEnum):
    """How the input of a product unit is made positive (rule P7)."""

    MAX = "max"
    SMOOTH = "smooth"


class LogPadding(StrEnum):
    """Where a product unit is padded with zeros (rule P11)."""

    AFTER_LOG = "after_log"
    BEFORE_LOG = "before_log"


class Mixing(StrEnum):
    """Whether a product unit multiplies over all input channels or over one (rule P13)."""

    DENSE = "dense"
    DEPTHWISE = "depthwise"


class Numbers(StrEnum):
    """Whether the powers of a product unit are real, or the real part of complex ones (rule P16)."""

    REAL = "real"
    COMPLEX = "complex"


class Precision(StrEnum):
    """Number format in which a network computes during training (rule P19); weights and product units stay float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class FamilyName(StrEnum):
    """Families of named networks; a family followed by a depth names a network."""

    RESNET = "resnet"
    RESNET_A = "resnet_a"
    QUOTIENT = "quotient"
    PURE = "pure"
    PURE_A = "pure_a"
    PURE_NORELU = "pure_norelu"
    PURE_NORELU_A = "pure_norelu_a"


class StemPool(StrEnum):
    """The pooling after the stem's convolution."""

    NONE = "none"
    MAX = "max"


class Decay(StrEnum):
    """Which parameters weight decay falls on: all, as in both papers, or kernels and matrices alone."""

    ALL = "all"
    WEIGHTS = "weights"


class Dispatcher(StrEnum):
    """How trials are run: many at once by Ray Tune, or one at a time in a child process."""

    TUNE = "tune"
    INLINE = "inline"


class Fuse(StrEnum):
    """Whether the seeds of a trial are trained as one network: never, where a measurement says it is faster, always."""

    NEVER = "never"
    AUTO = "auto"
    ALWAYS = "always"


class CudaGraphs(StrEnum):
    """Whether a GPU is given each training step as one CUDA graph: never, where it is known to be the same, always."""

    NEVER = "never"
    AUTO = "auto"
    ALWAYS = "always"


class Evaluator(StrEnum):
    """How importances are computed; ``anova`` is ours, the others are Optuna's own."""

    ANOVA = "anova"
    FANOVA = "fanova"
    PED_ANOVA = "ped-anova"
    MDI = "mdi"


class SplitName(StrEnum):
    """Images on which trained networks are compared."""

    TEST = "test"
    VALIDATION = "validation"


class Confidence(StrEnum):
    """How sure an expert is of a prior."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Direction(StrEnum):
    """The direction in which a metric improves."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


class ScoreKind(StrEnum):
    """Which epoch's value of the metric is a run's score."""

    LAST = "last"
    BEST = "best"


class FailReason(StrEnum):
    """Why a trial ended in state FAIL."""

    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_LOST = "worker_lost"
    TIMEOUT = "timeout"
    ERROR = "error"


class Order(StrEnum):
    """The sort orders of trials."""

    NUMBER = "number"
    VALUE = "value"
    EPOCHS = "epochs"
    TIME = "time"


class Ending(StrEnum):
    """How one attempt at a trial ended.

    ``finished``, ``pruned`` and ``failed`` end the trial too. After ``paused`` (at a rung of ``asha``) the trial
    continues only if it is among the best of its rung. After ``interrupted`` (the user stopped the driver, or the
    budget is spent) and ``lost`` (the driver, the worker or its machine is gone) it stays open, and its next attempt
    continues from the last recorded checkpoint. After ``retried`` (it lacked memory before its first epoch) it begins
    again with half as many images at once, a configuration of its own.
    """

    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    RETRIED = "retried"


class WithWords:
    """A mixin of dataclasses whose fields hold words: each becomes the member of its enum, or is refused.

    Enums are compared with ``is``, so a record that kept ``"post"`` instead of ``NormPlacement.POST`` would
    silently mean something else. Annotations must exist at run time, not only for type checkers; a class with a
    ``__post_init__`` of its own calls ``coerce_words`` first.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        coerce_words(self)


def coerce_words(record: object) -> None:
    """Set each field of a dataclass that holds a word, several words, or a word or nothing, to members of its enum.

    Raises:
        ValueError: A value does not belong to the enum; the message names field, value and choices.
    """
    for name, (kind, is_optional, is_several) in words_of(type(record)).items():  # type: ignore[arg-type]  # a class can be hashed
        value: Any = getattr(record, name)
        if isinstance(value, kind) or (value is None and is_optional):
            continue
        field = f"{type(record).__name__}.{name}"
        one = partial(as_member, kind, field=field)
        object.__setattr__(record, name, tuple(map(one, _items(value, field))) if is_several else one(value))


@cache
def words_of(record: type) -> dict[str, tuple[type[StrEnum], bool, bool]]:
    """Return the fields of a dataclass that hold words: the enum, whether None is allowed, whether it holds several.

    A field that takes a word or something else (``BlockKind | str``) is left out.
    """
    found = {}
    for name, hint in get_type_hints(record).items():
        is_several = get_origin(hint) is tuple
        inside = get_args(hint) if is_several or get_origin(hint) in (Union, UnionType) else (hint,)
        parts = [part for part in inside if part not in (NoneType, ...)]
        kind = parts[0] if len(parts) == 1 else None
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            found[name] = (kind, NoneType in get_args(hint), is_several)
    return found


def _items(value: object, field: str) -> tuple[object, ...]:
    if not isinstance(value, tuple | list):
        raise ValueError(f"{field}: expected several words, got {value!r}")
    return tuple(value)


def as_member(kind: type[Word], value: object, field: str) -> Word:
    """Return a member as it is, and a member's value as the member.

    Raises:
        ValueError: The value does not belong to the enum; the message names field, value and choices.
    """
    if isinstance(value, kind):
        return value
    try:
        return kind(value)  # type: ignore[arg-type]  # a value that is not a word is refused below
    except ValueError:
        raise ValueError(f"{field}: unknown value {value!r}. Choices: {', '.join(kind)}") from None
