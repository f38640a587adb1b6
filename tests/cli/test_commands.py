"""The commands on a scripted study: what they print, what they exit with, and what `--json` promises."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest
from pydantic import TypeAdapter

from qpsearch.analysis.effects import EffectTable
from qpsearch.analysis.importance import ImportanceTable
from tests.cli.run import ROOT, qpsearch, reply, started
from tests.scripted import LATE, Behaviour, space_text

REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study of 20 trials, some of them failed and pruned."""
    folder = tmp_path_factory.mktemp("study")
    behaviours = (Behaviour.IMPROVES, Behaviour.IMPROVES + 1, Behaviour.DIVERGES, Behaviour.RAISES)
    text = space_text(*map(Behaviour, behaviours), trials=30, epochs=6, pruner="hyperband", sampler="random", seed=2)
    (folder / "s.yaml").write_text(text)
    done = qpsearch(folder, "run", "s.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    (folder / "printed").write_text(done.stdout)
    return folder


def test_a_run_prints_plain_lines_into_a_pipe(study: Path) -> None:
    printed = (study / "printed").read_text()
    assert "\x1b" not in printed
    lines = printed.splitlines()
    assert lines[:2] == [
        "study scripted: 30 trials of at most 6 epochs, one at a time, inline",
        "sampler random, pruner hyperband, seed 2",
    ]
    assert re.fullmatch(r"cost: 30 trials, 180 epochs, about \d+ of them with pruning \(simulated\)", lines[2])
    assert re.search(r"\ntime: about .* left, .* without pruning\n +\(the first \d+ epochs", printed)
    assert len([line for line in lines if re.match(r"\[\d+/30\] trial \d+ (COMPLETE|PRUNED|FAIL)", line)]) == 30
    assert re.search(r"    training loss nan in epoch 2", printed)
    assert re.search(
        r"study scripted: 30 of 30 trials ended, in this run \d+ COMPLETE, \d+ FAIL, \d+ PRUNED\nbest 0\.\d{4} \(trial \d+\)",
        printed,
    )
    assert "optimistic until it is trained again on fresh seeds" in printed


def test_status_counts(study: Path) -> None:
    document = reply(study, "status", "scripted")
    (summary,) = document["studies"]  # type: ignore[misc]
    counts = summary["counts"]
    assert sum(counts.values()) == 30
    assert min(counts[state] for state in ("COMPLETE", "PRUNED", "FAIL")) >= 1
    assert set(summary["failures"]) == {"diverged", "error"}
    assert summary["drivers"] == []
    assert document["running"] == []
    text = qpsearch(study, "status", "scripted").stdout
    assert re.search(rf"scripted +finished +30/30 +{counts['COMPLETE']} +{counts['PRUNED']} +{counts['FAIL']} ", text)
    assert re.search(r"failed: \d+ diverged, \d+ error", text)
    assert "scripted" in qpsearch(study, "status").stdout


def test_trials_tell_each_trial(study: Path) -> None:
    trials = reply(study, "trials", "scripted")["trials"]
    assert isinstance(trials, list)
    assert [trial["number"] for trial in trials] == list(range(30))
    for trial in trials:
        assert {"number", "state", "value", "reason", "params", "duration_s", "epochs", "attempts", "config"} <= set(
            trial
        )
        assert (trial["value"] is None) == (trial["state"] == "FAIL")
        assert (trial["reason"] is None) == (trial["state"] != "FAIL")
    text = qpsearch(study, "trials", "scripted").stdout
    assert re.search(r"^ +\d+  failed +error ", text, re.MULTILINE)
    assert re.search(r"^ +\d+  failed +diverged ", text, re.MULTILINE)
    failed = next(trial["number"] for trial in trials if trial["reason"] == "error")
    assert "ZeroDivisionError: as the script says" in qpsearch(study, "trials", "scripted", str(failed)).stdout


def test_best_is_called_optimistic(study: Path) -> None:
    best = reply(study, "best", "scripted")["best"]
    trials = reply(study, "trials", "scripted")["trials"]
    assert isinstance(best, dict)
    assert best["value"] == max(trial["value"] for trial in trials if trial["state"] == "COMPLETE")  # type: ignore[union-attr]
    text = qpsearch(study, "best", "scripted").stdout
    assert "optimistic until it is trained again on fresh seeds" in text
    assert "seeds: " in text
    assert "training.optimizer.sgd.lr" in text


@pytest.mark.parametrize("evaluator", ["anova", "fanova", "ped-anova", "mdi"])
def test_importance_names_its_evaluator_and_what_it_left_out(study: Path, evaluator: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    document = reply(study, "importance", "scripted", "--evaluator", evaluator, "--output", str(page))
    assert document["evaluator"] == evaluator
    complete = reply(study, "status", "scripted")["studies"][0]["counts"]["COMPLETE"]  # type: ignore[index]
    assert (document["n"] == complete) == (document["at"] is None)
    basis = f"{document['n']} complete" if document["at"] is None else f"{document['n']} trials at {document['at']}"
    rows = document["importances"]
    assert isinstance(rows, list)
    assert rows
    assert all((row["low"] is None) == (evaluator != "anova") for row in rows)
    text = qpsearch(study, "importance", "scripted", "--evaluator", evaluator, "--output", str(page)).stdout
    assert basis in text
    if evaluator in ("fanova", "mdi"):
        assert "Left out: network.rules.quotient.alpha: this evaluator cannot judge conditional parameters" in text
    html = page.read_text()
    assert "plotly" in html
    assert "cdn.plot.ly" not in html.split("<body>")[0]
    assert basis in html


@pytest.mark.parametrize(("command", "table"), [("importance", ImportanceTable), ("effects", EffectTable)])
def test_what_a_command_prints_as_json_is_what_the_reference_says(study: Path, command: str, table: type) -> None:
    schema = TypeAdapter(table).json_schema(mode="serialization")
    assert json.dumps(schema, indent=1) in (REFERENCE / "json.md").read_text()
    document = reply(study, command, "scripted")
    assert document.pop("page") == f"studies/scripted-{command}.html"
    jsonschema.validate(document, schema | {"additionalProperties": False})


def test_each_evaluators_page_goes_beside_the_studies_and_replaces_no_others(study: Path) -> None:
    qpsearch(study, "importance", "scripted")
    page = study / "studies" / "scripted-importance.html"
    before = page.read_text()
    qpsearch(study, "importance", "scripted", "--evaluator", "ped-anova")
    assert (study / "studies" / "scripted-importance-ped-anova.html").exists()
    assert page.read_text() == before


def test_a_study_that_exists_is_refused_with_both_ways_out(study: Path) -> None:
    before = (study / "studies" / "qpsearch.db").read_bytes()
    done = qpsearch(study, "run", "s.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 2
    assert "qpsearch resume scripted" in done.stderr
    assert "--study NAME" in done.stderr
    assert (study / "studies" / "qpsearch.db").read_bytes() == before


def test_an_unknown_study_is_answered_with_the_nearest(study: Path) -> None:
    for command in ("status", "trials", "best", "importance", "resume"):
        done = qpsearch(study, command, "scripte")
        assert done.returncode == 2
        assert "no study 'scripte'. Did you mean 'scripted'?" in done.stderr


def test_a_changed_range_is_refused_with_a_diff(study: Path) -> None:
    """Optuna silently accepts a changed float range in an existing study."""
    changed = (study / "s.yaml").read_text().replace("[1.3, 2.2]", "[1.3, 2.4]")
    (study / "changed.yaml").write_text(changed)
    done = qpsearch(study, "resume", "scripted", "--space", "changed.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 2
    assert "network.rules.quotient.alpha: {float: [1.3, 2.2]} -> {float: [1.3, 2.4]}" in done.stderr
    again = qpsearch(study, "run", "changed.yaml", "--dispatch", "inline", scripted=True)
    change = "network.rules.quotient.alpha: {float: [1.3, 2.2]} -> {float: [1.3, 2.4]}"
    own = f"study 'scripted' already exists, made from another space: {change}. Continue it with its own space: "
    assert again.returncode == 2
    assert f"{own}qpsearch resume scripted. Or start another study: --study NAME." in again.stderr
    assert qpsearch(study, "space", "diff", "scripted", "changed.yaml").stdout == f"{change}\n"
    stored = qpsearch(study, "space", "diff", "s.yaml", "scripted", "--storage", "studies/qpsearch.db")
    assert "no difference in meaning" in stored.stdout, stored.stderr
    nearest = qpsearch(study, "space", "diff", "s.yaml", "scripte")
    assert (nearest.returncode, "As a study: no study 'scripte'. Did you mean 'scripted'?" in nearest.stderr) == (
        2,
        True,
    )
    (study / "more.yaml").write_text((study / "s.yaml").read_text().replace("trials: 30", "trials: 40"))
    done = qpsearch(study, "resume", "scripted", "--space", "more.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr  # a budget is no part of the meaning; the stored one is spent


def test_a_larger_budget_goes_on(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=3, pruner="none"))
    assert qpsearch(tmp_path, "run", "s.yaml", "--dispatch", "inline", scripted=True).returncode == 0
    done = qpsearch(tmp_path, "resume", "scripted", "--trials", "5", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0
    assert "[4/5] trial 3 COMPLETE" in done.stdout
    assert "[5/5] trial 4 COMPLETE" in done.stdout


def test_a_run_in_which_nothing_completes_fails_with_1(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.RAISES, trials=2, pruner=LATE))
    done = qpsearch(tmp_path, "run", "s.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 1
    assert "no trial has a result; show why: qpsearch trials scripted" in done.stdout
    for command, code in (("best", 2), ("importance", 2), ("status", 0)):
        done = qpsearch(tmp_path, command, "scripted")
        assert done.returncode == code
        assert "Traceback" not in done.stderr


@pytest.mark.ray
@pytest.mark.parametrize("options", [("--dispatch", "inline"), ("--concurrent", "2")], ids=["inline", "tune"])
def test_one_ctrl_c_stops_softly_with_130_and_the_study_is_resumable(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.SLOW, trials=3, epochs=5, pruner="{asha: {first: 4}}"))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SCRIPTED_LOG": str(tmp_path)}
    arguments = [sys.executable, "-m", "tests.driver", "run", "s.yaml", *options]
    process = subprocess.Popen(
        arguments,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    while not (tmp_path / "log").exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group gets it
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 130, output
    assert "stopping: running trials finish their epoch" in output
    assert "stopped; continue: qpsearch resume scripted" in output
    assert "Traceback" not in output
    # That Ray goes on too is shown by tests/dispatch/test_contract.py.
    done = qpsearch(tmp_path, "resume", "scripted", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0
    assert re.search(r"trial 0 continues after epoch \d \(attempt 2\)", done.stdout)
    assert re.search(r"3 of 3 trials ended, in this run \d COMPLETE", done.stdout)


@pytest.mark.parametrize(
    ("number", "dispatch"), [(signal.SIGINT, "inline"), (signal.SIGTERM, "inline"), (signal.SIGTERM, "tune")]
)
def test_the_last_trials_too_are_let_go_when_the_whole_group_is_signalled(
    tmp_path: Path, number: int, dispatch: str
) -> None:
    """A scheduler sends SIGTERM to every process of a job: the worker's death is no fault of its trial."""
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.SLOW, trials=1, epochs=6))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SCRIPTED_LOG": str(tmp_path)}
    arguments = [sys.executable, "-m", "tests.driver", "run", "s.yaml", "--dispatch", dispatch]
    process = subprocess.Popen(
        arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (tmp_path / "log").exists() and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 130, output
    (trial,) = reply(tmp_path, "trials", "scripted")["trials"]  # type: ignore[misc]
    assert (trial["state"], trial["reason"]) == ("RUNNING", None)
    assert "has died" not in output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--address", ""], "--address: is empty. Expected auto, or host:port"),
        (["--address", "auto", "--dispatch", "inline"], "--dispatch inline trains here. Leave out one of the two."),
    ],
)
def test_an_address_that_says_nothing_is_refused(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=1))
    done = qpsearch(tmp_path, "run", "s.yaml", *words, scripted=True)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_study_outlives_the_reader_of_its_output(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=8))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = f"{sys.executable} -m tests.driver run s.yaml --dispatch inline | head -2"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    told = "the display failed (BrokenPipeError: [Errno 32] Broken pipe); the study goes on without it: "
    assert (done.returncode, done.stderr) == (0, f"{told}qpsearch status scripted\n")
    assert len(done.stdout.splitlines()) == 2
    counts = reply(tmp_path, "status")["studies"][0]["counts"]  # type: ignore[index]
    assert (set(counts), sum(counts.values())) == ({"COMPLETE", "PRUNED"}, 8)


@pytest.mark.parametrize(
    "words", ["trials scripted | true", "trials scripted | head -1", "best scripted --json | true"]
)
def test_who_stops_reading_is_no_error(tmp_path: Path, words: str) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=8))
    assert qpsearch(tmp_path, "run", "s.yaml", "--dispatch", "inline", scripted=True).returncode == 0
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m qpsearch {words}"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", ["space list", "space check digits", "--help"])
def test_an_output_that_is_full_is_said_in_one_line(tmp_path: Path, words: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m qpsearch {words} > /dev/full"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = "qpsearch: No space left on device. Make room, and give the command again.\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_terminal_shows_a_live_table(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.SLOW, trials=2, epochs=4))
    main, other = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"}
    arguments = [sys.executable, "-m", "tests.driver", "run", "s.yaml", "--dispatch", "inline"]
    process = subprocess.Popen(arguments, cwd=tmp_path, env=environment, stdout=other, stderr=other, stdin=other)
    os.close(other)
    shown = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:
            break  # the terminal closed with its last process
        if not part:
            break
        shown += part
    os.close(main)
    assert process.wait(timeout=60) == 0
    text = shown.decode(errors="replace")
    assert "epoch" in text
    assert "2/4" in text
    assert re.search(r"0/2|1/2", text)
    assert "about" in text
    assert "left" in text


