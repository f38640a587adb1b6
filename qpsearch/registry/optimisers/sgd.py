"""Stochastic gradient descent with momentum."""

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
    peak_lr,
    uncompiled,
    updating,
    weight_decay,
)
from qpsearch.registry.options import Option, Switch, setting

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

NESTEROV = "Look ahead: the gradient is added to the momentum once more. Without momentum it changes nothing."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sgd(OptimiserSettings):
    """Stochastic gradient descent with momentum and an L2 penalty."""

    kind: Literal["sgd"] = "sgd"
    lr: float = setting(peak_lr(0.1, rule="Q18, P18"))
    momentum: float = setting(Option(doc="Momentum.", low=0, high=0.9999, default=0.9, rule="P17"))
    weight_decay: float = setting(
        weight_decay(1e-4, "L2 penalty on the parameters that training.decay names.", rule="Q18, P18")
    )
    nesterov: bool = setting(Switch(doc=NESTEROV, default=False), stored=False)

    def build(self, parameters: Sequence[TrainedParameter], *, capturable: bool = False) -> "Optimizer":
        """Return torch's optimiser.

        ``foreach`` updates all parameters at once, which takes two thirds of the time in a network of many small
        parameters. ``fused`` is not used: its SGD keeps uninitialised momentum when float16 skips the first step, and
        stops at parameters without gradients. torch's own steps ask the GPU for a learning rate that is a tensor, so
        those that are captured are our own.
        """
        from torch.optim import SGD

        return (updating(SGD, _captured) if capturable else uncompiled(SGD))(
            groups_of(parameters),
            self.lr,
            self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov and self.momentum > 0,
            foreach=True,
        )


def _captured(
    parameters: list["Tensor"], gradients: list["Tensor"], states: list[ParameterGroup], group: ParameterGroup
) -> None:
    """Make torch's step: ``h = g + decay w``, ``v <- m v + h``, ``w <- w - lr v``; with Nesterov ``h + m v`` for v."""
    import torch

    if group["weight_decay"]:
        gradients = list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))
    if group["momentum"]:
        begun(states, parameters, "momentum_buffer")
        averages = [state["momentum_buffer"] for state in states]
        torch._foreach_mul_(averages, group["momentum"])
        torch._foreach_add_(averages, gradients)
        ahead = torch._foreach_add(gradients, averages, alpha=group["momentum"]) if group["nesterov"] else averages
        gradients = list(ahead)
    add_scaled(parameters, gradients, -group["lr"])


MEMBERS: Final = (Optimiser(name="sgd", order=10, settings=Sgd),)
