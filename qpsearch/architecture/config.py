"""A configuration, complete and frozen: what is built and how it is trained.

``resolve`` is the only way from a space's parameters to a ``TrialConfig``. Everything downstream (cost, models,
training) reads nothing else, and its JSON is stored with each trial, so that any trial can be run again from the
database alone. A default here is the value for configurations that were stored before the field existed.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from qpsearch.registry.augmentations import Padding
from qpsearch.registry.datasets import Data, Normalisation
from qpsearch.registry.members import known
from qpsearch.registry.optimisers import AnyOptimiser
from qpsearch.registry.schedules import SCHEDULES
from qpsearch.space.schema.rules import ProductUnitRules, QuotientRules, StageRules
from qpsearch.space.schema.value_types import text_in_file
from qpsearch.vocabulary import (
    MULTIPLYING,
    WITH_PRODUCT_UNITS,
    Decay,
    Precision,
    Scalar,
    StemActivation,
    StemPool,
    WithWords,
    coerce_words,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# Fields that configurations were stored without, by path: where they have these values, they are not written.
LATER: Final = {
    "data.padding": Padding.MEAN,
    "data.normalise": Normalisation.DATASET,
    "data.augment_options": (),
    "data.own_validation": False,
    "data.own": None,
    "data.own.converted": (),
    "data.stream": None,
    "data.share": 1.0,
    "recipe.optimizer.nesterov": False,
    "recipe.warmup": 0.0,
    "recipe.label_smoothing": 0.0,
    "recipe.grad_clip": None,
    "recipe.gradient_accumulation": 1,
    "recipe.ema": None,
    "recipe.decay": Decay.ALL,
    "recipe.dropout": 0.0,
    "recipe.drop_path": 0.0,
}


class _Strict(WithWords):
    """What the records below have in common: words become members, and JSON with unknown fields is refused."""

    __slots__ = ()
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # the name and form that pydantic looks for


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(StageRules):
    """Blocks of one width and resolution: its shape, the rules of all blocks, and those of its own kind.

    Attributes:
        width: Output channels.
        stride: Stride of the first block; the others have 1.
        depth: Number of blocks.
        block: How the branch is combined with the shortcut: a ``BlockKind``, or the name of a custom block.
        quotient: Set exactly where ``block`` multiplies.
        product_unit: Set exactly where ``block`` has product units.
        own: The rules of a custom block, by name.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # as of the records below

    quotient: QuotientRules | None = None
    product_unit: ProductUnitRules | None = None
    own: tuple[tuple[str, Scalar], ...] = ()

    def __post_init__(self) -> None:
        coerce_words(self)
        if min(self.width, self.stride, self.depth) < 1:
            raise ValueError(
                f"width, stride and depth must be at least 1, got {self.width}, {self.stride}, {self.depth}"
            )
        for name, kinds in (("quotient", MULTIPLYING), ("product_unit", WITH_PRODUCT_UNITS)):
            if (getattr(self, name) is not None) != (self.block in kinds):
                raise ValueError(f"{name} rules belong to {' and '.join(sorted(kinds))}; this block is {self.block}")

    @property
    def settings(self) -> str:
        """The rules of a custom block as they stand after its name in messages: `` with mixer.kernel 4``."""
        told = ", ".join(f"{self.block}.{name} {text_in_file(value)}" for name, value in self.own)
        return f" with {told}" if told else ""

    @property
    def rules(self) -> dict[str, Scalar]:
        """The rules of a custom block."""
        return dict(self.own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(_Strict):
    """Stem, stages, head.

    Attributes:
        channels: Channels of an image.
        size: Height and width of an image.
        classes: Outputs of the head.
        stem_width: Channels after the stem.
        stem_kernel: Side of the stem's convolution, odd.
        stem_stride: Stride of the stem's convolution.
        stem_pool: The pooling after the stem's convolution: none, or 3x3 max pooling of stride 2.
        stem_activation: The activation between convolution and pooling (rules Q9, P5).
        stages: From the image to the head.
    """

    channels: int
    size: int
    classes: int
    stem_width: int
    stem_kernel: int = 3
    stem_stride: int = 1
    stem_pool: StemPool = StemPool.NONE
    stem_activation: StemActivation = StemActivation.AUTO
    stages: tuple[Stage, ...]

    @property
    def blocks(self) -> int:
        """Number of residual blocks."""
        return sum(stage.depth for stage in self.stages)

    @property
    def layers(self) -> int:
        """Layers with weights on the longest path without shortcuts, which names a network: 6n + 2."""
        return 2 + sum(stage.depth * stage.branch.layers for stage in self.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(_Strict):
    """How the network is trained.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images in a step; the last batch of an epoch may be smaller.
        optimizer: The optimiser with its settings.
        schedule: How the learning rate falls.
        precision: The number format in which the network computes (rule P19).
        warmup: Epochs in which the learning rate rises, or, below 1, their share of all epochs.
        label_smoothing: Share of each label's weight that is spread evenly over all classes (arXiv 1512.00567).
        grad_clip: Largest Euclidean norm of all gradients together; larger ones are scaled down. None for no bound.
        gradient_accumulation: Parts of a batch that are computed one after the other before the step is made.
        ema: Decay of the averaged weights and buffers, which are evaluated and kept; None for no averages.
        decay: The parameters that weight decay falls on.
        dropout: Probability with which a feature before the head is dropped in training.
        drop_path: Probability with which the last block's branch is dropped in training; it grows evenly with depth.
    """

    epochs: int
    batch_size: int
    optimizer: AnyOptimiser
    schedule: str
    precision: Precision = Precision.FLOAT32
    warmup: float = 0.0
    label_smoothing: float = 0.0
    grad_clip: float | None = None
    gradient_accumulation: int = 1
    ema: float | None = None
    decay: Decay = Decay.ALL
    dropout: float = 0.0
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        coerce_words(self)
        known(SCHEDULES, self.schedule, "Recipe.schedule")

    @property
    def warmup_share(self) -> float:
        """Share of all steps that warm up."""
        return self.warmup if self.warmup < 1 else self.warmup / self.epochs


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig(_Strict):
    """One point of a space, with every field filled.

    Attributes:
        version: Version of this format; a field that is absent has the meaning that it had in that version.
        data: The data set and its split.
        network: What is built.
        recipe: How it is trained.
    """

    version: Literal[1] = 1
    data: Data
    network: Network
    recipe: Recipe

    def to_json(self, *, complete: bool = False) -> str:
        """Return the configuration as one JSON document, in which a later field has no place at its default.

        Args:
            complete: Whether to write such fields all the same, for what compares configurations field by field.
        """
        return _json().dump_json(self, exclude=None if complete else _left_out(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> "TrialConfig":
        """Read what ``to_json`` wrote, in this or an earlier version of the format.

        Raises:
            ValueError: The text is not such a document.
        """
        return _json().validate_json(text)


def _left_out(config: TrialConfig) -> dict[str, Any]:
    """Return the later fields that have their defaults, nested, as pydantic leaves them out."""
    left_out: dict[str, Any] = {}
    for path, default in LATER.items():
        *above, name = path.split(".")
        record: Any = config
        for part in above:
            record = getattr(record, part)
        if getattr(record, name, ...) == default:
            place = left_out
            for part in above:
                place = place.setdefault(part, {})
            place[name] = True
    return left_out


@cache
def _json() -> "TypeAdapter[TrialConfig]":
    """Return the converter between configurations and JSON; built on first use, since that takes a while."""
    from pydantic import TypeAdapter

    return TypeAdapter(TrialConfig)
