"""Laws of drawing, over generated spaces and seeds."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpsearch.architecture import Infeasible, TrialConfig, resolve
from qpsearch.space import RandomChooser, Space, StoredChooser, diff, load_space, parse_space, settle
from qpsearch.vocabulary import BlockKind
from tests.helpers import SPACES

BLOCKS = st.lists(st.sampled_from([kind.value for kind in BlockKind]), min_size=1, max_size=3, unique=True)


@st.composite
def spaces(draw: st.DrawFn) -> str:
    """A space file with one to three stages, any mix of blocks, some rules searched, some named by stages."""
    stages = []
    for index in range(draw(st.integers(1, 3))):
        blocks = draw(BLOCKS)
        block = f"{{choice: [{', '.join(blocks)}]}}" if len(blocks) > 1 or draw(st.booleans()) else blocks[0]
        own = draw(
            st.sampled_from(
                ["", ", norm: group", ", norm: {choice: [batch, group]}", ", quotient: {alpha: {float: [1.2, 3]}}"]
            )
        )
        depth = draw(st.sampled_from(["1", "{int: [1, 3]}", "{int: [1, 5], step: 2}", "{choice: [1, 4]}"]))
        width = draw(st.sampled_from(["8", "{choice: [4, 8]}", "{int: [8, 16], step: 8}"]))
        stages.append(f"    - {{width: {width}, stride: {1 + (index > 0)}, depth: {depth}, block: {block}{own}}}")
    rules = draw(
        st.sampled_from(
            [
                "",
                "  rules: {norm_placement: {choice: [post, pre]}, quotient: {alpha: {float: [1.5, 2]}}}\n",
                "  rules: {shortcut: {choice: [pad, conv1x1]}, product_unit: {exponent_clip: {choice: [none, 8]}}}\n",
            ]
        )
    )
    optimizer = draw(
        st.sampled_from(
            [
                "sgd",
                "{choice: [sgd, adamw]}",
                "{choice: {sgd: {lr: {log: [0.01, 1]}}, adamw: {lr: {log: [1e-4, 1e-2]}}}}",
            ]
        )
    )
    return (
        "study: s\ndata: {dataset: digits, validation: 300}\nnetwork:\n  stem: {width: 8}\n  stages:\n"
        + "\n".join(stages)
        + f"\n{rules}training: {{epochs: 3, optimizer: {optimizer}, schedule: {{choice: [step, cosine]}}}}\n"
    )


@given(text=spaces(), seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_a_draw_can_be_repeated_and_stored(text: str, seed: int) -> None:
    space = parse_space(text)
    draw = settle(space, RandomChooser(seed))
    assert settle(space, RandomChooser(seed)) == draw
    assert settle(space, StoredChooser(draw.params)) == draw
    try:
        config = resolve(space, draw)
    except Infeasible:
        return
    assert TrialConfig.from_json(config.to_json()) == config
    assert TrialConfig.from_json(config.to_json()).fingerprint == config.fingerprint


@given(text=spaces(), seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_a_rule_is_drawn_exactly_when_a_block_uses_it(text: str, seed: int) -> None:
    draw = settle(parse_space(text), RandomChooser(seed))
    blocks = {stage["block"] for stage in draw.values["network"]["stages"]}
    for kind in (BlockKind.QUOTIENT, BlockKind.PRODUCT_UNIT):
        drawn = [name for name in draw.params if f".{kind.value}." in name]
        assert not drawn or kind.value in blocks
        assert all(
            (kind.value in stage) == (stage["block"] == kind.value) for stage in draw.values["network"]["stages"]
        )
    optimizer = draw.values["training"]["optimizer"]["kind"]
    assert all(
        name.startswith(f"training.optimizer.{optimizer}.")
        for name in draw.params
        if name.startswith("training.optimizer.")
    )


@given(text=spaces(), seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_the_order_of_keys_means_nothing(text: str, seed: int) -> None:
    blocks = text.split("\n")
    top = "study: s", "data: {dataset: digits, validation: 300}"
    moved = "\n".join([line for line in blocks if line not in top] + list(reversed(top)))
    assert parse_space(moved).fingerprint == parse_space(text).fingerprint
    assert settle(parse_space(moved), RandomChooser(seed)) == settle(parse_space(text), RandomChooser(seed))


def shipped(name: str) -> Space:
    return load_space(next(path for path in SPACES if path.stem == name))


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_every_shipped_space_can_be_drawn_and_resolved(path: object) -> None:
    space = load_space(path)  # type: ignore[arg-type]
    configs = [resolve(space, settle(space, RandomChooser(seed))) for seed in range(50)]
    kinds = [
        {config.network.stages[index].block for config in configs} for index in range(len(configs[0].network.stages))
    ]
    assert all(found == set(BlockKind) for found in kinds)
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
        text.replace("pruner: median", "pruner: hyperband"),
        text.replace("validation: 300", "validation: 301"),
    ]
    original = parse_space(text)
    assert all(changed != text for changed in [*same, *other])
    assert {parse_space(changed).fingerprint for changed in same} == {original.fingerprint}
    assert original.fingerprint not in {parse_space(changed).fingerprint for changed in other}


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
    draw = settle(space, RandomChooser(0))
    with pytest.raises(ValueError, match=r"network\.stages\.0\.depth = 9 is not in"):
        settle(space, StoredChooser({**draw.params, "network.stages.0.depth": 9}))
    with pytest.raises(ValueError, match="has no value for network"):
        settle(space, StoredChooser({}))


def test_random_draws_cover_their_domains() -> None:
    space = shipped("cifar")
    draws = [settle(space, RandomChooser(seed)).params for seed in range(400)]
    assert {draw["network.stages.0.depth"] for draw in draws} == set(range(1, 10))
    rates = [draw["training.optimizer.sgd.lr"] for draw in draws if "training.optimizer.sgd.lr" in draw]
    assert min(rates) < 0.012  # type: ignore[type-var]
    assert max(rates) > 0.45  # type: ignore[type-var]
    assert 0.4 < sum(rate < 0.0707 for rate in rates) / len(rates) < 0.6  # type: ignore[operator]  # even in log scale


def test_choosers_do_not_touch_global_random_state() -> None:
    random.seed(5)
    state = random.getstate()
    settle(shipped("cifar"), RandomChooser(3))
    assert random.getstate() == state
