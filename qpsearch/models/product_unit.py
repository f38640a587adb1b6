"""The 2D product unit as one step of autograd, which keeps only the logarithms and the output.

The plain composition (``maximum``, ``log``, ``conv2d``, ``clamp``, ``exp``) keeps an intermediate tensor for each of
its operations. Everything that backward needs follows from two tensors: with ``l = ln x_hat``,
``s = conv2d(l, W) + b``, ``y = exp(s)``, and ``g`` the gradient at y,

    ds = g y,    dW = conv_weight(l, ds),    db = sum of ds,    dl = conv_input(ds, W),
    dx = dl exp(-l) p,    dtau = sum of dl exp(-l) (1 - p),

where p is the share of x in x_hat: 1 or 0 for a maximum (0 at a tie, where ``torch.maximum`` has 1/2),
``1 - exp(tau - x_hat)`` for the smooth maximum. Both tensors are outputs of the step, so these formulas can be
differentiated in turn. Forward mode (``torch.func.jvp``) is not supported; the plain composition supports it.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

THRESHOLD_EPS = 1e-7
NOTHING: Final = nullcontext()


def positive_floor(theta: Tensor) -> Tensor:
    """Return the smallest value that a product unit's input may take: ``softplus(theta) + 1e-7`` (rules P7, P8)."""
    return F.softplus(theta) + THRESHOLD_EPS


def true_float32(x: Tensor) -> AbstractContextManager[None]:
    """Keep a GPU's convolutions from rounding float32 to the 10 bits of TF32, torch's default for them (rule P19).

    A sum of logarithms near 15 would be off by 0.01, and so its power by a hundredth. Code that torch compiles chooses
    its own kernels, and is left as it is.
    """
    return _without_tf32() if _may_round(x) else NOTHING


def _may_round(x: Tensor) -> bool:
    return x.is_cuda and not torch.compiler.is_compiling()


@contextmanager
def _without_tf32() -> Iterator[None]:
    place, name, exact = _choice_of_tf32()
    given = getattr(place, name)
    setattr(place, name, exact)
    try:
        yield
    finally:
        setattr(place, name, given)


def _choice_of_tf32() -> tuple[Any, str, object]:
    """Return where torch keeps the choice, its name, and the value that switches TF32 off.

    From torch 2.9 on, the older name raises an error where a program has set the newer one, and False there means
    whatever ``torch.backends.fp32_precision`` says.
    """
    cudnn: Any = torch.backends.cudnn
    newer = getattr(cudnn, "conv", None)
    return (newer, "fp32_precision", "ieee") if hasattr(newer, "fp32_precision") else (cudnn, "allow_tf32", False)


