"""A recipe's optimiser over a network, and its learning rate."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qpsearch.architecture.config import Recipe
from qpsearch.registry.optimisers.base import TrainedParameter
from qpsearch.registry.schedules import SCHEDULES
from qpsearch.training.captured import updated
from qpsearch.vocabulary import Decay

OUTSIDE = ("stem", "head")  # of a network, whose first and last layers are not hidden ones
OF_DEVICE: Final = ("lr", "capturable")  # settings of a group that follow from where it is trained, or are set anew


def build_optimizer(model: nn.Module, recipe: Recipe, *, capturable: bool = False) -> Optimizer:
    """Build the recipe's optimiser over all parameters; weight decay falls on those that ``decay`` names.

    Args:
        model: The network.
        recipe: Says which optimiser.
        capturable: Whether its steps can be captured; its learning rates are then tensors (``set_lr``).
    """
    parameters = [
        TrainedParameter(
            tensor=parameter,
            is_hidden_matrix=is_matrix(parameter) and name.split(".")[0] not in OUTSIDE,
            decays=recipe.decay is Decay.ALL or is_matrix(parameter),
        )
        for name, parameter in model.named_parameters()
    ]
    if not capturable:
        return recipe.optimizer.build(parameters)
    optimizer = recipe.optimizer.build(parameters, capturable=True)
    for group in optimizer.param_groups:
        group["lr"] = torch.full((), group["lr"], device=group["params"][0].device)
    return optimizer


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Set the learning rate of the next step; groups of parameters may have a share of it."""
    for group in optimizer.param_groups:
        group["lr"] = updated(group["lr"], lr * group.get("share", 1.0))


def state_of(optimizer: Optimizer) -> dict[str, Any]:
    """Return the state of an optimiser as it is kept, the same whether or not its steps are captured."""
    state = optimizer.state_dict()
    return state | {"param_groups": [_kept(group) for group in state["param_groups"]]}


def load_state(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Load the state that was kept of an optimiser whose steps may have been captured, or not, unlike this one's.

    Raises:
        ValueError: It is the state of an optimiser of other parameters.
    """
    groups = [
        {**saved, **{name: own[name] for name in OF_DEVICE if name in own}}
        for saved, own in zip(state["param_groups"], optimizer.param_groups, strict=True)
    ]
    optimizer.load_state_dict({"state": state["state"], "param_groups": groups})
    for group in optimizer.param_groups:
        if not isinstance(group["lr"], Tensor):
            _count_on_cpu(optimizer.state.get(parameter, {}) for parameter in group["params"])


def _kept(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group of parameters with plain numbers in place of what only captured steps need."""
    is_captured = isinstance(group["lr"], Tensor)
    plain = {"lr": float(group["lr"]), "capturable": False} if is_captured else {}
    return {**group, **{name: value for name, value in plain.items() if name in group}}


def _count_on_cpu(states: Iterable[dict[str, Any]]) -> None:
    """Keep the counts of steps on the CPU, which needs them in each step."""
    for state in states:
        if isinstance(count := state.get("step"), Tensor):
            state["step"] = count.cpu()


def is_matrix(parameter: Tensor) -> bool:
    """Whether a parameter mixes values: a matrix, or a kernel; not a scale, a bias or a threshold, of any shape."""
    return parameter.ndim > 1 and len(parameter) > 1 and parameter[0].numel() > 1


def lr_at(recipe: Recipe, progress: float) -> float:
    """Return the learning rate after a share of all steps.

    It is a function of progress alone, so that a continued run does not need a scheduler's state.

    Args:
        recipe: Gives the peak, the schedule and its warm-up.
        progress: Share of all steps that are done, in [0, 1).
    """
    return recipe.optimizer.lr * SCHEDULES[recipe.schedule].factor(progress, recipe.warmup_share)
