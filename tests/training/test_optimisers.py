"""Optimisers: each step as its paper or torch has it, and the parameters that each part of it is for."""

from dataclasses import replace
from typing import get_type_hints

import pytest
import torch
from torch import Tensor, nn

from qpsearch.models import build_model
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.registry.optimisers.muon import orthogonal
from qpsearch.training.optim import build_optimizer
from qpsearch.vocabulary import BlockKind, Decay
from tests.models.settings import stage
from tests.training.configs import by_default, digits

TORCHS = {  # by the values that a space file gives them
    "sgd": lambda own: torch.optim.SGD(own, 0.1, 0.9, weight_decay=1e-4, foreach=False),
    "adam": lambda own: torch.optim.Adam(own, 1e-3, foreach=False),
    "adamw": lambda own: torch.optim.AdamW(own, 1e-3, weight_decay=1e-2, foreach=False),
    "rmsprop": lambda own: torch.optim.RMSprop(own, 1e-3, momentum=0.9, foreach=False),
}

BY_HAND = ("lion", "muon")  # compared with their papers' formulas below


def test_the_table_has_each_optimiser_by_its_own_word_and_each_is_compared_with_a_reference() -> None:
    assert OPTIMISERS.keys() == {*TORCHS, *BY_HAND}  # a new one: add what it is compared with
    for word, record in OPTIMISERS.items():
        assert by_default(word).kind == word
        assert get_type_hints(record)["lr"] is float


def stepped(make: "object", weights: list[Tensor], steps: int = 4) -> list[Tensor]:
    """Take some steps along gradients that are drawn from a seed."""
    generator = torch.Generator().manual_seed(7)
    own = [nn.Parameter(weight.clone()) for weight in weights]
    optimizer = make(own)  # type: ignore[operator]
    for _ in range(steps):
        for parameter in own:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()
    return [parameter.detach() for parameter in own]


def ours(kind: str, own: list[nn.Parameter], **settings: object) -> torch.optim.Optimizer:
    recipe = replace(digits(BlockKind.ADDITIVE).recipe, optimizer=by_default(kind, **settings))
    return build_optimizer(nn.ParameterList(own), recipe)


WEIGHTS = [torch.randn(shape, generator=torch.Generator().manual_seed(3)) for shape in ((6, 4, 3, 3), (5, 8), (7,))]


@pytest.mark.parametrize("kind", TORCHS)
def test_an_optimiser_of_torch_has_its_settings(kind: str) -> None:
    for ours_, theirs in zip(
        stepped(lambda own: ours(kind, own), WEIGHTS), stepped(TORCHS[kind], WEIGHTS), strict=True
    ):
        torch.testing.assert_close(ours_, theirs, rtol=1e-5, atol=1e-6)


def test_nesterovs_momentum_is_torchs_and_needs_momentum() -> None:
    found = stepped(lambda own: ours("sgd", own, nesterov=True), WEIGHTS)
    expected = stepped(lambda own: torch.optim.SGD(own, 0.1, 0.9, weight_decay=1e-4, nesterov=True), WEIGHTS)
    torch.testing.assert_close(found, expected)
    still = [
        stepped(lambda own, ahead=ahead: ours("sgd", own, momentum=0.0, nesterov=ahead), WEIGHTS)
        for ahead in (True, False)
    ]
    torch.testing.assert_close(*still, rtol=0, atol=0)


def test_lion_steps_by_the_sign_of_its_average() -> None:
    """Algorithm 2 of arXiv 2302.06675."""
    generator, weight, average = torch.Generator().manual_seed(7), WEIGHTS[1].clone(), torch.zeros(5, 8)
    for _ in range(4):
        gradient = torch.randn(5, 8, generator=generator)
        step = torch.sign(0.9 * average + 0.1 * gradient)
        weight = weight - 0.01 * (step + 0.1 * weight)
        average = 0.99 * average + 0.01 * gradient
    (found,) = stepped(lambda own: ours("lion", own, lr=0.01), WEIGHTS[1:2])
    torch.testing.assert_close(found, weight)


