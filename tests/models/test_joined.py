"""Joined networks against the same networks by themselves: in float64, weights are equal to 1e-12 after five steps."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from qpsearch.architecture.config import Network, Stage
from qpsearch.models import ResidualNetwork, build_model
from qpsearch.models.joined import Joined, why_not_joined
from qpsearch.vocabulary import BlockKind, BranchKind, NormKind, NormPlacement, Sharing, ShortcutKind, StemPool
from tests.models.settings import PRODUCT_UNIT_RULES, QUOTIENT_RULES, random_network, stage

RUNS, IMAGES, STEPS, LR = 3, 6, 5, 0.01


def of(*stages: Stage, stem: int = 4) -> Network:
    return Network(channels=2, size=8, classes=5, stem_width=stem, stages=stages, stem_pool=StemPool.NONE)


STRUCTURES = {
    **{f"norm {kind}": of(stage(BlockKind.ADDITIVE, norm=kind, width=16)) for kind in NormKind},
    **{
        f"shortcut {kind}": of(stage(block, shortcut=kind, width=8, stride=2))
        for kind in ShortcutKind
        for block in (BlockKind.ADDITIVE, BlockKind.QUOTIENT)
        if kind is not ShortcutKind.IDENTITY
    },
    **{f"pre {kind}": of(stage(kind, placement=NormPlacement.PRE), stage(kind, stride=2)) for kind in BlockKind},
    **{f"bottleneck {kind}": of(stage(kind, branch=BranchKind.BOTTLENECK), stage(kind, depth=2)) for kind in BlockKind},
    **{
        f"quotient {name} {value}": of(stage(BlockKind.QUOTIENT, quotient={name: value}))
        for name, values in QUOTIENT_RULES.items()
        for value in values
        if name in ("activation", "learned_alpha", "shortcut_activation")
    },
    **{
        f"product unit {name} {value}": of(stage(BlockKind.PRODUCT_UNIT, unit={name: value}))
        for name, values in PRODUCT_UNIT_RULES.items()
        for value in values
        if name in ("positivity", "threshold", "exponent_clip", "padding", "bias", "mixing", "numbers")
    },
    "learned by channel": of(stage(BlockKind.QUOTIENT_PRODUCT_UNIT, quotient={"learned_alpha": Sharing.CHANNEL})),
    "max pool": Network(
        channels=2, size=8, classes=5, stem_width=4, stages=(stage(BlockKind.ADDITIVE),), stem_pool=StemPool.MAX
    ),
    **{f"random {seed}": random_network(seed) for seed in range(12)},
}


def batches(network: Network, step: int) -> list[tuple[Tensor, Tensor]]:
    """Return images and labels for each run, other ones for each."""
    generator = torch.Generator().manual_seed(step)
    shape = (IMAGES, network.channels, network.size, network.size)
    return [
        (
            torch.randn(shape, generator=generator, dtype=torch.float64),
            torch.randint(network.classes, (IMAGES,), generator=generator),
        )
        for _ in range(RUNS)
    ]


def descend(network: ResidualNetwork) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter.sub_(parameter.grad, alpha=LR)
            parameter.grad = None


def trained(network: Network, steps: int, dtype: torch.dtype) -> tuple[list[ResidualNetwork], list[ResidualNetwork]]:
    """Return networks after some steps by themselves, and the same networks after the same steps as one."""
    apart = [build_model(network, seed).to(dtype).train() for seed in range(RUNS)]
    together = copy.deepcopy(apart)
    joined = Joined(network, together).train()
    for step in range(steps):
        drawn = [(images.to(dtype), labels) for images, labels in batches(network, step)]
        for own, (images, labels) in zip(apart, drawn, strict=True):
            F.cross_entropy(own(images), labels).backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        joined.forget_gradients()
        logits = joined(torch.cat([images for images, _ in drawn], 1))
        losses = [F.cross_entropy(each, labels) for each, (_, labels) in zip(logits.unbind(1), drawn, strict=True)]
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        joined.hand_gradients_over()
        for own in (*apart, *together):
            descend(own)
    return apart, together


def furthest(apart: list[ResidualNetwork], together: list[ResidualNetwork]) -> float:
    """Return the largest difference of a weight, as a share of the largest weight of its tensor, or of 1."""
    return max(
        float((one - other).abs().max() / one.abs().max().clamp(min=1))
        for first, second in zip(apart, together, strict=True)
        for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("name", STRUCTURES)
def test_joined_networks_learn_what_each_learns_by_itself(name: str) -> None:
    """Weights and the statistics of norms, which evaluation uses."""
    assert furthest(*trained(STRUCTURES[name], STEPS, torch.float64)) < 1e-12


def test_a_step_in_float32_differs_by_rounding_alone() -> None:
    for kind in BlockKind:
        assert furthest(*trained(of(stage(kind), stage(kind, stride=2)), 1, torch.float32)) < 1e-7


def test_each_kind_of_layer_with_weights_is_among_the_structures() -> None:
    """A layer that does not know of the channels of several networks would mix them, or fail."""
    assert all(not why_not_joined(network) for network in STRUCTURES.values())
    kinds = {
        type(layer).__name__
        for network in STRUCTURES.values()
        for layer in Joined(network, [build_model(network, 0)]).modules()
    }
    assert {
        "Conv2d",
        "BatchNorm2d",
        "GroupNorm",
        "JoinedHead",
        "JoinedProductUnit",
        "JoinedQuotient",
        "JoinedPad",
    } <= kinds
    assert not kinds & {"Linear", "ProductUnit2d", "BoundedQuotient"}
