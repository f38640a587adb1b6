"""The live display in a real terminal, emulated: nothing of it stays, and nothing that was said is lost."""

import re
import time
from pathlib import Path

import pytest

from tests.cli.emulator import Terminal
from tests.cli.many_events import DETAIL, TRIALS
from tests.scripted import Behaviour, space_text

NOISE = re.compile(r"(printed|written|echoed) (\d+)|.*UserWarning: warned \d+|  warnings\.warn\(.*")

BEGINNING = re.compile(r"\[\d|    (Runtime|blocks)|printed|written|echoed|  warnings|time: |/.*UserWarning|the end")


def unfolded(lines: list[str], columns: int) -> list[str]:
    """Join what the terminal has folded at its right end."""
    found: list[str] = []
    is_full = False
    for line in lines:
        if is_full and not BEGINNING.match(line):
            found[-1] += line
        else:
            found.append(line)
        is_full = len(line) == columns
    return found


@pytest.mark.parametrize("rows", [24, 40, 6])
def test_what_is_said_stays_whole_and_in_order_and_nothing_of_the_table_does(tmp_path: Path, rows: int) -> None:
    terminal = Terminal(80, rows, types=True)
    seen, most = list[str](), 0

    def watch(window: list[str]) -> None:
        nonlocal most
        seen.extend(window)
        most = max(most, sum(bool(re.match(r" *\d+ +\d/4 ", line)) for line in window))

    assert terminal.run(["-m", "tests.cli.many_events"], tmp_path, watch) == 0
    lines = unfolded(terminal.everything(), 80)
    said = [line for line in lines if not NOISE.fullmatch(line)]
    assert said[:3] == [
        f"study a-study-with-a-name-that-is-long-for-a-terminal-line: {TRIALS} trials of at most 4 epochs, 40 at once on 1 node, 1 core each",
        "sampler tpe, pruner none, seed 0",
        f"cost: {TRIALS} trials, {4 * TRIALS} epochs",
    ]
    assert said[-1] == "the end"
    assert len([line for line in said if line.startswith("time: about ")]) == 1
    endings = [line for line in said if line.startswith("[")]
    assert [int(re.match(r"\[(\d+)/", line)[1]) for line in endings] == list(range(1, TRIALS + 1))  # type: ignore[index]
    fails = [line for line in endings if " FAIL " in line]
    assert [line for line in said if line.startswith("    RuntimeError")] == ["    " + DETAIL.strip()] * len(fails)
    rest = [line for line in said[3:-1] if not line.startswith(("[", "    RuntimeError", "time: ", "      (the first"))]
    assert rest == [line for line in rest if line.startswith("    blocks, by stage: ")]
    assert len(rest) == 1
    noise = [match for match in map(NOISE.fullmatch, lines) if match]
    for kind in ("printed", "written", "echoed"):
        numbers = [int(match[2]) for match in noise if match[1] == kind]
        assert numbers == list(range(0, numbers[-1] + 1, 10 if kind == "echoed" else 1))
    assert any(line.startswith("starting Ray ... ") for line in seen)
    assert any(line.startswith("trial  epoch  val_accuracy") for line in seen)
    assert most <= rows - 4  # beside two lines above, headings, and what says how many more
    if rows < 40:  # a higher table is seldom full: 40 trials may not run at once on a slow machine
        assert most >= rows - 5
        assert any(re.fullmatch(r"and \d+ more", line) for line in seen)


def test_a_study_in_a_terminal_of_80_by_24_says_how_long_it_takes(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.SLOW, trials=2, epochs=4, pruner="none"))
    terminal, seen, times = Terminal(80, 24), list[str](), list[float]()
    began = time.monotonic()

    def watch(window: list[str]) -> None:
        seen.extend(window)
        if not times and any("about" in line and "left" in line for line in window):
            times.append(time.monotonic() - began)
            assert not any(line.startswith("[1/2]") for line in window)  # before the first trial has ended

    assert terminal.run(["-m", "tests.driver", "run", "s.yaml", "--dispatch", "inline"], tmp_path, watch) == 0
    assert times
    assert any(re.match(r" +0 +2/4 ", line) for line in seen)
    lines = terminal.everything()
    assert [line[:12] for line in lines if line.startswith("[")] == ["[1/2] trial ", "[2/2] trial "]
    assert not any(line.startswith("trial  epoch") for line in lines)
    assert max(map(len, lines)) <= 80
