"""Blocks and networks against ``reference``, a second implementation in NumPy: outputs, statistics, gradients."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from qpsearch.architecture.config import Network, Stage
from qpsearch.architecture.named import named_network
from qpsearch.architecture.resolve import check_shapes
from qpsearch.errors import Infeasible
from qpsearch.models import build_model
from qpsearch.models.blocks import build_block
from qpsearch.vocabulary import (
    MULTIPLYING,
    WITH_PRODUCT_UNITS,
    Activation,
    BlockKind,
    BranchKind,
    NormKind,
    NormPlacement,
    Sharing,
    ShortcutKind,
)
from tests.models import reference
from tests.models.reference import Array, State
from tests.models.settings import PRODUCT_UNIT_RULES, PROJECTIONS, QUOTIENT_RULES, RULES, random_network, stage

SIDE = 7  # odd: strides and windows meet the edge in the middle
MIXES = 40  # of each kind of block
Case = tuple[Stage, int]  # a stage, and how many channels come into its first block

# Each value of each rule of the kinds of block, alone, but for what a rule needs to make a difference.
SHAPES: list[dict[str, Any]] = [
    {"stride": 1, "width": 8, "shortcut": ShortcutKind.IDENTITY},
    {"stride": 2, "width": 8},
    {"stride": 3, "width": 16},
    *({"stride": stride, "shortcut": kind} for stride in (1, 2) for kind in PROJECTIONS),
    *({"norm": norm, "placement": placement} for norm in NormKind for placement in NormPlacement),
    *({"norm": NormKind.GROUP, "width": width} for width in (4, 14, 20, 24)),
    *({"branch": BranchKind.BOTTLENECK, "placement": placement} for placement in NormPlacement),
]
QUOTIENTS: list[dict[str, Any]] = [
    *({name: value} for name, values in QUOTIENT_RULES.items() for value in values),
    *({"through_one": False, "activation": kind} for kind in QUOTIENT_RULES["activation"]),
    *({"floor": floor, "activation": kind} for floor in (-0.5, 0.25) for kind in ("linear", "unbounded")),
    *({"learned_alpha": sharing, "activation": kind} for sharing in ("layer", "channel") for kind in ("linear",)),
]
UNITS: list[dict[str, Any]] = [
    *({name: value} for name, values in PRODUCT_UNIT_RULES.items() for value in values),
    {"exponent_clip": 0.3},
    {"exponent_clip": 0.3, "bias": True},
    {"numbers": "complex", "positivity": "smooth", "padding": "before_log"},
    {"numbers": "complex", "mixing": "depthwise", "bias": True},
    {"position": "both", "norms": "after", "threshold": "channel"},
]


def is_feasible(own: Stage, width_in: int) -> bool:
    """Whether a stage may follow so many channels."""
    try:
        check_shapes(Network(channels=3, size=SIDE, classes=2, stem_width=width_in, stages=(own,)))
    except Infeasible:
        return False
    return True


def single(kind: BlockKind) -> Iterator[Case]:
    """A kind's block with the papers' rules, but for one at a time: from 8 channels to 16 of half the size, unless said."""
    plain: dict[str, Any] = {"width": 16, "stride": 2, "shortcut": ShortcutKind.CONV3X3}
    for shape in SHAPES:
        yield stage(kind, **plain | shape), 8
    for rules in QUOTIENTS if kind in MULTIPLYING else []:
        yield stage(kind, **plain, quotient=rules), 8
    for rules in UNITS if kind in WITH_PRODUCT_UNITS else []:
        yield stage(kind, **plain, unit=rules), 8
        yield stage(kind, **plain, placement=NormPlacement.PRE, unit=rules), 8


def mixed(kind: BlockKind) -> Iterator[Case]:
    """Any values of all rules at once."""
    generator = random.Random(kind)
    while True:
        norm, placement, init, shortcut = generator.choice(RULES)[1:]
        yield (
            stage(
                kind,
                norm,
                placement,
                init,
                shortcut,
                width=generator.choice([4, 8, 16]),
                stride=generator.choice([1, 2]),
                branch=generator.choice(list(BranchKind)),
                quotient={name: generator.choice(values) for name, values in QUOTIENT_RULES.items()},
                unit={name: generator.choice(values) for name, values in PRODUCT_UNIT_RULES.items()},
            ),
            generator.choice([4, 8, 16]),
        )


def cases() -> Iterator[Case]:
    """Those of ``single``, and the first of ``mixed``, that a network may have."""
    for kind in BlockKind:
        yield from (case for case in single(kind) if is_feasible(*case))
        feasible = (case for case in mixed(kind) if is_feasible(*case))
        yield from (next(feasible) for _ in range(MIXES))


CASES = list(dict.fromkeys(cases()))


def perturb(module: nn.Module, generator: np.random.Generator, scale: float = 0.3) -> None:
    """Move every weight and every running statistic, so that none is a neutral 0 or 1; variances stay positive."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.from_numpy(np.asarray(generator.standard_normal(tensor.shape)))
                tensor.copy_(
                    tensor * torch.exp(scale * noise) if name.endswith("running_var") else tensor + scale * noise
                )


