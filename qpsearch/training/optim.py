"""Optimisers and learning-rate schedules."""

import math

import torch
from torch import nn

from qpsearch.architecture import AdamW, Recipe, Sgd
from qpsearch.vocabulary import ScheduleKind

DROPS = ((0.75, 0.01), (0.5, 0.1))  # both papers drop at about half and three quarters (rules Q18, P18)


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Build the recipe's optimiser over all parameters; weight decay spares none, as in both papers."""
    match recipe.optimizer:
        case Sgd(lr=lr, momentum=momentum, weight_decay=weight_decay):
            return torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, weight_decay=weight_decay)
        case AdamW(lr=lr, weight_decay=weight_decay):
            return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)


def lr_at(recipe: Recipe, progress: float) -> float:
    """Return the learning rate after a share of all steps.

    A function of progress alone, so that a continued run needs no scheduler state.

    Args:
        recipe: Gives the peak and the schedule.
        progress: Steps done of steps in all, in [0, 1).
    """
    peak = recipe.optimizer.lr
    match recipe.schedule:
        case ScheduleKind.STEP:
            return peak * next((factor for start, factor in DROPS if progress >= start), 1.0)
        case ScheduleKind.COSINE:
            return peak * (1 + math.cos(math.pi * progress)) / 2
        case ScheduleKind.CONSTANT:
            return peak
