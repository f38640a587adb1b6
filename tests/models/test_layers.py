"""Layers for any network: torch's conventions, each rule as a keyword, and the same layers in networks of a space."""

import ast
import copy
import inspect
import io
import math
import re
from typing import Any, get_type_hints

import pytest
import torch
from torch import Tensor, nn

import qpsearch.layers
from qpsearch.architecture.named import named_network
from qpsearch.layers import (
    BoundedQuotient,
    ProductUnit2d,
    ProductUnitBlock,
    QuotientBlock,
    QuotientProductUnitBlock,
    ResidualBlock,
)
from qpsearch.models import build_model
from qpsearch.models.blocks import (
    CLASSES,
    BlockKeywords,
    ProductUnitKeywords,
    QuotientKeywords,
    QuotientProductUnitKeywords,
)
from qpsearch.space.schema.network import rule_paths
from qpsearch.vocabulary import BlockKind, ExponentInit

BLOCKS = (ResidualBlock, QuotientBlock, ProductUnitBlock, QuotientProductUnitBlock)
KEYWORDS = {
    ResidualBlock: BlockKeywords,
    QuotientBlock: QuotientKeywords,
    ProductUnitBlock: ProductUnitKeywords,
    QuotientProductUnitBlock: QuotientProductUnitKeywords,
}
# Every layer, small: what makes it, and the shape of its input.
LAYERS: dict[str, Any] = {
    "unit": lambda **options: ProductUnit2d(4, 8, stride=2, bias=True, threshold="channel", **options),
    "complex unit": lambda **options: ProductUnit2d(4, 8, numbers="complex", positivity="smooth", **options),
    "depthwise unit": lambda **options: ProductUnit2d(4, 8, mixing="depthwise", padding="before_log", **options),
    "bound": lambda **options: BoundedQuotient(1.8, **options),
    "linear bound": lambda **options: BoundedQuotient(4, activation="linear", learned_alpha="layer", **options),
    "learned bound": lambda **options: BoundedQuotient(1.8, learned_alpha="channel", channels=4, **options),
}
MADE = LAYERS | {each.__name__: (lambda each=each, **options: each(4, 8, stride=2, **options)) for each in BLOCKS}


def images(*, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(3, 4, 6, 6, dtype=dtype)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_rule_is_a_keyword(block: type[nn.Module]) -> None:
    own = own_rules(block)
    assert set(get_type_hints(KEYWORDS[block])) == own
    assert all(f"``{name}``" in (block.__doc__ or "") for name in own - set(get_type_hints(BlockKeywords))) or (
        block is QuotientProductUnitBlock  # whose rules are those of two
    )


@pytest.mark.parametrize("block", [ResidualBlock, QuotientBlock, ProductUnitBlock])
def test_the_defaults_that_a_block_names_are_those_it_has(block: Any) -> None:
    stated = re.findall(r"``(\w+)``\s+\(([^()]+)\)", block.__doc__)
    assert {name for name, _ in stated} >= own_rules(block) - set(get_type_hints(BlockKeywords))
    x, plain = torch.rand(2, 8, 6, 6), block(8, 8, stride=2)
    spelled = {name: ast.literal_eval(value) for name, value in stated}
    named = block(8, 8, stride=2, **spelled)
    assert str(named) == str(plain)
    named.load_state_dict(plain.state_dict())
    assert torch.equal(named(x), plain(x))


def own_rules(block: Any) -> set[str]:
    return {rule.path[-1] for rule in rule_paths() if rule.belongs_to(block.kind)}


def test_every_kind_of_block_is_a_layer() -> None:
    assert {kind: each.kind for kind, each in CLASSES.items()} == {kind: kind for kind in BlockKind}
    assert set(CLASSES.values()) <= {getattr(qpsearch.layers, name) for name in qpsearch.layers.__all__}


@pytest.mark.parametrize(("name", "block"), [("quotient20", QuotientBlock), ("pure20", ProductUnitBlock)])
def test_a_block_by_itself_is_that_of_the_named_network(name: str, block: Any) -> None:
    theirs = build_model(named_network(name), seed=0).stages[1][0]
    assert type(theirs) is block
    ours = block(16, 32, stride=2)
    ours.load_state_dict(theirs.state_dict())
    x = torch.rand(2, 16, 8, 8)
    assert torch.equal(ours(x), theirs(x))
    assert str(ours) == str(theirs)


@pytest.mark.parametrize("name", MADE)
def test_a_layer_can_be_copied_saved_exported_and_compiled(name: str) -> None:
    layer, x = MADE[name]().eval(), images()
    expected = layer(x)
    assert torch.equal(copy.deepcopy(layer)(x), expected)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = MADE[name]().eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x), expected)
    assert torch.equal(nn.DataParallel(layer)(x), expected)
    exported = torch.export.export(layer, (x,)).module()
    torch.testing.assert_close(exported(x), expected)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", MADE)
def test_a_layer_in_half_precision_answers_in_its_inputs_type(name: str, dtype: torch.dtype) -> None:
    layer = MADE[name]()
    x = images()
    expected = layer.eval()(x)
    y = layer.to(dtype)(x.to(dtype).requires_grad_())
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), expected, rtol=0.1, atol=0.05)
    y.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("name", MADE)
