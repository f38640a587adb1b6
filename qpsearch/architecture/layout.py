"""The layers of a network as plain records, before anything is built.

``cost`` counts and ``models`` builds from this one description. A layer knows its channels; the size of its images
follows from the strides of the layers before it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from qpsearch.architecture.config import Network, Stage
from qpsearch.space.schema.rules import ProductUnitRules, QuotientRules
from qpsearch.vocabulary import (
    Activation,
    BranchKind,
    NormKind,
    NormPlacement,
    NormsAround,
    OutputActivation,
    Position,
    ShortcutActivation,
    ShortcutKind,
    StemActivation,
    StemPool,
    WithWords,
)

BOTTLENECK: Final = 4  # a bottleneck has a fourth of its stage's channels inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A k x k convolution without bias that keeps H and W up to its stride."""

    width_in: int
    width: int
    kernel: int = 3
    stride: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductUnit:
    """A k x k product unit that keeps H and W up to its stride."""

    width_in: int
    width: int
    kernel: int = 3
    stride: int = 1
    rules: ProductUnitRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm(WithWords):
    """A normalisation layer."""

    kind: NormKind
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointwise(WithWords):
    """An activation."""

    kind: Activation
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The function that turns the output of a branch into a quotient."""

    rules: QuotientRules
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool:
    """3x3 max pooling of stride 2."""

    width: int
    stride: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePool:
    """The mean of s x s pixels; fewer at the edge."""

    width: int
    stride: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad:
    """Every s-th pixel, and new channels that hold one value."""

    width_in: int
    width: int
    stride: int
    fill: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A custom block: a layer that qpsearch cannot look into.

    Attributes:
        stage: The stage of the block.
        width_in: Channels of the block's input.
        stride: Stride of the block.
        build: Makes the block (a torch module) from stage, input width and stride.
        count: Returns the block's parameters, multiply-accumulates and activation bytes, given stage, input width, side
            of the input images and stride.
        attempt: Passes images through the block on the meta device, with the same arguments; raises UserError where the
            output is wrong.
    """

    stage: Stage
    width_in: int
    stride: int
    build: Callable[[Stage, int, int], Any]
    count: Callable[[Stage, int, int, int], tuple[int, int, int]]
    attempt: Callable[[Stage, int, int, int], object]


Layer = Convolution | ProductUnit | Norm | Pointwise | Bound | MaxPool | AveragePool | Pad
Layers = tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A block that adds: ``output(shortcut(x) + branch(x))``."""

    branch: Layers
    shortcut: Layers
    output: Layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A block that multiplies: ``output(shortcut(x) * bound(branch(x)))``."""

    branch: Layers
    bound: Bound
    shortcut: Layers
    output: Layers


BlockLayout = Sum | Product | Custom


def sum_layout(stage: Stage, width_in: int, stride: int) -> Sum:
    """Return the layers of a block that adds (rules Q1, P1)."""
    return Sum(
        branch=branch_layers(stage, width_in, stride),
        shortcut=shortcut_layers(stage, width_in, stride),
        output=output_layers(stage),
    )


def product_layout(stage: Stage, width_in: int, stride: int) -> Product:
    """Return the layers of a block that multiplies (rule Q1)."""
    assert stage.quotient is not None
    return Product(
        branch=branch_layers(stage, width_in, stride),
        bound=Bound(rules=stage.quotient, width=stage.width),
        shortcut=shortcut_layers(stage, width_in, stride),
        output=output_layers(stage),
    )


def stem_layers(network: Network) -> Layers:
    """Return the layers of the stem: a convolution, with normalisation, activation and pooling (rules Q9, P5).

    The activation fits the first stage: ReLU, or the quotient's function where the first stage multiplies. Where the
    first stage adds with ``norm_placement: pre``, the convolution stands alone, unless an activation is set.
    """
    first, width = network.stages[0], network.stem_width
    layers: list[Layer] = [
        Convolution(width_in=network.channels, width=width, kernel=network.stem_kernel, stride=network.stem_stride)
    ]
    kind = network.stem_activation
    if kind is StemActivation.AUTO and not begins_bare(first):
        kind = StemActivation.RELU if first.quotient is None else StemActivation.QUOTIENT
    if kind is not StemActivation.AUTO:
        layers += _norm(first, width)
    if kind is StemActivation.QUOTIENT:
        assert first.quotient is not None
        layers.append(Bound(rules=first.quotient, width=width))
    elif kind is StemActivation.RELU:
        layers.append(Pointwise(kind=Activation.RELU, width=width))
    if network.stem_pool is StemPool.MAX:
        layers.append(MaxPool(width=width))
    return tuple(layers)


def branch_layers(stage: Stage, width_in: int, stride: int) -> Layers:
    """Return the branch of a block: layers with weights, and the layers before, between and after them.

    post: weights-norm-act-weights-norm, with as many weights as the branch has. pre: norm-act-weights-norm-act-weights.
    Around a product unit its ``norms`` rule may leave a normalisation out (rules P3, P6, Q11, Q13).
    """
    weights = _weights(stage, width_in, stride)
    inner = _inner_activation(stage)
    post = stage.norm_placement is NormPlacement.POST
    layers: list[Layer] = []
    for gap in range(len(weights) + 1):
        before = weights[gap - 1] if gap > 0 else None
        behind = weights[gap] if gap < len(weights) else None
        width = before.width if before is not None else width_in
        if (before if post else behind) is not None:
            if _has_norm(before, behind):
                layers += _norm(stage, width)
            if behind is not None:
                layers += _activation(inner, width)
        if behind is not None:
            layers.append(behind)
    return tuple(layers)


