"""Several networks of one kind as one: their channels side by side, and each layer a grouped one.

The blocks are those of ``blocks.py``: they pass tensors from layer to layer, and only layers know which channels are
whose. Outputs and gradients are those of the networks by themselves, but for rounding. ``torch.vmap`` over stacked
weights would need no code here, but gains next to nothing over one network after the other
(docs/results/training.md, "Fused seeds").
"""

from collections.abc import Callable, Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qpsearch.architecture.config import Network
from qpsearch.models.layers import BoundedQuotient, PadShortcut, ProductUnit2d
from qpsearch.models.network import build_model
from qpsearch.vocabulary import BlockKind


class Joined(nn.Module):
    """K networks as one, which maps images (N, K * C, H, W) to logits (N, K, classes).

    The networks' parameters and buffers become views of the joined ones: what changes the ones changes the others.

    Attributes:
        network: The network whose channels are those of all K.

    Args:
        config: What the networks are made from; see ``why_not_joined``.
        networks: The networks, on one device, with as many steps behind each of them.
    """

    def __init__(self, config: Network, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self._runs = len(networks)
        self._pairs: list[tuple[nn.Parameter, list[Tensor]]] = []
        self.network = build_model(config, 0)
        for path, layer in list(self.network.named_modules()):
            join = JOINED.get(type(layer))
            if join is not None:
                own = join(layer, [each.get_submodule(path) for each in networks], self._together)
                parent, _, name = path.rpartition(".")
                setattr(self.network.get_submodule(parent), name, own)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, K * C, H, W) to logits (N, K, classes)."""
        logits: Tensor = self.network(x)
        return torch.unflatten(logits, 1, (self._runs, -1))

    def forget_gradients(self) -> None:
        """Begin a step."""
        for whole, _ in self._pairs:
            whole.grad = None

    def hand_gradients_over(self) -> None:
        """Give the parameters of each network their part of the gradients."""
        for whole, parts in self._pairs:
            if whole.grad is not None:
                for part, gradient in zip(parts, whole.grad.chunk(self._runs), strict=True):
                    part.grad = gradient.view(part.shape) if part.ndim == 0 else gradient

    def _together(self, parts: Sequence[Tensor | None]) -> nn.Parameter | None:
        """Return parameters side by side in their first dimension; None where the layers do not have them."""
        own = [part for part in parts if part is not None]
        if not own:
            return None
        whole = nn.Parameter(_side_by_side(own))
        self._pairs.append((whole, own))
        return whole


Together = Callable[[Sequence[Tensor | None]], nn.Parameter | None]


def why_not_joined(network: Network) -> str:
    """Say why networks cannot be joined; empty where they can."""
    own = sorted({str(stage.block) for stage in network.stages} - set(map(str, BlockKind)))
    return f"whether the block {own[0]} treats each channel for itself is not known" if own else ""


class JoinedHead(nn.Module):
    """Several linear layers: (N, K * C) to (N, K * classes)."""

    def __init__(self, layer: nn.Linear, layers: Sequence[nn.Linear], together: Together) -> None:
        super().__init__()
        self.runs, self.in_features = len(layers), layer.in_features
        self.weight, self.bias = together([each.weight for each in layers]), together([each.bias for each in layers])

    def forward(self, x: Tensor) -> Tensor:
        """Multiply the features of each by its own weights."""
        assert self.weight is not None
        assert self.bias is not None
        features = torch.unflatten(x, 1, (self.runs, -1)).transpose(0, 1)
        weight, bias = torch.unflatten(self.weight, 0, (self.runs, -1)), self.bias.view(self.runs, 1, -1)
        return torch.baddbmm(bias, features, weight.mT).transpose(0, 1).flatten(1)


class JoinedProductUnit(nn.Module):
    """Several product units, whose groups follow from the number of channels."""

    def __init__(self, layer: ProductUnit2d, layers: Sequence[ProductUnit2d], together: Together) -> None:
        super().__init__()
        self._powers = layer.powers
        self.weight, self.theta = together([each.weight for each in layers]), together([each.theta for each in layers])
        self.bias = together([each.bias for each in layers])

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, K * C, H, W) to (N, K * C', ceil(H / s), ceil(W / s))."""
        assert self.weight is not None
        assert self.theta is not None
        return self._powers(x, self.weight, _by_channel(self.theta, x), self.bias)


