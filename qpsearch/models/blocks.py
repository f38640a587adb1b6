"""The residual blocks: the layers of the branch, the layers of the shortcut, and how the two are combined.

Each block is a layer for any network, with every design rule as a keyword and the paper's value as default; the
networks of a space are made of the same blocks. ``qpsearch.architecture.layout`` lists the layers of a block. A block
changes width and resolution only in one layer of its branch and in its shortcut.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final, TypedDict, Unpack

from torch import Tensor, nn

from qpsearch.architecture.blocks import layout_of
from qpsearch.architecture.config import Stage
from qpsearch.architecture.layout import Custom, branch_layers, product_layout, shortcut_layers, sum_layout
from qpsearch.architecture.named import OF_THE_PAPERS
from qpsearch.architecture.resolve import alpha_for, contradictions
from qpsearch.errors import blamed, nearest
from qpsearch.models.inits import init_block
from qpsearch.models.layers import build_layer, build_layers
from qpsearch.space.schema.network import rule_paths
from qpsearch.vocabulary import BlockKind, BranchKind


def build_branch(stage: Stage, width_in: int, stride: int) -> nn.Module:
    """Build the layers of a branch: conv-norm-ReLU-conv-norm, modified by the stage's rules."""
    return build_layers(branch_layers(stage, width_in, stride))


def build_shortcut(stage: Stage, width_in: int, stride: int) -> nn.Module:
    """Build the shortcut: the identity where shapes agree, else the stage's ``shortcut``."""
    return build_layers(shortcut_layers(stage, width_in, stride))


class BlockKeywords(TypedDict, total=False):
    """Rules of every block; docs/reference/rules.md lists the words of each rule."""

    branch: str
    norm: str
    norm_placement: str
    init: str
    shortcut: str


class QuotientKeywords(BlockKeywords, total=False):
    """Rules of blocks that multiply."""

    alpha: float
    activation: str
    floor: float
    through_one: bool
    learned_alpha: str | None
    shortcut_activation: str
    inner_activation: str
    output_activation: str


class ProductUnitKeywords(BlockKeywords, total=False):
    """Rules of blocks with product units."""

    position: str
    inner_activation: str
    output_activation: str
    norms: str
    positivity: str
    threshold: str
    threshold_init: float
    exponent_init: str
    exponent_clip: float | None
    padding: str
    bias: bool
    mixing: str
    numbers: str


class QuotientProductUnitKeywords(ProductUnitKeywords, total=False):
    """Rules of blocks that multiply by quotients of product units."""

    alpha: float
    activation: str
    floor: float
    through_one: bool
    learned_alpha: str | None
    shortcut_activation: str