def arrays(module: nn.Module) -> dict[str, Array]:
    """The state of a module as copies."""
    return {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}


def assert_near(found: torch.Tensor, expected: Array, tolerance: float) -> None:
    """Compare each number relative to itself, and to a hundredth of the largest where it is a difference of others."""
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(
        found.detach().numpy(), expected, rtol=tolerance, atol=tolerance * 1e-2 * np.abs(expected).max()
    )


def compare(module: nn.Module, x: Array, expect: Callable[[State], Array], is_training: bool, tolerance: float) -> None:
    """Compare what a module makes of images, and what it then knows; the reference must have needed all its arrays."""
    state = State(arrays=arrays(module), is_training=is_training)
    found = module.train(is_training)(torch.from_numpy(x))
    assert_near(found, expect(state), tolerance)
    after = module.state_dict()
    for name, statistic in state.running.items():
        assert_near(after[name], statistic, tolerance)
    assert {name for name in after if not name.endswith("num_batches_tracked")} == state.read
    changed = {name for name, before in state.arrays.items() if not np.array_equal(after[name].numpy(), before)}
    assert {name for name in changed if not name.endswith("num_batches_tracked")} == set(state.running)


def described(case: Case) -> str:
    """What in a case is not as in the plain block: for the name of its test."""
    own, width_in = case
    plain = stage(BlockKind(own.block), width=16, stride=2, shortcut=ShortcutKind.CONV3X3)
    parts = [f"{own.block}"] + [f"from{width_in}"] * (width_in != 8)
    for record, usual in ((own, plain), (own.quotient, plain.quotient), (own.product_unit, plain.product_unit)):
        for name in record.__dataclass_fields__ if record is not None else ():
            value = getattr(record, name)
            if name not in ("quotient", "product_unit") and value != getattr(usual, name):
                parts.append(f"{name}={value}")
    return "-".join(parts)


@pytest.mark.parametrize("is_training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize(
    ("own", "width_in", "seed"),
    [pytest.param(*case, seed, id=f"{seed}-{described(case)}") for seed, case in enumerate(CASES)],
)
def test_a_block_computes_its_formula(own: Stage, width_in: int, seed: int, is_training: bool) -> None:
    generator = np.random.default_rng(seed)
    block = build_block(own, width_in, own.stride, 1).double()
    perturb(block, generator)
    x = generator.standard_normal((3, width_in, SIDE, SIDE))
    compare(block, x, lambda state: reference.block(x, own, own.stride, state), is_training, 1e-10)


def test_the_cases_hold_every_value_of_every_rule() -> None:
    stages = [own for own, _ in CASES]
    words = {"norm": NormKind, "norm_placement": NormPlacement, "shortcut": ShortcutKind, "branch": BranchKind}
    for block, (name, kinds) in itertools.product(BlockKind, words.items()):
        assert {getattr(own, name) for own in stages if own.block == block} == set(kinds), (block, name)
    for record, rules, blocks in (
        ("quotient", QUOTIENT_RULES, MULTIPLYING),
        ("product_unit", PRODUCT_UNIT_RULES, WITH_PRODUCT_UNITS),
    ):
        for block in blocks:
            there = [getattr(own, record) for own in stages if own.block == block]
            for name, values in rules.items():
                assert set(values) <= {getattr(each, name) for each in there}, (block, name)


