"""Laws of drawing, over generated spaces and seeds."""

import itertools
import random
from typing import Any

import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from qpsearch.architecture.candidates import candidate
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import cost
from qpsearch.architecture.resolve import resolve
from qpsearch.errors import Infeasible
from qpsearch.space import Choice, RandomChooser, Space, StoredChooser, build_space, diff, draw, load_space, parse_space
from qpsearch.space.file.document import dump
from qpsearch.space.leaves import Tied
from qpsearch.vocabulary import MULTIPLYING, WITH_PRODUCT_UNITS, BlockKind, NormKind
from tests.helpers import SPACES
from tests.space.enough import enough
from tests.space.generate import documents


@enough(50)
@given(document=documents(), seed=st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_a_draw_can_be_repeated_and_stored(document: dict[str, Any], seed: int) -> None:
    space = build_space(document)
    try:
        drawn = draw(space, RandomChooser(seed))
        assert draw(space, RandomChooser(seed)) == drawn
        assert draw(space, StoredChooser(drawn.params)) == drawn
        config = resolve(space, drawn)
    except Infeasible:
        reject()
    assert TrialConfig.from_json(config.to_json()) == config
    assert TrialConfig.from_json(config.to_json()) == config


@enough(50)
@given(document=documents(), seed=st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_a_point_satisfies_every_condition(document: dict[str, Any], seed: int) -> None:
    """Checked anew here, on the resolved configuration."""
    space = build_space(document)
    try:
        found = candidate(space, RandomChooser(seed))
    except Infeasible:
        reject()
    network, total = found.config.network, cost(found.config.network)
    search = document.get("search", {})
    if "limits" in search:
        assert total.macs <= 20e6
        assert total.parameters <= (60_000 if "60K" in search["limits"]["parameters"] else 200_000)
    for text in search.get("require", []):
        held = {"parameters < 100K or macs <= 2M": total.parameters < 100_000 or total.macs <= 2e6}
        assert held.get(text, found.config.recipe.epochs <= 4)
    for text in search.get("forbid", []):
        met = {"network.stages.0.width > 16": network.stages[0].width > 16}
        assert not met.get(text, network.stem_width == 8 and total.macs > 1e6)


@given(document=documents(), seed=st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_a_rule_is_drawn_exactly_when_a_block_uses_it(document: dict[str, Any], seed: int) -> None:
    drawn = draw(build_space(document), RandomChooser(seed))
    stages = drawn.values["network"]["stages"]
    blocks = {stage["block"] for stage in stages}
    for name, kinds in (("quotient", MULTIPLYING), ("product_unit", WITH_PRODUCT_UNITS)):
        own = [path for path in drawn.params if f".{name}." in path]
        assert not own or kinds & blocks
        assert all((name in stage) == (stage["block"] in kinds) for stage in stages)
    only = {"quotient.inner_activation": "quotient", "product_unit.output_activation": "product_unit"}
    for stage, (path, kind) in itertools.product(stages, only.items()):  # rules of one of the two kinds of a section
        section, name = path.split(".")
        assert (name in stage.get(section, {})) == (stage["block"] == kind)
    optimizer = drawn.values["training"]["optimizer"]["kind"]
    own = [name for name in drawn.params if name.startswith("training.optimizer.")]
    assert all(name.startswith(f"training.optimizer.{optimizer}.") for name in own)


@given(document=documents(), seed=st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_tied_leaves_have_one_value_and_arithmetic_holds(document: dict[str, Any], seed: int) -> None:
    space = build_space(document)
    drawn = draw(space, RandomChooser(seed))
    stages = drawn.values["network"]["stages"]
    if any(isinstance(site.leaf, Tied) for site in space.sites):
        assert {stage["depth"] for stage in stages} == {drawn.params["depth"]}
    given = document["network"]["stages"]
    if isinstance(given, list) and all("choice" not in item for item in given):
        stem = drawn.values["network"]["stem"]["width"]
        for item, stage in zip(given, stages, strict=True):
            expected = {"2 * network.stem.width": 2 * stem, "max(8, network.stem.width)": max(8, stem)}
            if isinstance(item["width"], str):
                assert stage["width"] == expected[item["width"]]


@enough(50)
@given(document=documents(), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_the_order_of_keys_means_nothing(document: dict[str, Any], seed: int) -> None:
    def reversed_keys(value: Any) -> Any:
        if isinstance(value, dict):
            names = (
                list(value) if {"long", "one", "some"} & set(value) else list(reversed(value))
            )  # options have an order
            return {name: reversed_keys(value[name]) for name in names}
        return [reversed_keys(item) for item in value] if isinstance(value, list) else value

    choices = document["training"]["optimizer"]
    assume(not (isinstance(choices, dict) and isinstance(choices.get("choice"), dict)))  # its order is the options'
    plain, other = build_space(document), build_space(reversed_keys(document))
    assert other.fingerprint == plain.fingerprint
    assert draw(other, RandomChooser(seed)).params == draw(plain, RandomChooser(seed)).params


@given(document=documents())
@settings(max_examples=50, deadline=None)
def test_text_built_in_python_means_what_the_file_means(document: dict[str, Any]) -> None:
    text = dump(document)
    assert parse_space(text).fingerprint == build_space(document).fingerprint
    assert parse_space(f"# a comment\n{text}").fingerprint == build_space(document).fingerprint


@given(document=documents())
@settings(max_examples=50, deadline=None)
def test_a_changed_domain_changes_the_fingerprint(document: dict[str, Any]) -> None:
    """Whatever is searched: taking an option or a number away is another study."""
    space = build_space(document)
    document["network"]["stem"]["width"] = {"choice": [4, 8, 12]}
    changed = build_space(document)
    assert changed.fingerprint != space.fingerprint
    assert any(line.startswith("network.stem.width: ") for line in diff(space, changed))


def shipped(name: str) -> Space:
    return load_space(next(path for path in SPACES if path.stem == name))


@pytest.mark.parametrize("name", ["digits", "cifar"])
def test_the_mixed_spaces_draw_every_block_and_rule(name: str) -> None:
    space = shipped(name)
    configs = [candidate(space, RandomChooser(seed)).config for seed in range(50)]
    kinds = [{config.network.stages[index].block for config in configs} for index in range(2)]
    assert all(found == set(BlockKind) - {BlockKind.QUOTIENT_PRODUCT_UNIT} for found in kinds)
    for rule in ("norm", "norm_placement", "init"):
        assert len({getattr(config.network.stages[0], rule) for config in configs}) > 1


def test_the_fingerprint_changes_exactly_with_the_meaning() -> None:
    text = next(path for path in SPACES if path.stem == "digits").read_text()
    same = [
        text.replace("1.0e-5", "0.00001"),
        text.replace("# ", "# another comment "),
        text.replace("trials: 60", "trials: 90"),
        text.replace("cpus: 1", "cpus: 2"),
        text.replace("study: digits", "study: other"),
    ]
    other = [
        text.replace("[1.5, 2.5]", "[1.5, 2.6]"),
        text.replace("[batch, group]", "[group, batch]"),
        text.replace("seed: 0", "seed: 1"),
        text.replace("epochs: 15", "epochs: 16"),
        text.replace("{asha: {first: 3}}", "hyperband"),
        text.replace("{asha: {first: 3}}", "{asha: {first: 3, factor: 4}}"),
        text.replace("sampler: gp", "sampler: {gp: {random: 0.3}}"),
        text.replace("validation: 300", "validation: 301"),
        text.replace("seed: 0", "seed: 0\n  limits: {parameters: '<= 1M'}"),
        text.replace("seed: 0", "seed: 0\n  forbid: [{network.stages.0.block: additive}]"),
        text.replace("[1.5, 2.5]}", "[1.5, 2.5], prior: 2}"),
    ]
    original = parse_space(text)
    assert all(changed != text for changed in [*same, *other])
    assert {parse_space(changed).fingerprint for changed in same} == {original.fingerprint}
    prints = [parse_space(changed).fingerprint for changed in other]
    assert original.fingerprint not in prints
    assert len(set(prints)) == len(prints)


def test_a_condition_means_the_same_in_either_form_and_any_spelling() -> None:
    text = next(path for path in SPACES if path.stem == "digits").read_text()
    forms = [
        "forbid: [{network.stages.0.block: additive, network.stages.0.depth: 2}]",
        "forbid: ['network.stages.0.block == additive and network.stages.0.depth == 2']",
        "forbid: [\"(network.stages.0.block=='additive')  and (network.stages.0.depth==2.0)\"]",
    ]
    found = [parse_space(text.replace("seed: 0", f"seed: 0\n  {form}")) for form in forms]
    assert len({space.fingerprint for space in found}) == 1


def test_a_diff_names_the_paths() -> None:
    text = next(path for path in SPACES if path.stem == "digits").read_text()
    changed = parse_space(text.replace("[1.5, 2.5]", "[1.5, 2.6]").replace("momentum: 0.9", "momentum: 0.8"))
    assert diff(parse_space(text), changed) == [
        "network.rules.quotient.alpha: {float: [1.5, 2.5]} -> {float: [1.5, 2.6]}",
        "training.optimizer.sgd.momentum: 0.9 -> 0.8",
    ]
    assert diff(changed, changed) == []


def test_a_stored_draw_outside_the_space_is_refused() -> None:
    space = shipped("digits")
    drawn = draw(space, RandomChooser(0))
    with pytest.raises(ValueError, match=r"network\.stages\.0\.depth = 9 is not in"):
        draw(space, StoredChooser({**drawn.params, "network.stages.0.depth": 9}))
    with pytest.raises(ValueError, match="no value for network"):
        draw(space, StoredChooser({}))


def test_random_draws_cover_their_domains() -> None:
    space = shipped("cifar")
    draws = [draw(space, RandomChooser(seed)).params for seed in range(400)]
    assert {draw["network.stages.0.depth"] for draw in draws} == set(range(1, 10))
    rates = [draw["training.optimizer.sgd.lr"] for draw in draws if "training.optimizer.sgd.lr" in draw]
    assert min(rates) < 0.012  # type: ignore[type-var]
    assert max(rates) > 0.45  # type: ignore[type-var]
    assert 0.4 < sum(rate < 0.0707 for rate in rates) / len(rates) < 0.6  # type: ignore[operator]  # even in log scale


def test_choosers_do_not_touch_global_random_state() -> None:
    random.seed(5)
    state = random.getstate()
    draw(shipped("cifar"), RandomChooser(3))
    assert random.getstate() == state


def test_every_searched_leaf_is_drawn_by_some_point() -> None:
    for path in SPACES:
        whole = load_space(path)
        for space in (whole,) if whole.compare is None else whole.compare.arms.values():
            drawn = {name for seed in range(300) for name in draw(space, RandomChooser(seed)).params}
            assert set(space.searched) == drawn, path


RULES = """\
study: s
data: {dataset: digits, validation: 300}
network:
  stem: {width: 8}
  stages: [{width: 8, depth: 3, block: BLOCK}, {width: 16, stride: 2, depth: 3, block: BLOCK}, {width: 16, depth: 3, block: BLOCK}]
  rules: {RULES}
training: {epochs: 1}
"""


def resolved(block: str, rules: str) -> TrialConfig:
    space = parse_space(RULES.replace("BLOCK", block).replace("RULES", rules))
    return resolve(space, draw(space, StoredChooser({})))


@pytest.mark.parametrize(
    ("block", "one", "other"),
    [
        ("quotient", "shortcut: pad", "shortcut: pad, quotient: {shortcut_activation: none}"),
        (
            "quotient",
            "quotient: {activation: relu}",
            "quotient: {activation: relu, floor: -1, alpha: 3, through_one: false}",
        ),
        ("quotient", "quotient: {activation: unbounded}", "quotient: {activation: unbounded, alpha: 3}"),
        ("product_unit", "norm: none", "norm: none, product_unit: {norms: after}"),
        ("product_unit", "norm_placement: pre", "norm_placement: pre, product_unit: {norms: before}"),
        ("quotient", "quotient: {alpha: by_depth}", "quotient: {alpha: 2.0}"),
        ("quotient", "quotient: {activation: linear}", "quotient: {activation: linear, alpha: 4}"),
        ("additive", "norm: batch", "init: zero_last_norm"),
        ("additive", "init: framework", "init: quotient_at_one"),
        ("product_unit", "norm: batch", "product_unit: {output_activation: relu}"),
        ("product_unit", "norm_placement: pre", "norm_placement: pre, product_unit: {output_activation: none}"),
        ("quotient", "norm: batch", "init: framework"),
    ],
)
def test_settings_that_mean_the_same_are_one_configuration(block: str, one: str, other: str) -> None:
    assert resolved(block, one) == resolved(block, other)
    assert resolved(block, one).to_json() == resolved(block, other).to_json()


def test_settings_that_mean_something_are_kept() -> None:
    unit = resolved("product_unit", "product_unit: {norms: after, position: both}").network.stages[0].product_unit
    assert unit is not None
    assert unit.norms == "both"  # between two units one normalisation is behind the one and before the other
    unit = resolved("product_unit", "product_unit: {norms: before}").network.stages[0].product_unit
    assert unit is not None
    assert unit.norms == "before"
    unit = resolved("product_unit", "product_unit: {output_activation: none}").network.stages[0].product_unit
    assert unit is not None
    assert unit.output_activation == "none"
    rules = (
        resolved("quotient", "branch: bottleneck, quotient: {floor: -1, through_one: false}").network.stages[0].quotient
    )
    assert rules is not None
    assert (rules.floor, rules.through_one) == (-1.0, False)
    assert rules.alpha == pytest.approx(2 - 0.2 * 9 / 24)  # 29 layers, between 20 and 44


def test_options_that_are_equal_keep_their_type() -> None:
    for options in ((1, True), (True, 1), (2, 2.0)):
        choice = Choice(options=options)
        assert [(member, type(member)) for member in map(choice.member, options)] == [
            (option, type(option)) for option in options
        ]
    assert Choice(options=(NormKind.BATCH, NormKind.GROUP)).member("group") is NormKind.GROUP


def test_a_study_whose_file_has_switches_keeps_its_fingerprint() -> None:
    """Messages and lists spell them as a file does; fingerprints as they always did."""
    text = """
study: t1
data: {dataset: digits, validation: 300}
network:
  stem: {width: 8}
  stages:
    - {width: 8, depth: 1, block: {choice: [additive, quotient]}}
training:
  epochs: 2
  batch_size: {choice: [32, 64]}
  optimizer: {sgd: {lr: 0.1, nesterov: {choice: [true, false]}, momentum: 0.9}}
search:
  trials: 4
  sampler: random
  first: [{training.optimizer.sgd.nesterov: true}, {network.stages.0.block: quotient}]
"""
    space = parse_space(text)
    assert space.fingerprint == "e2322fb679091ce0566372ea4a23e26a6754a504adbf31cd34cecdaca6b3863a"
    assert space.searched["training.optimizer.sgd.nesterov"] == "{choice: [true, false]}"
