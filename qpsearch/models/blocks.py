"""The three residual blocks: what stands on the branch, what on the shortcut, and how they meet.

A block changes width and resolution at most in its first convolution and in its shortcut. ``branch[-1]``
is the layer that initialisers zero where a block shall start as the identity.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qpsearch.architecture import QuotientRules, Stage
from qpsearch.models.norms import build_norm
from qpsearch.models.ops import bounded_linear, bounded_quotient, product_unit2d
from qpsearch.vocabulary import BlockKind, NormPlacement, QuotientKind, ShortcutKind


def conv(width_in: int, width: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """Build a k x k convolution without bias that keeps H and W up to its stride."""
    return nn.Conv2d(width_in, width, kernel, stride, padding=kernel // 2, bias=False)


class BoundedQuotient(nn.Module):
    """What a quotient's branch goes through, elementwise (rules Q2, Q3, Q4, Q16).

    ``sigmoid``: ``alpha * sigmoid(z - ln(alpha - 1))``, in (0, alpha), 1 at 0. ``linear``:
    ``min(max(0, z + 1), alpha)``, in [0, alpha], 1 at 0. ``relu``: ``max(0, z)``, the unbounded case of Table A1.
    """

    def __init__(self, rules: QuotientRules) -> None:
        super().__init__()
        self.rules = rules

    def forward(self, z: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        match self.rules.activation:
            case QuotientKind.SIGMOID:
                return bounded_quotient(z, self.rules.alpha)
            case QuotientKind.LINEAR:
                return bounded_linear(z, self.rules.alpha)
            case QuotientKind.RELU:
                return F.relu(z)

    def extra_repr(self) -> str:
        """Show the function in the printed network."""
        return f"{self.rules.activation}, alpha={self.rules.alpha}"


class ProductUnit2d(nn.Module):
    """A 3x3 product unit with dense channel mixing and one learned threshold.

    ``exp(conv2d(ln max(x, softplus(theta) + 1e-7), W))``: (N, C, H, W) to (N, C', H, W). theta starts at
    0, a floor of ln 2. Exponents start as ``qpsearch.models.inits`` says. Rules P1, P7-P13.
    """

    def __init__(self, width_in: int, width: int, clip: float | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width_in, 3, 3))
        self.theta = nn.Parameter(torch.zeros(()))
        self.clip = clip
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W), positive."""
        return product_unit2d(x, self.weight, self.theta, self.clip)

    def extra_repr(self) -> str:
        """Show shape and clip in the printed network."""
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, kernel_size=3, clip={self.clip}"


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


def build_shortcut(stage: Stage, width_in: int, stride: int, fill: float) -> nn.Module:
    """Build the identity where shapes agree, else what the stage's rule says (rules Q14, P14).

    ``average_pool`` averages s x s pixels before a 1x1 convolution, which skips none of them.
    """
    if stride == 1 and width_in == stage.width:
        return nn.Identity()
    if stage.shortcut is ShortcutKind.PAD:
        return PadShortcut(width_in, stage.width, stride, fill)
    norm = build_norm(stage.norm, stage.width)
    if stage.shortcut is ShortcutKind.AVERAGE_POOL and stride > 1:
        pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
        return nn.Sequential(pool, conv(width_in, stage.width, 1), norm)
    kernel = 3 if stage.shortcut is ShortcutKind.CONV3X3 else 1
    return nn.Sequential(conv(width_in, stage.width, kernel, stride), norm)


def build_branch(stage: Stage, width_in: int, stride: int) -> nn.Sequential:
    """Two 3x3 convolutions: conv-norm-ReLU-conv-norm (post) or norm-ReLU-conv-norm-ReLU-conv (pre)."""
    width = stage.width
    first, second = conv(width_in, width, 3, stride), conv(width, width)
    if stage.norm_placement is NormPlacement.POST:
        return nn.Sequential(first, build_norm(stage.norm, width), nn.ReLU(), second, build_norm(stage.norm, width))
    return nn.Sequential(
        build_norm(stage.norm, width_in), nn.ReLU(), first, build_norm(stage.norm, width), nn.ReLU(), second
    )


class AdditiveBlock(nn.Module):
    """He's basic block: ``relu(shortcut(x) + F(x))`` (post) or ``shortcut(x) + F(x)`` (pre). Rule Q1."""

    def __init__(self, stage: Stage, width_in: int, stride: int) -> None:
        super().__init__()
        self.branch = build_branch(stage, width_in, stride)
        self.shortcut = build_shortcut(stage, width_in, stride, fill=0.0)
        self.act = nn.ReLU() if stage.norm_placement is NormPlacement.POST else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H/s, W/s)."""
        y: Tensor = self.act(self.shortcut(x) + self.branch(x))
        return y


class QuotientBlock(nn.Module):
    """``shortcut(x) * Q(x)`` with ``Q = alpha * sigmoid(F(x) - ln(alpha - 1))``, or another ``activation``.

    F is conv-norm-ReLU-conv-norm. Where the block changes shape by a convolution, the shortcut is bounded
    by the same function, which restarts the chain of products in every stage. Nothing follows the
    product. Rules Q1, Q2, Q10-Q14.
    """

    def __init__(self, stage: Stage, width_in: int, stride: int) -> None:
        super().__init__()
        assert stage.quotient is not None
        self.branch = build_branch(stage, width_in, stride)
        self.bound = BoundedQuotient(stage.quotient)
        shortcut = build_shortcut(stage, width_in, stride, fill=1.0)
        projects = isinstance(shortcut, nn.Sequential)
        self.shortcut = nn.Sequential(shortcut, BoundedQuotient(stage.quotient)) if projects else shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H/s, W/s)."""
        q: Tensor = self.bound(self.branch(x))  # in (0, alpha), 1 where the branch is 0
        y: Tensor = self.shortcut(x) * q
        return y


