"""Parameters, multiply-accumulates and activation bytes of a configuration, by arithmetic alone.

No torch: costs are known before anything is built or dispatched. A test holds them equal to the built
network, module by module, on the meta device.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from qpsearch.architecture.blocks import layout_of
from qpsearch.architecture.config import Network, Stage
from qpsearch.architecture.layout import (
    AveragePool,
    Bound,
    Convolution,
    Custom,
    Layer,
    Layers,
    MaxPool,
    Norm,
    Pad,
    Product,
    ProductUnit,
    Sum,
    down,
    final_layers,
    stem_layers,
    stem_size,
)
from qpsearch.errors import UserError, blamed
from qpsearch.vocabulary import Mixing, Numbers, Sharing

FLOAT_BYTES: Final = 4
CUDA_CONTEXT_BYTES: Final = 600 * 2**20  # GPU memory that a process takes besides its tensors


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs for one image.

    Attributes:
        parameters: Learned numbers: weights, exponents, thresholds, bounds, normalisation scales and shifts.
        macs: Multiply-accumulates of convolutions, product units and the head in a forward pass; a complex product
            unit counts twice, for magnitude and phase.
        activation_bytes: float32 bytes of the outputs of all layers (convolution, normalisation,
            activation, product unit, padding, pooling, head), which is what training may keep for backward.
    """

    parameters: int = 0
    macs: int = 0
    activation_bytes: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.parameters + other.parameters,
            self.macs + other.macs,
            self.activation_bytes + other.activation_bytes,
        )

    def __mul__(self, count: int) -> "Cost":
        return Cost(self.parameters * count, self.macs * count, self.activation_bytes * count)

    def training_bytes(self, batch_size: int) -> int:
        """Estimate what training keeps: the activations of a batch, and weights, gradients and two moments."""
        return self.activation_bytes * batch_size + 4 * FLOAT_BYTES * self.parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a network: the stem, a stage or the head.

    Attributes:
        width: Channels of its output; of the head the classes.
        size: Side of its output images; of the head 1.
        cost: What it costs for one image.
    """

    width: int
    size: int
    cost: Cost


def cost(network: Network) -> Cost:
    """Add up the layers of a network."""
    return sum((part.cost for part in parts(network)), Cost())


def parts(network: Network) -> list[Part]:
    """Return the stem, each stage and the head, which has what follows the last stage, in order."""
    size, width = stem_size(network), network.stem_width
    found = [Part(width=width, size=size, cost=_layers(stem_layers(network), network.size))]
    for stage in network.stages:
        own = _block(stage, width, size, stage.stride)
        size, width = down(size, stage.stride), stage.width
        if stage.depth > 1:
            own += _block(stage, width, size, 1) * (stage.depth - 1)  # which are all alike
        found.append(Part(width=width, size=size, cost=own))
    head = Cost((width + 1) * network.classes, width * network.classes, network.classes * FLOAT_BYTES)
    head += _layers(final_layers(network), size) + Cost(activation_bytes=width * FLOAT_BYTES)
    return [*found, Part(width=network.classes, size=1, cost=head)]


def try_custom_blocks(network: Network) -> None:
    """Pass images through each custom block on the meta device, without weights.

    Raises:
        UserError: A block fails, or its output does not have the shape that its stage needs; the message names the
            block and the place.
    """
    for stage, width_in, size, stride in _blocks(network):
        layout = layout_of(stage, width_in, stride)
        if isinstance(layout, Custom):
            layout.attempt(stage, width_in, size, stride)


def _blocks(network: Network) -> Iterator[tuple[Stage, int, int, int]]:
    """Yield the stage, the input width, the side of the input images and the stride of each block."""
    size, width = stem_size(network), network.stem_width
    for stage in network.stages:
        for stride in (stage.stride, *(1,) * (stage.depth - 1)):
            yield stage, width, size, stride
            size, width = down(size, stride), stage.width


def _block(stage: Stage, width_in: int, size: int, stride: int) -> Cost:
    match layout_of(stage, width_in, stride):
        case Custom() as own:
            return _counted(own, size)
        case Sum(branch=branch, shortcut=shortcut, output=output):
            behind: Layers = output
        case Product(branch=branch, bound=bound, shortcut=shortcut, output=output):
            behind = (bound, *output)
    return _layers(branch, size) + _layers(shortcut, size) + _layers(behind, down(size, stride))


def _counted(own: Custom, size: int) -> Cost:
    """Return the cost that a custom block reports.

    Raises:
        UserError: The block does not report three whole numbers.
    """
    name = own.stage.block
    with blamed("block", name, settings=own.stage.settings):
        counted = tuple(own.count(own.stage, own.width_in, size, own.stride))
    if len(counted) != 3 or not all(isinstance(number, int) and number >= 0 for number in counted):
        what = "three whole numbers: parameters, multiply-accumulates and activation bytes"
        raise UserError(f"block {name!r}{own.stage.settings}: its cost is {counted}. Expected {what}.")
    return Cost(*counted)


def _layers(layers: Iterable[Layer], size: int) -> Cost:
    """Add up layers that follow each other; ``size`` is the side of the first layer's input images."""
    return sum(_costs(layers, size), Cost())


def _costs(layers: Iterable[Layer], size: int) -> Iterator[Cost]:
    for layer in layers:
        if isinstance(layer, Convolution | ProductUnit | MaxPool | AveragePool | Pad):
            size = down(size, layer.stride)
        weights = _weights(layer)
        yield Cost(_parameters(layer) + weights, _macs(layer) * weights * size**2, layer.width * size**2 * FLOAT_BYTES)


def _weights(layer: Layer) -> int:
    """Return the number of weights in a kernel, which take part in every output pixel."""
    match layer:
        case Convolution(width_in=narrow, width=wide, kernel=kernel):
            return narrow * wide * kernel**2
        case ProductUnit(width_in=narrow, width=wide, kernel=kernel, rules=rules):
            return wide * kernel**2 * (1 if rules.mixing is Mixing.DEPTHWISE else narrow)
        case _:
            return 0


def _macs(layer: Layer) -> int:
    return 2 if isinstance(layer, ProductUnit) and layer.rules.numbers is Numbers.COMPLEX else 1


def _parameters(layer: Layer) -> int:
    """Return the number of learned parameters besides the kernel."""
    match layer:
        case Norm(width=width):
            return 2 * width
        case ProductUnit(width_in=narrow, width=wide, rules=rules):
            return _shared(rules.threshold, narrow) + rules.bias * wide
        case Bound(rules=rules, width=width):
            return _shared(rules.learned_alpha, width)
        case _:
            return 0


def _shared(sharing: Sharing | None, width: int) -> int:
    return 0 if sharing is None else 1 if sharing is Sharing.LAYER else width