def test_help_is_quick_to_load_and_names_every_command(tmp_path: Path) -> None:
    done = started(tmp_path, "--help")
    assert done.returncode == 0
    for command in ("run", "resume", "status", "trials", "best", "importance", "space"):
        assert command in done.stdout
    code = "import sys, qpsearch.cli.main; print(sorted({'torch', 'ray', 'optuna', 'sqlalchemy', 'plotly', 'numpy'} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
    assert qpsearch(tmp_path, "--version").stdout.startswith("qpsearch 0.")


def test_space_check_says_what_is_searched(study: Path) -> None:
    document = reply(study, "space", "check", "s.yaml")
    assert document["valid"] is True
    assert "network.stages.0.block" in document["parameters"]  # type: ignore[operator]
    (study / "bad.yaml").write_text("study: x\n")
    done = qpsearch(study, "space", "check", "bad.yaml", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["valid"] is False


LOSES = """
import signal, sys, time, weakref
from qpsearch.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it

def command(asked):
    def lose(reference):
        raise KeyboardInterrupt  # as Ctrl-C does at this moment

    class Thing:
        pass

    thing = Thing()
    reference = weakref.ref(thing, lose)
    del thing
    time.sleep(20)
    print("went on")

import qpsearch.cli.app
qpsearch.cli.app.make_app = command
sys.argv = ["qpsearch", "run"]
main.main()
"""


def test_ctrl_c_is_not_lost_where_python_cannot_raise() -> None:
    """It came while a weak reference was called, one time in thirty, and the study ran to its end."""
    done = subprocess.run([sys.executable, "-c", LOSES], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_command_runs_whose_streams_are_closed(tmp_path: Path, closed: str) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=2))
    command = f"exec {closed}; {sys.executable} -m tests.driver run s.yaml --dispatch inline"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert reply(tmp_path, "status")["studies"][0]["counts"] == {"COMPLETE": 2}  # type: ignore[index]