@pytest.mark.parametrize("sharing", Sharing)
def test_a_learned_alpha_has_a_least_value(sharing: Sharing) -> None:
    own = stage(BlockKind.QUOTIENT, width=4, shortcut=ShortcutKind.IDENTITY, quotient={"learned_alpha": sharing})
    block = build_block(own, 4, 1, 1).double()
    with torch.no_grad():
        block.get_parameter("bound.rho").fill_(-20.0)
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 5))
    compare(block, x, lambda state: reference.block(x, own, 1, state), True, 1e-10)


# The papers' rules, and what has slopes of its own: a kind of block, the rules of its quotient and of its product unit.
GRADIENTS: list[tuple[BlockKind, dict[str, Any], dict[str, Any]]] = [
    *((kind, {}, {}) for kind in BlockKind),
    (BlockKind.QUOTIENT, {"learned_alpha": "channel", "floor": -0.5, "inner_activation": Activation.GELU}, {}),
    (BlockKind.QUOTIENT, {"learned_alpha": "layer", "activation": "linear"}, {}),
    (BlockKind.PRODUCT_UNIT, {}, {"positivity": "smooth", "threshold": "channel", "bias": True, "exponent_clip": 0.5}),
    (BlockKind.QUOTIENT_PRODUCT_UNIT, {}, {"numbers": "complex", "padding": "before_log", "position": "both"}),
]
SMALL = [stage(kind, width=4, stride=2, quotient=bound, unit=unit) for kind, bound, unit in GRADIENTS]


@pytest.mark.parametrize("is_training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("own", [pytest.param(own, id=described((own, 2))) for own in SMALL])
def test_a_block_has_the_gradients_of_its_formula(own: Stage, is_training: bool) -> None:
    generator = np.random.default_rng(0)
    block = build_block(own, 2, 2, 1).double()
    perturb(block, generator)
    values = arrays(block)
    x = generator.standard_normal((2, 2, 5, 5))
    images = torch.from_numpy(x.copy()).requires_grad_()
    made = block.train(is_training)(images)
    weights = generator.standard_normal(made.shape)  # of the outputs in the sum that is differentiated
    (made * torch.from_numpy(weights)).sum().backward()

    def output() -> Array:
        return reference.block(x, own, 2, State(arrays=values, is_training=is_training))

    for name, tensor in (("images", images), *block.named_parameters()):
        assert tensor.grad is not None, name
        slopes = differences(x if name == "images" else values[name], output, weights)
        assert_near(tensor.grad, slopes, 1e-5)


def differences(values: Array, output: Callable[[], Array], weights: Array, step: float = 1e-6) -> Array:
    """Return the slope of the weighted sum of outputs at each of some values, which the outputs are made of."""
    slopes = np.empty_like(values)
    for place in np.ndindex(values.shape):
        there = values[place]
        values[place] = there + step
        above = output()
        values[place] = there - step
        slopes[place] = np.sum((above - output()) * weights) / (2 * step)
        values[place] = there
    return slopes


@pytest.mark.parametrize("is_training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize(
    "name", ["quotient20", "resnet20", "pure20", "pure_norelu20", "resnet_a20", "pure_a20", "quotient_product_unit20"]
)
def test_a_named_network_computes_its_formula(name: str, is_training: bool) -> None:
    compare_networks(named_network(name), 0, is_training)


@pytest.mark.parametrize("is_training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("seed", range(40))
def test_any_network_computes_its_formula(seed: int, is_training: bool) -> None:
    compare_networks(random_network(seed), seed, is_training)


def compare_networks(network: Network, seed: int, is_training: bool) -> None:
    """Compare a network, as it starts but for a little noise, with the composition of its parts."""
    generator = np.random.default_rng(seed)
    model = build_model(network, seed).double()
    x = generator.standard_normal((2, network.channels, network.size, network.size))
    fill_statistics(model, torch.from_numpy(x))
    perturb(model, generator, 0.02)
    compare(model, x, lambda state: reference.logits(x, network, state), is_training, 1e-8)


def fill_statistics(model: nn.Module, images: torch.Tensor) -> None:
    """Set the running statistics to those of a batch: with a mean of 0 and a variance of 1 PURe overflows float64."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model(images)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
