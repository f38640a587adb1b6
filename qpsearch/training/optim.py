"""A recipe's optimiser over a network, and its learning rate."""

from torch import Tensor, nn
from torch.optim import Optimizer

from qpsearch.architecture.config import Recipe
from qpsearch.registry.optimisers.base import TrainedParameter
from qpsearch.registry.schedules import SCHEDULES
from qpsearch.vocabulary import Decay

OUTSIDE = ("stem", "head")  # of a network, whose first and last layers are not hidden ones


def build_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """Build the recipe's optimiser over all parameters; weight decay falls on those that ``decay`` names."""
    return recipe.optimizer.build([
        TrainedParameter(
            tensor=parameter,
            is_hidden_matrix=is_matrix(parameter) and name.split(".")[0] not in OUTSIDE,
            decays=recipe.decay is Decay.ALL or is_matrix(parameter),
        )
        for name, parameter in model.named_parameters()
    ])  # fmt: skip


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
