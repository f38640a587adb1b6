"""A configuration, complete and frozen: what is built and how it is trained.

``resolve`` is the only way from a space's parameters to a ``TrialConfig``. Everything downstream (cost,
models, training) reads nothing else, and its JSON is stored with each trial, so that any trial can be
run again from the database alone.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

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

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class _Strict:
    """What pydantic is told about the records below when it reads their JSON."""

    __slots__ = ()
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # the name and form that pydantic looks for


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotientRules(_Strict):
    """Rules of quotient blocks (PAPERS section 1).

    Attributes:
        activation: The function on the branch (rules Q2, Q3).
        alpha: Upper bound of a quotient, above 1 (rules Q3, Q4, Q5); ``relu`` has none.
    """

    activation: QuotientKind = QuotientKind.SIGMOID
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductUnitRules(_Strict):
    """Rules of product-unit blocks (PAPERS section 2).

    Attributes:
        exponent_init: How the exponents start (rule P9).
        exponent_clip: Bound on the magnitude of the sum before exp; None for none (rule P10).
    """

    exponent_init: ExponentInit
    exponent_clip: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(_Strict):
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

    width: int
    stride: int
    depth: int
    block: BlockKind
    norm: NormKind
    norm_placement: NormPlacement
    init: InitKind
    shortcut: ShortcutKind
    quotient: QuotientRules | None = None
    product_unit: ProductUnitRules | None = None

    def __post_init__(self) -> None:
        if min(self.width, self.stride, self.depth) < 1:
            raise ValueError(f"width, stride and depth are at least 1, got {self.width}, {self.stride}, {self.depth}")
        for kind in (BlockKind.QUOTIENT, BlockKind.PRODUCT_UNIT):
            if (getattr(self, kind.value) is not None) != (self.block is kind):
                raise ValueError(f"{kind.value} rules belong to {kind.value} blocks; this block is {self.block.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(_Strict):
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

    channels: int
    size: int
    classes: int
    stem_width: int
    stem_kernel: int = 3
    stem_stride: int = 1
    stem_pool: StemPool = StemPool.NONE
    stages: tuple[Stage, ...]


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
        batch_size: Images a step; the last batch of an epoch may be smaller.
        optimizer: The optimiser with its settings.
        schedule: How the learning rate falls.
    """

    epochs: int
    batch_size: int
    optimizer: Sgd | AdamW
    schedule: ScheduleKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(_Strict):
    """Which images, and which of them steer the search."""

    dataset: DatasetName
    validation: int
    augment: tuple[Augmentation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig(_Strict):
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
        return _json().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "TrialConfig":
        """Read what ``to_json`` wrote, in this or an earlier version of the format.

        Raises:
            ValueError: It is something else.
        """
        return _json().validate_json(text)

    @property
    def fingerprint(self) -> str:
        """Hash by which two trials with the same configuration are told to be one point."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


@cache
def _json() -> "TypeAdapter[TrialConfig]":
    """Return what turns a configuration into JSON and back; built when it is first needed, which takes a while."""
    from pydantic import TypeAdapter

    return TypeAdapter(TrialConfig)


def resolve(space: Space, draw: Draw) -> TrialConfig:
    """Turn a draw into a configuration.

    Raises:
        Infeasible: The parts do not fit together: more halvings than the image has pixels, a zero-padded
            shortcut into a narrower stage, a stem's kernel that has no middle, no stage at all.
    """
    facts = DATASETS[space.data.dataset]
    network = draw.values["network"]
    stem = {f"stem_{name}": value for name, value in network["stem"].items()}
    config = TrialConfig(
        data=Data(dataset=space.data.dataset, validation=space.data.validation, augment=space.data.augment),
        network=Network(
            channels=facts.channels,
            size=facts.size,
            classes=facts.classes,
            stages=tuple(map(_stage, network["stages"])),
            **_typed(stem, stem_pool=StemPool),
        ),
        recipe=_recipe(draw.values["training"]),
    )
    check_shapes(config.network)
    return config


def _stage(values: Mapping[str, Any]) -> Stage:
    words = {"block": BlockKind, "norm": NormKind, "norm_placement": NormPlacement}
    known = _typed(values, **words, init=InitKind, shortcut=ShortcutKind)
    if "quotient" in known:
        known["quotient"] = QuotientRules(**_typed(known["quotient"], activation=QuotientKind))
    if "product_unit" in known:
        known["product_unit"] = ProductUnitRules(**_typed(known["product_unit"], exponent_init=ExponentInit))
    return Stage(**known)


def _recipe(values: Mapping[str, Any]) -> Recipe:
    optimizer = {"sgd": Sgd, "adamw": AdamW}[values["optimizer"]["kind"]]
    return Recipe(**_typed(values, schedule=ScheduleKind) | {"optimizer": optimizer(**values["optimizer"])})


def _typed(values: Mapping[str, Any], **words: type[StrEnum]) -> dict[str, Any]:
    """Return settings with the words of some of them as members of their enums."""
    return {name: words[name](value) if name in words else value for name, value in values.items()}


def check_shapes(network: Network) -> None:
    """Check what only the whole network can tell.

    Raises:
        Infeasible: See ``resolve``.
    """
    if not network.stages:
        raise Infeasible("the network has no stage", "the network has no stage")
    if network.stem_kernel % 2 == 0:
        raise Infeasible(f"the stem's kernel has side {network.stem_kernel}", "the stem's kernel is even")
    size, width = stem_size(network), network.stem_width
    for index, stage in enumerate(network.stages):
        if stage.stride > size:
            rule = f"stage {index} has a stride beyond its images"
            raise Infeasible(f"stage {index} has stride {stage.stride} on images of {size}x{size} pixels", rule)
        if stage.shortcut is ShortcutKind.PAD and stage.width < width:
            rule = f"stage {index} narrows, which a padded shortcut cannot"
            change = f"from {width} to {stage.width} channels"
            raise Infeasible(f"stage {index} narrows {change}, which a padded shortcut cannot", rule)
        size, width = down(size, stage.stride), stage.width


def stem_size(network: Network) -> int:
    """Return the side of the images that the first stage sees."""
    size = down(network.size, network.stem_stride)
    return down(size, 2) if network.stem_pool is StemPool.MAX else size


def down(size: int, stride: int) -> int:
    """Return the side of the output of a 3x3 convolution with padding 1, or of a 1x1 one, of that stride."""
    return (size - 1) // stride + 1
