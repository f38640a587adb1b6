"""The layers that torch does not have, as modules for any network, and the layers of a layout as modules."""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qpsearch.architecture import layout
from qpsearch.models.norms import build_norm
from qpsearch.models.ops import HALVES, bounded_linear, bounded_quotient, check_range, product_unit2d
from qpsearch.vocabulary import (
    Activation,
    ExponentInit,
    LogPadding,
    Mixing,
    NormKind,
    Numbers,
    Positivity,
    QuotientKind,
    Sharing,
    as_member,
)

FAR = 40.0  # above, ln(exp(x) - 1) is x
LEAST_RHO = -15.0  # below, float32 cannot tell alpha from 1
SMALL_SLOPE = 5.0  # kaiming_uniform(a=5): sums before exp within about +-0.5 (rule P9)


class BoundedQuotient(nn.Module):
    """The function that turns a branch's output into a quotient, elementwise (rules Q2-Q8, Q16).

    With the range ``[floor, alpha]``: ``sigmoid`` is ``floor + (alpha - floor) sigmoid(z + a)`` with
    ``a = ln((1 - floor) / (alpha - 1))``; ``linear`` is
    ``min(max(floor, z + 1), alpha)``; ``unbounded`` is ``linear`` without alpha. All three are 1 at z = 0, unless
    ``through_one`` is false (then a is 0, and z replaces z + 1). ``relu`` is ``max(0, z)``, whatever the range.

    A learned alpha is ``1 + softplus(max(rho, -15))``, above 1 by at least 3e-7.

    Args:
        alpha: Upper bound, above 1; the paper's is 2.0 at 20 layers, 1.8 at 44, 1.7 at 56, 1.5 at 110.
        activation: ``sigmoid``, ``linear``, ``unbounded`` or ``relu``.
        floor: Lower bound, below 1; below 0, a quotient may change signs.
        through_one: Whether z = 0 gives 1.
        learned_alpha: None, or how the upper bound is learned, starting at alpha: one bound for the ``layer``, or one
            for each ``channel``.
        channels: Channels of the input; needed for one bound per channel.
        device: Device of the learned bounds.
        dtype: Type of the learned bounds.

    Raises:
        ValueError: A word is unknown, or 1 does not lie inside the range.

    Example:
        >>> import torch
        >>> from qpsearch.layers import BoundedQuotient
        >>> BoundedQuotient(alpha=2.0)(torch.tensor([-9.0, 0.0, 9.0])).round(decimals=2)
        tensor([0., 1., 2.])
    """

    def __init__(
        self,
        alpha: float = 2.0,
        *,
        activation: str = QuotientKind.SIGMOID,
        floor: float = 0.0,
        through_one: bool = True,
        learned_alpha: str | None = None,
        channels: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.activation = as_member(QuotientKind, activation, "activation")
        self.learned_alpha = None if learned_alpha is None else as_member(Sharing, learned_alpha, "learned_alpha")
        check_range(alpha, floor)
        if math.isinf(alpha) and (self.activation is QuotientKind.SIGMOID or self.learned_alpha is not None):
            raise ValueError("alpha is infinite. Without a bound, activation is 'unbounded', and alpha is not learned.")
        self.start, self.floor, self.through_one = alpha, floor, through_one
        self.rho: nn.Parameter | None = None
        if self.learned_alpha is not None:
            shape: tuple[int, ...] = ()
            if self.learned_alpha is Sharing.CHANNEL:
                if channels is None:
                    raise ValueError("learned_alpha='channel' needs channels, the number of channels.")
                shape = (channels, 1, 1)
            self.rho = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set learned bounds to their initial values."""
        if self.rho is not None:
            above = self.start - 1
            nn.init.constant_(self.rho, above if above > FAR else math.log(math.expm1(above)))  # softplus's inverse

    @property
    def alpha(self) -> float | Tensor:
        """The upper bound, or a tensor of learned bounds, in float32 at least: 1 + 3e-7 is 1 in lower precision."""
        return self._alpha(self.rho)

    def _alpha(self, rho: Tensor | None) -> float | Tensor:
        if rho is None:
            return self.start
        return 1 + F.softplus((rho.float() if rho.dtype in HALVES else rho).clamp(min=LEAST_RHO))

    def forward(self, z: Tensor) -> Tensor:
        """Map any shape to the same shape, and any floating type to itself."""
        return self.bounded(z, self.rho)

    def bounded(self, z: Tensor, rho: Tensor | None) -> Tensor:
        """Do as ``forward``, with other learned bounds in place of the module's own; they broadcast against z."""
        alpha = self._alpha(rho)
        match self.activation:
            case QuotientKind.SIGMOID:
                q = bounded_quotient(z, alpha, self.floor, through_one=self.through_one)
            case QuotientKind.LINEAR:
                q = bounded_linear(z, alpha, self.floor, through_one=self.through_one)
            case QuotientKind.UNBOUNDED:
                q = bounded_linear(z, math.inf, self.floor, through_one=self.through_one)
            case QuotientKind.RELU:
                q = F.relu(z)
        return q.to(z.dtype) if is_half(rho) else q

    def extra_repr(self) -> str:
        """Show the function in the printed network."""
        return f"{self.activation}, floor={self.floor}, alpha={self.start}"


class ProductUnit2d(nn.Module):
    """A product unit with its learned exponents, thresholds and factors (rules P1, P7-P13, P16).

    ``exp(conv2d(ln max(x, softplus(theta) + 1e-7), W) + b)`` and its variants: each output is the product over a window
    of the inputs, raised to learned powers. It can replace an ``nn.Conv2d`` with an odd kernel and
    ``padding=kernel_size // 2``, and maps (N, C, H, W) to (N, C', ceil(H / s), ceil(W / s)). The defaults are
    the paper's, as far as they are known. ``padding`` says where zeros are added, not how many.

    The sum before ``exp`` reaches 15 in trained networks, so powers are computed in float32 also where the layer is
    float16 or bfloat16; the output has the type of the input. Under autocast the output is float32, as with torch's own
    ``exp``. Without ``exponent_clip`` outputs can overflow: in eval mode even before training, since the running
    statistics of batch normalisation have seen nothing yet, and in deep networks in training, too. 8 is a safe bound.

    Args:
        in_channels: C.
        out_channels: C'; with ``mixing="depthwise"`` a multiple of C.
        kernel_size: Side of the window, odd.
        stride: Stride of the window.
        bias: Whether each output has a learned factor (rule P12).
        mixing: ``dense`` multiplies over all channels, ``depthwise`` over one (rule P13).
        positivity: How inputs are made positive: ``max``, or ``smooth`` (rule P7).
        threshold: One learned floor for the ``layer``, or one for each ``channel`` (rule P8).
        threshold_init: Initial value of theta; the floor is softplus(theta) + 1e-7, so 0 gives 0.69.
        exponent_init: Initial exponents: ``kaiming_fan_out``, ``small`` or ``framework`` (rule P9).
        exponent_clip: Bound on the magnitude of the sum before ``exp``; None for no bound (rule P10).
        padding: With ``after_log`` the outside of the image is 1, with ``before_log`` it is the floor (rule P11).
        numbers: ``real`` powers of positive numbers, or the real part of ``complex`` powers (rule P16).
        device: Device of the parameters.
        dtype: Type of the parameters.

    Raises:
        ValueError: A word is unknown, the kernel is even, ``out_channels`` does not fit ``mixing="depthwise"``, a size
            is not a whole number of at least 1, or ``exponent_clip`` is not positive.

    Example:
        >>> import torch
        >>> from qpsearch.layers import ProductUnit2d
        >>> unit = ProductUnit2d(16, 32, kernel_size=3, stride=2)
        >>> unit(torch.rand(8, 16, 28, 28)).shape
        torch.Size([8, 32, 14, 14])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        *,
        bias: bool = False,
        mixing: str = Mixing.DENSE,
        positivity: str = Positivity.MAX,
        threshold: str = Sharing.LAYER,
        threshold_init: float = 0.0,
        exponent_init: str = ExponentInit.KAIMING_FAN_OUT,
        exponent_clip: float | None = None,
        padding: str = LogPadding.AFTER_LOG,
        numbers: str = Numbers.REAL,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.kernel_size, self.stride = (
            _whole(value, name)
            for value, name in (
                (in_channels, "in_channels"),
                (out_channels, "out_channels"),
                (kernel_size, "kernel_size"),
                (stride, "stride"),
            )
        )
        self.mixing = as_member(Mixing, mixing, "mixing")
        self.positivity = as_member(Positivity, positivity, "positivity")
        self.threshold, self.threshold_init = as_member(Sharing, threshold, "threshold"), threshold_init
        self.exponent_init = as_member(ExponentInit, exponent_init, "exponent_init")
        if exponent_clip is not None and not exponent_clip > 0:
            raise ValueError(f"exponent_clip: expected a positive number or None, got {exponent_clip!r}")
        self.exponent_clip = exponent_clip
        self.padding = as_member(LogPadding, padding, "padding")
        self.numbers = as_member(Numbers, numbers, "numbers")
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: {kernel_size} is even. Expected an odd number.")
        is_depthwise = self.mixing is Mixing.DEPTHWISE
        if is_depthwise and out_channels % in_channels:
            raise ValueError(
                f"out_channels: {out_channels} is not a multiple of in_channels ({in_channels}), but "
                "mixing='depthwise' needs that."
            )
        shape = (out_channels, 1 if is_depthwise else in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        floors = () if self.threshold is Sharing.LAYER else (in_channels, 1, 1)
        self.theta = nn.Parameter(torch.empty(floors, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw exponents as ``exponent_init`` says (rule P9), and set thresholds and factors to their initial values.

        ``kaiming_fan_out`` is N(0, 2 / fan_out), where fan_out is the number of outputs that an input affects; in a
        depthwise unit it does not grow with the number of channels. ``small`` is uniform with about a fifth of that
        spread; ``framework`` is as in ``nn.Conv2d``.
        """
        match self.exponent_init:
            case ExponentInit.KAIMING_FAN_OUT:
                wide, narrow, *window = self.weight.shape
                fan_out = wide * narrow // self.in_channels * math.prod(window)
                nn.init.normal_(self.weight, std=math.sqrt(2) / math.sqrt(fan_out))
            case ExponentInit.SMALL:
                nn.init.kaiming_uniform_(self.weight, a=SMALL_SLOPE)
            case ExponentInit.FRAMEWORK:
                nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        nn.init.constant_(self.theta, self.threshold_init)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', ceil(H / s), ceil(W / s)); raises ValueError for other images."""
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"expected images (N, {self.in_channels}, H, W), got {tuple(x.shape)}")
        return self.powers(x, self.weight, self.theta, self.bias)

    def powers(self, x: Tensor, weight: Tensor, theta: Tensor, bias: Tensor | None) -> Tensor:
        """Do as ``forward``, with other exponents, thresholds and factors in place of the module's own."""
        y = product_unit2d(
            x,
            weight,
            theta,
            self.exponent_clip,
            bias=bias,
            stride=self.stride,
            positivity=self.positivity,
            padding=self.padding,
            numbers=self.numbers,
        )
        return y.to(x.dtype) if is_half(weight) else y

    def extra_repr(self) -> str:
        """Show shape and clip in the printed network."""
        shape = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        return f"{shape}, mixing={self.mixing}, exponent_clip={self.exponent_clip}"


