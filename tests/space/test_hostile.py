"""Files made to hurt: whatever is written, it is refused at once, by a message and without a traceback."""

import time
from pathlib import Path
from typing import Any

import pytest

from qpsearch.architecture.candidates import check_feasible
from qpsearch.errors import SpaceError
from qpsearch.space import build_space, load_space, parse_space
from qpsearch.space.file.problems import MOST
from tests.space.cases import GOOD, STAGE, TRIALS

LIMIT_S = (
    1.0  # of processor time; twenty thousand values, which are the most that are read, take more on a busy machine
)

WHOLE = {
    "nested brackets": "[" * 10_000 + "]" * 10_000,
    "nested brackets below a key": "a: " + "[" * 10_000 + "]" * 10_000,
    "nested braces": "{a: " * 3000,
    "nested dashes": "- " * 20_000,
    "nested questions": "? " * 20_000,
    "nested keys": "\n".join(" " * level + "a:" for level in range(1300)),
    "many items": f"a: [{'1,' * 300_000}1]",
    "many keys": "\n".join(f"k{index}: 1" for index in range(60_000)),
    "a bomb of lists": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{k}: &{k} [{', '.join(['*' + p] * 9)}]\n" for p, k in zip("abcdefgh", "bcdefghi", strict=True)),
    "a bomb of mappings": "a: &a {k1: 1}\n"
    + "".join(
        f"{k}: &{k} {{x: *{p}, y: *{p}, <<: *{p}}}\n"
        for p, k in zip("abcdefghijklmnopqrs", "bcdefghijklmnopqrst", strict=True)
    ),
    "10 MB of text": "x" * 10_000_000,
    "10 MB of keys": "study: s\n" * 1_200_000,
    "a long number": "a: " + "9" * 100_000,
    "a long hexadecimal number": "a: 0x" + "9" * 100_000,
    "an escape beyond Unicode": 'a: "\\UFFFFFFFF"',
    "another version of YAML": "%YAML 1.7\n---\na: 1",
}
PARTS = {
    "unknown keys": (TRIALS, f"{TRIALS}, {', '.join(f'k{index}: 1' for index in range(1500))}"),
    "stages that are none": (STAGE, "    - 1\n" * 1500),
    "options that are none": ("[additive, quotient]", f"[{', '.join(f'b{index}' for index in range(1500))}]"),
    "a long key": (TRIALS, f"{TRIALS}, ? {'trials' * 100_000}\n : 1"),
    "conditions of unknown paths": (TRIALS, f"{TRIALS}, forbid: [{', '.join(['network.stem.wdth == 2'] * 1500)}]"),
    "a condition of brackets": (TRIALS, f"{TRIALS}, forbid: ['{'(' * 10_000}']"),
    "a condition of keys": (TRIALS, f"{TRIALS}, forbid: [{{{', '.join(f'k{index}: 1' for index in range(500))}}}]"),
    "bases": ("study: s\n", f"study: s\nextends: [{', '.join(['smoke'] * 300)}]\n"),
}


def refused(path: Path, limit_s: float = LIMIT_S) -> SpaceError:
    began = time.process_time()
    with pytest.raises(SpaceError) as caught:
        load_space(path)
    assert time.process_time() - began < limit_s
    assert len(caught.value.problems) <= MOST + 1
    assert max(map(len, caught.value.problems)) < 1100
    return caught.value


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_a_file_made_to_hurt_is_refused_at_once(name: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(WHOLE[name] if name in WHOLE else GOOD.replace(*PARTS[name]))
    refused(tmp_path / "s.yaml", 3 * LIMIT_S if name.startswith("many") else LIMIT_S)


def test_where_it_is_too_deep_is_said(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(f"a:\n  b: {'[' * 10_000}")
    assert str(refused(tmp_path / "s.yaml")).endswith(
        "s.yaml:2:47: more than 20,000 keys and values, or 40 levels, counting aliases."
    )


def test_bases_of_bases_do_not_multiply(tmp_path: Path) -> None:
    """Four bases at each of nine levels are 350,000 files."""
    for level in range(9):
        (tmp_path / f"{level}.yaml").write_text(f"extends: [{', '.join([f'{level + 1}.yaml'] * 4)}]\n")
    (tmp_path / "9.yaml").write_text(GOOD)
    assert "more than 100 bases in all" in str(refused(tmp_path / "0.yaml"))
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(f"study: [{'1, ' * 12_000}]\n")
    (tmp_path / "big.yaml").write_text("extends: [a.yaml, b.yaml]\n")
    with pytest.raises(SpaceError, match=r"big\.yaml:1:19: extends: more than 20,000 keys and values in all bases"):
        load_space(tmp_path / "big.yaml")


def test_constants_may_be_computed_from_each_other_however_many_they_are() -> None:
    """Each width is computed from that of the next stage, 256 deep."""
    paths = [f"network.stages.{item}.only.{index}.width" for item in range(16) for index in range(16)]
    stages = [f"{{width: '{after} * 1', depth: 1, block: additive}}" for after in [*paths[1:], "network.stem.width"]]
    lists = [f"{{choice: {{only: [{', '.join(stages[start : start + 16])}]}}}}" for start in range(0, 256, 16)]
    head, _, tail = GOOD.partition(STAGE)
    text = head.rstrip() + f" [{', '.join(lists)}]\n" + tail
    space = parse_space(text, strict=False)
    began = time.process_time()
    check_feasible(space)
    assert time.process_time() - began < LIMIT_S


def test_a_circle_of_many_constants_is_found_at_once() -> None:
    widths = {
        f"s{index}": f"{{width: 'network.stages.s{index + 1}.0.width + 1', depth: 1, block: additive}}"
        for index in range(300)
    }
    widths["s300"] = "{width: network.stages.s0.0.width + 1, depth: 1, block: additive}"
    choice = ", ".join(f"{name}: [{stage}]" for name, stage in widths.items())
    head, _, tail = GOOD.partition(STAGE)
    with pytest.raises(SpaceError) as caught:
        parse_space(head.rstrip() + f" {{choice: {{{choice}}}}}\n" + tail, strict=False)
    assert [line.partition(": ")[2] for line in caught.value.problems] == [
        "network.stages.s0.0.width: refers to network.stages.s1.0.width, which is itself computed from "
        "network.stages.s0.0.width."
    ]


def test_dicts_that_hold_themselves_are_no_space() -> None:
    document: dict[str, Any] = {"study": "s"}
    document["network"] = document
    with pytest.raises(SpaceError, match="more than 40 levels of dicts and lists"):
        build_space(document)
