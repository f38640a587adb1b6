"""A configuration, complete and frozen: what is built and how it is trained.

``resolve`` is the only way from a space's parameters to a ``TrialConfig``. Everything downstream (cost, models,
training) reads nothing else, and its JSON is stored with each trial, so that any trial can be run again from the
database alone. A default here is the value for configurations that were stored before the field existed.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from qpsearch.registry.augmentations import Padding
from qpsearch.registry.datasets import Data, Normalisation
from qpsearch.space.schema.rules import ProductUnitRules, QuotientRules, StageRules
from qpsearch.vocabulary import (
    MULTIPLYING,
    WITH_PRODUCT_UNITS,
    Precision,
    Scalar,
    ScheduleKind,
    StemActivation,
    StemPool,
    WithWords,
    coerce_words,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# Fields of ``Data`` that configurations were stored without: those are written as they were read.
LATER: Final = {"padding": Padding.MEAN, "normalise": Normalisation.DATASET, "own_validation": False, "own": None}


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
class Sgd(_Strict):
    """Stochastic gradient descent with momentum and an L2 penalty on all parameters."""

    kind: Literal["sgd"] = "sgd"
    lr: float
    momentum: float
    weight_decay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamW(_Strict):
    """Adam with decoupled weight decay."""

    kind: Literal["adamw"] = "adamw"
    lr: float
    weight_decay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(_Strict):
    """How the network is trained.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images in a step; the last batch of an epoch may be smaller.
        optimizer: The optimiser with its settings.
        schedule: How the learning rate falls.
        precision: The number format in which the network computes (rule P19).
    """

    epochs: int
    batch_size: int
    optimizer: Sgd | AdamW
    schedule: ScheduleKind
    precision: Precision = Precision.FLOAT32


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

    def to_json(self) -> str:
        """Return the configuration as one JSON document, in which a later field has no place at its default."""
        left_out = {name for name, default in LATER.items() if getattr(self.data, name) == default}
        return _json().dump_json(self, exclude={"data": left_out}).decode()

    @classmethod
    def from_json(cls, text: str) -> "TrialConfig":
        """Read what ``to_json`` wrote, in this or an earlier version of the format.

        Raises:
            ValueError: The text is not such a document.
        """
        return _json().validate_json(text)


@cache
def _json() -> "TypeAdapter[TrialConfig]":
    """Return the converter between configurations and JSON; built on first use, since that takes a while."""
    from pydantic import TypeAdapter

    return TypeAdapter(TrialConfig)
