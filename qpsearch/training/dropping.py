"""Dropout and stochastic depth: parts of a network are left out at random while it is trained.

They are attached to the network that is trained, and have no parameters: what is evaluated, kept and exported does not
have a trace of them.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from qpsearch.models import ResidualNetwork
from qpsearch.models.blocks import QuotientBlock, ResidualBlock

Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]


class Dropping:
    """Drops features before the head, and branches of blocks: those that ``kept`` says, which ``draw`` draws.

    - A feature of an image is set to 0 with probability ``dropout``; the others are divided by 1 - dropout.
    - The branch of block l of L, from 1, is dropped for an image with probability ``drop_path * l / L``, as in
      arXiv 1603.09382, there for whole batches. A sum then is its shortcut, and branches that are kept are divided by
      the probability of being kept, so that evaluation needs no factor. A product is its shortcut times 1. Quotients
      that are kept stay as they are: divided, they would leave their bounds, and 1 is about their mean already (Q6).

    Attributes:
        kept: What the next forward pass keeps, on its device. Where the network is that of K runs that are trained as
            one, the masks of all of them, side by side in dimension 1.

    Args:
        model: The network; attached to it for good.
        dropout: Probability of a feature, in [0, 1).
        drop_path: Probability of the last block's branch, in [0, 1).
    """

    def __init__(self, model: ResidualNetwork, dropout: float, drop_path: float) -> None:
        self.kept: tuple[Tensor, ...] = ()
        self._dropout, self._features_in = dropout, model.head.in_features
        if dropout:
            model.head.register_forward_pre_hook(
                lambda head, inputs: self._features(inputs[0], dropout) if head.training else None
            )
        blocks = [module for module in model.stages.modules() if isinstance(module, ResidualBlock | QuotientBlock)]
        self._rates = [drop_path * number / len(blocks) for number in range(1, len(blocks) + 1)] if drop_path else []
        for place, (block, rate) in enumerate(zip(blocks, self._rates, strict=False)):
            if isinstance(block, QuotientBlock):
                block.bound.register_forward_hook(self._hook(place, _or_one))
            else:
                block.branch.register_forward_hook(self._hook(place, partial(_or_zero, scale=1 / (1 - rate))))

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw what n images keep, in the order of a forward pass: a mask for each block, then one for the head."""
        masks = [torch.rand((n, 1, 1, 1), generator=generator) >= rate for rate in self._rates]
        if self._dropout:
            masks.append(torch.rand((n, self._features_in), generator=generator) >= self._dropout)
        return tuple(masks)

    def _features(self, features: Tensor, rate: float) -> Tensor:
        return features * (self.kept[-1] / (1 - rate)).to(features.dtype)

    def _hook(self, place: int, apply: Callable[[Tensor, Tensor], Tensor]) -> Hook:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            return apply(output, _by_channel(self.kept[place], output)) if module.training else None

        return hook


def _by_channel(kept: Tensor, output: Tensor) -> Tensor:
    """Return a mask for the channels of an output, given one, (N, K, 1, 1), for each of K fused runs."""
    runs = kept.shape[1]
    return kept if runs == 1 else kept.repeat_interleave(output.shape[1] // runs, 1)


def _or_one(quotient: Tensor, kept: Tensor) -> Tensor:
    return torch.where(kept, quotient, 1.0)


def _or_zero(branch: Tensor, kept: Tensor, scale: float) -> Tensor:
    return torch.where(kept, branch * scale, 0.0)  # a branch that overflowed is dropped, too
