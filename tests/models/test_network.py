"""Complete networks: the papers' counts, laws over random settings, features at the start."""

import copy
import math
import re
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from qpsearch.architecture.candidates import candidate, sample
from qpsearch.architecture.config import Stage
from qpsearch.architecture.cost import cost
from qpsearch.architecture.named import list_models, list_networks
from qpsearch.architecture.resolve import alpha_for, check_shapes
from qpsearch.errors import Infeasible, UserError
from qpsearch.models import build_model, named_network
from qpsearch.models.network import GlobalAveragePool, create_model
from qpsearch.space import RandomChooser, parse_space
from qpsearch.vocabulary import (
    BlockKind,
    BranchKind,
    ExponentInit,
    InitKind,
    Mixing,
    NormKind,
    NormPlacement,
    NormsAround,
    Position,
    QuotientKind,
    Sharing,
    ShortcutKind,
    StemActivation,
)
from tests.models.settings import random_network, stage

COUNTS = [
    ("resnet20", 10, 16, 292_954),
    ("quotient20", 10, 16, 292_954),
    ("quotient44", 10, 16, 681_818),
    ("resnet44", 10, 16, 681_818),
    ("quotient56", 10, 16, 876_250),
    ("quotient110", 10, 16, 1_751_194),
    ("quotient44", 100, 32, 2_729_988),
    ("resnet56", 100, 32, 3_505_924),
    ("quotient110", 100, 32, 6_997_636),
    ("resnet_a20", 10, 16, 269_722),
    ("pure_a20", 10, 16, 269_731),
    ("pure20", 10, 16, 272_483),
    ("pure_a56", 10, 16, 853_045),
    ("pure56", 10, 16, 855_797),
    ("pure_a110", 10, 16, 1_728_016),
    ("pure110", 10, 16, 1_730_768),
    ("pure_a272", 10, 16, 4_352_929),
    ("pure_norelu20", 10, 16, 272_483),
    ("pure_norelu_a20", 10, 16, 269_731),
    ("pure_norelu_a56", 10, 16, 853_045),
    ("pure_norelu56", 10, 16, 855_797),
    ("pure_norelu_a110", 10, 16, 1_728_016),
    ("pure_norelu110", 10, 16, 1_730_768),
    ("pure_norelu_a272", 10, 16, 4_352_929),
    ("pure_norelu272", 10, 16, 4_355_681),
    ("pure272", 10, 16, 4_355_681),
]


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("name", "classes", "width", "count"), COUNTS)
def test_reference_networks_have_the_papers_parameter_counts(name: str, classes: int, width: int, count: int) -> None:
    """docs/background/papers.md, "The ResNet baseline and the parameter counts" and "Names and sizes"."""
    with torch.device("meta"):
        assert parameters(build_model(named_network(name, classes=classes, width=width), 0)) == count


@pytest.mark.parametrize("seed", range(80))
def test_any_network_builds_learns_and_repeats(seed: int) -> None:
    network = random_network(seed)
    model, twin, other = build_model(network, 1), build_model(network, 1), build_model(network, 2)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand_like(parameter) * 0.05 + 0.01)
    x = torch.randn(8, 3, 16, 16)
    logits = model(x)
    assert logits.shape == (8, 5)
    (logits / logits.detach().abs().max()).square().mean().backward()  # networks without norms give large logits
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    if all(stage.norm is not NormKind.NONE for stage in network.stages):  # else a function may saturate for all inputs
        assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    twin.load_state_dict(copy.deepcopy(model.state_dict()))
    # an unclipped product unit may overflow in eval mode; then both copies must
    torch.testing.assert_close(model.eval()(x), twin.eval()(x), rtol=0, atol=0, equal_nan=True)


def test_building_leaves_global_random_state_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    build_model(named_network("pure20"), 7)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("depth", "mean", "median"), [(20, 1.00, 0.71), (44, 0.87, 0.46), (56, 0.80, 0.37), (110, 0.47, 0.17)]
)
def test_quotient_features_at_the_start_are_those_of_the_authors_network(
    depth: int, mean: float, median: float
) -> None:
    """Mean and median at the end of stage 1, train mode, N(0, 1) input, batch 32 (docs/background/papers.md)."""
    found = []
    for seed in range(3):
        model = build_model(named_network(f"quotient{depth}"), seed)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            features = model.stages[0](model.stem(torch.randn(32, 3, 32, 32, generator=generator)))
        assert features.min() > 0
        found.append((features.mean().item(), features.median().item()))
    means, medians = zip(*found, strict=True)
    assert sum(means) / 3 == pytest.approx(mean, rel=0.2)
    assert sum(medians) / 3 == pytest.approx(median, rel=0.2)


