"""Spaces that extend others, and merge keys."""

from pathlib import Path

import pytest

from qpsearch.errors import SpaceError
from qpsearch.space import diff, load_space, parse_space
from tests.space.cases import GOOD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(GOOD)
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_only_what_differs_is_said(folder: Path) -> None:
    small = write(folder, "small.yaml", "extends: base.yaml\nstudy: small\nnetwork: {stem: {width: 8}}\n")
    assert diff(load_space(folder / "base.yaml"), load_space(small)) == ["network.stem.width: 16 -> 8"]
    assert load_space(small).study == "small"


def test_what_a_study_keeps_stands_alone(folder: Path) -> None:
    small = load_space(write(folder, "small.yaml", "extends: base.yaml\nstudy: small\n"))
    assert "extends" not in small.source
    assert parse_space(small.source).fingerprint == small.fingerprint


def test_sections_merge_and_decisions_are_replaced(folder: Path) -> None:
    text = """\
extends: base.yaml
network:
  stages: [{width: 4, depth: 1, block: additive}, {width: 4, depth: {choice: [1, 2]}, block: quotient}]
  rules: {norm: batch}
training: {optimizer: {sgd: {momentum: 0.5}}}
search: {trials: 7, limits: {parameters: <= 1M}}
"""
    space = load_space(write(folder, "other.yaml", text))
    meaning = space.meaning()
    assert meaning["network.stages.1.depth"] == "{choice: [1, 2]}"
    assert meaning["network.rules.norm"] == "batch"
    assert meaning["network.rules.quotient.alpha"] == "{float: [1.5, 2.5]}"
    assert meaning["training.optimizer.sgd.momentum"] == "0.5"
    assert meaning["training.optimizer.sgd.lr"] == "{log: [0.01, 0.3]}"
    assert space.search.budget.trials == 7
    adamw = write(folder, "adamw.yaml", "extends: base.yaml\ntraining: {optimizer: {adamw: {lr: 0.01}}}\n")
    assert "training.optimizer.sgd.lr" not in load_space(adamw).meaning()


def test_several_bases_in_their_order_and_bases_of_bases(folder: Path) -> None:
    write(folder, "one.yaml", "extends: base.yaml\nsearch: {trials: 1, seed: 1}\n")
    write(folder, "two.yaml", "search: {trials: 2, replicates: 2}\n")
    space = load_space(write(folder, "both.yaml", "extends: [one.yaml, two.yaml]\nsearch: {replicates: 3}\n"))
    assert (space.search.budget.trials, space.search.seed, space.search.replicates) == (2, 1, 3)


def test_a_shipped_space_can_be_extended_by_name(folder: Path) -> None:
    space = load_space(write(folder, "mine.yaml", "extends: digits\nstudy: mine\n"))
    assert diff(load_space("digits"), space) == []


def test_a_circle_is_refused(folder: Path) -> None:
    write(folder, "a.yaml", "extends: b.yaml\n")
    write(folder, "b.yaml", "extends: [base.yaml, a.yaml]\n")
    with pytest.raises(SpaceError, match=r"b\.yaml:1:22: extends: is circular: a\.yaml -> b\.yaml -> a\.yaml"):
        load_space(folder / "a.yaml")
    with pytest.raises(SpaceError, match=r"c\.yaml -> c\.yaml"):
        load_space(write(folder, "c.yaml", "extends: c.yaml\n"))


def test_a_mistake_in_a_base_names_the_base(folder: Path) -> None:
    write(folder, "bad.yaml", "extends: base.yaml\nnetwork: {stem: {widht: 8}}\n")
    with pytest.raises(SpaceError, match=r"/bad\.yaml:2:18: network\.stem: unknown key 'widht'"):
        load_space(write(folder, "mine.yaml", "extends: bad.yaml\n"))
    write(folder, "word.yaml", "hello\n")
    with pytest.raises(SpaceError, match=r"/word\.yaml:1:1: expected the keys of a space file"):
        load_space(write(folder, "mine.yaml", "extends: word.yaml\n"))


def test_a_rule_of_a_base_that_is_not_used_any_more_is_no_mistake(folder: Path) -> None:
    text = "extends: base.yaml\nnetwork: {stages: [{width: 8, depth: 1, block: additive}]}\n"
    load_space(write(folder, "mine.yaml", text))
    with pytest.raises(SpaceError, match="no stage can be quotient"):
        load_space(write(folder, "mine.yaml", text.replace("stages:", "rules: {quotient: {alpha: 2}}, stages:")))


def test_what_a_base_leaves_unused_is_no_parameter_and_not_kept(folder: Path) -> None:
    text = "extends: base.yaml\nnetwork: {stages: [{width: 8, depth: 1, block: additive}]}\n"
    space = load_space(write(folder, "mine.yaml", text))
    assert space.meaning()["network.rules.quotient.alpha"] == "by_depth"
    assert "quotient" not in space.source
    assert parse_space(space.source).meaning() == space.meaning()


def test_what_a_study_keeps_is_read_whatever_is_advised_against_later() -> None:
    text = GOOD.replace("[additive, quotient]", "[additive, product_unit]")
    with pytest.raises(SpaceError, match="has no effect"):
        parse_space(text)
    assert parse_space(text, strict=False).study == "s"


def test_merge_keys_bring_in_a_mapping() -> None:
    text = GOOD.replace(
        "    - {width: 16, depth: {int: [1, 2]}, block: {choice: [additive, quotient]}}\n",
        "    - &first {width: 16, depth: {int: [1, 2]}, block: {choice: [additive, quotient]}}\n"
        "    - {<<: *first, stride: 2, width: 32}\n",
    )
    meaning = parse_space(text).meaning()
    assert meaning["network.stages.1.width"] == "32"
    assert meaning["network.stages.1.depth"] == "{int: [1, 2]}"
