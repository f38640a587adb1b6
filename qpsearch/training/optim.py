"""Optimisers and learning-rate schedules."""

import inspect
import math
from typing import TypeVar, cast

import torch
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim import AdamW as TorchAdamW

from qpsearch.architecture.config import AdamW, Recipe, Sgd
from qpsearch.vocabulary import ScheduleKind

# (share of the epochs, factor from there on): PURe's drops (rule P18), and the quotient authors' (rule Q18).
DROPS = {
    ScheduleKind.STEP: ((3 / 4, 0.01), (1 / 2, 0.1)),
    ScheduleKind.STEP_92_136: ((136 / 182, 0.01), (92 / 182, 0.1)),
}


KindT = TypeVar("KindT", bound=Optimizer)


def _uncompiled(kind: type[KindT]) -> type[KindT]:
    """Derive an optimiser that does not load torch's compiler: 850 modules, for which a worker's first step would wait.

    torch decorates these methods so that code that it compiles breaks off before them. Our training is not compiled.
    """
    names = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return cast("type[KindT]", type(kind.__name__, (kind,), plain | {"step": step}))


_SGD, _ADAMW = _uncompiled(SGD), _uncompiled(TorchAdamW)


def build_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """Build the recipe's optimiser over all parameters; weight decay applies to all of them, as in both papers.

    ``foreach`` updates all parameters at once, which takes two thirds of the time in a network of many small
    parameters. ``fused`` is not used: its SGD keeps uninitialised momentum when float16 skips the first step, and stops
    at parameters without gradients.
    """
    match recipe.optimizer:
        case Sgd(lr=lr, momentum=momentum, weight_decay=weight_decay):
            return _SGD(model.parameters(), lr, momentum, weight_decay=weight_decay, foreach=True)
        case AdamW(lr=lr, weight_decay=weight_decay):
            return _ADAMW(model.parameters(), lr, weight_decay=weight_decay, foreach=True)


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
