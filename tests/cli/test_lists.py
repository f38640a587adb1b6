"""What lists look like: one line each in 80 columns, sorted and chosen as asked, with the seconds that `run` said."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from qpsearch.display.shown import BlockNames, short_number, took
from tests.cli.run import ROOT, qpsearch, reply
from tests.scripted import Behaviour, space_text

BLOCK = "block: {choice: [additive, quotient, product_unit]}"
STAGES = f"    - {{width: 4, depth: 1, {BLOCK}}}\n" * 3
OBJECTIVES = "objective: {maximize: val_accuracy, minimize: [parameters, macs, activation_bytes]}, "


def several(**settings: Any) -> str:
    """A space with three mixed stages and four objectives, in which trials fail in each way and are pruned."""
    text = space_text(
        Behaviour.IMPROVES, Behaviour.STALLS, Behaviour.OUT_OF_MEMORY, Behaviour.RAISES, sampler="random", **settings
    )
    head, tail = text.split("  stages:\n")
    return f"{head}  stages:\n{STAGES}  rules:{tail.split('  rules:')[1]}".replace(
        "search: {", f"search: {{{OBJECTIVES}"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lists")
    (folder / "s.yaml").write_text(
        several(trials=24, replicates=2, epochs=3, study="a-study-with-a-long-name", pruner="none")
    )
    done = qpsearch(folder, "run", "s.yaml", "--dispatch", "inline", scripted=True, SCRIPTED_EPOCH_S="0.02")
    assert done.returncode == 0, done.stderr
    (folder / "printed").write_text(done.stdout)
    (folder / "one.yaml").write_text(space_text(Behaviour.IMPROVES, trials=12, pruner="median", epochs=4, study="one"))
    assert qpsearch(folder, "run", "one.yaml", "--dispatch", "inline", scripted=True).returncode == 0
    return folder


LISTS = [
    "status",
    "status a-study-with-a-long-name",
    "studies",
    "trials a-study-with-a-long-name",
    "trials a-study-with-a-long-name --sort value --top 7",
    "trials one --state pruned,complete --sort time",
    "best a-study-with-a-long-name",
    "trials a-study-with-a-long-name 0",
    "trials a-study-with-a-long-name 1",
    "space list",
    "space plan mixed --no-measure",
    "model list",
]


@pytest.mark.parametrize("words", LISTS)
@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal(folder: Path, words: str, columns: int) -> None:
    done = qpsearch(folder, *words.split(), COLUMNS=str(columns))
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith("checkpoint ")]  # a path is never broken
    assert [line for line in lines if len(line) > columns] == []
    assert "\x1b" not in done.stdout


def rows_of(text: str) -> list[list[str]]:
    return [re.split(r"  +", line.strip()) for line in text.splitlines() if re.match(r" *\d+  ", line)]


def test_each_trial_is_one_line_with_its_blocks(folder: Path) -> None:
    study = "a-study-with-a-long-name"
    trials = reply(folder, "trials", study)["trials"]
    text = qpsearch(folder, "trials", study, COLUMNS="80").stdout
    rows = rows_of(text)
    assert [int(row[0]) for row in rows] == [trial["number"] for trial in trials]
    words = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    assert [row[1] for row in rows] == [words[trial["state"]] for trial in trials]
    failed = [(row, trial) for row, trial in zip(rows, trials, strict=True) if trial["state"] == "FAIL"]
    assert [row[2] for row, _ in failed] == [trial["reason"] for _, trial in failed]
    assert text.splitlines()[0].split() == [
        "trial",
        "state",
        "val_accuracy",
        "params",
        "MACs",
        "epochs",
        "time",
        "blocks",
    ]
    legend = re.search(r"^blocks, by stage: (A additive, PU product_unit, Q quotient)$", text, re.MULTILINE)
    assert legend
    for row, trial in zip(rows, trials, strict=True):
        kinds = [stage["block"] for stage in trial["config"]["network"]["stages"]]
        initials = {"additive": "A", "product_unit": "PU", "quotient": "Q"}
        assert row[-1] == (kinds[0] if len(set(kinds)) == 1 else "/".join(initials[kind] for kind in kinds))
        assert trial["state"] != "COMPLETE" or re.fullmatch(r"[\d.]+[kM]?", row[3])
    wide = qpsearch(folder, "trials", study, "--wide", COLUMNS="80").stdout
    assert [int(row[0]) for row in rows_of(wide)] == [trial["number"] for trial in trials]
    assert len(wide.splitlines()) == len(trials) + 3  # nothing wraps
    assert " bytes " in wide.splitlines()[0]
    assert wide.count("training.optimizer.sgd.lr") == len(trials)


def test_run_and_trials_give_the_same_seconds(folder: Path) -> None:
    study = "a-study-with-a-long-name"
    said = re.findall(r"^\[\d+/24\] trial (\d+) .*, \d+ epochs?, ([\d.]+ s)", (folder / "printed").read_text(), re.M)
    listed = {row[0]: row[-2] for row in rows_of(qpsearch(folder, "trials", study, COLUMNS="80").stdout)}
    assert len(said) == 24
    assert dict(said) == listed
    assert {str(t["number"]): took(t["seconds"]) for t in reply(folder, "trials", study)["trials"]} == listed
    assert any(seconds != "0.0 s" for _, seconds in said)


def test_trials_are_sorted_and_chosen_in_text_as_in_json(folder: Path) -> None:
    study = "a-study-with-a-long-name"
    every = reply(folder, "trials", study)["trials"]

    def numbers(*words: str) -> list[int]:
        found = [trial["number"] for trial in reply(folder, "trials", study, *words)["trials"]]
        assert [int(row[0]) for row in rows_of(qpsearch(folder, "trials", study, *words).stdout)] == found
        return found

    by_value = sorted((t for t in every if t["value"] is not None), key=lambda t: (-t["value"], t["number"]))
    none = [t["number"] for t in every if t["value"] is None]
    assert numbers("--sort", "value") == [t["number"] for t in by_value] + none
    assert numbers("--top", "3") == [t["number"] for t in by_value][:3]
    assert numbers("--top", "3", "--sort", "number") == [0, 1, 2]
    assert numbers("--sort", "epochs") == [t["number"] for t in sorted(every, key=lambda t: -t["epochs"])]
    assert numbers("--sort", "time") == [t["number"] for t in sorted(every, key=lambda t: -t["seconds"])]
    for words, states in (
        (("FAIL",), {"FAIL"}),
        (("complete,pruned",), {"COMPLETE", "PRUNED"}),
        (("failed", "running"), {"FAIL", "RUNNING"}),
    ):
        options = [word for each in words for word in ("--state", each)]
        assert numbers(*options) == [t["number"] for t in every if t["state"] in states]


def test_a_loss_is_sorted_with_the_smallest_first(tmp_path: Path) -> None:
    text = space_text(Behaviour.IMPROVES, trials=4).replace("search: {", "search: {objective: {minimize: val_loss}, ")
    (tmp_path / "s.yaml").write_text(text)
    assert qpsearch(tmp_path, "run", "s.yaml", "--dispatch", "inline", scripted=True).returncode == 0
    values = [trial["value"] for trial in reply(tmp_path, "trials", "scripted", "--sort", "value")["trials"]]
    assert values == sorted(values)


def test_one_trial_is_shown_whole(folder: Path) -> None:
    study = "a-study-with-a-long-name"
    every = reply(folder, "trials", study)["trials"]
    complete = next(trial for trial in every if trial["state"] == "COMPLETE")
    shown = qpsearch(folder, "trials", study, str(complete["number"]), COLUMNS="80").stdout
    document = reply(folder, "trials", study, str(complete["number"]))["trial"]
    assert document.items() >= complete.items()
    for run in document["runs"]:
        assert f"run {run['replicate']}: {run['seed']}, score " in shown
    for name in complete["params"]:
        assert re.search(rf"^  {re.escape(name)} ", shown, re.MULTILINE)
    for index, stage in enumerate(complete["config"]["network"]["stages"]):
        assert f"stage {index}" in shown
        assert f"1 x {stage['block']}, width 4" in shown
    assert len(rows_of(shown.partition("\nepochs\n")[2])) == 6 == len(document["history"])
    paths = re.findall(r"^(?:checkpoint)  +(\S+)$", shown, re.MULTILINE)
    assert [str(folder / path) for path in paths] == document["checkpoints"]
    assert len(paths) == 2
    assert all((folder / path).is_file() for path in paths)
    failed = next(trial for trial in every if trial["reason"] == "error")
    shown = qpsearch(folder, "trials", study, str(failed["number"])).stdout
    assert re.search(r"^failed with +error$", shown, re.MULTILINE)
    assert "ZeroDivisionError: as the script says" in shown
    assert re.search(r"^checkpoint +none kept$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("one", "99"), "study 'one' does not have trial 99. It has trials 0 to 11."),
        (("one", "3", "--top", "2"), "trial 3 alone takes no --sort, --top, --state or --wide."),
        (("one", "--state", "prunned"), "--state: unknown state 'prunned'. Did you mean 'pruned'?"),
    ],
)
def test_what_cannot_be_listed_is_one_message(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = qpsearch(folder, "trials", *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_stopped_study_waits_and_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.SLOW, trials=2, epochs=40, pruner="none"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.driver", "run", "s.yaml", "--dispatch", "inline"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCRIPTED_LOG": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    )
    while not (tmp_path / "log").exists():
        time.sleep(0.05)
    assert re.search(r"scripted +1 running +0/2 ", qpsearch(tmp_path, "status").stdout)
    assert re.search(r"^ +0  running ", qpsearch(tmp_path, "trials", "scripted").stdout, re.MULTILINE)
    (trial,) = reply(tmp_path, "trials", "scripted")["trials"]
    assert (trial["state"], trial["is_held"]) == ("RUNNING", True)
    process.kill()  # nobody says goodbye
    process.wait()
    assert re.search(r"scripted +1 waiting +0/2 ", qpsearch(tmp_path, "status").stdout)
    detail = qpsearch(tmp_path, "status", "scripted").stdout
    assert "driver: none; to go on: qpsearch resume scripted" in detail
    assert "running" not in detail
    text = qpsearch(tmp_path, "trials", "scripted").stdout
    assert re.search(r"^ +0  waiting ", text, re.MULTILINE)
    assert "continue: qpsearch resume scripted" in text
    (trial,) = reply(tmp_path, "trials", "scripted", "--state", "running")["trials"]
    assert (trial["state"], trial["is_held"]) == ("RUNNING", False)


@pytest.mark.parametrize("columns", ["80", "50"])
def test_a_list_without_room_leaves_columns_out_and_says_so(folder: Path, columns: str) -> None:
    text = qpsearch(folder, "status", COLUMNS=columns).stdout
    assert "a-study-with-a-long-name" in text
    assert max(map(len, text.splitlines())) <= int(columns)
    assert "not shown, since the terminal is too narrow: " in text


def test_a_plain_path_names_an_sqlite_file(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=2))
    for name in ("a/here.db", str(tmp_path / "there.sqlite")):
        done = qpsearch(tmp_path, "run", "s.yaml", "--storage", name, "--dispatch", "inline", scripted=True)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).is_file()
        assert reply(tmp_path, "status", "--storage", name)["studies"][0]["counts"] == {"COMPLETE": 2}
        assert reply(tmp_path, "status", "--storage", f"sqlite:///{name}")["studies"][0]["name"] == "scripted"
    (tmp_path / "a" / "here.db").rename(tmp_path / "old")  # a file that is there needs no such name
    assert qpsearch(tmp_path, "trials", "scripted", QPSEARCH_STORAGE="old").returncode == 0
    assert qpsearch(tmp_path, "studies", "copy", "scripted", "--storage", "old", "--to", "new.db").returncode == 0
    words = ("import", "s.yaml", "--from", "new.db", "--name", "scripted", "--study", "back", "--storage", "b.sqlite3")
    assert qpsearch(tmp_path, *words).returncode == 0


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("run", "none.yaml"), "none.yaml"),
        (("space", "check", "none.yaml"), "none.yaml"),
        (("space", "plan", "sub/none.yaml"), "sub/none.yaml"),
        (("space", "diff", "smoke", "none.yaml"), "none.yaml"),
        (("import", "none.yaml", "--from", "x.db", "--name", "x"), "none.yaml"),
        (("import", "smoke", "--from", "x.db", "--name", "x"), "x.db"),
        (("status", "--storage", "x.db"), "x.db"),
        (("status", "--import", "./none.py"), "none.py"),
    ],
)
def test_a_missing_file_is_named_by_its_absolute_path(tmp_path: Path, words: tuple[str, ...], missing: str) -> None:
    done = qpsearch(tmp_path, *words)
    assert done.returncode == 2
    assert f"{tmp_path.resolve() / missing}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_names_of_blocks_fit() -> None:
    names = BlockNames([("quotient",) * 3, ("additive", "quotient")], 20)
    assert (names.of(("quotient",) * 3), names.of(("additive", "quotient"))) == ("quotient", "additive/quotient")
    assert names.legend == ""
    mixed = ("quotient",) * 4 + ("quotient_product_unit",) * 2 + ("additive",)
    names = BlockNames([mixed, ("gated", "gated")], 20)
    assert names.of(mixed) == "Qx4/QPUx2/A"
    assert names.of(("gated", "gated")) == "gated"
    assert names.legend == "A additive, Q quotient, QPU quotient_product_unit"
    alike = ("gated_a", "giant_a", "gated_a")
    assert BlockNames([alike], 5).of(alike) == "gated_a/giant_a/gated_a"


def test_numbers_are_short() -> None:
    assert list(map(short_number, (0, 7, 999, 999.6, 292_954, 999_999, 1_210_000, 3.6e9))) == [
        "0",
        "7",
        "999",
        "1k",
        "293k",
        "1M",
        "1.21M",
        "3.6G",
    ]
    assert [took(seconds) for seconds in (0.04, 99.94, 100, 6000)] == ["0.0 s", "99.9 s", "1.7 min", "1.7 h"]
