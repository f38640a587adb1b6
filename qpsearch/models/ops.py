"""The arithmetic of both papers as pure tensor functions.

No layer state, no parameters: a function here can be read beside its formula and tested against float64.
"""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from qpsearch.models.product_unit import FusedProductUnit, plain_product_unit2d


def bounded_quotient(z: Tensor, alpha: float) -> Tensor:
    """Map a branch output to a quotient in (0, alpha) that is 1 at z = 0.

    ``alpha * sigmoid(z - ln(alpha - 1))``; same shape and dtype. Its slope at 0 is (alpha - 1) / alpha.

    Args:
        z: Any shape.
        alpha: Above 1.

    Raises:
        ValueError: alpha is 1 or less: no sigmoid below alpha passes through 1 then.

    Source: PAPERS section 1.2 (rules Q2, Q4, Q6, Q7, Q8).
    """
    if not alpha > 1:
        raise ValueError(f"alpha must exceed 1, got {alpha!r}")
    return alpha * torch.sigmoid(z - math.log(alpha - 1))


def bounded_linear(z: Tensor, alpha: float) -> Tensor:
    """Map a branch output to a quotient in [0, alpha] that is 1 at z = 0: ``min(max(0, z + 1), alpha)``.

    Same shape and dtype; slope 1 inside, 0 outside.

    Args:
        z: Any shape.
        alpha: Above 1.

    Raises:
        ValueError: alpha is 1 or less: the function does not pass through 1 with a slope then.

    Source: PAPERS sections 1.2 and 1.7 (rules Q2, Q3, Q6, Q7).
    """
    if not alpha > 1:
        raise ValueError(f"alpha must exceed 1, got {alpha!r}")
    return (z + 1).clamp(0, alpha)


def product_unit2d(
    x: Tensor, exponents: Tensor, theta: Tensor, clip: float | None = None, *, fused: bool = True
) -> Tensor:
    """Multiply the powers of a neighbourhood: ``exp(conv2d(ln max(x, softplus(theta) + 1e-7), W))``.

    Each output is the product over input channels and a k x k window of x_hat ** w. Outside the image
    x_hat is 1, the identity of a product (zeros are added after the log, rule P11). Computed in float32
    where the surroundings are float16 (rule P19: sums up to 15 before exp were seen); float64 stays.

    Args:
        x: (N, C, H, W), any sign.
        exponents: (C', C, k, k), k odd.
        theta: A scalar; its softplus is the floor of x.
        clip: Bound on the magnitude of the sum before exp; None for none (rule P10).
        fused: One step of autograd that keeps half of what the composition keeps; False composes the same numbers of
            torch's own operations.

    Returns:
        (N, C', H, W), positive; finite wherever the sum stays below 88 (float32).

    Source: PAPERS section 2.2, P-3A's form (rules P1, P7, P8, P11, P12, P13, P16).
    """
    with _full_precision(x.device.type):
        if x.dtype in (torch.float16, torch.bfloat16):
            x = x.float()
        exponents, theta = exponents.to(x.dtype), theta.to(x.dtype)
        if not fused:
            return plain_product_unit2d(x, exponents, theta, clip)
        y: Tensor = FusedProductUnit.apply(x, exponents, theta, clip)[0]
        return y


def _full_precision(device: str) -> AbstractContextManager[object]:
    """Switch autocast off where the device has it; the meta device, on which costs are checked, has not."""
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
