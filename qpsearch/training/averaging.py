"""Averages of weights over the steps of a run."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from qpsearch.training.captured import updated


class Average:
    """An exponential moving average of a network's weights and buffers.

    After step t, from 0, ``average <- d * average + (1 - d) * weights`` with ``d = min(decay, (1 + t) / (10 + t))``, as
    TensorFlow has it: the first steps are soon forgotten. d is a function of the step alone, so that a continued run
    does not need more than the averages.

    Args:
        model: The network, before anything that belongs to training alone is attached to it.
        decay: The largest d.
        share: Any number, in the form in which ``update`` takes the share of the weights: a tensor for a captured step.
    """

    def __init__(self, model: nn.Module, decay: float, share: float | Tensor = 0.0) -> None:
        self._decay, self._share = decay, share
        self.module = deepcopy(model).requires_grad_(False)
        pairs = list(zip(_state(self.module), _state(model), strict=True))
        self._numbers = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]  # batches that a norm has seen

    def begin(self, step: int) -> None:
        """Find d of a step, counted from 0 over the whole run."""
        self._share = updated(self._share, 1 - min(self._decay, (1 + step) / (10 + step)))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after the step that began."""
        averages, weights = (list(each) for each in zip(*self._numbers, strict=True))
        if isinstance(self._share, Tensor):
            steps = torch._foreach_sub(weights, averages)
            torch._foreach_mul_(steps, self._share)
            torch._foreach_add_(averages, steps)
        else:
            torch._foreach_lerp_(averages, weights, self._share)
        for average, count in self._counts:
            average.copy_(count)


def _state(model: nn.Module) -> list[Tensor]:
    """Return parameters and buffers themselves: their memory may become a part of that of several runs."""
    return [*model.parameters(), *model.buffers()]