def test_muons_matrices_are_nearly_orthogonal_with_their_own_singular_vectors() -> None:
    for shape in ((3, 16, 40), (3, 40, 16), (1, 8, 8)):
        matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        made = orthogonal(matrices)
        left, values, right = torch.linalg.svd(matrices, full_matrices=False)
        inside = left.mT @ made @ right.mT  # diagonal, where the singular vectors are the same
        kept = torch.diagonal(inside, dim1=1, dim2=2)
        assert torch.linalg.norm(inside - torch.diag_embed(kept)) < 1e-3
        assert kept[values / values.amax(1, keepdim=True) > 0.1].min() > 0.6
        assert kept.max() < 1.3


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon from 2.9 on")
def test_muon_is_torchs_for_matrices_and_flattens_kernels() -> None:
    """torch's computes in bfloat16, whose numbers have 8 bits."""
    flat = [WEIGHTS[0].flatten(1), WEIGHTS[1]]
    theirs = stepped(lambda own: torch.optim.Muon(own, 0.02, 1e-2, 0.95), flat)
    found = stepped(lambda own: ours("muon", own), WEIGHTS[:2])
    for start, own, other in zip(flat, found, theirs, strict=True):
        moved, expected = own.flatten(1) - start, other - start
        assert torch.linalg.norm(moved - expected) < 0.02 * torch.linalg.norm(expected)


def test_muon_leaves_stem_head_norms_and_biases_to_adamw() -> None:
    config = digits(BlockKind.ADDITIVE, BlockKind.PRODUCT_UNIT)
    model = build_model(config.network, 0)
    optimizer = build_optimizer(model, replace(config.recipe, optimizer=by_default("muon")))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    by_muon, by_adamw = ([names[id(each)] for each in group["params"]] for group in optimizer.param_groups)
    assert sorted(by_muon + by_adamw) == sorted(names.values())
    assert {name.split(".")[0] for name in by_muon} == {"stages"}
    assert all(dict(model.named_parameters())[name].ndim == 4 for name in by_muon)
    left = [name for name in by_adamw if name.startswith("stages") and dict(model.named_parameters())[name].ndim > 1]
    assert left == []
    assert [name for name in by_adamw if not name.startswith("stages")] == [
        "stem.0.weight",
        "stem.1.weight",
        "stem.1.bias",
        "head.weight",
        "head.bias",
    ]
    found = stepped(lambda own: ours("muon", own, adamw_lr=3e-3), WEIGHTS[2:])
    torch.testing.assert_close(found, stepped(lambda own: torch.optim.AdamW(own, 3e-3, weight_decay=1e-2), WEIGHTS[2:]))


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_decay_falls_on_all_parameters_or_on_weights_alone(kind: str) -> None:
    rules = {"unit": {"threshold": "channel"}, "quotient": {"learned_alpha": "channel"}}
    config = digits()
    network = replace(config.network, stages=(stage(BlockKind.QUOTIENT_PRODUCT_UNIT, width=8, **rules),))
    shrunk = {}
    for decay in Decay:
        model = build_model(network, 0)
        optimizer = build_optimizer(
            model, replace(config.recipe, optimizer=by_default(kind, weight_decay=0.1), decay=decay)
        )
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(1.0).grad = torch.zeros_like(parameter)
        optimizer.step()
        shrunk[decay] = {name for name, parameter in model.named_parameters() if (parameter < 1).all()}
    assert shrunk[Decay.ALL] == {name for name, _ in model.named_parameters()}
    assert shrunk[Decay.WEIGHTS] == {
        name
        for name in shrunk[Decay.ALL]
        if name.endswith("weight") and dict(model.named_parameters())[name].ndim in (2, 4)
    }
    assert len(shrunk[Decay.WEIGHTS]) < len(shrunk[Decay.ALL]) / 2
