"""A configuration, complete and frozen: what is built and how it is trained.

``resolve`` is the only way from a space's parameters to a ``TrialConfig``. Everything downstream (cost,
models, training) reads nothing else, and its JSON is stored with each trial, so that any trial can be
run again from the database alone.
"""

import hashlib
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from qpsearch.errors import Infeasible
from qpsearch.space import Draw, Space
from qpsearch.vocabulary import (
    DATASETS,
    Augmentation,
    BlockKind,
    DatasetName,
    ExponentInit,
    InitKind,
    NormKind,
    NormPlacement,
    QuotientKind,
    ScheduleKind,
    ShortcutKind,
    StemPool,
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuotientRules(_Frozen):
    """Rules of quotient blocks (PAPERS section 1).

    Attributes:
        activation: The function on the branch (rules Q2, Q3).
        alpha: Upper bound of a quotient, above 1 (rules Q3, Q4, Q5); ``relu`` has none.
    """

    activation: QuotientKind = QuotientKind.SIGMOID
    alpha: float = Field(gt=1)


class ProductUnitRules(_Frozen):
    """Rules of product-unit blocks (PAPERS section 2).

    Attributes:
        exponent_init: How the exponents start (rule P9).
        exponent_clip: Bound on the magnitude of the sum before exp; None for none (rule P10).
    """

    exponent_init: ExponentInit
    exponent_clip: float | None = Field(gt=0)


class Stage(_Frozen):
    """Blocks of one width and resolution.

    Attributes:
        width: Output channels.
        stride: Stride of the first block; the others have 1.
        depth: Number of blocks.
        block: How the branch is combined with the shortcut.
        norm: Normalisation layer.
        norm_placement: After (post) or before (pre) each weight layer.
        init: How convolutions start.
        shortcut: Shortcut of the first block where it changes width or resolution.
        quotient: Set exactly where ``block`` is quotient.
        product_unit: Set exactly where ``block`` is product_unit.
    """

    width: int = Field(gt=0)
    stride: int = Field(gt=0)
    depth: int = Field(gt=0)
    block: BlockKind
    norm: NormKind
    norm_placement: NormPlacement
    init: InitKind
    shortcut: ShortcutKind
    quotient: QuotientRules | None = None
    product_unit: ProductUnitRules | None = None

    @model_validator(mode="after")
    def _rules_belong_to_the_block(self) -> Self:
        for kind in (BlockKind.QUOTIENT, BlockKind.PRODUCT_UNIT):
            if (getattr(self, kind.value) is not None) != (self.block is kind):
                raise ValueError(f"{kind.value} rules belong to {kind.value} blocks; this block is {self.block.value}")
        return self


class Network(_Frozen):
    """Stem, stages, head.

    Attributes:
        channels: Channels of an image.
        size: Height and width of an image.
        classes: Outputs of the head.
        stem_width: Channels after the stem.
        stem_kernel: Side of the stem's convolution, odd.
        stem_stride: Its stride.
        stem_pool: What follows it: nothing, or 3x3 max pooling of stride 2.
        stages: From the image to the head.
    """

    channels: int = Field(gt=0)
    size: int = Field(gt=0)
    classes: int = Field(gt=1)
    stem_width: int = Field(gt=0)
    stem_kernel: int = Field(default=3, gt=0)
    stem_stride: int = Field(default=1, gt=0)
    stem_pool: StemPool = StemPool.NONE
    stages: tuple[Stage, ...] = Field(min_length=1)


class Sgd(_Frozen):
    """Stochastic gradient descent with momentum and an L2 penalty on all parameters."""

    kind: Literal["sgd"] = "sgd"
    lr: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)


class AdamW(_Frozen):
    """Adam with decoupled weight decay."""

    kind: Literal["adamw"] = "adamw"
    lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)


class Recipe(_Frozen):
    """How the network is trained.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images a step; the last batch of an epoch may be smaller.
        optimizer: The optimiser with its settings.
        schedule: How the learning rate falls.
    """

    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    optimizer: Sgd | AdamW = Field(discriminator="kind")
    schedule: ScheduleKind


class Data(_Frozen):
    """Which images, and which of them steer the search."""

    dataset: DatasetName
    validation: int = Field(gt=0)
    augment: tuple[Augmentation, ...] = ()


class TrialConfig(_Frozen):
    """One point of a space, with every field filled.

    Attributes:
        version: Of this format; a field that is absent means what it meant in that version.
        data: The data set and its split.
        network: What is built.
        recipe: How it is trained.
    """

    version: Literal[1] = 1
    data: Data
    network: Network
    recipe: Recipe

    def to_json(self) -> str:
        """Return the configuration as one JSON document."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> "TrialConfig":
        """Read what ``to_json`` wrote, in this or an earlier version of the format."""
        return cls.model_validate_json(text)

    @property
    def fingerprint(self) -> str:
        """Hash by which two trials with the same configuration are told to be one point."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def resolve(space: Space, draw: Draw) -> TrialConfig:
    """Turn a draw into a configuration.

    Raises:
        Infeasible: The parts do not fit together: more halvings than the image has pixels, a zero-padded
            shortcut into a narrower stage, a stem's kernel that has no middle, no stage at all.
    """
    facts = DATASETS[space.data.dataset]
    network = draw.values["network"]
    try:
        config = TrialConfig(
            data=Data(dataset=space.data.dataset, validation=space.data.validation, augment=space.data.augment),
            network=Network(
                channels=facts.channels,
                size=facts.size,
                classes=facts.classes,
                **{f"stem_{name}": value for name, value in network["stem"].items()},
                stages=tuple(Stage(**stage) for stage in network["stages"]),
            ),
            recipe=Recipe(**draw.values["training"]),
        )
    except ValidationError as error:
        raise Infeasible(_first(error), _first(error)) from None
    check_shapes(config.network)
    return config


def check_shapes(network: Network) -> None:
    """Check what only the whole network can tell.

    Raises:
        Infeasible: See ``resolve``.
    """
    if network.stem_kernel % 2 == 0:
        raise Infeasible(f"the stem's kernel has side {network.stem_kernel}", "the stem's kernel is even")
    size, width = stem_size(network), network.stem_width
    for index, stage in enumerate(network.stages):
        if stage.stride > size:
            rule = f"stage {index} has a stride beyond its images"
            raise Infeasible(f"stage {index} has stride {stage.stride} on images of {size}x{size} pixels", rule)
        if stage.shortcut is ShortcutKind.PAD and stage.width < width:
            rule = f"stage {index} narrows, which a padded shortcut cannot"
            raise Infeasible(f"{rule}: from {width} to {stage.width} channels", rule)
        size, width = down(size, stage.stride), stage.width


def stem_size(network: Network) -> int:
    """Return the side of the images that the first stage sees."""
    size = down(network.size, network.stem_stride)
    return down(size, 2) if network.stem_pool is StemPool.MAX else size


def down(size: int, stride: int) -> int:
    """Return the side of the output of a 3x3 convolution with padding 1, or of a 1x1 one, of that stride."""
    return (size - 1) // stride + 1


def _first(error: ValidationError) -> str:
    problem: Any = error.errors()[0]
    path = ".".join(map(str, problem["loc"]))
    return f"{path}: {problem['msg']}"
