"""The residual blocks: what stands on the branch, what on the shortcut, and how they meet.

``qpsearch.architecture.layout`` says of which layers. A block changes width and resolution at most in one layer of
its branch and in its shortcut.
"""

from torch import Tensor, nn

from qpsearch.architecture.blocks import layout_of
from qpsearch.architecture.config import Stage
from qpsearch.architecture.layout import Custom, Product, Sum, branch_layers, shortcut_layers
from qpsearch.architecture.plugins import blamed
from qpsearch.models.layers import build_layer, build_layers


def build_branch(stage: Stage, width_in: int, stride: int) -> nn.Module:
    """Build the layers of a branch: conv-norm-ReLU-conv-norm, as the stage's rules change it."""
    return build_layers(branch_layers(stage, width_in, stride))


def build_shortcut(stage: Stage, width_in: int, stride: int) -> nn.Module:
    """Build the identity where shapes agree, else what the stage's rule says."""
    return build_layers(shortcut_layers(stage, width_in, stride))


class AdditiveBlock(nn.Module):
    """``act(shortcut(x) + F(x))``: He's block (rules Q1, Q14), and PURe's (rules P1-P16).

    He's F is conv-norm-ReLU-conv-norm and act ReLU (post), or F is norm-ReLU-conv-norm-ReLU-conv and act nothing (pre).
    A bottleneck has 1x1, 3x3, 1x1 convolutions in the place of the two.

    PURe's F is conv-norm-PU-norm (post) or norm-conv-norm-PU (pre), without activations inside, where PU is
    ``exp(conv2d(ln max(x, floor), W))``; of a bottleneck the 3x3 is the unit. act is ReLU in post placement (P-3A's
    reading of rule P4), or nothing (P-3B's).
    """

    def __init__(self, layout: Sum) -> None:
        super().__init__()
        self.branch = build_layers(layout.branch)
        self.shortcut = build_layers(layout.shortcut)
        self.act = build_layers(layout.output)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H/s, W/s)."""
        y: Tensor = self.act(self.shortcut(x) + self.branch(x))
        return y


class QuotientBlock(nn.Module):
    """``act(shortcut(x) * Q(x))`` with ``Q = alpha * sigmoid(F(x) - ln(alpha - 1))``, or another bound. Rules Q1-Q16.

    F is conv-norm-ReLU-conv-norm. Where the block changes shape by a convolution, the shortcut is bounded by the same
    function, which restarts the chain of products in every stage (rule Q10). act is nothing (rule Q12).

    A quotient of product units has PURe's F (``AdditiveBlock``): the bound keeps the heavy tail of exp from the product
    (PAPERS section 3, last paragraph).
    """

    def __init__(self, layout: Product) -> None:
        super().__init__()
        self.branch = build_layers(layout.branch)
        self.bound = build_layer(layout.bound)
        self.shortcut = build_layers(layout.shortcut)
        self.act = build_layers(layout.output)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H/s, W/s)."""
        q: Tensor = self.bound(self.branch(x))  # in (0, alpha), 1 where the branch is 0
        y: Tensor = self.act(self.shortcut(x) * q)
        return y


def build_block(stage: Stage, width_in: int, stride: int) -> nn.Module:
    """Build a block of ours or of the user's own, with the framework's own initialisation.

    Raises:
        UserError: Nobody has made a block of that name known, or its own code fails.
    """
    match layout_of(stage, width_in, stride):
        case Sum() as layout:
            return AdditiveBlock(layout)
        case Product() as layout:
            return QuotientBlock(layout)
        case Custom() as own:
            with blamed(stage.block):
                module: nn.Module = own.build(stage, width_in, stride)
            return module