class ProductUnitBlock(nn.Module):
    """PURe: the second layer is a product unit, and no ReLU stands between the two.

    Branch: conv-norm-PU-norm (post) or norm-conv-norm-PU (pre). Output: ``relu(shortcut(x) + branch(x))``
    (post, P-3A's reading of rule P4) or the plain sum (pre). Rules P1-P6, P14.
    """

    def __init__(self, stage: Stage, width_in: int, stride: int) -> None:
        super().__init__()
        assert stage.product_unit is not None
        width = stage.width
        first = conv(width_in, width, 3, stride)
        unit = ProductUnit2d(width, width, stage.product_unit.exponent_clip)
        if stage.norm_placement is NormPlacement.POST:
            self.branch = nn.Sequential(first, build_norm(stage.norm, width), unit, build_norm(stage.norm, width))
            self.act: nn.Module = nn.ReLU()
        else:
            self.branch = nn.Sequential(build_norm(stage.norm, width_in), first, build_norm(stage.norm, width), unit)
            self.act = nn.Identity()
        self.shortcut = build_shortcut(stage, width_in, stride, fill=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H/s, W/s)."""
        y: Tensor = self.act(self.shortcut(x) + self.branch(x))
        return y


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockInfo:
    """Facts about a kind of block.

    Attributes:
        build: Makes a block from its stage, its input width and its stride.
        formula: What it computes, in one line.
        source: Paper section and rules.
    """

    build: Callable[[Stage, int, int], nn.Module]
    formula: str
    source: str


BLOCKS: dict[BlockKind, BlockInfo] = {
    BlockKind.ADDITIVE: BlockInfo(build=AdditiveBlock, formula="relu(x + F(x))", source="He et al. 2015; Q1"),
    BlockKind.QUOTIENT: BlockInfo(
        build=QuotientBlock, formula="x * alpha sigmoid(F(x) - ln(alpha - 1))", source="arXiv 2506.00992; Q1-Q16"
    ),
    BlockKind.PRODUCT_UNIT: BlockInfo(
        build=ProductUnitBlock,
        formula="relu(x + norm(exp(W ln max(norm(conv(x)), floor))))",
        source="arXiv 2505.04397; P1-P16",
    ),
}
