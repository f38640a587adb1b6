"""The arithmetic of both papers as pure tensor functions.

The functions do not have state or parameters: each can be read beside its formula and tested against float64.
"""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from qpsearch.models.product_unit import (
    FusedHalfTurns,
    FusedProductUnit,
    plain_half_turns,
    plain_product_unit2d,
)
from qpsearch.vocabulary import LogPadding, Numbers, Positivity, as_member

HALVES: Final = (torch.float16, torch.bfloat16)


def bounded_quotient(z: Tensor, alpha: float | Tensor, floor: float = 0.0, *, through_one: bool = True) -> Tensor:
    """Map a branch output to a quotient in (floor, alpha): the modified sigmoid.

    ``floor + (alpha - floor) * sigmoid(z + a)``; same shape, in the precision to which torch promotes z and alpha.
    With ``through_one``, ``a = ln((1 - floor) / (alpha - 1))``, so that the quotient is 1 at z = 0, with slope
    ``(alpha - 1)(1 - floor) / (alpha - floor)``; else a is 0, and the quotient at z = 0 is halfway.

    Args:
        z: The branch output, of any shape.
        alpha: Upper bound above 1; a number, or a tensor that broadcasts against z.
        floor: Lower bound below 1; below 0, a quotient may be negative.
        through_one: Whether z = 0 gives 1.

    Raises:
        ValueError: 1 does not lie between floor and alpha, so that the sigmoid cannot pass through 1.

    Source: arXiv 2506.00992, rules Q2, Q4, Q6, Q7, Q8.
    """
    check_range(alpha, floor)
    if not through_one:
        share = torch.sigmoid(z)
    elif isinstance(alpha, Tensor):
        share = (z + (math.log(1 - floor) - torch.log(alpha - 1))).sigmoid_()  # in place: a sum is not needed again
    else:
        share = (z + math.log((1 - floor) / (alpha - 1))).sigmoid_()
    above = (alpha - floor) * share
    return above if floor == 0 else floor + above


def bounded_linear(z: Tensor, alpha: float | Tensor, floor: float = 0.0, *, through_one: bool = True) -> Tensor:
    """Map a branch output to a quotient in [floor, alpha]: the modified linear function.

    ``min(max(floor, z + 1), alpha)``; same shape, in the precision to which torch promotes z and alpha; slope 1
    inside, 0 outside. Without ``through_one``, z takes the place of z + 1. With an infinite alpha, the quotient is not
    bounded above.

    Args:
        z: The branch output, of any shape.
        alpha: Upper bound above 1; a number, or a tensor that broadcasts against z.
        floor: Lower bound below 1; below 0, a quotient may be negative.
        through_one: Whether z = 0 gives 1.

    Raises:
        ValueError: 1 does not lie between floor and alpha.

    Source: arXiv 2506.00992, rules Q2, Q3, Q6, Q7.
    """
    check_range(alpha, floor)
    line = z + 1 if through_one else z
    return torch.minimum(line.clamp(min=floor), alpha) if isinstance(alpha, Tensor) else line.clamp(floor, alpha)