def test_a_layer_can_be_made_in_double_precision(name: str) -> None:
    assert MADE[name]().double()(images(dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_takes_a_device_and_a_type(name: str) -> None:
    layer = LAYERS[name](device="meta", dtype=torch.float64)
    assert {(p.device.type, p.dtype) for p in layer.parameters()} <= {("meta", torch.float64)}


def test_a_bare_layer_starts_as_it_is_asked_to() -> None:
    """Rule P9: N(0, 2 / fan_out), about a fifth of that, or as a convolution."""
    spreads = {kind: ProductUnit2d(64, 64, exponent_init=kind).weight.std().item() for kind in ExponentInit}
    assert spreads[ExponentInit.KAIMING_FAN_OUT] == pytest.approx((2 / 576) ** 0.5, rel=0.05)
    assert spreads[ExponentInit.SMALL] == pytest.approx(0.2 * spreads[ExponentInit.KAIMING_FAN_OUT], rel=0.1)
    assert spreads[ExponentInit.FRAMEWORK] == pytest.approx((1 / (3 * 576)) ** 0.5, rel=0.05)
    assert ProductUnit2d(4, 4, threshold="channel", threshold_init=-1.0).theta.flatten().tolist() == [-1.0] * 4


def test_a_bare_block_starts_as_it_is_asked_to() -> None:
    x = torch.rand(2, 8, 5, 5)
    for block in (ResidualBlock, ProductUnitBlock, QuotientBlock):
        torch.testing.assert_close(block(8, 8, init="zero_last_norm")(x), x)
    wide = ProductUnitBlock(64, 64).get_parameter("branch.2.weight").detach().std()
    narrow = ProductUnitBlock(64, 64, exponent_init="small").get_parameter("branch.2.weight").detach().std()
    assert (narrow / wide).item() == pytest.approx(0.2, rel=0.1)


def test_weights_are_drawn_anew_by_reset_parameters() -> None:
    unit = ProductUnit2d(4, 4, bias=True)
    before = copy.deepcopy(unit.state_dict())
    with torch.no_grad():
        for parameter in unit.parameters():
            parameter.fill_(3)
    unit.reset_parameters()
    assert torch.equal(unit.theta, before["theta"])
    assert not torch.equal(unit.weight, before["weight"])
    assert unit.weight.std() < 1


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda: QuotientBlock(8, 8, alhpa=2.0),
            TypeError,
            r"QuotientBlock: unknown rule 'alhpa'. Did you mean 'alpha'\?",
        ),
        (lambda: ResidualBlock(8, 8, alpha=2.0), TypeError, "ResidualBlock: unknown rule 'alpha'"),
        (lambda: QuotientBlock(8, 8, alpha=0.5), ValueError, "alpha: .*0.5 is not"),
        (lambda: QuotientBlock(8, 8, alpha="by_depth"), ValueError, "alpha: 'by_depth' needs the whole network"),
        (lambda: QuotientBlock(8, 8, init="auto"), ValueError, "init: 'auto' needs the whole network"),
        (lambda: QuotientBlock(8, 8, norm="bach"), ValueError, r"norm: unknown norm 'bach'. Did you mean 'batch'\?"),
        (lambda: QuotientBlock(8, 6, shortcut="identity"), ValueError, "changes the shape, but shortcut: identity"),
        (lambda: ResidualBlock(8, 6, branch="bottleneck"), ValueError, "width must be a multiple of 4"),
        (lambda: QuotientBlock(8, 0), ValueError, "at least 1"),
        (lambda: BoundedQuotient(1.0), ValueError, "expected floor < 1 < alpha"),
        (lambda: BoundedQuotient(activation="sigmiod"), ValueError, "activation"),
        (lambda: BoundedQuotient(learned_alpha="channel"), ValueError, "needs channels"),
        (
            lambda: ProductUnit2d(4, 4, exponent_clip=-1),
            ValueError,
            "exponent_clip: expected a positive number or None",
        ),
        (lambda: ProductUnit2d(4, 4, kernel_size=2), ValueError, "kernel_size: 2 is even"),
        (lambda: ProductUnit2d(4, 6, mixing="depthwise"), ValueError, "not a multiple of in_channels"),
        (lambda: ProductUnit2d(4, 0), ValueError, "out_channels: expected a whole number of at least 1, got 0"),
        (lambda: ProductUnit2d(4, 4, padding=1), ValueError, "padding"),  # type: ignore[arg-type]
        (lambda: ProductUnit2d(4, 4)(torch.rand(1, 3, 5, 5)), ValueError, r"expected images \(N, 4, H, W\)"),
    ],
)
def test_what_cannot_be_is_said(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_a_layer_shows_its_settings() -> None:
    shown = "ProductUnit2d(4, 4, kernel_size=3, stride=1, mixing=dense, exponent_clip=8)"
    assert str(ProductUnit2d(4, 4, exponent_clip=8)) == shown
    assert str(BoundedQuotient(1.8)) == "BoundedQuotient(sigmoid, floor=0.0, alpha=1.8)"
    assert "alpha" in inspect.signature(BoundedQuotient).parameters


@pytest.mark.parametrize("clip", [100, 710, 1000])
def test_a_clip_beyond_every_float_is_none(clip: float) -> None:
    """Its backward step needs the largest output, which is infinite."""
    torch.manual_seed(0)
    plain, clipped = ProductUnit2d(3, 4), ProductUnit2d(3, 4, exponent_clip=clip)
    clipped.load_state_dict(plain.state_dict())
    images = torch.rand(2, 3, 5, 5)
    for unit in (plain, clipped):
        unit(images).sum().backward()
    for own, other in zip(clipped.parameters(), plain.parameters(), strict=True):
        assert own.grad is not None
        assert torch.equal(own.grad, other.grad)


def test_a_bound_may_be_large_but_not_infinite() -> None:
    bound = BoundedQuotient(800, activation="linear", learned_alpha="layer")
    assert float(torch.as_tensor(bound.alpha).detach()) == pytest.approx(800)
    for options in ({}, {"learned_alpha": "layer", "activation": "linear"}):
        with pytest.raises(ValueError, match="alpha is infinite"):
            BoundedQuotient(math.inf, **options)