def test_alpha_follows_the_papers_depths() -> None:
    assert [alpha_for(depth) for depth in (8, 20, 44, 56, 110, 164)] == [2.0, 2.0, 1.8, 1.7, 1.5, 1.5]
    assert alpha_for(32) == pytest.approx(1.9)


@pytest.mark.parametrize("name", ["resnet21", "vgg16", "quotient", "20", "pure2", "pure_a18"])
def test_an_unknown_network_is_answered(name: str) -> None:
    with pytest.raises(UserError, match=f"no network '{name}'. (.*Expected a family|Expected a depth 6n)"):
        named_network(name)


def test_stages_that_do_not_fit_together_are_infeasible() -> None:
    network = named_network("resnet20")
    halving = stage(BlockKind.ADDITIVE, width=16, stride=2)
    with pytest.raises(Infeasible, match="stage 5 has stride 2 on images of 1x1"):
        check_shapes(replace(network, stages=(halving,) * 7))
    with pytest.raises(
        Infeasible, match="the stem has activation: quotient, but the block of the first stage does not multiply"
    ):
        check_shapes(replace(network, stem_activation=StemActivation.QUOTIENT))


def test_batches_of_one_image_of_one_pixel_are_infeasible_where_they_are_normalised() -> None:
    text = """
        study: single
        data: {dataset: digits, validation: 300}
        network:
          stem: {width: 8}
          stages: [{width: 8, stride: 4, depth: 1, block: additive}, {width: 8, stride: 2, depth: 1, block: additive}]
          rules: {norm: NORM}
        training: {epochs: 1, batch_size: 1}
    """
    with pytest.raises(Infeasible, match="stage 1 has norm: batch, but only one value a channel"):
        candidate(parse_space(text.replace("NORM", "batch")), RandomChooser(0))
    for harmless in (
        text.replace("NORM", "group"),
        text.replace("NORM", "batch").replace("batch_size: 1", "batch_size: 2"),
    ):
        assert candidate(parse_space(harmless), RandomChooser(0)).config.network.blocks == 2


@pytest.mark.parametrize("norm", [NormKind.GROUP, NormKind.LAYER])
def test_one_value_alone_cannot_be_normalised_within_an_image(norm: NormKind) -> None:
    """It would always become the shift; torch itself refuses such a batch of one image."""
    network = named_network("resnet20")
    own = stage(BlockKind.ADDITIVE, width=4, stride=32, branch=BranchKind.BOTTLENECK, norm=norm)
    with pytest.raises(Infeasible, match=f"stage 0 has norm: {norm}, but only one value to normalise .one channel"):
        check_shapes(replace(network, stages=(own,)))
    for harmless in (replace(own, width=8), replace(own, stride=16), replace(own, branch=BranchKind.BASIC)):
        check_shapes(replace(network, stages=(harmless,)))


