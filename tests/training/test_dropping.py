"""Dropout and stochastic depth: how often, what is left, and that evaluation does not know of them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from qpsearch.architecture.resolve import resolve
from qpsearch.errors import Infeasible
from qpsearch.models import ResidualNetwork, build_model
from qpsearch.models.blocks import QuotientBlock
from qpsearch.space import RandomChooser, draw, edited, load_space, parse_space
from qpsearch.training.dropping import Dropping
from qpsearch.vocabulary import BlockKind
from tests.models.settings import stage
from tests.training.configs import digits

IMAGES = torch.randn(4000, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def network(kind: BlockKind, depth: int = 4) -> ResidualNetwork:
    """A network of one stage without shape changes, whose shortcuts are identities."""
    made = digits()
    return build_model(replace(made.network, size=4, stem_width=4, stages=(stage(kind, width=4, depth=depth),)), 0)


def dropped(model: ResidualNetwork) -> list[Tensor]:
    """Return, for each block, which images it left as they were, but for what stands after its sum."""
    found: list[Tensor] = []

    def look(block: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append((output == block.act(inputs[0].clone())).flatten(1).all(1))

    for block in model.stages[0]:
        block.register_forward_hook(look)
    with torch.no_grad():
        model(IMAGES)
    return found


@pytest.mark.parametrize("kind", BlockKind)
def test_branches_are_dropped_more_often_the_deeper_they_are(kind: BlockKind) -> None:
    model = network(kind)
    dropping = Dropping(model, 0.0, 0.4)
    dropping.kept = dropping.draw(len(IMAGES), torch.Generator().manual_seed(1))
    found = dropped(model.train())
    shares = [each.double().mean().item() for each in found]
    assert shares == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.03)  # five deviations of 4,000 images
    first, second = (each.double() for each in found[:2])
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 0.08  # each block for itself


def branches(kind: BlockKind) -> Tensor:
    """Return what a block adds, or multiplies by, for 8,000 copies of one image; a quarter is dropped."""
    model = network(kind, depth=1)
    (block,) = model.stages[0]
    dropping = Dropping(model, 0.0, 0.25)
    dropping.kept = dropping.draw(8000, torch.Generator().manual_seed(1))
    seen: list[Tensor] = []
    place = block.bound if isinstance(block, QuotientBlock) else block.branch
    place.register_forward_hook(lambda module, inputs, output: seen.append(output.flatten(1)))
    with torch.no_grad():
        model.train()(IMAGES[:8].repeat(1000, 1, 1, 1))
    return seen[0].view(1000, 8, -1)


def test_a_sum_keeps_its_mean() -> None:
    found = branches(BlockKind.ADDITIVE)
    kept = (found != 0).any(2)
    assert kept.double().mean().item() == pytest.approx(0.75, abs=0.02)
    whole = found[kept.long().argmax(0), torch.arange(8)] * 0.75
    torch.testing.assert_close(found.mean(0), whole, rtol=0.1, atol=1e-3)


def test_a_quotient_that_is_kept_stays_as_it_is_and_else_is_one() -> None:
    found = branches(BlockKind.QUOTIENT)
    kept = (found != 1).any(2)
    assert kept.double().mean().item() == pytest.approx(0.75, abs=0.02)
    model = network(BlockKind.QUOTIENT, depth=1)
    with torch.no_grad():
        block, stem = model.train().stages[0][0], model.stem(IMAGES[:8].repeat(1000, 1, 1, 1))
        whole = block.bound(block.branch(stem)).flatten(1).view(1000, 8, -1)
    torch.testing.assert_close(found[kept], whole[kept])


def test_features_are_dropped_at_their_rate_and_keep_their_mean() -> None:
    model = network(BlockKind.ADDITIVE, depth=1)
    dropping = Dropping(model, 0.3, 0.0)
    dropping.kept = dropping.draw(5000, torch.Generator().manual_seed(1))
    seen: list[Tensor] = []
    model.head.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    with torch.no_grad():
        model.train().head(torch.ones(5000, 4))
    assert (seen[0] == 0).double().mean().item() == pytest.approx(0.3, abs=0.02)
    assert sorted(set(seen[0].flatten().tolist())) == pytest.approx([0, 1 / 0.7])


@pytest.mark.parametrize("kind", BlockKind)
def test_evaluation_and_what_is_kept_do_not_know_of_it(kind: BlockKind) -> None:
    plain, model = network(kind), network(kind)
    dropping = Dropping(model, 0.5, 0.5)
    assert not dropping.kept  # a forward pass in training would ask for it
    with torch.no_grad():
        assert torch.equal(model.eval()(IMAGES[:50]), plain.eval()(IMAGES[:50]))
    assert list(model.state_dict()) == list(plain.state_dict())


def test_a_custom_blocks_branch_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qpsearch.architecture.resolve.custom_blocks", lambda network: ["mine"])
    space = parse_space(edited(load_space("smoke").source, {"training.drop_path": 0.1}))
    with pytest.raises(Infeasible, match="drops the branches of built-in blocks, but a stage is mine"):
        resolve(space, draw(space, RandomChooser(0)))
