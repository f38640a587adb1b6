"""A name is its spelling, also where YAML takes it for a number, a truth value, a date or nothing."""

from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qpsearch.errors import SpaceError
from qpsearch.space import Space, edited, load_space, parse_space
from qpsearch.space.file.document import ScalarNode, parse_document
from qpsearch.space.file.leaf_reader import LeafReader
from qpsearch.space.file.problems import Problems
from qpsearch.space.schema.fields import LeafField
from qpsearch.space.schema.value_types import NONE, OneOf, Optional
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger
from tests.space.cases import GOOD

SECOND = "    - choice: {%s: {width: 8, depth: {int: [1, 2], tie: %s}, block: additive}, other: []}\n      prior: %s\n"
THIRD = "    - {width: 8, depth: {tie: %s}, block: additive}\n  rules:"
TRIALS = "trials: 40, forbid: [{network.stages.1: %s, %s: 2}, \"network.stages.1 == '%s'\"]"

study_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


class Mode(StrEnum):
    """Words of a custom block's rule."""

    ONE = "1.10"
    NULL = "null"
    YES = "true"


@given(name=study_names)
@example(name="1.10")
@example(name="007")
@example(name="0x1F")
@example(name="1_000")
@example(name="2024-01-01")
@example(name="null")
@example(name="False")
@example(name="on")
@settings(max_examples=6, deadline=None)
def test_a_study_is_named_as_it_is_spelled(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """So is the study of a file that extends it or is edited, and of the text that the database keeps."""
    folder = tmp_path_factory.mktemp("names")
    text = GOOD.replace("study: s\n", f"study: {name}\n")
    (folder / "base.yaml").write_text(text)
    extended = parse_space("extends: base.yaml\n", folder=folder)
    assert parse_space(text).study == extended.study == parse_space(extended.source).study == name
    changed = edited(text, {"search.trials": 3})
    assert f"study: {name}\n" in changed
    assert parse_space(changed).study == name


def test_studies_whose_names_are_one_number_are_two(sqlite_url: str, space: Space) -> None:
    for name in ("1.1", "1.10"):
        text = space.source.replace(f"study: {space.study}\n", f"study: {name}\n")
        with new_ledger(sqlite_url, parse_space(text)):
            pass
    database = Database.open(sqlite_url)
    assert [queries.summary(database, name).name for name in ("1.1", "1.10")] == ["1.1", "1.10"]
    database.close()


def named(word: str) -> Space:
    second, third = SECOND % (word, word, word), THIRD % word
    text = GOOD.replace("  rules:", second + third).replace("trials: 40", TRIALS % (word, word, word))
    return parse_space(text)


@pytest.mark.parametrize("word", ["null", "Null", "True", "FALSE", "on", "yes", "no", "e1", "_1", "inf", "NaN"])
def test_branches_ties_priors_and_conditions_take_names_as_they_are_spelled(word: str) -> None:
    space = named(word)
    assert space.searched["network.stages.1"] == f"{{choice: [{word}, other], prior: {word}, confidence: medium}}"
    assert space.searched[word] == f"{{int: [1, 2], tie: {word}}}"
    assert [str(condition) for condition in space.search.conditions] == [
        f"forbid {word} == 2 and network.stages.1 == {word}" if word < "network" else
        f"forbid network.stages.1 == {word} and {word} == 2",
        f"forbid network.stages.1 == {word}",
    ]  # fmt: skip
    assert named(word).fingerprint == space.fingerprint


@pytest.mark.parametrize("mode", Mode)
def test_a_rule_of_ones_own_takes_words_as_they_are_spelled(mode: Mode) -> None:
    problems = Problems()
    node = parse_document(str(mode), "s.yaml")
    assert isinstance(node, ScalarNode)
    for kind in (OneOf(Mode), Optional(NONE, OneOf(Mode))):
        field = LeafField(type=kind, doc="A word.")
        read = LeafReader(problems, node).leaf(node, field, "mode", "mode")
        is_nothing = isinstance(kind, Optional) and mode is Mode.NULL
        assert read.options == (None if is_nothing else mode,)
    problems.raise_if_any()


def test_a_base_is_named_as_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "1.10").write_text(GOOD)
    (tmp_path / "s.yaml").write_text("extends: 1.10\n")
    assert load_space(tmp_path / "s.yaml").study == "s"


def test_no_version_of_yaml_makes_a_word_a_truth_value() -> None:
    """YAML 1.1 takes yes, no, on and off for truth values, and 1:30 for 90."""
    text = "%YAML 1.1\n---\n" + GOOD.replace("study: s\n", "study: yes\n")
    assert parse_space(text).study == "yes"
    with pytest.raises(SpaceError, match="'maybe' is not true or false"):
        parse_document("a: !!bool maybe", "s.yaml")


def test_a_key_without_a_value_has_no_name() -> None:
    with pytest.raises(SpaceError, match=r"space:1:1: study: has no value"):
        parse_space(GOOD.replace("study: s\n", "study:\n"))
    with pytest.raises(
        SpaceError, match="expected one of sgd, adamw, adam, rmsprop, lion, muon, with its settings; got nothing"
    ):
        parse_space(GOOD.replace("optimizer: {sgd: {lr: {log: [0.01, 0.3]}}}", "optimizer:"))
