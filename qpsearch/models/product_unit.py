"""The 2D product unit as one step of autograd, which keeps the logarithms and the output and nothing else.

The plain composition (``maximum``, ``log``, ``conv2d``, ``clamp``, ``exp``) keeps an intermediate tensor for each of
its operations. Everything that backward needs follows from two of them: with ``l = ln max(x, floor)``,
``s = conv2d(l, W)``, ``y = exp(s)``, and ``g`` the gradient at y,

    ds = g y,    dW = conv_weight(l, ds),    dl = conv_input(ds, W),
    dx = dl exp(-l) where l > ln floor,    dfloor = sum of dl exp(-l) elsewhere.

Both tensors are outputs of the step, so these formulas can be differentiated in turn.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

THRESHOLD_EPS = 1e-7


def positive_floor(theta: Tensor) -> Tensor:
    """Return the smallest value that a product unit's input may take: ``softplus(theta) + 1e-7`` (rules P7, P8)."""
    return F.softplus(theta) + THRESHOLD_EPS


def plain_product_unit2d(x: Tensor, exponents: Tensor, theta: Tensor, clip: float | None) -> Tensor:
    """Compose the product unit of torch's own operations: the reference, which can be differentiated twice.

    Args:
        x: (N, C, H, W), in the precision in which it shall be computed.
        exponents: (C', C, k, k), k odd.
        theta: Broadcasts against x.
        clip: Bound on the magnitude of the sum before exp; None for none.
    """
    logs = torch.log(torch.maximum(x, positive_floor(theta)))
    sums = F.conv2d(logs, exponents, padding=exponents.shape[-1] // 2)
    return torch.exp(sums if clip is None else sums.clamp(-clip, clip))


class FusedProductUnit(torch.autograd.Function):
    """``FusedProductUnit.apply(x, exponents, theta, clip)``; arguments as ``plain_product_unit2d`` has them."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, exponents: Tensor, theta: Tensor, clip: float | None) -> tuple[Tensor, Tensor]:
        """Return the output and, for backward alone, the logarithms."""
        logs = torch.maximum(x, positive_floor(theta)).log_()
        sums = F.conv2d(logs, exponents, padding=exponents.shape[-1] // 2)
        return (sums if clip is None else sums.clamp(-clip, clip)).exp_(), logs

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep the two tensors, the exponents and the threshold."""
        _, exponents, theta, clip = inputs
        y, logs = output
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(y, logs, exponents, theta)
        ctx.clip = clip

    @staticmethod
    def backward(ctx: Any, at_y: Tensor | None, at_logs: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, exponents and theta; ``at_logs`` comes only when this is differentiated."""
        y, logs, exponents, theta = ctx.saved_tensors
        at_exponents = None
        if at_y is not None:
            at_sums = at_y * y
            if ctx.clip is not None:
                bounds = torch.tensor([-ctx.clip, ctx.clip], dtype=y.dtype, device=y.device).exp()
                at_sums = torch.where((y > bounds[0]) & (y < bounds[1]), at_sums, 0)
            through, at_exponents = _convolution_backward(at_sums, logs, exponents)
            at_logs = through if at_logs is None else at_logs + through
        if at_logs is None:
            return None, None, None, None
        above = logs > positive_floor(theta).log()
        at_input = at_logs * torch.exp(-logs)
        at_floor = torch.where(above, 0, at_input)
        at_theta = at_floor.sum_to_size(theta.shape) * torch.sigmoid(theta)
        return torch.where(above, at_input, 0), at_exponents, at_theta, None


def _convolution_backward(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    margin = weight.shape[-1] // 2
    at_x, at_weight, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [1, 1], [margin, margin], [1, 1], False, [0, 0], 1, [True, True, False]
    )
    return at_x, at_weight