class JoinedQuotient(nn.Module):
    """Several bounds of quotients that are learned."""

    def __init__(self, layer: BoundedQuotient, layers: Sequence[BoundedQuotient], together: Together) -> None:
        super().__init__()
        self._bounded = layer.bounded
        self.rho = together([each.rho for each in layers])

    def forward(self, z: Tensor) -> Tensor:
        """Map (N, K * C, H, W) to the same shape."""
        return self._bounded(z, None if self.rho is None else _by_channel(self.rho, z))


class JoinedPad(nn.Module):
    """Several shortcuts that fill new channels, each behind its own."""

    def __init__(self, layer: PadShortcut, layers: Sequence[PadShortcut], together: Together) -> None:
        super().__init__()
        self._runs, self._layer = len(layers), layer

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, K * C, H, W) to (N, K * C', H / s, W / s)."""
        own = self._layer
        images = torch.unflatten(x[:, :, :: own.stride, :: own.stride], 1, (self._runs, -1))
        return F.pad(images, (0, 0, 0, 0, 0, own.extra), value=own.fill).flatten(1, 2)


def _convolution(layer: nn.Conv2d, layers: Sequence[nn.Conv2d], together: Together) -> nn.Module:
    layer.groups = len(layers)
    layer.weight = together([each.weight for each in layers])  # type: ignore[assignment]  # they have weights
    return layer


def _group_norm(layer: nn.GroupNorm, layers: Sequence[nn.GroupNorm], together: Together) -> nn.Module:
    layer.num_groups *= len(layers)
    layer.num_channels *= len(layers)
    layer.weight = together([each.weight for each in layers])  # type: ignore[assignment]  # as above
    layer.bias = together([each.bias for each in layers])  # type: ignore[assignment]  # as above
    return layer


def _batch_norm(layer: nn.BatchNorm2d, layers: Sequence[nn.BatchNorm2d], together: Together) -> nn.Module:
    layer.weight = together([each.weight for each in layers])  # type: ignore[assignment]  # as above
    layer.bias = together([each.bias for each in layers])  # type: ignore[assignment]  # as above
    for name in ("running_mean", "running_var"):
        setattr(layer, name, _side_by_side([getattr(each, name) for each in layers]))
    seen = layers[0].num_batches_tracked  # as many for all of them
    assert seen is not None
    layer.num_batches_tracked = seen
    for each in layers[1:]:
        assert each.num_batches_tracked is not None
        each.num_batches_tracked.data = seen
    return layer


JOINED: Final[dict[type[nn.Module], Callable[..., nn.Module]]] = {
    nn.Conv2d: _convolution,
    nn.BatchNorm2d: _batch_norm,
    nn.GroupNorm: _group_norm,
    nn.Linear: JoinedHead,
    ProductUnit2d: JoinedProductUnit,
    BoundedQuotient: JoinedQuotient,
    PadShortcut: JoinedPad,
}


def _side_by_side(parts: Sequence[Tensor]) -> Tensor:
    """Return tensors side by side in their first dimension, and make each of them a view of its part."""
    whole = torch.cat([part.detach().reshape(1) if part.ndim == 0 else part.detach() for part in parts])
    for part, view in zip(parts, whole.chunk(len(parts)), strict=True):
        part.data = view.view(part.shape) if part.ndim == 0 else view
    return whole


def _by_channel(values: Tensor, images: Tensor) -> Tensor:
    """Return a value for each channel, (K * C, 1, 1), given that, or K values that the channels of a network share."""
    return values.repeat_interleave(images.shape[1] // len(values)).view(-1, 1, 1) if values.ndim == 1 else values
