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
    """Drops features before the head, and branches of blocks, by draws from a generator.

    - A feature of an image is set to 0 with probability ``dropout``; the others are divided by 1 - dropout.
    - The branch of block l of L, from 1, is dropped for an image with probability ``drop_path * l / L``, as in
      arXiv 1603.09382, there for whole batches. A sum then is its shortcut, and branches that are kept are divided by
      the probability of being kept, so that evaluation needs no factor. A product is its shortcut times 1. Quotients
      that are kept stay as they are: divided, they would leave their bounds, and 1 is about their mean already (Q6).

    Args:
        model: The network; attached to it for good.
        dropout: Probability of a feature, in [0, 1).
        drop_path: Probability of the last block's branch, in [0, 1).
    """

    def __init__(self, model: ResidualNetwork, dropout: float, drop_path: float) -> None:
        self.generator = torch.Generator()  # on the CPU, so that the same seed drops the same on every device
        if dropout:
            model.head.register_forward_pre_hook(
                lambda head, inputs: self._features(inputs[0], dropout) if head.training else None
            )
        blocks = [module for module in model.stages.modules() if isinstance(module, ResidualBlock | QuotientBlock)]
        for number, block in enumerate(blocks, 1) if drop_path else ():
            rate = drop_path * number / len(blocks)
            if isinstance(block, QuotientBlock):
                block.bound.register_forward_hook(self._hook(rate, _or_one))
            else:
                block.branch.register_forward_hook(self._hook(rate, partial(_or_zero, scale=1 / (1 - rate))))

    def _features(self, features: Tensor, rate: float) -> Tensor:
        kept = torch.rand(features.shape, generator=self.generator) >= rate
        return features * (kept / (1 - rate)).to(features.device, features.dtype)

    def _hook(self, rate: float, apply: Callable[[Tensor, Tensor], Tensor]) -> Hook:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            if not module.training:
                return None
            kept = torch.rand((len(output), 1, 1, 1), generator=self.generator) >= rate
            return apply(output, kept.to(output.device))

        return hook


def _or_one(quotient: Tensor, kept: Tensor) -> Tensor:
    return torch.where(kept, quotient, 1.0)


def _or_zero(branch: Tensor, kept: Tensor, scale: float) -> Tensor:
    return torch.where(kept, branch * scale, 0.0)  # a branch that overflowed is dropped, too
