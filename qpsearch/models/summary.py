"""The layers of a network with shapes and costs, from a pass on the meta device, without any weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from qpsearch.architecture.config import Network, Stage
from qpsearch.architecture.cost import FLOAT_BYTES, Cost
from qpsearch.architecture.layout import down
from qpsearch.errors import UserError, blamed
from qpsearch.models.layers import ProductUnit2d
from qpsearch.models.network import build_model
from qpsearch.vocabulary import Numbers

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED, ProductUnit2d)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSummary:
    """One layer.

    Attributes:
        name: Dotted path in the network.
        kind: Class name, with kernel and stride where it has them.
        shape: Shape of the output for one image.
        cost: The layer's share of the network's cost.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    cost: Cost


def layers_of(network: Network) -> list[LayerSummary]:
    """Return the layers of a network in the order in which an image passes them."""
    with torch.device("meta"):
        model, images = build_model(network, 0), torch.empty(2, network.channels, network.size, network.size)
    return list(_passed(model, images))


def block_cost(
    build: Callable[[Stage, int, int], nn.Module], stage: Stage, width_in: int, size: int, stride: int
) -> tuple[int, int, int]:
    """Count what a block costs: parameters, MACs of convolutions, linear layers and product units, activation bytes.

    Only layers count: a block that computes by functions, by attention or by recurrences needs a ``cost`` function of
    its own.

    Args:
        build: Makes the block.
        stage: The block's stage.
        width_in: Channels of the input.
        size: Side of the input images.
        stride: The block's stride.

    Raises:
        UserError: The block cannot be built or run, returns images of another shape than its stage needs, or does not
            pass a gradient to its input.
    """
    with blamed("block", stage.block, settings=stage.settings), torch.device("meta"):
        block, images = build(stage, width_in, stride), torch.empty(2, width_in, size, size, requires_grad=True)
        y: Any = block(images.clone())  # a copy: a leaf could not be changed in place
    if not isinstance(block, nn.Module) or not isinstance(y, Tensor):
        what = (
            f"returns {type(y).__name__} for images" if isinstance(block, nn.Module) else f"is {type(block).__name__}"
        )
        raise UserError(
            f"block {stage.block!r}{stage.settings} {what}. Expected a torch module that maps images to images."
        )
    made, wanted = tuple(y.shape[1:]), (stage.width, down(size, stride), down(size, stride))
    if made != wanted:
        shapes = f"images ({width_in}, {size}, {size}) to {made} at stride {stride}"
        raise UserError(f"block {stage.block!r}{stage.settings} maps {shapes}. Expected {wanted}.")
    if not y.requires_grad:
        raise UserError(
            f"block {stage.block!r}{stage.settings} does not pass a gradient to its input: is something detached?"
        )
    with blamed("block", stage.block, settings=stage.settings):
        total = sum((layer.cost for layer in _passed(block, images)), Cost())
    loose = sum(parameter.numel() for parameter in block.parameters()) - total.parameters  # parameters outside layers
    return total.parameters + loose, total.macs, total.activation_bytes


def _passed(model: nn.Module, images: Tensor) -> Iterator[LayerSummary]:
    found: list[LayerSummary] = []

    def hook(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            made = [each for each in (output if isinstance(output, tuple) else (output,)) if isinstance(each, Tensor)]
            values = sum(each.numel() for each in made) // len(images)
            parameters = sum(parameter.numel() for parameter in layer.parameters())
            cost = Cost(parameters, _macs(layer, inputs, output), values * FLOAT_BYTES)
            shape = tuple(made[0].shape[1:]) if made else ()
            found.append(LayerSummary(name=name, kind=_kind(layer), shape=shape, cost=cost))

        return note

    handles = [
        layer.register_forward_hook(hook(name))
        for name, layer in model.named_modules()
        if not list(layer.children()) and not isinstance(layer, nn.Identity)
    ]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    yield from found


def _kind(layer: nn.Module) -> str:
    if not isinstance(layer, CONVOLUTIONS):
        return type(layer).__name__
    kernel, stride = layer.weight.shape[-1], layer.stride if isinstance(layer.stride, int) else layer.stride[0]
    return f"{type(layer).__name__} {kernel}x{kernel}{f' / {stride}' if stride > 1 else ''}"


def _macs(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> int:
    """Return the multiply-accumulates of a layer, by its output values, or by the input values if transposed."""
    if not isinstance(layer, (*CONVOLUTIONS, nn.Linear)):
        return 0
    numbers: Tensor = inputs[0] if isinstance(layer, TRANSPOSED) else output
    twice = 2 if isinstance(layer, ProductUnit2d) and layer.numbers is Numbers.COMPLEX else 1
    return twice * layer.weight.numel() * numbers[0].numel() // layer.weight.shape[0]
