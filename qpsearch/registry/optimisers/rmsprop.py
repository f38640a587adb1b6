"""RMSprop (Tieleman and Hinton, 2012)."""

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
from qpsearch.registry.options import Option, setting

if TYPE_CHECKING:
    from torch.optim import Optimizer

SMOOTHING = "Share of the average of squared gradients that a step keeps."


@dataclass(frozen=True, slots=True, kw_only=True)
class RmsProp(OptimiserSettings):
    """Gradients divided by the root of their running mean square, with momentum and an L2 penalty."""

    kind: Literal["rmsprop"] = "rmsprop"
    lr: float = setting(peak_lr(1e-3))
    momentum: float = setting(Option(doc="Momentum.", low=0, high=0.9999, default=0.9))
    smoothing: float = setting(Option(doc=SMOOTHING, low=0, high=0.9999, default=0.99))
    weight_decay: float = setting(weight_decay(0.0, "L2 penalty on the parameters that training.decay names."))

    def build(self, parameters: Sequence[TrainedParameter], *, capturable: bool = False) -> "Optimizer":
        """Return torch's optimiser."""
        from torch.optim import RMSprop as TorchRmsProp

        return uncompiled(TorchRmsProp)(
            groups_of(parameters),
            self.lr,
            self.smoothing,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            foreach=True,
            capturable=capturable,
        )


MEMBERS: Final = (Optimiser(name="rmsprop", order=40, settings=RmsProp),)