def test_a_trial_that_is_not_trained_as_drawn_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.LACKS_MEMORY, trials=1))
    done = qpsearch(tmp_path, "run", "s.yaml", "--dispatch", "inline", scripted=True)
    assert "trial 0 ran out of memory with 16 images at once. It begins again with 8: another recipe" in done.stdout
    assert "trial 0 begins again (attempt 2)" in done.stdout
    said = "half as many images at once, since there was no memory for more"
    with closing(sqlite3.connect(tmp_path / "studies" / "qpsearch.db")) as connection, connection:
        connection.execute("UPDATE qpsearch_attempts SET seconds = 9, repeated_s = 9 WHERE ending = 'retried'")
    status = qpsearch(tmp_path, "status", "scripted").stdout
    assert "retried: attempts that lacked memory; their trials began again with half as many images" in status
    assert "repeated: " not in status
    assert f"not as drawn: trial 0, {said}\n" in status
    assert reply(tmp_path, "status", "scripted")["studies"][0]["retried"] == [0]
    table = qpsearch(tmp_path, "trials", "scripted").stdout
    assert "complete *" in table
    assert f"\n*: not as drawn: {said}\n" in table
    assert f"recipe        not as drawn: {said}\n" in qpsearch(tmp_path, "trials", "scripted", "0").stdout
    assert qpsearch(tmp_path, "report", "scripted").returncode == 0
    assert f"1 trial not as drawn: {said}." in (tmp_path / "studies" / "scripted.html").read_text()


