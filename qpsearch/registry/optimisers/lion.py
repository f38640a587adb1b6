"""Lion (arXiv 2302.06675): steps of one size, in the direction of the sign of an average of gradients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from qpsearch.registry.optimisers.base import (
    Optimiser,
    OptimiserSettings,
    ParameterGroup,
    TrainedParameter,
    add_scaled,
    begun,
    groups_of,
    optimizer_of,
    peak_lr,
    weight_decay,
)
from qpsearch.registry.options import setting

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

BETAS: Final = (0.9, 0.99)  # the authors': of the direction, and of what is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Lion(OptimiserSettings):
    """Lion with decoupled weight decay.

    Its authors take a learning rate 3 to 10 times below AdamW's, and a weight decay 3 to 10 times above.
    """

    kind: Literal["lion"] = "lion"
    lr: float = setting(peak_lr(1e-4))
    weight_decay: float = setting(weight_decay(0.1))

    def build(self, parameters: Sequence[TrainedParameter], *, capturable: bool = False) -> "Optimizer":
        """Return the optimiser."""
        return optimizer_of(groups_of(parameters), {"lr": self.lr, "weight_decay": self.weight_decay}, lion)


def lion(
    parameters: list["Tensor"], gradients: list["Tensor"], states: list[ParameterGroup], group: ParameterGroup
) -> None:
    """Make a step: ``w <- (1 - lr * decay) w - lr * sign(0.9 m + 0.1 g)``, then ``m <- 0.99 m + 0.01 g``."""
    import torch

    begun(states, parameters, "average")
    averages = [state["average"] for state in states]
    directions = torch._foreach_lerp(averages, gradients, 1 - BETAS[0])
    torch._foreach_sign_(directions)
    torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
    add_scaled(parameters, directions, -group["lr"])
    torch._foreach_lerp_(averages, gradients, 1 - BETAS[1])


MEMBERS: Final = (Optimiser(name="lion", order=50, settings=Lion),)
