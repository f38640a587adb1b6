"""YAML as we read it: version 1.2, with line numbers; keys and values are not silently lost."""

import time

import pytest

from qpsearch.errors import SpaceError
from qpsearch.space.file.document import MAX_BYTES, MappingNode, ScalarNode, parse_document


def value(text: str) -> object:
    node = parse_document(f"key: {text}", "f.yaml")
    assert isinstance(node, MappingNode)
    leaf = node.get("key")
    assert isinstance(leaf, ScalarNode)
    return leaf.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1e-3", 0.001), ("1.0e-5", 1e-5), (".5", 0.5), ("3", 3), ("no", "no"), ("on", "on"), ("true", True), ("~", None),
     ("null", None), ("'3'", "3"), ("0x10", 16), ("1_000", 1000), ("-4", -4), ("none", "none"), (".inf", float("inf"))],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text: str, expected: object) -> None:
    """PyYAML reads 1e-3 as a string and no as False."""
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_a_key_given_twice_is_refused() -> None:
    """PyYAML keeps the last of two equal keys."""
    with pytest.raises(SpaceError, match=r"f\.yaml:3:1: key 'a' was already given in line 1"):
        parse_document("a: 1\nb: 2\na: 3\n", "f.yaml")


def test_nodes_know_their_line() -> None:
    node = parse_document("a: 1\n\nb:\n  c: 2\n", "f.yaml")
    assert isinstance(node, MappingNode)
    inner = node.get("b")
    assert isinstance(inner, MappingNode)
    leaf = inner.get("c")
    assert leaf is not None
    assert (leaf.where.line, leaf.where.column, str(leaf.where)) == (4, 6, "f.yaml:4:6")


def test_an_alias_repeats_its_node() -> None:
    node = parse_document("a: &x {choice: [1, 2]}\nb: *x\n", "f.yaml")
    assert isinstance(node, MappingNode)
    assert node.get("a") == node.get("b")


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    began = time.perf_counter()
    with pytest.raises(SpaceError, match="counting aliases"):
        parse_document("\n".join(lines), "bomb.yaml")
    assert time.perf_counter() - began < 10  # a bound on work, not a speed: unbounded it would take all memory


def test_a_document_that_holds_itself_is_refused() -> None:
    with pytest.raises(SpaceError):
        parse_document("a: &a\n  b: *a\n", "self.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a: [1, 2",
        "a: b: c",
        "\ta: 1",
        "a: *x",
        "a: 1\n---\nb: 2\n",
        "? [1]\n: 2",
        "x" * (MAX_BYTES + 1),
    ],
)
def test_what_is_no_space_file_is_one_clear_message(text: str) -> None:
    with pytest.raises(SpaceError) as caught:
        parse_document(text, "f.yaml")
    assert str(caught.value).startswith("f.yaml")
    assert "\n" not in str(caught.value)
