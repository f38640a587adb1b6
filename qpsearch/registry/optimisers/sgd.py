"""Stochastic gradient descent with momentum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from qpsearch.registry.optimisers.base import (
    Optimiser,
    OptimiserSettings,
    TrainedParameter,
    groups_of,
    peak_lr,
    uncompiled,
    weight_decay,
)
from qpsearch.registry.options import Option, Switch, setting

if TYPE_CHECKING:
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

    def build(self, parameters: Sequence[TrainedParameter]) -> "Optimizer":
        """Return torch's optimiser.

        ``foreach`` updates all parameters at once, which takes two thirds of the time in a network of many small
        parameters. ``fused`` is not used: its SGD keeps uninitialised momentum when float16 skips the first step, and
        stops at parameters without gradients.
        """
        from torch.optim import SGD

        return uncompiled(SGD)(
            groups_of(parameters),
            self.lr,
            self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov and self.momentum > 0,
            foreach=True,
        )


MEMBERS: Final = (Optimiser(name="sgd", order=10, settings=Sgd),)
