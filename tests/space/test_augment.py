"""Augmentation that is searched: what a trial may vary of ``data``, beside images that are the same for all."""

import copy
import re
from dataclasses import replace
from typing import Any

import pytest

from qpsearch.architecture.candidates import Candidate, every_candidate, sample
from qpsearch.architecture.one_point import point_text
from qpsearch.errors import SpaceError
from qpsearch.registry.augmentations import AUGMENTATIONS, Padding
from qpsearch.space import Space, build_space, parse_space
from qpsearch.space.counting import count_points
from qpsearch.space.leaves import NEVER
from qpsearch.space.schema.data import USED
from qpsearch.space.schema.settings import field_at
from qpsearch.space.space import diff

EACH = ["flip", "crop", {"cutout": {"used": {"choice": [True, False]}, "side": {"float": [0.3, 0.6], "step": 0.1}}}]
LISTS = {"plain": [], "light": ["flip"], "strong": ["crop", {"randaugment": {"magnitude": {"int": [4, 12]}}}]}
CUTOUT, SIDE = "data.augment.cutout.used", "data.augment.cutout.side"
MAGNITUDE = "data.augment.strong.randaugment.magnitude"


def space(augment: Any, settings: list[str] | None = None, search: Any = None, **data: Any) -> Space:
    document = {
        "study": "s",
        "data": {"dataset": "digits", "validation": 300, "augment": augment, **data},
        "network": {"stem": {"width": 4}, "stages": [{"width": 4, "depth": 1, "block": "additive"}]},
        "training": {"epochs": 1},
        **({"search": search} if search else {}),
    }
    return parse_space(build_space(document).source, settings=settings or ())


def points(given: Space) -> list[Candidate]:
    return [found for found in every_candidate(given) if isinstance(found, Candidate)]


def test_an_augmentation_that_some_draws_have() -> None:
    found = space(EACH)
    assert found.searched == {CUTOUT: "{choice: [true, false]}", SIDE: "{float: [0.3, 0.6], step: 0.1}"}
    assert {site.parameter: site.condition() for site in found.sites if site.domain is not None} == {
        CUTOUT: "",
        SIDE: f"{CUTOUT} is true",
    }
    assert count_points(found.sites) == 5
    for point in points(found):
        used, side = point.draw.params[CUTOUT], point.draw.params.get(SIDE)
        assert (side is not None) == used
        assert point.config.data.augment == (("flip", "crop", "cutout") if used else ("flip", "crop"))
        options = {("cutout.side", side)} if used and side != 0.5 else set()  # its default
        assert set(point.config.data.augment_options) == options


def test_a_choice_of_whole_lists() -> None:
    found = space({"choice": LISTS, "prior": "light"}, padding="black")
    assert list(found.searched) == ["data.augment", MAGNITUDE]
    assert count_points(found.sites) == 2 + 9
    by_list: dict[Any, set[Any]] = {}
    for point in points(found):
        data = point.config.data
        by_list.setdefault(point.draw.params["data.augment"], set()).add((data.augment, data.padding))
    assert by_list == {
        "plain": {((), Padding.MEAN)},  # nothing pads, so that nothing is padded
        "light": {(("flip",), Padding.MEAN)},
        "strong": {(("crop", "randaugment"), Padding.BLACK)},
    }


@pytest.mark.parametrize(
    "augment", [EACH, {"choice": LISTS}, [{word: {"used": {"choice": [True, False]}}} for word in AUGMENTATIONS]]
)
def test_a_point_is_written_as_a_space_of_its_own(augment: Any) -> None:
    found = space(augment)
    for point in sample(found, 12):
        (again,) = points(parse_space(point_text(point.config, found, "again")))
        assert again.config == point.config


def test_every_option_is_written_whole_numbers_as_such() -> None:
    (point,) = points(space([{"randaugment": {"magnitude": 7}}]))
    assert "randaugment: {changes: 2, magnitude: 7}" in point_text(point.config, space([]), "again")


