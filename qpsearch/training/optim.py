"""Optimisers and learning-rate schedules."""

import math

import torch
from torch import nn

from qpsearch.architecture.config import AdamW, Recipe, Sgd
from qpsearch.vocabulary import ScheduleKind

# From which share of the epochs on which factor holds: PURe's drops (rule P18), those of the quotient authors (Q18).
DROPS = {
    ScheduleKind.STEP: ((3 / 4, 0.01), (1 / 2, 0.1)),
    ScheduleKind.STEP_92_136: ((136 / 182, 0.01), (92 / 182, 0.1)),
}


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Build the recipe's optimiser over all parameters; weight decay spares none, as in both papers.

    All parameters at once (``foreach``), which takes two thirds of the time in a network of many small ones. Not
    ``fused``: its SGD keeps uninitialised momentum when float16 skips the first step, and stops at parameters without
    gradients.
    """
    match recipe.optimizer:
        case Sgd(lr=lr, momentum=momentum, weight_decay=weight_decay):
            return torch.optim.SGD(model.parameters(), lr, momentum, weight_decay=weight_decay, foreach=True)
        case AdamW(lr=lr, weight_decay=weight_decay):
            return torch.optim.AdamW(model.parameters(), lr, weight_decay=weight_decay, foreach=True)


def lr_at(recipe: Recipe, progress: float) -> float:
    """Return the learning rate after a share of all steps.

    A function of progress alone, so that a continued run needs no scheduler state.

    Args:
        recipe: Gives the peak and the schedule.
        progress: Steps done of steps in all, in [0, 1).
    """
    peak = recipe.optimizer.lr
    match recipe.schedule:
        case ScheduleKind.STEP | ScheduleKind.STEP_92_136:
            return peak * next((factor for start, factor in DROPS[recipe.schedule] if progress >= start), 1.0)
        case ScheduleKind.COSINE:
            return peak * (1 + math.cos(math.pi * progress)) / 2
        case ScheduleKind.CONSTANT:
            return peak
