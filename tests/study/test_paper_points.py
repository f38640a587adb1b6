"""``search.first: papers``: the papers' settings are tried first."""

import pytest

from qpsearch.architecture.notes import notes
from qpsearch.architecture.paper_points import first_points_of, paper_points
from qpsearch.errors import SpaceError
from qpsearch.space import Space, edited, load_space, parse_space
from tests.helpers import new_ledger, resumed_ledger, train_all
from tests.scripted import Behaviour, space_text

TEXT = space_text(Behaviour.IMPROVES, trials=8, sampler="random")
LR, BLOCK, DEPTH = "training.optimizer.sgd.lr", "network.stages.0.block", "network.stages.0.depth"
ALPHA = "network.rules.quotient.alpha"


def space(first: object = "papers", **changes: object) -> Space:
    return parse_space(edited(TEXT, {"search.first": first, **changes}))


def test_each_kind_of_block_has_its_papers_rules_and_recipe() -> None:
    assert paper_points(space()) == [
        {BLOCK: "additive", LR: 0.1},
        {BLOCK: "quotient", ALPHA: 2.0, LR: 0.1},
        {BLOCK: "product_unit", LR: 0.01},
    ]


def test_the_papers_points_of_the_cifar_space_can_all_be_trained() -> None:
    given = load_space("cifar", ["search.first=papers"])
    points = paper_points(given)
    assert len(points) == 3
    assert all(len(point) > 8 for point in points)
    assert {str(point["network.stages.2.block"]) for point in points} == {"additive", "quotient", "product_unit"}
    assert not [text for text in notes(given) if "first" in text]


def test_values_that_the_space_lacks_are_left_open_and_blocks_that_it_lacks_left_out() -> None:
    changes = {LR: {"log": [0.05, 0.5]}, BLOCK: {"choice": ["product_unit", "additive"]}}
    text = edited(TEXT, {"search.first": "papers", "network.rules": {}, **changes})
    assert paper_points(parse_space(text)) == [{BLOCK: "additive", LR: 0.1}, {BLOCK: "product_unit"}]


OPEN = {
    "network.stem.activation": {"choice": ["relu", "auto", "none"]},
    "network.rules.init": {"choice": ["auto", "orthogonal", "kaiming_fan_out", "framework"]},
    "network.rules.quotient.alpha": {"choice": [1.5, 1.7, 1.8, 2.0]},
    "training.optimizer.sgd.nesterov": {"choice": [True, False]},
    "training.warmup": {"choice": [0.0, 0.1]},
    "training.label_smoothing": {"float": [0, 0.2]},
    "training.dropout": {"choice": [0.3, 0.0]},
    "training.drop_path": {"choice": [0.2, 0.0]},
    "training.ema": {"choice": [0.999, "none"]},
    "training.grad_clip": {"choice": [1.0, "none"]},
    "training.decay": {"choice": ["weights", "all"]},
}


def test_networks_and_recipe_are_the_quotient_papers_and_its_baseline_differs_in_the_block_alone() -> None:
    """Rules Q4, Q5, Q9 and Q18: no Nesterov, no warm-up, no smoothing, no dropout, decay on all parameters."""
    additive, quotient, product_unit = paper_points(space(**OPEN, **{DEPTH: 54}))
    assert quotient == {
        BLOCK: "quotient",
        ALPHA: 1.5,  # at 110 layers
        LR: 0.1,
        "network.stem.activation": "auto",
        "network.rules.init": "framework",
        "training.optimizer.sgd.nesterov": False,
        "training.warmup": 0.0,
        "training.label_smoothing": 0.0,
        "training.dropout": 0.0,
        "training.drop_path": 0.0,
        "training.ema": None,
        "training.grad_clip": None,
        "training.decay": "all",
    }
    assert additive == {name: value for name, value in quotient.items() if name != ALPHA} | {BLOCK: "additive"}
    assert "training.optimizer.sgd.nesterov" not in product_unit  # of which nothing is known


@pytest.mark.parametrize(
    ("depth", "domain", "alpha"),
    [
        (9, {"choice": [1.5, 1.7, 1.8, 2.0]}, 2.0),
        (21, {"float": [1.3, 2.2]}, 1.8),
        (27, {"choice": ["by_depth", 2.0]}, "by_depth"),
        ({"int": [50, 58]}, {"choice": [1.5, 2.0]}, 1.5),
        (15, {"choice": [1.7, 2.0]}, 2.0),  # 1.9 by interpolation
        (15, {"choice": [4.0, 8.0]}, None),
        ("network.stem.width * 7 - 1", {"choice": [1.5, 1.7, 2.0]}, 1.7),  # 27
    ],
)
def test_the_bound_of_quotients_is_that_of_the_depth(depth: object, domain: object, alpha: object) -> None:
    found = paper_points(space(**{DEPTH: depth, ALPHA: domain}))[1].get(ALPHA)
    assert found == alpha


def test_they_come_before_what_the_file_lists(sqlite_url: str) -> None:
    given = space([{DEPTH: 2, LR: 0.3}, "papers"])
    assert [point.get(LR) for point in first_points_of(given)] == [0.1, 0.1, 0.01, 0.3]
    found = []
    for open_ledger in (lambda: new_ledger(sqlite_url, given), lambda: resumed_ledger(sqlite_url)):
        with open_ledger() as ledger:
            for _ in range(2):
                assignment = ledger.ask()
                assert assignment is not None
                found.append((str(assignment.config.network.stages[0].block), assignment.config.recipe.optimizer.lr))
                train_all(ledger, assignment)
    assert found[:3] == [("additive", 0.1), ("quotient", 0.1), ("product_unit", 0.01)]
    assert found[3][1] == 0.3


def test_it_is_part_of_what_a_study_means_and_a_design_does_not_have_it() -> None:
    assert space().fingerprint != space(None).fingerprint
    with pytest.raises(SpaceError, match=r"search.first: expected papers, or a list of configurations, got"):
        space("paper")
    with pytest.raises(SpaceError, match=r"search.first: the points of a factorial design are known before"):
        space(**{"search.sampler": "factorial"})