AFTER = {"norms": NormsAround.AFTER}
UNSHIFTED = {"through_one": False}


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (
            stage(BlockKind.ADDITIVE, shortcut=ShortcutKind.PAD),
            "is narrower than its input, but shortcut: pad can only widen (from 16 to 8",
        ),
        (stage(BlockKind.ADDITIVE, shortcut=ShortcutKind.IDENTITY), "changes the shape, but shortcut: identity cannot"),
        (stage(BlockKind.ADDITIVE, width=18, branch=BranchKind.BOTTLENECK), "multiple of 4 (width: 18)"),
        (
            stage(BlockKind.PRODUCT_UNIT, placement=NormPlacement.PRE, unit=AFTER),
            "does not normalise before or after one of its product units",
        ),
        (
            stage(BlockKind.PRODUCT_UNIT, width=24, unit={"mixing": Mixing.DEPTHWISE, "position": Position.FIRST}),
            "has mixing: depthwise",
        ),
        (
            stage(BlockKind.QUOTIENT, quotient={"activation": QuotientKind.RELU, "learned_alpha": Sharing.LAYER}),
            "has learned_alpha, which needs activation sigmoid or linear (activation: relu)",
        ),
        (
            stage(BlockKind.QUOTIENT_PRODUCT_UNIT, placement=NormPlacement.PRE, init=InitKind.ZERO_LAST_NORM),
            "cannot start its quotients at 1",
        ),
        (
            stage(BlockKind.QUOTIENT, NormKind.NONE, init=InitKind.QUOTIENT_AT_ONE, quotient=UNSHIFTED),
            "its branch does not end in a normalisation",
        ),
    ],
)
def test_a_stage_whose_rules_contradict_each_other_is_infeasible(own: Stage, words: str) -> None:
    network = named_network("resnet20")
    with pytest.raises(Infeasible) as caught:
        check_shapes(replace(network, stages=(own,)))
    assert words in str(caught.value)
    assert caught.value.rule in str(caught.value)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_an_additive_imagenet_network_is_torchvisions(name: str) -> None:
    """The same layers in the same order, so their states map one to one; then the same logits, in both modes."""
    theirs = getattr(torchvision.models, name)(weights=None)
    ours = build_model(named_network(name), 0)
    assert parameters(ours) == parameters(theirs)
    state, other = ours.state_dict(), theirs.state_dict()
    assert [value.shape for value in state.values()] == [value.shape for value in other.values()]
    ours.load_state_dict(dict(zip(state, other.values(), strict=True)))
    x = torch.randn(2, 3, 64, 64)
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(x), theirs.train(mode)(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, source in list_networks() if "ImageNet" in source])
def test_imagenet_networks_have_torchvisions_counts_and_a_threshold_a_block(name: str) -> None:
    depth = int(re.sub(r"\D", "", name))
    with torch.device("meta"):
        count = parameters(build_model(named_network(name), 0))
        theirs = parameters(getattr(torchvision.models, f"resnet{depth}")(weights=None))
    assert count == theirs + ("pure" in name) * named_network(name).blocks


@pytest.mark.parametrize("family", ["pure", "pure_norelu"])
def test_the_two_readings_of_pure_differ_in_their_relus(family: str) -> None:
    model = build_model(named_network(f"{family}20"), 0)
    relus = sum(isinstance(layer, nn.ReLU) for layer in model.modules())
    assert relus == (10 if family == "pure" else 0)  # nine sums and the stem


def test_each_reading_of_pure_starts_its_exponents_as_its_source() -> None:
    assert {
        name: unit.exponent_init
        for name in ("pure20", "pure_norelu20", "pure_norelu_a20", "pure34", "pure_norelu34")
        if (unit := named_network(name).stages[0].product_unit)
    } == {
        "pure20": ExponentInit.KAIMING_FAN_OUT,
        "pure_norelu20": ExponentInit.SMALL,
        "pure_norelu_a20": ExponentInit.SMALL,
        "pure34": ExponentInit.KAIMING_FAN_OUT,
        "pure_norelu34": ExponentInit.SMALL,
    }


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("norm_placement: pre, product_unit: {exponent_init: small}", "norm_placement: pre", True),
        ("norm_placement: pre", "norm_placement: pre, product_unit: {exponent_init: framework}", True),  # it is zeroed
        ("init: framework", "init: framework, product_unit: {exponent_init: framework}", False),
        ("norm_placement: post", "norm_placement: post, product_unit: {exponent_init: framework}", False),
        (
            "norm_placement: pre, product_unit: {position: both}",
            "norm_placement: pre, product_unit: {position: both, exponent_init: framework}",
            False,  # the other one keeps them
        ),
        (
            "branch: bottleneck, product_unit: {position: first}",
            "branch: bottleneck, product_unit: {position: first, padding: before_log}",
            True,  # 1x1
        ),
        ("product_unit: {position: first}", "product_unit: {position: first, padding: before_log}", False),
    ],
)
def test_settings_that_change_nothing_make_the_same_configuration(first: str, second: str, same: bool) -> None:
    """One that is zeroed at once, or pads nothing, is no other network; where a setting acts it stays."""
    text = """
        study: same
        data: {dataset: digits, validation: 300}
        network:
          stem: {width: 16}
          stages: [{width: 16, depth: 1, block: product_unit, RULES}]
        training: {epochs: 1}
    """
    ours, theirs = (sample(parse_space(text.replace("RULES", each)), 1)[0].config.network for each in (first, second))
    assert (ours == theirs) is same


