"""Parameters, multiply-accumulates and activation bytes of a configuration, by arithmetic alone.

No torch: costs are known before anything is built or dispatched. A test holds them equal to the built
network, module by module, on the meta device.
"""

from dataclasses import dataclass

from qpsearch.architecture import Network, Stage, down, stem_size
from qpsearch.vocabulary import BlockKind, NormKind, NormPlacement, ShortcutKind, StemPool

FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs for one image.

    Attributes:
        parameters: Learned numbers: weights, exponents, thresholds, normalisation scales and shifts.
        macs: Multiply-accumulates of convolutions, product units and the head in a forward pass.
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


def cost(network: Network) -> Cost:
    """Add up the layers of a network."""
    first, last = network.stages[0], network.stages[-1]
    size, width = down(network.size, network.stem_stride), network.stem_width
    total = _conv(network.channels, width, network.stem_kernel, size)
    if _stem_has_norm(first):
        total += _norm(first, width, size) + _pointwise(width, size)
    if network.stem_pool is StemPool.MAX:
        size = stem_size(network)
        total += _pointwise(width, size)
    for stage in network.stages:
        total += _block(stage, width, size, stage.stride)
        size, width = down(size, stage.stride), stage.width
        for _ in range(stage.depth - 1):
            total += _block(stage, width, size, 1)
    if has_final_norm(last):
        total += _norm(last, width, size) + _pointwise(width, size)
    head = Cost((width + 1) * network.classes, width * network.classes, network.classes * FLOAT_BYTES)
    return total + _pointwise(width, 1) + head


def training_bytes(network: Network, batch_size: int) -> int:
    """Estimate what training keeps: the activations of a batch, and weights, gradients and two moments."""
    total = cost(network)
    return total.activation_bytes * batch_size + 4 * FLOAT_BYTES * total.parameters


def has_final_norm(stage: Stage) -> bool:
    """Whether the network normalises once more before the head: after additions in pre placement."""
    return stage.norm_placement is NormPlacement.PRE and stage.block is not BlockKind.QUOTIENT


def _stem_has_norm(stage: Stage) -> bool:
    return not has_final_norm(stage)


def _block(stage: Stage, width_in: int, size_in: int, stride: int) -> Cost:
    size = down(size_in, stride)
    pre = stage.norm_placement is NormPlacement.PRE
    product_unit = stage.block is BlockKind.PRODUCT_UNIT
    total = _conv(width_in, stage.width, 3, size, stride) + _conv(stage.width, stage.width, 3, size)
    total += _norm(stage, width_in, size_in) if pre else _norm(stage, stage.width, size)
    total += _norm(stage, stage.width, size)
    if product_unit:
        total += Cost(parameters=1)  # the threshold
    else:
        total += _pointwise(stage.width, size)
        if pre:
            total += _pointwise(width_in, size_in)
    if stage.block is BlockKind.QUOTIENT or not pre:
        total += _pointwise(stage.width, size)  # the quotient's bound, or the ReLU after the addition
    if stride != 1 or width_in != stage.width:
        total += _shortcut(stage, width_in, size, stride)
    return total


def _shortcut(stage: Stage, width_in: int, size: int, stride: int) -> Cost:
    if stage.shortcut is ShortcutKind.PAD:
        return _pointwise(stage.width, size)
    kernel = 3 if stage.shortcut is ShortcutKind.CONV3X3 else 1
    total = _conv(width_in, stage.width, kernel, size, stride) + _norm(stage, stage.width, size)
    if stage.shortcut is ShortcutKind.AVERAGE_POOL and stride > 1:
        total += _pointwise(width_in, size)
    return total + (_pointwise(stage.width, size) if stage.block is BlockKind.QUOTIENT else Cost())


def _conv(width_in: int, width: int, kernel: int, size_out: int, stride: int = 1) -> Cost:
    weights = width_in * width * kernel**2
    return Cost(weights, weights * size_out**2, width * size_out**2 * FLOAT_BYTES)


def _norm(stage: Stage, width: int, size: int) -> Cost:
    if stage.norm is NormKind.NONE:
        return Cost()
    return Cost(parameters=2 * width, activation_bytes=width * size**2 * FLOAT_BYTES)


def _pointwise(width: int, size: int) -> Cost:
    return Cost(activation_bytes=width * size**2 * FLOAT_BYTES)
