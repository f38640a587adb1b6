"""Blocks against their formulas, and laws that hold for every setting."""

from dataclasses import replace

import pytest
import torch
import torchvision
from torch import Tensor, nn

from qpsearch.models.blocks import BLOCKS, PadShortcut, ProductUnit2d, ProductUnitBlock
from qpsearch.models.inits import init_block
from qpsearch.models.ops import bounded_quotient, product_unit2d
from qpsearch.vocabulary import (
    BlockKind,
    ExponentInit,
    InitKind,
    NormKind,
    NormPlacement,
    QuotientKind,
    ShortcutKind,
)
from tests.models.settings import RULES, stage


def build(kind: BlockKind, *rules: object, width_in: int = 8, **settings: object) -> nn.Module:
    settings.setdefault("width", 16)
    own = stage(kind, *rules, **settings)  # type: ignore[arg-type]
    torch.manual_seed(0)
    block = BLOCKS[kind].build(own, width_in, own.stride)
    init_block(block, own)
    return block


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
    block = perturbed(build(*rules, stride=2))
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
    """PAPERS 1.3: x * Q where shapes agree; act(BN(conv3x3(x))) * Q at a transition; nothing after."""
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
            projection = block.get_submodule("shortcut.0")
            assert isinstance(projection, nn.Sequential)
            shortcut = bounded_quotient(conv_norm(x, projection[0], projection[1]), 1.8)
        torch.testing.assert_close(block(x), shortcut * bounded_quotient(z, 1.8))


@pytest.mark.parametrize("kind", QuotientKind)
def test_what_bounds_a_quotient_is_a_setting(kind: QuotientKind) -> None:
    """Rules Q2, Q3: on the branch and on a projection shortcut alike."""
    own = stage(BlockKind.QUOTIENT, width=16, stride=2, alpha=4.0)
    assert own.quotient is not None
    own = replace(own, quotient=replace(own.quotient, activation=kind))
    torch.manual_seed(0)
    block = BLOCKS[BlockKind.QUOTIENT].build(own, 8, 2)
    functions = {
        QuotientKind.SIGMOID: lambda z: bounded_quotient(z, 4.0),
        QuotientKind.LINEAR: lambda z: (z + 1).clamp(0, 4.0),
        QuotientKind.RELU: torch.relu,
    }
    x, bound = torch.rand(4, 8, 6, 6), functions[kind]
    shortcut = block.get_submodule("shortcut.0")
    torch.testing.assert_close(block(x), bound(shortcut(x)) * bound(block.get_submodule("branch")(x)))


def test_the_product_unit_block_is_pures() -> None:
    """PAPERS 2.3, P-3A: relu(x + BN(PU(BN(conv(x))))), no ReLU inside."""
    block = build(BlockKind.PRODUCT_UNIT, width_in=16)
    assert isinstance(block, ProductUnitBlock)
    first, norm, unit, last = block.branch
    assert isinstance(unit, ProductUnit2d)
    x = torch.randn(4, 16, 6, 6)
    y = product_unit2d(conv_norm(x, first, norm), unit.weight, unit.theta)
    assert isinstance(last, nn.BatchNorm2d)
    mean, variance = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, unbiased=False)
    torch.testing.assert_close(block(x), (x + (y - mean) / (variance + last.eps).sqrt()).relu(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", BlockKind)
@pytest.mark.parametrize("placement", NormPlacement)
def test_zero_last_norm_starts_a_block_as_the_identity(kind: BlockKind, placement: NormPlacement) -> None:
    block = build(kind, NormKind.BATCH, placement, InitKind.ZERO_LAST_NORM, width_in=16)
    x = torch.rand(4, 16, 5, 5)  # not negative, as after a ReLU
    power_of_zero = kind is BlockKind.PRODUCT_UNIT and placement is NormPlacement.PRE
    torch.testing.assert_close(block(x), x + 1 if power_of_zero else x)
    block(x).square().mean().backward()
    branch = block.get_submodule("branch")
    assert isinstance(branch, nn.Sequential)
    assert branch[-1].weight.grad.any()  # type: ignore[union-attr]  # it starts there and does not stay


@pytest.mark.parametrize(
    ("kind", "fill"), [(BlockKind.ADDITIVE, 0.0), (BlockKind.PRODUCT_UNIT, 0.0), (BlockKind.QUOTIENT, 1.0)]
)
def test_a_padded_shortcut_fills_with_what_changes_nothing(kind: BlockKind, fill: float) -> None:
    block = build(kind, shortcut=ShortcutKind.PAD, stride=2)
    shortcut = block.get_submodule("shortcut")
    assert isinstance(shortcut, PadShortcut)
    y = shortcut(torch.full((1, 8, 4, 4), 7.0))
    assert y.shape == (1, 16, 2, 2)
    assert (y[:, :8] == 7).all()
    assert (y[:, 8:] == fill).all()


def test_exponents_start_with_the_spread_they_were_asked_for() -> None:
    """PAPERS 2.2: std sqrt(2 / fan_out) for Kaiming fan_out; kaiming_uniform(a=5) about a fifth of that."""
    spreads = {}
    for kind in ExponentInit:
        block = build(BlockKind.PRODUCT_UNIT, width_in=64, width=64, exponents=kind)
        assert isinstance(block, ProductUnitBlock)
        unit = block.branch[2]
        assert isinstance(unit, ProductUnit2d)
        spreads[kind] = unit.weight.std().item()
    assert spreads[ExponentInit.KAIMING_FAN_OUT] == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.03)
    assert spreads[ExponentInit.FRAMEWORK] == pytest.approx((1 / (3 * 64 * 9)) ** 0.5, rel=0.03)
    assert spreads[ExponentInit.SMALL] / spreads[ExponentInit.KAIMING_FAN_OUT] == pytest.approx(0.2, abs=0.02)
