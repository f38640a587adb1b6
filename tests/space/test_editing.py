"""Spaces from Python: built, dumped, edited."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from qpsearch.architecture.candidates import candidate, sample
from qpsearch.errors import SpaceError
from qpsearch.space import (
    Choice,
    FloatRange,
    IntRange,
    LogRange,
    Prior,
    RandomChooser,
    Tied,
    build_space,
    diff,
    edited,
    load_space,
    parse_space,
)
from qpsearch.space.file.document import dump
from qpsearch.vocabulary import BlockKind, Confidence
from tests.helpers import SPACES
from tests.space.cases import GOOD

BLOCKS = Choice(options=(BlockKind.ADDITIVE, BlockKind.QUOTIENT))


def document(**more: Any) -> dict[str, Any]:
    depth = Tied("depth", IntRange(low=1, high=5, step=2, prior=Prior(3, Confidence.HIGH)))
    return {
        "study": "mine",
        "data": {"dataset": "digits", "validation": 300},
        "network": {
            "stem": {"width": 8},
            "stages": [
                {"width": "network.stem.width", "depth": depth, "block": BLOCKS},
                {"width": 16, "stride": 2, "depth": depth, "block": Choice(options=("additive", "quotient"))},
            ],
            "rules": {"quotient": {"alpha": FloatRange(low=1.5, high=2.5)}},
        },
        "training": {"epochs": 3, "optimizer": {"sgd": {"lr": LogRange(low=0.01, high=0.1, prior=Prior(0.05))}}},
    } | more


def test_a_space_is_built_from_domains_and_plain_data() -> None:
    space = build_space(document())
    meaning = space.meaning()
    assert meaning["network.stages.0.depth"] == "{int: [1, 5], step: 2, prior: 3, confidence: high, tie: depth}"
    assert meaning["network.stages.1.block"] == "{choice: [additive, quotient]}"
    assert meaning["training.optimizer.sgd.lr"] == "{log: [0.01, 0.1], prior: 0.05, confidence: medium}"
    found = candidate(space, RandomChooser(0))
    assert {stage.depth for stage in found.config.network.stages} == {found.draw.params["depth"]}
    assert sample(space, 3, seed=5) == sample(space, 3, seed=5)


def test_what_is_built_is_text_that_means_the_same() -> None:
    space = build_space(document())
    assert parse_space(space.source).fingerprint == space.fingerprint
    assert diff(parse_space(space.source), space) == []


def test_a_mistake_in_python_is_answered_as_one_in_a_file() -> None:
    with pytest.raises(
        SpaceError, match=r"space:\d+:\d+: data\.dataset: unknown data set 'digit'\. Did you mean 'digits'"
    ):
        build_space(document(data={"dataset": "digit", "validation": 300}))
    with pytest.raises(SpaceError, match="network: is missing"):
        build_space({"study": "x", "data": {"dataset": "digits", "validation": 300}, "training": {"epochs": 1}})


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_editing_keeps_comments_and_everything_else(path: Path) -> None:
    text = path.read_text()
    trials = "search.trials" if load_space(path).compare is None else "compare.tune.trials"
    changed = edited(text, {trials: 7, "training.batch_size": 32}, folder=path.parent)
    comments = [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]
    assert comments
    assert all(comment in changed for comment in comments)
    before, after = load_space(path), parse_space(changed, folder=path.parent)
    assert (after.search.budget.trials if after.compare is None else after.compare.trials) == 7
    assert diff(before, after) in ([f"training.batch_size: {before.meaning()['training.batch_size']} -> 32"], [])


def test_editing_reaches_stages_domains_and_new_sections() -> None:
    text = next(path for path in SPACES if path.stem == "digits").read_text()
    changed = edited(
        text,
        {
            "network.stages.1.width": 64,
            "network.rules.quotient.alpha": FloatRange(low=1.2, high=3.0, prior=Prior(2.0)),
            "search.limits.parameters": "<= 1M",
            "search.forbid": [{"network.stages.0.block": "additive"}],
        },
    )
    assert diff(parse_space(text), parse_space(changed)) == [
        "network.stages.1.width: 32 -> 64",
        "network.rules.quotient.alpha: {float: [1.5, 2.5]} -> {float: [1.2, 3.0], prior: 2.0, confidence: medium}",
        "search.limits.parameters: (absent) -> <= 1,000,000",
        "search.forbid network.stages.0.block == additive: (absent) -> yes",
    ]


def test_editing_one_place_of_an_alias_leaves_the_others() -> None:
    text = next(path for path in SPACES if path.stem == "digits").read_text()
    for place, other in ((0, 1), (1, 0)):
        changed = edited(text, {f"network.stages.{place}.block.choice": ["additive", "quotient"]})
        meaning = parse_space(changed).meaning()
        assert meaning[f"network.stages.{place}.block"] == "{choice: [additive, quotient]}"
        assert meaning[f"network.stages.{other}.block"] == "{choice: [additive, quotient, product_unit]}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.epochs": "many"}, "'many' is not a whole number"),
        ({"training.epoch": 3}, "unknown key 'epoch'. Did you mean 'epochs'"),
        ({"network.stages.5.width": 3}, "network.stages: has no item '5'"),
        ({"study.name": "x"}, "study: is a constant, so study.name cannot be set below it"),
        ({"study.name.first": "x"}, "study: is a constant"),
    ],
)
def test_an_edit_that_makes_no_space_is_refused(changes: dict[str, Any], message: str) -> None:
    text = next(path for path in SPACES if path.stem == "digits").read_text()
    with pytest.raises(SpaceError) as caught:
        edited(text, changes)
    assert message in str(caught.value)


def test_numbers_of_numpy_are_numbers() -> None:
    """A float64 is a float to Python, and no YAML."""
    document = YAML(typ="safe").load(GOOD)
    low, high = np.linspace(0.01, 0.3, 2)
    document["training"]["epochs"] = np.int64(3)
    document["training"]["optimizer"] = {"sgd": {"lr": LogRange(low=low, high=high), "momentum": np.float32(0.5)}}
    meaning = build_space(document).meaning()
    assert (meaning["training.epochs"], meaning["training.optimizer.sgd.lr"]) == ("3", "{log: [0.01, 0.3]}")
    assert meaning["training.optimizer.sgd.momentum"] == "0.5"


def test_a_tie_is_not_named_as_a_cost() -> None:
    """Conditions would mean the cost; a stored study keeps the tie that it has."""
    document = YAML(typ="safe").load(GOOD)
    (stage,) = document["network"]["stages"]
    document["network"]["stages"] = [stage | {"depth": {"int": [1, 3], "tie": "parameters"}} for _ in range(2)]
    with pytest.raises(SpaceError, match=r"network\.stages\.0\.depth: tie 'parameters' is a cost in conditions\."):
        build_space(document)
    assert parse_space(dump(document), strict=False).study == "s"
