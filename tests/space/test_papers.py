"""The shipped spaces that re-run the papers say what the papers do, point by point; docs/background/papers.md is the source."""

from collections import Counter
from dataclasses import replace

import pytest

from qpsearch.architecture.candidates import Candidate, every_candidate
from qpsearch.architecture.cost import cost
from qpsearch.architecture.named import named_network
from qpsearch.registry.augmentations import Padding
from qpsearch.registry.datasets import Normalisation
from qpsearch.registry.optimisers.sgd import Sgd
from qpsearch.space import load_space
from qpsearch.space.search import Score
from qpsearch.vocabulary import (
    BlockKind,
    InitKind,
    QuotientKind,
    ScoreKind,
    ShortcutKind,
    StemActivation,
)

QUOTIENT = ("quotient-table", "quotient-table-cifar100", "quotient-table-svhn", "alpha-ablation")
RECIPES = {
    **dict.fromkeys(QUOTIENT, (182, "step_92_136", Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4))),
    "pure-cifar10": (160, "step", Sgd(lr=0.01, momentum=0.9, weight_decay=1e-3)),
}


def points(name: str) -> list[Candidate]:
    return [point for point in every_candidate(load_space(name)) if isinstance(point, Candidate)]


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_the_papers(name: str) -> None:
    epochs, schedule, optimizer = RECIPES[name]
    for point in points(name):
        recipe = point.config.recipe
        assert (recipe.epochs, recipe.schedule, recipe.optimizer) == (epochs, schedule, optimizer)
        assert recipe.batch_size == 128


@pytest.mark.parametrize("name", QUOTIENT)
def test_images_and_epochs_are_treated_as_in_the_quotient_authors_code(name: str) -> None:
    space = load_space(name)
    held_out = {"svhn": 6000}.get(space.data.dataset, 5000)
    assert space.data.validation == held_out
    assert space.data.augment == ("flip", "crop")
    assert (space.data.padding, space.data.normalise) == (Padding.BLACK, Normalisation.IMAGENET)
    assert space.search.score == Score(kind=ScoreKind.BEST, from_epoch=93)


@pytest.mark.parametrize(
    ("name", "dataset", "width", "parameters"),
    [
        ("quotient-table", "cifar10", 16, {44: 681_818, 56: 876_250, 110: 1_751_194}),
        ("quotient-table-svhn", "svhn", 16, {44: 681_818, 56: 876_250, 110: 1_751_194}),
        ("quotient-table-cifar100", "cifar100", 32, {44: 2_729_988, 56: 3_505_924, 110: 6_997_636}),
    ],
)
def test_the_quotient_papers_networks(name: str, dataset: str, width: int, parameters: dict[int, int]) -> None:
    found = points(name)
    assert Counter((p.config.network.layers, p.config.network.stages[0].block) for p in found) == Counter(
        (depth, block) for depth in parameters for block in (BlockKind.ADDITIVE, BlockKind.QUOTIENT)
    )
    for point in found:
        network = point.config.network
        assert point.config.data.dataset == dataset
        assert cost(network).parameters == parameters[network.layers]
        assert [stage.width for stage in network.stages] == [width, 2 * width, 4 * width]
        for stage in network.stages:
            assert (stage.init, stage.shortcut) == (InitKind.FRAMEWORK, ShortcutKind.CONV3X3)
            if stage.quotient is not None:
                assert stage.quotient.alpha == {44: 1.8, 56: 1.7, 110: 1.5}[network.layers]


def test_table_a1_has_its_six_bounds_and_both_readings_of_its_seventh_row() -> None:
    drawn = [tuple(point.draw.params.values()) for point in points("alpha-ablation")]
    bounded = [("sigmoid", alpha) for alpha in (2.0, 2.5, 4.0)] + [("linear", alpha) for alpha in (4.0, 4.5, 8.0)]
    assert Counter(drawn) == Counter([*bounded, ("relu", 2.0), ("unbounded", 2.0)])
    for point in points("alpha-ablation"):
        assert point.config.network.layers == 20
        kinds = {stage.quotient.activation for stage in point.config.network.stages if stage.quotient is not None}
        assert kinds <= set(QuotientKind)
        assert len(kinds) == 1


def test_pure_on_cifar10_is_there_in_both_readings_up_to_272_layers() -> None:
    space = load_space("pure-cifar10")
    assert (space.data.validation, space.data.padding, space.search.score) == (0, Padding.BLACK, Score())
    readings = {StemActivation.AUTO: "pure", StemActivation.NONE: "pure_norelu"}
    found: Counter[tuple[str, int]] = Counter()
    for point in points("pure-cifar10"):
        network = point.config.network
        is_resnet = network.stages[0].block == BlockKind.ADDITIVE
        name = "resnet" if is_resnet else readings[network.stem_activation]
        expected = named_network(f"{name}{network.layers}")
        stages = tuple(replace(stage, shortcut=ShortcutKind.CONV1X1) for stage in expected.stages)
        assert network == replace(expected, stages=stages)
        found[name, network.layers] += 1
    depths = (20, 32, 44, 56, 110, 272)
    assert found == Counter((name, depth) for name in ("resnet", *readings.values()) for depth in depths)


def test_galaxy10_asks_the_papers_claim() -> None:
    """PURe34, in both readings, against ResNets of 34, 50 and 152 layers in the ImageNet shape."""
    assert load_space("galaxy10-pure").data.validation == 1596  # a tenth of 15,962
    names = ("resnet34", "resnet50", "resnet152", "pure34", "pure_norelu34")
    expected = [replace(named_network(name, classes=10), size=256) for name in names]
    assert [point.config.network for point in points("galaxy10-pure")] == expected