def test_every_option_of_every_augmentation_can_be_searched() -> None:
    options = {
        word: {name: {"choice": sorted({option.default, option.high})} for name, option in each.options.items()}
        for word, each in AUGMENTATIONS.items()
    }
    found = space([{word: own or None} for word, own in options.items()])
    named = [f"data.augment.{word}.{name}" for word, own in options.items() for name in own]
    assert list(found.searched) == named
    assert all(field_at(path) is not None for path in [*named, *(f"data.augment.{word}.{USED}" for word in options)])
    drawn = {path for point in sample(found, 40) for path, _ in point.config.data.augment_options}
    assert drawn == {name.removeprefix("data.augment.") for name in named}


def test_what_is_fixed_means_what_it_meant() -> None:
    """The lines of meaning from before augmentation could be searched; a fingerprint is made of them."""
    fixed = space([{"mixup": {"alpha": 0.2}}, "flip", {"cutout": {"side": 0.5}}, {"erase": {"used": False}}])
    assert fixed.augment is None
    assert {path: text for path, text in fixed.meaning().items() if path.startswith("data.augment")} == {
        "data.augment": "[flip, cutout, mixup]",
        "data.augment_options": "[mixup.alpha: 0.2]",
    }
    assert fixed.fingerprint == space(["flip", "cutout", {"mixup": {"alpha": 0.2}}]).fingerprint
    assert all(site.path.startswith(("network", "training")) for site in fixed.sites)


def test_what_is_searched_is_part_of_the_meaning() -> None:
    first, second = space(EACH), space([*EACH[:2], {"cutout": {"used": {"choice": [True, False]}}}])
    assert first.fingerprint != second.fingerprint
    assert diff(first, second) == [f"{SIDE}: {{float: [0.3, 0.6], step: 0.1}} -> 0.5"]  # its default
    explicit = copy.deepcopy(EACH)
    explicit[0] = {"flip": {"used": True}}
    assert space(explicit).fingerprint == first.fingerprint


def test_a_difference_names_keys_of_the_file_whether_searched_or_not() -> None:
    """A fixed list and a searched one are stored in different ways, which a difference does not show."""
    fixed = space(["flip", "crop", {"cutout": {"side": 0.4}}, {"randaugment": {"magnitude": 7}}])
    off = {"erase": {"used": False, "probability": 0.2}}
    found = space([*EACH, {"randaugment": {"magnitude": 7}}, off, {"mixup": {"alpha": 1}}])
    assert diff(fixed, found) == [
        f"{CUTOUT}: true -> {{choice: [true, false]}}",
        f"{SIDE}: 0.4 -> {{float: [0.3, 0.6], step: 0.1}}",
        "data.augment.mixup.used: (absent) -> true",
        "data.augment.mixup.alpha: (absent) -> 1.0",
    ]
    alone = space([*EACH, {"randaugment": {"magnitude": 7}}, {"mixup": {"alpha": 1}}])
    assert diff(alone, found) == []


def test_conditions_ties_and_arithmetic_reach_augmentations() -> None:
    forbidden = space(EACH, search={"forbid": [f"{CUTOUT} == true and {SIDE} > 0.4"]})
    assert {point.draw.params.get(SIDE) for point in points(forbidden)} == {None, 0.3, 0.4}
    tied = space([{"mixup": {"alpha": {"log": [0.1, 1.0], "tie": "alpha"}}}, {"cutmix": {"alpha": {"tie": "alpha"}}}])
    assert list(tied.searched) == ["alpha"]
    (point,) = sample(tied, 1)
    assert len({value for _, value in point.config.data.augment_options}) == 1
    computed = space(
        [
            "flip",
            {"cutout": {"side": "data.augment.erase.probability / 2"}},
            {"erase": {"probability": {"float": [0.2, 0.4]}}},
        ]
    )
    (point,) = sample(computed, 1)
    options = dict(point.config.data.augment_options)
    assert options["cutout.side"] == pytest.approx(options["erase.probability"] / 2)
    of_a_default = space([{"mixup": {"alpha": "data.augment.cutmix.alpha / 4"}}, "cutmix"])
    (point,) = sample(of_a_default, 1)
    assert point.config.data.augment_options == (("mixup.alpha", 0.25),)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (f"{CUTOUT}=true", {("flip", "crop", "cutout")}),
        ("data.augment.erase.used=true", {("flip", "crop", "cutout", "erase"), ("flip", "crop", "erase")}),
        ("data.augment.flip.used=false", {("crop",), ("crop", "cutout")}),
        ("data.augment=[flip]", {("flip",)}),
        ("data.augment=[]", {()}),
    ],
)
def test_a_setting_finds_an_augmentation_by_its_word(setting: str, expected: set[tuple[str, ...]]) -> None:
    assert {point.config.data.augment for point in points(space(EACH, [setting]))} == expected