def shortcut_layers(stage: Stage, width_in: int, stride: int) -> Layers:
    """Return the layers of the shortcut; empty where shapes agree (rules Q10, Q14, P14).

    ``average_pool`` averages s x s pixels before a 1x1 convolution, so that no pixel is skipped. ``pad`` fills new
    channels with the neutral element: 0 where the branch is added, 1 where it multiplies.
    """
    width = stage.width
    if stride == 1 and width_in == width:
        return ()
    if stage.shortcut is ShortcutKind.PAD:
        return (Pad(width_in=width_in, width=width, stride=stride, fill=float(stage.quotient is not None)),)
    layers: list[Layer] = []
    if stage.shortcut is ShortcutKind.AVERAGE_POOL and stride > 1:
        layers.append(AveragePool(width=width_in, stride=stride))
        stride = 1
    kernel = 3 if stage.shortcut is ShortcutKind.CONV3X3 else 1
    layers += [Convolution(width_in=width_in, width=width, kernel=kernel, stride=stride), *_norm(stage, width)]
    if stage.quotient is not None:
        match stage.quotient.shortcut_activation:
            case ShortcutActivation.QUOTIENT:
                layers.append(Bound(rules=stage.quotient, width=width))
            case ShortcutActivation.RELU:
                layers.append(Pointwise(kind=Activation.RELU, width=width))
            case ShortcutActivation.NONE:
                pass
    return tuple(layers)


def output_layers(stage: Stage) -> Layers:
    """Return the layers after the sum or the product (rules Q12, P4): ReLU after a sum in post placement."""
    if stage.quotient is not None:
        return _activation(stage.quotient.output_activation, stage.width)
    rule = OutputActivation.AUTO if stage.product_unit is None else stage.product_unit.output_activation
    if rule is OutputActivation.AUTO:
        rule = OutputActivation.RELU if stage.norm_placement is NormPlacement.POST else OutputActivation.NONE
    return _activation(Activation(rule.value), stage.width)


def final_layers(network: Network) -> Layers:
    """Return the layers between the last block and the pool: norm and ReLU after additions in pre placement."""
    last = network.stages[-1]
    if not begins_bare(last):
        return ()
    return (*_norm(last, last.width), Pointwise(kind=Activation.RELU, width=last.width))


def begins_bare(stage: Stage) -> bool:
    """Whether a stage's input is not yet normalised: the stage adds, with ``norm_placement: pre``."""
    return stage.norm_placement is NormPlacement.PRE and stage.quotient is None


def stem_size(network: Network) -> int:
    """Return the side of the images that the first stage sees."""
    size = down(network.size, network.stem_stride)
    return down(size, 2) if network.stem_pool is StemPool.MAX else size


def down(size: int, stride: int) -> int:
    """Return the side of the output of a k x k layer with odd k, padding k // 2 and the given stride."""
    return (size - 1) // stride + 1


def _weights(stage: Stage, width_in: int, stride: int) -> list[Convolution | ProductUnit]:
    """Return the layers with weights: the strided one is the first of a basic branch, the 3x3 of a bottleneck."""
    width, inside = stage.width, stage.width // BOTTLENECK
    shapes = (
        [(width_in, width, 3, stride), (width, width, 3, 1)]
        if stage.branch is BranchKind.BASIC
        else [(width_in, inside, 1, 1), (inside, inside, 3, stride), (inside, width, 1, 1)]
    )
    rules = stage.product_unit
    units = (
        set() if rules is None else {Position.FIRST: {0}, Position.SECOND: {1}, Position.BOTH: {0, 1}}[rules.position]
    )
    return [
        ProductUnit(width_in=a, width=b, kernel=kernel, stride=s, rules=rules)
        if index in units and rules is not None
        else Convolution(width_in=a, width=b, kernel=kernel, stride=s)
        for index, (a, b, kernel, s) in enumerate(shapes)
    ]


def _has_norm(before: Layer | None, behind: Layer | None) -> bool:
    """Whether a gap between layers has a normalisation: product units next to the gap may leave it out."""
    asked = [before.rules.norms is not NormsAround.BEFORE] if isinstance(before, ProductUnit) else []
    asked += [behind.rules.norms is not NormsAround.AFTER] if isinstance(behind, ProductUnit) else []
    return any(asked) or not asked


def _inner_activation(stage: Stage) -> Activation:
    if stage.product_unit is not None:
        return stage.product_unit.inner_activation
    return Activation.RELU if stage.quotient is None else stage.quotient.inner_activation


def _norm(stage: Stage, width: int) -> Layers:
    return () if stage.norm is NormKind.NONE else (Norm(kind=stage.norm, width=width),)


def _activation(kind: Activation, width: int) -> Layers:
    return () if kind is Activation.NONE else (Pointwise(kind=kind, width=width),)
