"""Optimisers and learning-rate schedules."""

import math

import torch
from torch import nn

from qpsearch.architecture.config import AdamW, Recipe, Sgd
from qpsearch.vocabulary import ScheduleKind

# (share of the epochs, factor from there on): PURe's drops (rule P18), and the quotient authors' (rule Q18).
DROPS = {
    ScheduleKind.STEP: ((3 / 4, 0.01), (1 / 2, 0.1)),
    ScheduleKind.STEP_92_136: ((136 / 182, 0.01), (92 / 182, 0.1)),
}


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Build the recipe's optimiser over all parameters; weight decay applies to all of them, as in both papers.

    ``foreach`` updates all parameters at once, which takes two thirds of the time in a network of many small
    parameters. ``fused`` is not used: its SGD keeps uninitialised momentum when float16 skips the first step, and stops
    at parameters without gradients.
    """
    match recipe.optimizer:
        case Sgd(lr=lr, momentum=momentum, weight_decay=weight_decay):
            return torch.optim.SGD(model.parameters(), lr, momentum, weight_decay=weight_decay, foreach=True)
        case AdamW(lr=lr, weight_decay=weight_decay):
            return torch.optim.AdamW(model.parameters(), lr, weight_decay=weight_decay, foreach=True)


def lr_at(recipe: Recipe, progress: float) -> float:
    """Return the learning rate after a share of all steps.

    It is a function of progress alone, so that a continued run does not need a scheduler's state.

    Args:
        recipe: Gives the peak and the schedule.
        progress: Share of all steps that are done, in [0, 1).
    """
    peak = recipe.optimizer.lr
    match recipe.schedule:
        case ScheduleKind.STEP | ScheduleKind.STEP_92_136:
            return peak * next((factor for start, factor in DROPS[recipe.schedule] if progress >= start), 1.0)
        case ScheduleKind.COSINE:
            return peak * (1 + math.cos(math.pi * progress)) / 2
        case ScheduleKind.CONSTANT:
            return peak
