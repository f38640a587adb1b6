"""Blocks against their formulas, and laws that hold for every setting."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from qpsearch.architecture.blocks import BLOCKS
from qpsearch.architecture.config import Stage
from qpsearch.architecture.resolve import contradictions
from qpsearch.models.blocks import ResidualBlock, build_block
from qpsearch.models.layers import BoundedQuotient, PadShortcut, ProductUnit2d
from qpsearch.models.ops import bounded_quotient, product_unit2d
from qpsearch.vocabulary import (
    MULTIPLYING,
    Activation,
    BlockKind,
    BranchKind,
    ExponentInit,
    InitKind,
    Mixing,
    NormKind,
    NormPlacement,
    NormsAround,
    OutputActivation,
    Position,
    QuotientKind,
    Sharing,
    ShortcutActivation,
    ShortcutKind,
)
from tests.models.settings import RULES, stage


def build(kind: BlockKind, *rules: object, width_in: int = 8, **settings: object) -> nn.Module:
    settings.setdefault("width", 16)
    return built(stage(kind, *rules, **settings), width_in)  # type: ignore[arg-type]


def built(own: Stage, width_in: int = 8, blocks: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return build_block(own, width_in, own.stride, blocks)


def perturbed(block: nn.Module) -> nn.Module:
    """Move every parameter off its start: a scale of zero would hide the gradients behind it."""
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.rand_like(parameter) * 0.1 + 0.05)
    return block


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "-".join(rules))
def test_every_parameter_of_a_block_learns(
    rules: tuple[BlockKind, NormKind, NormPlacement, InitKind, ShortcutKind],
) -> None:
    through_one = {"through_one": rules[3] is not InitKind.QUOTIENT_AT_ONE or rules[2] is NormPlacement.PRE}
    own = stage(*rules, width=16, stride=2, quotient=through_one)
    if refusals := list(contradictions(own, 8)):
        assert rules[0] in MULTIPLYING
        with pytest.raises(ValueError, match=refusals[0][0]):
            built(own)
        return
    block = perturbed(built(own))
    y = block(torch.randn(4, 8, 6, 6))
    assert y.shape == (4, 16, 3, 3)
    y.square().mean().backward()
    assert [
        name for name, parameter in block.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ] == []


def test_the_registry_holds_every_kind() -> None:
    assert set(BLOCKS) == set(BlockKind)


def test_the_additive_block_is_torchvisions() -> None:
    ours, theirs = build(BlockKind.ADDITIVE, width_in=16), torchvision.models.resnet.BasicBlock(16, 16)
    branch = ours.get_submodule("branch")
    assert isinstance(branch, nn.Sequential)
    for mine, other in zip(
        (branch[0], branch[1], branch[3], branch[4]), (theirs.conv1, theirs.bn1, theirs.conv2, theirs.bn2), strict=True
    ):
        other.load_state_dict(mine.state_dict())
    x = torch.randn(2, 16, 5, 5)
    torch.testing.assert_close(ours(x), theirs(x))


def conv_norm(x: Tensor, convolution: nn.Module, norm: nn.Module) -> Tensor:
    """A convolution and a normalisation with batch statistics, by hand."""
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    y = nn.functional.conv2d(x, convolution.weight, stride=convolution.stride, padding=convolution.padding)
    mean, variance = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, unbiased=False)
    return (y - mean) / (variance + norm.eps).sqrt() * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)


def test_the_quotient_block_is_the_papers() -> None:
    """Q1, Q10, Q12: x * Q where shapes agree; act(BN(conv3x3(x))) * Q at a transition; nothing after."""
    same, down = (
        build(BlockKind.QUOTIENT, width_in=16),
        build(BlockKind.QUOTIENT, shortcut=ShortcutKind.CONV3X3, stride=2),
    )
    for block, x, transition in ((same, torch.rand(4, 16, 6, 6), False), (down, torch.rand(4, 8, 6, 6), True)):
        parts = block.get_submodule("branch")
        assert isinstance(parts, nn.Sequential)
        z = conv_norm(conv_norm(x, parts[0], parts[1]).relu(), parts[3], parts[4])
        shortcut = x
        if transition:
            projection = block.get_submodule("shortcut")
            assert isinstance(projection, nn.Sequential)
            shortcut = bounded_quotient(conv_norm(x, projection[0], projection[1]), 1.8)
        torch.testing.assert_close(block(x), shortcut * bounded_quotient(z, 1.8))


@pytest.mark.parametrize("kind", QuotientKind)
def test_what_bounds_a_quotient_is_a_setting(kind: QuotientKind) -> None:
    """Rules Q2, Q3: on the branch and on a projection shortcut alike."""
    block = built(stage(BlockKind.QUOTIENT, width=16, stride=2, quotient={"alpha": 4.0, "activation": kind}))
    functions = {
        QuotientKind.SIGMOID: lambda z: bounded_quotient(z, 4.0),
        QuotientKind.LINEAR: lambda z: (z + 1).clamp(0, 4.0),
        QuotientKind.UNBOUNDED: lambda z: (z + 1).relu(),
        QuotientKind.RELU: torch.relu,
    }
    x, bound = torch.rand(4, 8, 6, 6), functions[kind]
    shortcut, branch = block.get_submodule("shortcut"), block.get_submodule("branch")
    assert isinstance(shortcut, nn.Sequential)
    torch.testing.assert_close(block(x), bound(shortcut[:-1](x)) * bound(branch(x)))


def kinds(layers: nn.Module) -> list[str]:
    """The layers below a module, in short."""
    short = {"BatchNorm2d": "norm", "Conv2d": "conv", "ProductUnit2d": "unit", "BoundedQuotient": "bound"}
    named = [type(layer).__name__ for layer in layers.modules() if not list(layer.children())]
    return [short.get(name, name.lower()) for name in named if name != "Identity"]


@pytest.mark.parametrize(
    ("changed", "branch", "shortcut", "act"),
    [
        ({}, "conv norm relu conv norm", "conv norm bound", ""),
        ({"inner_activation": "silu"}, "conv norm silu conv norm", "conv norm bound", ""),
        ({"inner_activation": "none"}, "conv norm conv norm", "conv norm bound", ""),
        ({"shortcut_activation": "none"}, "conv norm relu conv norm", "conv norm", ""),
        ({"shortcut_activation": "relu"}, "conv norm relu conv norm", "conv norm relu", ""),
        ({"output_activation": "relu"}, "conv norm relu conv norm", "conv norm bound", "relu"),
    ],
)
def test_where_activations_stand_in_a_quotient_is_a_setting(
    changed: dict[str, str], branch: str, shortcut: str, act: str
) -> None:
    """Rules Q10, Q11, Q12."""
    rules = {name: (ShortcutActivation if name[0] == "s" else Activation)(value) for name, value in changed.items()}
    block = built(stage(BlockKind.QUOTIENT, width=16, stride=2, quotient=rules))
    assert kinds(block.get_submodule("branch")) == branch.split()
    assert kinds(block.get_submodule("shortcut")) == shortcut.split()
    assert kinds(block.get_submodule("act")) == act.split()


POST, PRE = NormPlacement.POST, NormPlacement.PRE
BASIC, BOTTLENECK = BranchKind.BASIC, BranchKind.BOTTLENECK


@pytest.mark.parametrize(
    ("changed", "placement", "branch", "layers", "act"),
    [
        ({}, POST, BASIC, "conv norm unit norm", "relu"),
        ({}, PRE, BASIC, "norm conv norm unit", ""),
        ({}, POST, BOTTLENECK, "conv norm unit norm conv norm", "relu"),
        ({"position": Position.FIRST}, POST, BASIC, "unit norm conv norm", "relu"),
        ({"position": Position.BOTH}, POST, BASIC, "unit norm unit norm", "relu"),
        ({"position": Position.BOTH}, POST, BOTTLENECK, "unit norm unit norm conv norm", "relu"),
        ({"inner_activation": Activation.RELU}, POST, BASIC, "conv norm relu unit norm", "relu"),
        ({"inner_activation": Activation.RELU}, PRE, BASIC, "norm relu conv norm relu unit", ""),
        ({"output_activation": OutputActivation.NONE}, POST, BASIC, "conv norm unit norm", ""),
        ({"output_activation": OutputActivation.RELU}, PRE, BASIC, "norm conv norm unit", "relu"),
        ({"norms": NormsAround.BEFORE}, POST, BASIC, "conv norm unit", "relu"),
        ({"norms": NormsAround.AFTER}, POST, BASIC, "conv unit norm", "relu"),
        ({"norms": NormsAround.AFTER, "position": Position.BOTH}, POST, BASIC, "unit norm unit norm", "relu"),
    ],
)
def test_where_a_product_unit_stands_is_a_setting(
    changed: dict[str, Any], placement: NormPlacement, branch: BranchKind, layers: str, act: str
) -> None:
    """Rules P2, P3, P4, P6; the 3x3 of a bottleneck is its second layer."""
    block = built(stage(BlockKind.PRODUCT_UNIT, placement=placement, width=16, branch=branch, unit=changed))
    assert kinds(block.get_submodule("branch")) == layers.split()
    assert kinds(block.get_submodule("act")) == act.split()


def test_a_quotient_of_product_units_bounds_their_branch() -> None:
    block = built(stage(BlockKind.QUOTIENT_PRODUCT_UNIT, width=16), width_in=16)
    x = torch.rand(4, 16, 5, 5)
    z = block.get_submodule("branch")(x)
    assert kinds(block.get_submodule("branch")) == ["conv", "norm", "unit", "norm"]
    torch.testing.assert_close(block(x), x * bounded_quotient(z, 1.8))


@pytest.mark.parametrize("sharing", Sharing)
def test_a_learned_alpha_begins_at_alpha_and_stays_above_one(sharing: Sharing) -> None:
    """Rule Q16."""
    bound = BoundedQuotient(2.2, learned_alpha=sharing, channels=8)
    assert bound.rho is not None
    assert bound.rho.numel() == (1 if sharing is Sharing.LAYER else 8)
    z = torch.randn(2, 8, 3, 3)
    torch.testing.assert_close(bound(z), bounded_quotient(z, 2.2))
    for less in (10.0, 7.0, 33.0):
        with torch.no_grad():
            bound.rho -= less
        assert (torch.as_tensor(bound.alpha) > 1).all()
        assert bound(z).isfinite().all()
        assert torch.autograd.grad(bound(z).sum(), bound.rho)[0].isfinite().all()


def test_the_product_unit_block_is_pures() -> None:
    """P2-P4, P6, as reconstructed from v3: relu(x + BN(PU(BN(conv(x))))), no ReLU inside."""
    block = build(BlockKind.PRODUCT_UNIT, width_in=16)
    assert isinstance(block, ResidualBlock)
    first, norm, unit, last = block.branch
    assert isinstance(unit, ProductUnit2d)
    x = torch.randn(4, 16, 6, 6)
    y = product_unit2d(conv_norm(x, first, norm), unit.weight, unit.theta)
    assert isinstance(last, nn.BatchNorm2d)
    mean, variance = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, unbiased=False)
    torch.testing.assert_close(block(x), (x + (y - mean) / (variance + last.eps).sqrt()).relu(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", BlockKind)
@pytest.mark.parametrize("placement", NormPlacement)
@pytest.mark.parametrize("branch", BranchKind)
def test_zero_last_norm_starts_a_block_as_the_identity(
    kind: BlockKind, placement: NormPlacement, branch: BranchKind
) -> None:
    if (kind, placement, branch) == (BlockKind.QUOTIENT_PRODUCT_UNIT, NormPlacement.PRE, BranchKind.BASIC):
        with pytest.raises(
            ValueError, match="cannot start its quotients at 1"
        ):  # a power of zero is 1, its quotient not
            build(kind, NormKind.BATCH, placement, InitKind.ZERO_LAST_NORM, width_in=16, branch=branch)
        return
    block = build(kind, NormKind.BATCH, placement, InitKind.ZERO_LAST_NORM, width_in=16, branch=branch)
    x = torch.rand(4, 16, 5, 5)  # not negative, as after a ReLU
    layers = block.get_submodule("branch")
    assert isinstance(layers, nn.Sequential)
    if isinstance(layers[-1], ProductUnit2d):  # a power of zero: 1
        torch.testing.assert_close(block(x), x + torch.ones(1))
    else:
        torch.testing.assert_close(block(x), x)
    block(x).square().mean().backward()
    assert layers[-1].weight.grad.any()  # type: ignore[union-attr]  # it starts there and does not stay


@pytest.mark.parametrize("activation", QuotientKind)
@pytest.mark.parametrize("through_one", [True, False])
@pytest.mark.parametrize("kind", sorted(MULTIPLYING))
def test_quotient_at_one_starts_any_quotient_at_one(kind: str, activation: QuotientKind, through_one: bool) -> None:
    rules = {"activation": activation, "through_one": through_one, "floor": -0.5, "alpha": 2.5}
    own = stage(BlockKind(kind), init=InitKind.QUOTIENT_AT_ONE, width=16, quotient=rules)
    block, x = built(own, width_in=16), torch.rand(4, 16, 5, 5)
    torch.testing.assert_close(block(x), x)
    framework = built(replace(own, init=InitKind.FRAMEWORK), width_in=16)
    first = [each.get_submodule("branch.0").weight for each in (block, framework)]
    assert torch.equal(first[0], first[1])  # type: ignore[arg-type]


def test_a_product_unit_with_a_bias_starts_at_one_too() -> None:
    """The bias stands before exp, where 1 would be a factor of e."""
    relu = {"activation": QuotientKind.RELU}
    place, init = NormPlacement.PRE, InitKind.ZERO_LAST_NORM
    block = build(
        BlockKind.QUOTIENT_PRODUCT_UNIT, NormKind.BATCH, place, init, width_in=16, quotient=relu, unit={"bias": True}
    )
    x = torch.rand(4, 16, 5, 5)
    torch.testing.assert_close(block(x), x)


def test_a_learned_bound_begins_at_alpha_however_low() -> None:
    bound = BoundedQuotient(1.00001, learned_alpha=Sharing.LAYER)
    assert torch.as_tensor(bound.alpha).item() - 1 == pytest.approx(1e-5, rel=0.05)
    (slope,) = torch.autograd.grad(bound(torch.ones(4, 1, 1)).sum(), bound.rho)
    assert slope != 0


@pytest.mark.parametrize("branch", BranchKind)
def test_fixup_scales_by_depth_and_starts_as_the_identity(branch: BranchKind) -> None:
    """Zhang et al. 2019: L ** (-1 / (2m - 2)), and a last layer of zeros."""
    own = stage(BlockKind.ADDITIVE, NormKind.NONE, init=InitKind.FIXUP, width=16, branch=branch)
    block, x = built(own, 16, blocks=16), torch.rand(2, 16, 5, 5)
    torch.testing.assert_close(block(x), x)
    plain = built(replace(own, init=InitKind.KAIMING_FAN_IN), 16, blocks=16)
    factor = 16 ** (-1 / 2) if branch is BASIC else 16 ** (-1 / 4)
    weights = [each.get_submodule("branch.0").weight for each in (block, plain)]
    torch.testing.assert_close(weights[0], weights[1] * factor)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("kind", "fill"),
    [
        (BlockKind.ADDITIVE, 0.0),
        (BlockKind.PRODUCT_UNIT, 0.0),
        (BlockKind.QUOTIENT, 1.0),
        (BlockKind.QUOTIENT_PRODUCT_UNIT, 1.0),
    ],
)
def test_a_padded_shortcut_fills_with_what_changes_nothing(kind: BlockKind, fill: float) -> None:
    block = build(kind, shortcut=ShortcutKind.PAD, stride=2)
    shortcut = block.get_submodule("shortcut.0")
    assert isinstance(shortcut, PadShortcut)
    y = shortcut(torch.full((1, 8, 4, 4), 7.0))
    assert y.shape == (1, 16, 2, 2)
    assert (y[:, :8] == 7).all()
    assert (y[:, 8:] == fill).all()


@pytest.mark.parametrize("mixing", list(Mixing))
def test_exponents_start_with_the_spread_they_were_asked_for(mixing: Mixing) -> None:
    """P9: std sqrt(2 / fan_out) for Kaiming fan_out; kaiming_uniform(a=5) about a fifth of that."""
    spreads = {}
    fan = 9 if mixing is Mixing.DEPTHWISE else 64 * 9  # in and out: what an input feeds, and what an output reads
    for kind in ExponentInit:
        rules = {"exponent_init": kind, "mixing": mixing}
        block = build(BlockKind.PRODUCT_UNIT, width_in=64, width=64, unit=rules)
        assert isinstance(block, ResidualBlock)
        unit = block.branch[2]
        assert isinstance(unit, ProductUnit2d)
        spreads[kind] = unit.weight.std().item()
    assert spreads[ExponentInit.KAIMING_FAN_OUT] == pytest.approx((2 / fan) ** 0.5, rel=0.1)
    assert spreads[ExponentInit.FRAMEWORK] == pytest.approx((1 / (3 * fan)) ** 0.5, rel=0.1)
    assert spreads[ExponentInit.SMALL] / spreads[ExponentInit.KAIMING_FAN_OUT] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("placement", NormPlacement)
@pytest.mark.parametrize("norm", NormKind)
@pytest.mark.parametrize("kind", BlockKind)
def test_activations_in_place_change_no_bit(kind: BlockKind, norm: NormKind, placement: NormPlacement) -> None:
    """Not of the outputs, nor of any gradient, nor of the input, also where a shortcut is the identity."""
    block = perturbed(build(kind, norm, placement, width=8, width_in=8)).train()
    plain = deepcopy(block)
    activations = [module for module in plain.modules() if isinstance(module, nn.ReLU)]
    is_pre_without_norm = norm is NormKind.NONE and placement is NormPlacement.PRE
    assert not (is_pre_without_norm and any(module.inplace for module in activations))
    for module in activations:
        module.inplace = False
    given = torch.randn(4, 8, 5, 5)
    found = []
    for each in (block, plain):
        x = given.clone().requires_grad_()
        y = checkpoint(each, x, use_reentrant=False)  # which computes it again
        y.square().mean().backward()
        assert torch.equal(x, given)
        found.append([y, x.grad, *(parameter.grad for parameter in each.parameters())])
    assert all(map(torch.equal, *found))


def test_activations_behind_norms_and_sums_are_in_place() -> None:
    """In a network of residual blocks, all are."""
    block = build(BlockKind.ADDITIVE, width=8, width_in=8)
    assert [module.inplace for module in block.modules() if isinstance(module, nn.ReLU)] == [True, True]
    quotient = build(BlockKind.QUOTIENT, width=8, width_in=8)
    assert [module.inplace for module in quotient.modules() if isinstance(module, nn.ReLU)] == [True]