EARLY = """
import os, signal, sys
from importlib.metadata import EntryPoint

wanted, heard, way = sys.argv[1:]
sys.argv = ["qpsearch", "--version"]

class Interrupting:  # Ctrl-C while a module is loaded
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler if heard == "heard" else signal.SIG_IGN)
sys.meta_path.insert(0, Interrupting())
if way == "module":
    import runpy
    runpy.run_module("qpsearch", run_name="__main__", alter_sys=True)
else:
    EntryPoint("qpsearch", way, "console_scripts").load()()
"""


@pytest.mark.parametrize("module", ["qpsearch.cli.main", "qpsearch.errors", "qpsearch.cli.app"])
def test_ctrl_c_while_the_command_is_loaded_is_silent(module: str) -> None:
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["qpsearch"]
    for way in ("module", script):
        done = {
            is_heard: subprocess.run(
                [sys.executable, "-c", EARLY, module, is_heard, way], capture_output=True, text=True, check=False
            )
            for is_heard in ("heard", "ignored")
        }
        assert (done["heard"].returncode, done["heard"].stdout, done["heard"].stderr) == (130, "", "")
        assert (done["ignored"].returncode, done["ignored"].stderr) == (0, "")
        assert done["ignored"].stdout.startswith("qpsearch ")