def plain_product_unit2d(
    x: Tensor,
    exponents: Tensor,
    theta: Tensor,
    bias: Tensor | None = None,
    clip: float | None = None,
    stride: int = 1,
    margin: int = 1,
    smooth: bool = False,
) -> Tensor:
    """Compose the product unit from torch's own operations: the reference.

    Args:
        x: (N, C, H, W), in the precision of the computation.
        exponents: (C', C or 1, k, k).
        theta: Broadcasts against x.
        bias: (C') or None.
        clip: Bound on the magnitude of the sum before exp; None for no bound.
        stride: Stride of the window.
        margin: Number of zeros added on each side of the logarithms.
        smooth: Whether ``ln(exp(x) + exp(tau))`` replaces ``max(x, tau)``.
    """
    tau = positive_floor(theta)
    logs = torch.log(torch.logaddexp(x, tau) if smooth else torch.maximum(x, tau))
    with true_float32(x):
        sums = F.conv2d(logs, exponents, bias, stride, margin, 1, x.shape[1] // exponents.shape[1])
    return torch.exp(sums if clip is None else sums.clamp(-clip, clip))


class FusedProductUnit(torch.autograd.Function):
    """``FusedProductUnit.apply(x, ...)``, with all arguments of ``plain_product_unit2d``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor,
        exponents: Tensor,
        theta: Tensor,
        bias: Tensor | None,
        clip: float | None,
        stride: int,
        margin: int,
        smooth: bool,
    ) -> tuple[Tensor, Tensor]:
        """Return the output and, for backward alone, the logarithms.

        Both reuse memory, except in code that torch compiles: that chooses its own memory, and in torch 2.11 the
        gradient of an output that was made in place is zero there.
        """
        tau, in_place = positive_floor(theta), not torch.compiler.is_compiling()
        x_hat = torch.logaddexp(x, tau) if smooth else torch.maximum(x, tau)
        logs = x_hat.log_() if in_place else x_hat.log()
        with true_float32(x):
            sums = F.conv2d(logs, exponents, bias, stride, margin, 1, x.shape[1] // exponents.shape[1])
        clipped = sums if clip is None else F.hardtanh(sums, -clip, clip, in_place)  # vmap has it
        return clipped.exp_() if in_place else clipped.exp(), logs

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep the two tensors, the exponents and the threshold."""
        x, exponents, theta, bias, ctx.clip, ctx.stride, ctx.margin, ctx.smooth = inputs
        y, logs = output
        ctx.has_bias, ctx.groups = bias is not None, x.shape[1] // exponents.shape[1]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(y, logs, exponents, theta)

    @staticmethod
    def backward(ctx: Any, at_y: Tensor | None, at_logs: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, exponents, theta and bias.

        ``at_logs`` is given only when backward is itself differentiated. Otherwise each tensor that the step made is
        reused, since new memory costs as much time as the arithmetic; not under ``vmap``, which does not have ``out``.
        """
        y, logs, exponents, theta = ctx.saved_tensors
        at_exponents = at_bias = None
        in_place = at_y is not None and not torch.is_grad_enabled() and not torch._C._functorch.is_batchedtensor(y)
        if at_y is not None:
            at_sums = _at_sums(at_y, y, ctx.clip, in_place=in_place)
            wanted = [True, True, ctx.has_bias]
            through, at_exponents, at_bias = _convolution_backward(ctx, at_sums, logs, exponents, wanted)
            del at_sums
            at_logs = through if at_logs is None else at_logs + through
        if at_logs is None:
            return (None,) * 8
        tau, x_hat = positive_floor(theta), logs.exp()
        at_input = at_logs.div_(x_hat) if in_place else at_logs / x_hat
        if ctx.smooth:
            at_x = at_input * -torch.expm1(tau - x_hat)
        else:
            above = torch.sub(logs, _just_above(tau.log()), out=x_hat if in_place else None)
            at_x = torch.ops.aten.threshold_backward(at_input, above, 0)  # `where` takes six times as long
        at_tau = at_input.sub_(at_x) if in_place else at_input - at_x
        at_theta = at_tau.sum_to_size(theta.shape) * torch.sigmoid(theta)
        return at_x, at_exponents, at_theta, at_bias, None, None, None, None


def plain_half_turns(signs: Tensor, exponents: Tensor, stride: int, margin: int) -> Tensor:
    """Return by how many half turns of the complex plane the negative inputs turn a product: their exponents' sum.

    Args:
        signs: (N, C, H, W), 1 for a negative input and 0 for others.
        exponents: (C', C or 1, k, k).
        stride: Stride of the window.
        margin: Number of zeros added on each side.
    """
    with true_float32(signs):
        return F.conv2d(signs, exponents, None, stride, margin, 1, signs.shape[1] // exponents.shape[1])


class FusedHalfTurns(torch.autograd.Function):
    """``FusedHalfTurns.apply(signs, ...)``: ``plain_half_turns`` whose backward does not round to TF32 either."""

    generate_vmap_rule = True

    @staticmethod
    def forward(signs: Tensor, exponents: Tensor, stride: int, margin: int) -> Tensor:
        """Return the half turns."""
        return plain_half_turns(signs, exponents, stride, margin)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep signs and exponents."""
        signs, exponents, ctx.stride, ctx.margin = inputs
        ctx.has_bias, ctx.groups = False, signs.shape[1] // exponents.shape[1]
        ctx.save_for_backward(signs, exponents)

    @staticmethod
    def backward(ctx: Any, at_turns: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of the exponents; the signs do not have one."""
        signs, exponents = ctx.saved_tensors
        _, at_exponents, _ = _convolution_backward(ctx, at_turns, signs, exponents, [False, True, False])
        return None, at_exponents, None, None


def _just_above(floor: Tensor) -> Tensor:
    """Return a bound just above the floor's logarithm, since a compiler may round that logarithm differently."""
    return floor + 4 * torch.finfo(floor.dtype).eps * (1 + floor.abs())


def _at_sums(at_y: Tensor, y: Tensor, clip: float | None, *, in_place: bool) -> Tensor:
    """Return the gradient at the sums: ``at_y * y`` where y is neither bound of the clip, 0 elsewhere."""
    if clip is None:
        return at_y * y
    bound = float(np.float32(clip)) if y.dtype is torch.float32 else clip  # as the clamp rounded it
    nearly = 8 * torch.finfo(y.dtype).eps  # exp rounds
    is_reached = bound < math.log(torch.finfo(y.dtype).max)  # else exp is infinite before the clip
    low, high = math.exp(-bound) * (1 + nearly), math.exp(bound) * (1 - nearly) if is_reached else math.inf
    inside: Tensor = torch.ops.aten.hardtanh_backward(at_y, y, low, high)
    return inside.mul_(y) if in_place else inside * y


def _convolution_backward(
    ctx: Any, at_sums: Tensor, inputs: Tensor, weight: Tensor, wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the gradients of inputs, weight and bias, those that are wanted."""
    sizes = [weight.shape[0]] if ctx.has_bias else None
    with true_float32(at_sums):
        found: tuple[Tensor, Tensor, Tensor | None] = torch.ops.aten.convolution_backward(
            at_sums,
            inputs,
            weight,
            sizes,
            [ctx.stride] * 2,
            [ctx.margin] * 2,
            [1, 1],
            False,
            [0, 0],
            ctx.groups,
            wanted,
        )
    return found