def test_a_family_named_as_a_block_has_the_defaults_of_space_files() -> None:
    text = """
        study: defaults
        data: {dataset: cifar10, validation: 5000}
        network:
          stem: {width: 16}
          stages:
            - &first {width: 16, depth: 3, block: BLOCK}
            - {<<: *first, width: 32, stride: 2}
            - {<<: *first, width: 64, stride: 2}
        training: {epochs: 1}
    """  # no rule is named
    for block in ("additive", "product_unit", "quotient_product_unit"):
        (found,) = sample(parse_space(text.replace("BLOCK", block)), 1)
        assert named_network(f"{block}20") == found.config.network


def test_resnet1001_is_hes_network_of_bottlenecks_that_normalise_first() -> None:
    """He et al. 2016 give 10.2M; our projections are normalised, and all three stages have one."""
    network = named_network("resnet1001")
    assert [(stage.width, stage.depth, stage.branch, stage.norm_placement) for stage in network.stages] == [
        (width, 111, BranchKind.BOTTLENECK, NormPlacement.PRE) for width in (64, 128, 256)
    ]
    assert network.layers == 1001
    assert cost(network).parameters == pytest.approx(10.2e6, rel=0.02)
    assert named_network("resnet1001", classes=100, channels=1).channels == 1


@pytest.mark.parametrize("name", ["resnet152", "pure152", "quotient152"])
def test_a_depth_that_is_both_means_the_imagenet_shape(name: str) -> None:
    assert named_network(name).size == 224
    assert [stage.depth for stage in named_network(name).stages] == [3, 8, 36, 3]


def test_models_are_made_as_timm_makes_them() -> None:
    model = create_model("quotient20", num_classes=7, in_chans=1)
    assert model(torch.rand(2, 1, 32, 32)).shape == (2, 7)
    first, second = (create_model("pure20", seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(0)
    assert not torch.equal(create_model("pure20").head.weight, create_model("pure20").head.weight)
    assert list_models("*1001") == ["resnet1001"]
    assert all(named_network(name) for name in list_models("quotient*"))
    assert list_models("nothing*") == []


def test_the_head_of_every_named_network_starts_as_torchs_own() -> None:
    """Also that of pure_norelu, whose source has a normal head of deviation 0.01: the documents say so."""
    for name in ("pure_norelu20", "pure20", "resnet20"):
        weight = create_model(name, seed=0).head.weight.detach()
        assert weight.abs().max().item() <= 1 / 8  # U(+-1/sqrt(64))
        assert weight.std().item() == pytest.approx(1 / (8 * math.sqrt(3)), rel=0.1)


def test_the_pool_is_torchs_to_the_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(4, 6, 7, 5, generator=generator).contiguous(memory_format=memory_format).requires_grad_()
        weights = torch.randn(4, 6, generator=generator)
        found, expected = GlobalAveragePool()(x), F.adaptive_avg_pool2d(x, 1).flatten(1)
        assert torch.equal(found, expected)
        ours, theirs = (torch.autograd.grad((each * weights).sum(), x)[0] for each in (found, expected))
        assert torch.equal(ours, theirs)
    large = torch.full((1, 1, 8, 8), 2000.0, dtype=torch.float16)  # a sum in float16 would be infinite
    assert GlobalAveragePool()(large).tolist() == [[2000.0]]


@pytest.mark.parametrize("name", ["resnet8", "quotient8", "pure8", "pure_norelu8"])
def test_gradients_do_not_reach_the_last_normalisation_in_torchs_default_format(name: str) -> None:
    """Else it takes a slow path: a tenth of a step's time of networks whose last stage ends without a ReLU."""
    model = create_model(name, seed=0).to(memory_format=torch.channels_last).train()
    last = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)][-1]
    seen: list[bool] = []
    last.register_full_backward_hook(lambda module, into, out: seen.append(out[0].is_contiguous()))
    images = torch.randn(4, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    model(images).square().sum().backward()
    assert seen == [False]
