"""Adam (arXiv 1412.6980), and AdamW, whose weight decay is decoupled (arXiv 1711.05101)."""

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
from qpsearch.registry.options import setting

if TYPE_CHECKING:
    from torch.optim import Optimizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam(OptimiserSettings):
    """Adam with an L2 penalty, and its authors' betas, 0.9 and 0.999."""

    kind: Literal["adam"] = "adam"
    lr: float = setting(peak_lr(1e-3))
    weight_decay: float = setting(weight_decay(0.0, "L2 penalty on the parameters that training.decay names."))

    def build(self, parameters: Sequence[TrainedParameter], *, capturable: bool = False) -> "Optimizer":
        """Return torch's optimiser."""
        from torch.optim import Adam as TorchAdam

        return uncompiled(TorchAdam)(
            groups_of(parameters), self.lr, weight_decay=self.weight_decay, foreach=True, capturable=capturable
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamW(OptimiserSettings):
    """Adam with decoupled weight decay, and Adam's betas, 0.9 and 0.999."""

    kind: Literal["adamw"] = "adamw"
    lr: float = setting(peak_lr(1e-3))
    weight_decay: float = setting(weight_decay(1e-2))

    def build(self, parameters: Sequence[TrainedParameter], *, capturable: bool = False) -> "Optimizer":
        """Return torch's optimiser."""
        from torch.optim import AdamW as TorchAdamW

        return uncompiled(TorchAdamW)(
            groups_of(parameters), self.lr, weight_decay=self.weight_decay, foreach=True, capturable=capturable
        )


MEMBERS: Final = (
    Optimiser(name="adamw", order=20, settings=AdamW),
    Optimiser(name="adam", order=30, settings=Adam),
)
