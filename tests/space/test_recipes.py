"""Recipes by name: what they fill, what overrides them, and that a stored name goes on meaning the same."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from qpsearch.architecture.candidates import sample
from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import SpaceError
from qpsearch.registry.augmentations import Padding
from qpsearch.registry.datasets import Normalisation
from qpsearch.registry.optimisers.muon import Muon
from qpsearch.registry.optimisers.sgd import Sgd
from qpsearch.registry.recipes import RECIPES
from qpsearch.space import Space, build_space, load_space, parse_space
from qpsearch.space.file.json_schema import json_schema
from qpsearch.vocabulary import Decay

# What each name means; a change of one would change the meaning of studies that are stored.
FINGERPRINTS = {
    "quotient": "7c5f465205b44425be5c0c6bd65ea55a84a74fdab83bde3c05438cf551d6827c",
    "pure": "8fad275e95a5417a91cecf1350677f930b283c1e52353bfc2934d7b9b71ed1d9",
    "modern": "678236466ab8fc66d9d4ce0ce6196bf8fd2d39c9b0b33f11d85ac906a1f759b8",
}


def document(training: dict[str, Any], data: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "study": "s",
        "data": {"dataset": "cifar10", "validation": 5000} | (data or {}),
        "network": {"stem": {"width": 8}, "stages": [{"width": 8, "depth": 1, "block": "quotient"}]},
        "training": training,
    }


def config(training: dict[str, Any], data: dict[str, Any] | None = None) -> TrialConfig:
    return sample(build_space(document(training, data)), 1)[0].config


@pytest.mark.parametrize("name", RECIPES)
def test_a_name_never_changes_its_meaning(name: str) -> None:
    given = document({"recipe": name, "epochs": 30})
    space = build_space(given)
    assert space.fingerprint == FINGERPRINTS[name]
    assert parse_space(space.source).fingerprint == space.fingerprint  # as a study stores it
    assert space.training.get("recipe") is None  # nothing is drawn for it
    assert Draft202012Validator(json_schema()).is_valid(given)


@pytest.mark.parametrize(("name", "paper"), [("quotient", "quotient-table"), ("pure", "pure-cifar10")])
def test_the_papers_recipes_are_those_of_their_spaces(name: str, paper: str) -> None:
    found, theirs = config({"recipe": name}), sample(load_space(paper), 1)[0].config
    assert found.recipe == theirs.recipe
    for setting in ("augment", "padding", "normalise"):
        assert getattr(found.data, setting) == getattr(theirs.data, setting)
    assert Draft202012Validator(json_schema()).is_valid(document({"recipe": name}))


def test_the_modern_recipe_does_not_say_how_long() -> None:
    recipe = config({"recipe": "modern", "epochs": 7}).recipe
    assert (recipe.epochs, recipe.schedule, recipe.decay) == (7, "cosine", Decay.WEIGHTS)
    assert isinstance(recipe.optimizer, Muon)
    assert recipe.ema is not None
    with pytest.raises(SpaceError, match=r"training\.epochs: is missing"):
        config({"recipe": "modern"})


def test_the_files_own_keys_override_a_recipe_one_by_one() -> None:
    own = {"recipe": "quotient", "epochs": 3, "optimizer": {"sgd": {"lr": 0.5}}, "warmup": 1}
    found = config(own, {"normalise": "dataset"})
    assert found.recipe.optimizer == Sgd(lr=0.5, momentum=0.9, weight_decay=1e-4)
    assert (found.recipe.epochs, found.recipe.warmup) == (3, 1.0)
    assert (found.data.normalise, found.data.padding) == (Normalisation.DATASET, Padding.BLACK)
    other = config({"recipe": "quotient", "optimizer": "adamw"}, {"augment": ["mixup"], "padding": "mean"})
    assert other.recipe.optimizer.kind == "adamw"  # one optimiser by another, as a whole
    assert other.data.augment == ("mixup",)


def test_arms_may_differ_in_their_recipe_alone() -> None:
    tuned = {"training.optimizer": {"muon": {"lr": {"log": [0.01, 0.1]}}}}
    arms = {"as_in_the_paper": {}, "today": {"training.recipe": "modern", **tuned}}
    given = document({"recipe": "quotient", "epochs": 9, "optimizer": {"sgd": {"lr": {"log": [0.01, 0.1]}}}})
    own = document({"recipe": "quotient", "epochs": 9, "batch_size": {"choice": [64, 128]}})
    for each in (given, own):
        space = build_space(each | {"compare": {"arms": arms, "tune": {"trials": 3}, "retrain": {"top": 2}}})
        assert parse_space(space.source).fingerprint == space.fingerprint
        assert space.compare is not None
        found: dict[str, Space] = dict(space.compare.arms)
        recipes = {name: sample(arm, 1)[0].config.recipe for name, arm in found.items()}
        assert {recipe.epochs for recipe in recipes.values()} == {9}
        assert [recipe.label_smoothing for recipe in recipes.values()] == [0.0, 0.1]
        assert [recipe.optimizer.kind for recipe in recipes.values()] == ["sgd", "muon"]
        assert recipes["today"].optimizer.adamw_lr == 0.003  # type: ignore[attr-defined]  # what the arm leaves open


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("modrn", "training.recipe: unknown recipe 'modrn'. Did you mean 'modern'?"),
        ({"choice": ["modern", "pure"]}, "training.recipe: takes one name, got keys"),
    ],
)
def test_a_recipe_that_is_not_known_is_answered(recipe: object, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        config({"recipe": recipe, "epochs": 3})