def test_a_setting_of_an_option_keeps_what_stands_beside_it() -> None:
    for point in points(space(EACH, [f"{SIDE}=0.4"])):
        assert dict(point.config.data.augment_options) in ({}, {"cutout.side": 0.4})
    strong = space({"choice": LISTS}, [f"{MAGNITUDE}=5", "data.augment.light.erase.probability=0.1"])
    assert {point.config.data.augment_options for point in points(strong)} == {
        (),
        (("erase.probability", 0.1),),
        (("randaugment.magnitude", 5.0),),
    }


def test_a_setting_takes_a_list_by_its_name() -> None:
    assert {point.config.data.augment for point in points(space({"choice": LISTS}, ["data.augment=light"]))} == {
        ("flip",)
    }
    assert "data.augment" not in space({"choice": LISTS}, ["data.augment=strong"]).searched


@pytest.mark.parametrize(
    ("augment", "setting", "said"),
    [
        (EACH, "data.augment.cutot.side=0.3", r"unknown augmentation 'cutot'\. Did you mean 'cutout'\?"),
        (EACH, "data.augment.*.used=true", r"unknown augmentation '\*'\. Known: crop, cutmix"),
        (EACH, "data.augment=light", r"expected a list such as \[flip, crop\], or \[\] for none, got 'light'"),
        (EACH, "data.augment.cutout=true", r"expected keys \(used, side\), got true\."),
        ({"choice": LISTS}, "data.augment=lite", "expected a list such as"),
        ({"choice": LISTS}, "data.augment.cutout.side=0.3", "the choice has no branch 'cutout'. Known: light, plain"),
    ],
)
def test_a_setting_that_does_not_fit_is_answered(augment: Any, setting: str, said: str) -> None:
    with pytest.raises(SpaceError, match=rf"^--set {re.escape(setting.partition('=')[0])}:1:1: [^:]+: {said}"):
        space(augment, [setting])


def test_a_setting_does_not_take_the_place_of_a_recipes_list() -> None:
    text = """
study: s
data: {dataset: digits, validation: 300}
network: {stem: {width: 4}, stages: [{width: 4, depth: 1, block: additive}]}
training: {epochs: 1, recipe: modern}
"""
    assert parse_space(text).data.augment == ("flip", "crop")
    with pytest.raises(SpaceError, match=r"cutout\.used: the file does not list augmentations itself\. Set the whole"):
        parse_space(text, settings=[f"{CUTOUT}=true"])


@pytest.mark.parametrize(
    ("augment", "data", "said"),
    [
        ({"choice": {"a": [], "b": ["flip"]}}, {"padding": "black"}, "only crops pad images"),
        ({"choice": {"a": [], "b": [{"crop": {"used": False}}]}}, {"padding": "black"}, "only crops pad images"),
        ([{"mixup": {"alpha": {"float": [0, 1]}}}], {}, r"data\.augment\.mixup\.alpha: 0 is not a number above 0"),
        ([{"randaugment": {"magnitude": {"float": [0, 9]}}}], {}, "this takes whole numbers"),
    ],
)
def test_what_no_draw_could_use_is_refused(augment: Any, data: Any, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        space(augment, **data)


def test_data_of_a_space_name_all_that_some_trial_may_have() -> None:
    assert space({"choice": LISTS}).data.augment == ("flip", "crop", "randaugment")
    assert space(EACH).data.augment == ("flip", "crop", "cutout")
    never = space(["flip", {"cutout": {"used": False, "side": {"float": [0.1, 0.2]}}}])
    assert never.data.augment == ("flip",)
    assert never.searched == {}
    assert all(site.when == NEVER for site in never.sites if site.path == SIDE)


def test_images_are_the_same_for_all_trials() -> None:
    found = space(EACH)
    same = {replace(point.config.data, augment=(), augment_options=(), padding=Padding.MEAN) for point in points(found)}
    assert same == {replace(found.data, augment=())}