class ResidualBlock(nn.Module):
    """``act(shortcut(x) + F(x))``: He's block (rules Q1, Q14).

    With ``norm_placement="post"``, F is conv-norm-ReLU-conv-norm and act is ReLU. With ``"pre"``, F is
    norm-ReLU-conv-norm-ReLU-conv and act is the identity. A bottleneck has 1x1, 3x3 and 1x1 convolutions in place of
    the two.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the branch's first layer, or of the 3x3 layer of a bottleneck.
        blocks: Residual blocks in the whole network, which ``init="fixup"`` needs.
        rules: ``branch`` ("basic"), ``norm`` ("batch"), ``norm_placement`` ("post"), ``init`` ("kaiming_fan_out"),
            ``shortcut`` ("conv3x3"). The defaults in brackets are those of ``resnet20``; docs/reference/rules.md has
            the values of each.

    Raises:
        TypeError: The block does not have such a rule.
        ValueError: A rule does not allow its value, or the rules contradict each other.

    Example:
        >>> import torch
        >>> from qpsearch.layers import ResidualBlock
        >>> block = ResidualBlock(64, 128, stride=2, norm="group")
        >>> block(torch.rand(2, 64, 28, 28)).shape
        torch.Size([2, 128, 14, 14])
    """

    kind: ClassVar[BlockKind] = BlockKind.ADDITIVE

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, *, blocks: int = 1, **rules: Unpack[BlockKeywords]
    ) -> None:
        super().__init__()
        stage = _stage(type(self), in_channels, out_channels, stride, rules)
        layout = sum_layout(stage, in_channels, stride)
        self.branch = build_layers(layout.branch)
        self.shortcut = build_layers(layout.shortcut)
        self.act = build_layers(layout.output, after_sum=True)
        init_block(self, stage, blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', ceil(H / s), ceil(W / s))."""
        y: Tensor = self.act(self.shortcut(x) + self.branch(x))
        return y


class ProductUnitBlock(ResidualBlock):
    """``act(shortcut(x) + F(x))`` with a product unit in F: PURe's block (rules P1-P16).

    F is conv-norm-PU-norm (``norm_placement="post"``) or norm-conv-norm-PU (``"pre"``), without activations inside,
    where PU is ``exp(conv2d(ln max(x, floor), W))``; in a bottleneck, the 3x3 layer is the product unit. act is ReLU in
    post placement (as in PURe's third version), or the identity with ``output_activation="none"`` (as in its first
    version; rule P4).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the branch's first layer, or of the 3x3 layer of a bottleneck.
        blocks: Residual blocks in the whole network, which ``init="fixup"`` needs.
        rules: The rules of ``ResidualBlock``, here with ``shortcut`` ("conv1x1"), and of product units: ``position``
            ("second"), ``inner_activation`` ("none"), ``output_activation`` ("auto"), ``norms`` ("both"),
            ``positivity`` ("max"), ``threshold`` ("layer"), ``threshold_init`` (0.0), ``exponent_init``
            ("kaiming_fan_out"), ``exponent_clip`` (None), ``padding`` ("after_log"), ``bias`` (False), ``mixing``
            ("dense"), ``numbers`` ("real"). The defaults in brackets are those of ``pure20``.

    Raises:
        TypeError: The block does not have such a rule.
        ValueError: A rule does not allow its value, or the rules contradict each other.

    Example:
        >>> import torch
        >>> from qpsearch.layers import ProductUnitBlock
        >>> block = ProductUnitBlock(64, 64, exponent_clip=8)
        >>> block(torch.rand(2, 64, 14, 14)).shape
        torch.Size([2, 64, 14, 14])
    """

    kind = BlockKind.PRODUCT_UNIT

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        blocks: int = 1,
        **rules: Unpack[ProductUnitKeywords],
    ) -> None:
        super().__init__(in_channels, out_channels, stride, blocks=blocks, **rules)  # type: ignore[misc]  # it takes more rules than its base


class QuotientBlock(nn.Module):
    """``act(shortcut(x) * Q(x))`` with ``Q = alpha * sigmoid(F(x) - ln(alpha - 1))``, or another bound. Rules Q1-Q16.

    F is conv-norm-ReLU-conv-norm. Where the block changes shape by a convolution, the shortcut is bounded by the same
    function, which restarts the chain of products in every stage (rule Q10). act is the identity (rule Q12). The input
    should not be negative: put the same bound, or a ReLU, after the stem of a network (rule Q9).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the branch's first layer, or of the 3x3 layer of a bottleneck.
        blocks: Residual blocks in the whole network, which ``init="fixup"`` needs.
        rules: The rules of ``ResidualBlock``, here with ``init`` ("framework"), and of quotients: ``alpha`` (2.0),
            ``activation`` ("sigmoid"), ``floor`` (0.0), ``through_one`` (True), ``learned_alpha`` (None),
            ``inner_activation`` ("relu"), ``shortcut_activation`` ("quotient"), ``output_activation`` ("none"). The
            defaults in brackets are those of ``quotient20``. The paper has alpha 2.0 at 20 layers, 1.8 at 44, 1.7 at
            56, 1.5 at 110, and 4.0 for ``activation="linear"`` at 20.

    Raises:
        TypeError: The block does not have such a rule.
        ValueError: A rule does not allow its value, or the rules contradict each other.

    Example:
        >>> import torch
        >>> from qpsearch.layers import QuotientBlock
        >>> block = QuotientBlock(64, 128, stride=2, alpha=1.8)
        >>> block(torch.rand(2, 64, 28, 28)).shape
        torch.Size([2, 128, 14, 14])
    """

    kind: ClassVar[BlockKind] = BlockKind.QUOTIENT

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        blocks: int = 1,
        **rules: Unpack[QuotientKeywords],
    ) -> None:
        super().__init__()
        stage = _stage(type(self), in_channels, out_channels, stride, rules)
        layout = product_layout(stage, in_channels, stride)
        self.branch = build_layers(layout.branch)
        self.bound = build_layer(layout.bound)
        self.shortcut = build_layers(layout.shortcut)
        self.act = build_layers(layout.output)
        init_block(self, stage, blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', ceil(H / s), ceil(W / s))."""
        q: Tensor = self.bound(self.branch(x))  # in (0, alpha), 1 where the branch is 0
        y: Tensor = self.act(self.shortcut(x) * q)
        return y


class QuotientProductUnitBlock(QuotientBlock):
    """A ``QuotientBlock`` with the branch F of a ``ProductUnitBlock``: product units make the quotient.

    The bound keeps the heavy tail of ``exp`` out of the product.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the branch's first layer, or of the 3x3 layer of a bottleneck.
        blocks: Residual blocks in the whole network, which ``init="fixup"`` needs.
        rules: The rules of both blocks; of the two names in common, ``inner_activation`` is the rule of product units
            and ``output_activation`` the rule of quotients.

    Raises:
        TypeError: The block does not have such a rule.
        ValueError: A rule does not allow its value, or the rules contradict each other.

    Example:
        >>> import torch
        >>> from qpsearch.layers import QuotientProductUnitBlock
        >>> QuotientProductUnitBlock(8, 8, alpha=1.5)(torch.rand(2, 8, 4, 4)).shape
        torch.Size([2, 8, 4, 4])
    """

    kind = BlockKind.QUOTIENT_PRODUCT_UNIT

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        blocks: int = 1,
        **rules: Unpack[QuotientProductUnitKeywords],
    ) -> None:
        super().__init__(in_channels, out_channels, stride, blocks=blocks, **rules)  # type: ignore[misc]  # it takes more rules than its base