class PadShortcut(nn.Module):
    """Subsample, and fill new channels with the neutral element.

    That is 0 where the branch is added (He's option A), and 1 where the branch multiplies: a new channel filled with 0
    would stay 0 under every quotient that follows. Rule Q14, extended.
    """

    def __init__(self, width_in: int, width: int, stride: int, fill: float) -> None:
        super().__init__()
        self.stride, self.fill, self.extra = stride, fill, width - width_in

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H/s, W/s)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra), value=self.fill)


def build_layers(layers: Iterable[layout.Layer], *, after_sum: bool = False) -> nn.Module:
    """Build layers that follow each other; the identity for an empty list.

    A ReLU works in place behind a norm or a sum: their outputs are new tensors that their backward passes do not need.

    Args:
        layers: The layers.
        after_sum: Whether the first one's input is a sum of tensors.
    """
    modules: list[nn.Module] = []
    is_free = after_sum
    for layer in layers:
        modules.append(build_layer(layer))
        if isinstance(modules[-1], nn.ReLU):
            modules[-1].inplace = is_free
        is_free = isinstance(layer, layout.Norm) and layer.kind is not NormKind.NONE
    return nn.Sequential(*modules) if modules else nn.Identity()


def build_layer(layer: layout.Layer) -> nn.Module:
    """Build one layer, with torch's own initialisation."""
    match layer:
        case layout.Convolution(width_in=narrow, width=wide, kernel=kernel, stride=stride):
            return nn.Conv2d(narrow, wide, kernel, stride, padding=kernel // 2, bias=False)
        case layout.ProductUnit(width_in=narrow, width=wide, kernel=kernel, stride=stride, rules=rules):
            return ProductUnit2d(
                narrow,
                wide,
                kernel,
                stride,
                bias=rules.bias,
                mixing=rules.mixing,
                positivity=rules.positivity,
                threshold=rules.threshold,
                threshold_init=rules.threshold_init,
                exponent_init=ExponentInit.FRAMEWORK,  # drawn as its block's rules say, after the convolutions
                exponent_clip=rules.exponent_clip,
                padding=rules.padding,
                numbers=rules.numbers,
            )
        case layout.Norm(kind=kind, width=width):
            return build_norm(kind, width)
        case layout.Pointwise(kind=kind):
            return _activation(kind)
        case layout.Bound(rules=rules, width=width):
            return BoundedQuotient(
                rules.alpha,
                activation=rules.activation,
                floor=rules.floor,
                through_one=rules.through_one,
                learned_alpha=rules.learned_alpha,
                channels=width,
            )
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


def is_half(parameter: Tensor | None) -> bool:
    """Whether a layer was converted to float16 or bfloat16, so that its output must have the type of its input."""
    return parameter is not None and parameter.dtype in HALVES


def _whole(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: expected a whole number of at least 1, got {value!r}")
    return value
