"""Muon (Jordan and others, 2024): momentum whose matrices are made orthogonal before each step.

torch's own Muon, which needs torch 2.9, takes matrices alone, one after the other. Here kernels are flattened to
(out, rest) as its authors do for convolutions, and all matrices of a shape are made orthogonal together.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from qpsearch.registry.optimisers.base import (
    Optimiser,
    OptimiserSettings,
    ParameterGroup,
    TensorList,
    TrainedParameter,
    add_scaled,
    begun,
    groups_of,
    optimizer_of,
    peak_lr,
    weight_decay,
)
from qpsearch.registry.options import Option, setting

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)  # the authors': the steepest at 0 that stays near 1
STEPS: Final = 5
TINY: Final = 1e-7
BETAS: Final = (0.9, 0.999)  # of AdamW
EPSILON: Final = 1e-8  # of AdamW


@dataclass(frozen=True, slots=True, kw_only=True)
class Muon(OptimiserSettings):
    """Muon for hidden kernels and matrices; AdamW for stem, head, norms, biases and scalars, as its authors use it."""

    kind: Literal["muon"] = "muon"
    lr: float = setting(peak_lr(0.02, "Peak learning rate of hidden kernels and matrices."))
    adamw_lr: float = setting(peak_lr(1e-3, "Peak learning rate of all other parameters, which AdamW trains."))
    momentum: float = setting(
        Option(doc="Momentum, which looks ahead as Nesterov's.", low=0, high=0.9999, default=0.95)
    )
    weight_decay: float = setting(weight_decay(1e-2))

    def build(self, parameters: Sequence[TrainedParameter], *, capturable: bool = False) -> "Optimizer":
        """Return the optimiser; ``share`` of a group is its learning rate as a share of ``lr``."""
        hidden = [each for each in parameters if each.is_hidden_matrix]
        others = [each for each in parameters if not each.is_hidden_matrix]
        groups = groups_of(hidden, orthogonal=True) + groups_of(
            others, orthogonal=False, lr=self.adamw_lr, share=self.adamw_lr / self.lr
        )
        return optimizer_of(
            groups, {"lr": self.lr, "momentum": self.momentum, "weight_decay": self.weight_decay}, _update
        )


def orthogonal(matrices: "Tensor") -> "Tensor":
    """Return matrices (N, rows, columns) with all singular values near 1, and the singular vectors that they had.

    Five steps of Newton and Schulz; the singular values end between about 0.7 and 1.2. GPUs compute in bfloat16.
    """
    import torch

    a, b, c = COEFFICIENTS
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    if matrices.shape[1] > matrices.shape[2]:
        x = x.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=TINY)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if matrices.shape[1] > matrices.shape[2] else x).to(matrices.dtype)


def _update(
    parameters: list["Tensor"], gradients: list["Tensor"], states: list[ParameterGroup], group: ParameterGroup
) -> None:
    (_muon if group["orthogonal"] else _adamw)(parameters, gradients, states, group)


def _muon(
    parameters: list["Tensor"], gradients: list["Tensor"], states: list[ParameterGroup], group: ParameterGroup
) -> None:
    import torch

    begun(states, parameters, "average")
    averages = [state["average"] for state in states]
    torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
    ahead = torch._foreach_lerp(gradients, averages, group["momentum"])
    shapes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, parameter in enumerate(parameters):
        shapes[len(parameter), parameter[0].numel()].append(index)
    torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
    for (rows, columns), own in shapes.items():
        steps = orthogonal(torch.stack([ahead[index].reshape(rows, columns) for index in own]))
        size = group["lr"] * max(1, rows / columns) ** 0.5  # so that outputs change alike, whatever the shape
        changed = [parameters[index] for index in own]
        add_scaled(changed, [step.view(each.shape) for step, each in zip(steps, changed, strict=True)], -size)


def _adamw(
    parameters: list["Tensor"], gradients: list["Tensor"], states: list[ParameterGroup], group: ParameterGroup
) -> None:
    import torch

    begun(states, parameters, "average", "square")
    averages, squares = ([state[name] for state in states] for name in ("average", "square"))
    torch._foreach_lerp_(averages, gradients, 1 - BETAS[0])
    torch._foreach_mul_(squares, BETAS[1])
    torch._foreach_addcmul_(squares, gradients, gradients, 1 - BETAS[1])
    roots = torch._foreach_sqrt(squares)
    torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
    if isinstance(group["lr"], torch.Tensor):
        first, second = _corrections_there(states, parameters)
        torch._foreach_div_(roots, torch._foreach_sqrt(second))
        torch._foreach_add_(roots, EPSILON)
        torch._foreach_mul_(roots, first)
        torch._foreach_addcdiv_(parameters, torch._foreach_mul(averages, -group["lr"]), roots)
        return
    for state in states:
        state["step"] = int(state.get("step", 0)) + 1
    torch._foreach_div_(roots, [(1 - BETAS[1] ** state["step"]) ** 0.5 for state in states])
    torch._foreach_add_(roots, EPSILON)
    sizes = [-group["lr"] / (1 - BETAS[0] ** state["step"]) for state in states]
    torch._foreach_addcdiv_(parameters, averages, roots, sizes)


def _corrections_there(states: list[ParameterGroup], parameters: list["Tensor"]) -> tuple[TensorList, TensorList]:
    """Count a step of each parameter on its device; return ``1 - beta ** step`` for both betas."""
    import torch

    for state, parameter in zip(states, parameters, strict=True):
        if not isinstance(state.get("step"), torch.Tensor):
            state["step"] = torch.full((), state.get("step", 0), dtype=torch.float32, device=parameter.device)
    steps = [state["step"] for state in states]
    torch._foreach_add_(steps, 1)
    first, second = (
        torch._foreach_neg(torch._foreach_expm1(torch._foreach_mul(steps, math.log(beta)))) for beta in BETAS
    )
    return first, second


MEMBERS: Final = (Optimiser(name="muon", order=60, settings=Muon),)