CLASSES: Final[dict[str, type[ResidualBlock | QuotientBlock]]] = {
    each.kind: each for each in (ResidualBlock, QuotientBlock, ProductUnitBlock, QuotientProductUnitBlock)
}


def build_block(stage: Stage, width_in: int, stride: int, blocks: int) -> nn.Module:
    """Build a built-in or custom block, with weights that start as the stage's rules say.

    Args:
        stage: The block's stage.
        width_in: Channels of the block's input.
        stride: The block's stride.
        blocks: Residual blocks in the network.

    Raises:
        UserError: No block of that name is registered, or the code of a custom block fails.
    """
    if (own := CLASSES.get(stage.block)) is not None:
        return own(width_in, stage.width, stride, blocks=blocks, **_keywords(stage))
    layout = layout_of(stage, width_in, stride)
    assert isinstance(layout, Custom)
    with blamed("block", stage.block, settings=stage.settings):
        module: nn.Module = layout.build(stage, width_in, stride)
    init_block(module, stage, blocks)
    return module


def _keywords(stage: Stage) -> Any:
    """Return the rules of a stage as the keywords of its block."""
    return {rule.path[-1]: rule.value_in(stage) for rule in rule_paths() if rule.belongs_to(stage.block)}


def _stage(
    block: type[ResidualBlock | QuotientBlock], width_in: int, width: int, stride: int, rules: Mapping[str, Any]
) -> Stage:
    """Return the stage of a single block: the rules of its paper, except for those given."""
    paths = {rule.path[-1]: rule for rule in rule_paths() if rule.belongs_to(block.kind)}
    family = OF_THE_PAPERS[block.kind]
    stage = family.stage(width=width, stride=stride, depth=1, branch=BranchKind.BASIC, alpha=alpha_for(0))
    changed: dict[str, Any] = {}
    for name, value in rules.items():
        if name not in paths:
            raise TypeError(f"{block.__name__}: unknown rule {name!r}. {nearest(name, list(paths))}")
        *section, _ = paths[name].path
        place = changed.setdefault(section[0], {}) if section else changed
        place[name] = paths[name].taken(value)
    sections = {name: replace(getattr(stage, name), **own) for name, own in changed.items() if isinstance(own, dict)}
    stage = replace(stage, **(changed | sections))
    for rule, detail in contradictions(stage, width_in):
        raise ValueError(f"{block.__name__}: {rule}{detail}")
    return stage
