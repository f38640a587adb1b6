"""The layers of a layout as modules: what torch has not, and where each comes from."""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qpsearch.architecture import layout
from qpsearch.models.norms import build_norm
from qpsearch.models.ops import bounded_linear, bounded_quotient, product_unit2d
from qpsearch.space.schema.rules import ProductUnitRules, QuotientRules
from qpsearch.vocabulary import Activation, Mixing, QuotientKind, Sharing

LEAST_RHO = -15.0  # below, float32 cannot tell alpha from 1


class BoundedQuotient(nn.Module):
    """What a quotient's branch goes through, elementwise (rules Q2-Q8, Q16).

    With ``[floor, alpha]`` the range: ``sigmoid`` is ``floor + (alpha - floor) sigmoid(z + a)``; ``linear``
    ``min(max(floor, z + 1), alpha)``; ``unbounded`` the same without alpha; all three 1 at 0, unless they do not pass
    through one (then a is 0, and z stands for z + 1). ``relu`` is ``max(0, z)``, whatever the range.

    A learned alpha is ``1 + softplus(max(rho, -15))``, above 1 by at least 3e-7; one, or one a channel.
    """

    def __init__(self, rules: QuotientRules, width: int) -> None:
        super().__init__()
        self.rules = rules
        self.rho: nn.Parameter | None = None
        if rules.learned_alpha is not None:
            shape = () if rules.learned_alpha is Sharing.LAYER else (width, 1, 1)
            self.rho = nn.Parameter(torch.full(shape, math.log(math.expm1(rules.alpha - 1))))

    @property
    def alpha(self) -> float | Tensor:
        """The upper bound, or a tensor of the learned ones."""
        return self.rules.alpha if self.rho is None else 1 + F.softplus(self.rho.clamp(min=LEAST_RHO))

    def forward(self, z: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        rules = self.rules
        match rules.activation:
            case QuotientKind.SIGMOID:
                return bounded_quotient(z, self.alpha, rules.floor, through_one=rules.through_one)
            case QuotientKind.LINEAR:
                return bounded_linear(z, self.alpha, rules.floor, through_one=rules.through_one)
            case QuotientKind.UNBOUNDED:
                return bounded_linear(z, math.inf, rules.floor, through_one=rules.through_one)
            case QuotientKind.RELU:
                return F.relu(z)

    def extra_repr(self) -> str:
        """Show the function in the printed network."""
        return f"{self.rules.activation}, floor={self.rules.floor}, alpha={self.rules.alpha}"


class ProductUnit2d(nn.Module):
    """A product unit with its learned exponents, thresholds and factors (rules P1, P7-P13, P16).

    ``exp(conv2d(ln max(x, softplus(theta) + 1e-7), W) + b)`` and its variants; see ``product_unit2d``. Exponents start
    as ``qpsearch.models.inits`` says, b at 0.
    """

    def __init__(self, width_in: int, width: int, rules: ProductUnitRules, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.rules, self.stride, self.width_in = rules, stride, width_in
        narrow = 1 if rules.mixing is Mixing.DEPTHWISE else width_in
        self.weight = nn.Parameter(torch.empty(width, narrow, kernel, kernel))
        shape = () if rules.threshold is Sharing.LAYER else (width_in, 1, 1)
        self.theta = nn.Parameter(torch.full(shape, rules.threshold_init))
        self.bias = nn.Parameter(torch.zeros(width)) if rules.bias else None
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / s, W / s)."""
        return product_unit2d(
            x,
            self.weight,
            self.theta,
            self.rules.exponent_clip,
            bias=self.bias,
            stride=self.stride,
            positivity=self.rules.positivity,
            padding=self.rules.padding,
            numbers=self.rules.numbers,
        )

    def extra_repr(self) -> str:
        """Show shape and clip in the printed network."""
        wide, narrow, kernel, _ = self.weight.shape
        return f"{narrow}, {wide}, kernel_size={kernel}, stride={self.stride}, clip={self.rules.exponent_clip}"


class PadShortcut(nn.Module):
    """Subsample, and fill new channels with the value that changes nothing.

    That is 0 where the branch is added (He's option A), 1 where it multiplies: a new channel filled with 0
    would stay 0 under every quotient that follows. Rule Q14, extended.
    """

    def __init__(self, width_in: int, width: int, stride: int, fill: float) -> None:
        super().__init__()
        self.stride, self.fill, self.extra = stride, fill, width - width_in

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H/s, W/s)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra), value=self.fill)


def build_layers(layers: Iterable[layout.Layer]) -> nn.Module:
    """Build layers that follow each other; the identity where there is none."""
    modules = [build_layer(layer) for layer in layers]
    return nn.Sequential(*modules) if modules else nn.Identity()


def build_layer(layer: layout.Layer) -> nn.Module:
    """Build one layer, with torch's own initialisation."""
    match layer:
        case layout.Convolution(width_in=narrow, width=wide, kernel=kernel, stride=stride):
            return nn.Conv2d(narrow, wide, kernel, stride, padding=kernel // 2, bias=False)
        case layout.ProductUnit(width_in=narrow, width=wide, kernel=kernel, stride=stride, rules=rules):
            return ProductUnit2d(narrow, wide, rules, kernel, stride)
        case layout.Norm(kind=kind, width=width):
            return build_norm(kind, width)
        case layout.Pointwise(kind=kind):
            return _activation(kind)
        case layout.Bound(rules=rules, width=width):
            return BoundedQuotient(rules, width)
        case layout.MaxPool():
            return nn.MaxPool2d(3, 2, padding=1)
        case layout.AveragePool(stride=stride):
            return nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
        case layout.Pad(width_in=narrow, width=wide, stride=stride, fill=fill):
            return PadShortcut(narrow, wide, stride, fill)


def _activation(kind: Activation) -> nn.Module:
    match kind:
        case Activation.RELU:
            return nn.ReLU()
        case Activation.SILU:
            return nn.SiLU()
        case Activation.GELU:
            return nn.GELU()
        case Activation.NONE:
            return nn.Identity()