def product_unit2d(
    x: Tensor,
    exponents: Tensor,
    theta: Tensor,
    clip: float | None = None,
    *,
    bias: Tensor | None = None,
    stride: int = 1,
    positivity: Positivity = Positivity.MAX,
    padding: LogPadding = LogPadding.AFTER_LOG,
    numbers: Numbers = Numbers.REAL,
    fused: bool = True,
) -> Tensor:
    """Multiply the powers of a neighbourhood: ``exp(conv2d(ln x_hat, W) + b)`` with ``x_hat = max(x, tau)``.

    Each output is the product over input channels and a k x k window of x_hat ** w; ``tau = softplus(theta) + 1e-7``.
    With smooth positivity ``x_hat = ln(exp(x) + exp(tau))``, above both and by at most ln 2. Outside the image x_hat
    is 1, the identity of a product (zeros are added after the log), or what a pixel of 0 becomes (before it). Complex:
    x_hat is made of ``|x|``, and the output is the real part of the product of x ** w, where ``x_hat ** w * cos(pi w)``
    stands for a negative x: ``exp(conv2d(ln x_hat, W) + b) * cos(pi conv2d([x < 0], W))``. Computed in float32 where
    the surroundings are float16 or bfloat16 (rule P19: sums up to 15 before exp were seen); float64 stays.

    Args:
        x: (N, C, H, W), any sign.
        exponents: (C', C, k, k), k odd; (C', 1, k, k), with C' a multiple of C, multiplies channel by channel (rule
            P13).
        theta: A scalar, or (C, 1, 1) for one threshold per channel.
        clip: Bound on the magnitude of the sum before exp, bias included; None for no bound (rule P10).
        bias: (C'), or None for no bias (rule P12).
        stride: Stride of the window.
        positivity: How x is made positive (rule P7).
        padding: Where zeros are added (rule P11).
        numbers: Real or complex powers (rule P16).
        fused: Whether to use one step of autograd, which keeps two fifths of the memory that the composition keeps.
            False composes torch's own operations: the outputs are the same, and the gradients but for rounding and for
            two kinks. Where x is the floor, or above it by rounding alone, the one step gives the whole gradient to
            theta; ``torch.maximum`` gives half to x and half to theta at a tie, and all to x above it. Where the sum is
            the clip, or below it by rounding alone, the one step gives none; ``torch.clamp`` does below it. Forward
            mode (``torch.func.jvp``) needs False.

    Returns:
        (N, C', H / s, W / s), positive if real; in float32 finite wherever the sum stays below 88, and 0 below -103.

    Raises:
        ValueError: ``positivity``, ``padding`` or ``numbers`` is not a known word.

    Source: arXiv 2505.04397 as reconstructed from v3, and 2606.20035; rules P1, P7, P8, P10-P13, P16.
    """
    positivity = as_member(Positivity, positivity, "positivity")
    padding, numbers = as_member(LogPadding, padding, "padding"), as_member(Numbers, numbers, "numbers")
    with _full_precision(x.device.type):
        if x.dtype in HALVES:
            x = x.float()
        exponents, theta = exponents.to(x.dtype), theta.to(x.dtype)
        bias = None if bias is None else bias.to(x.dtype)
        margin = exponents.shape[-1] // 2
        if padding is LogPadding.BEFORE_LOG:
            x, margin = F.pad(x, (margin,) * 4), 0
        inputs = x if numbers is Numbers.REAL else x.abs()
        smooth = positivity is Positivity.SMOOTH
        if fused:
            y: Tensor = FusedProductUnit.apply(inputs, exponents, theta, bias, clip, stride, margin, smooth)[0]
        else:
            y = plain_product_unit2d(inputs, exponents, theta, bias, clip, stride, margin, smooth)
        if numbers is Numbers.COMPLEX:
            half_turns = FusedHalfTurns.apply if fused else plain_half_turns
            y = y * torch.cos(math.pi * half_turns((x < 0).to(x.dtype), exponents, stride, margin))
        return y


def check_range(alpha: float | Tensor, floor: float) -> None:
    """Raise ValueError where 1 does not lie between a quotient's bounds."""
    if not floor < 1 or (not isinstance(alpha, Tensor) and not alpha > 1):
        raise ValueError(f"expected floor < 1 < alpha, got floor {floor!r}, alpha {alpha!r}")


def _full_precision(device: str) -> AbstractContextManager[object]:
    """Switch autocast off where the device has it; the meta device, on which costs are checked, does not.

    Compilers are not asked: some versions of torch cannot trace the question.
    """
    has_autocast = torch.compiler.is_compiling() or torch.amp.is_autocast_available(device)
    return torch.autocast(device, enabled=False) if has_autocast else nullcontext()
