"""Every command in a fresh interpreter: the other tests call them in forks of a process that has imported all.

A command that forgets to import what it uses, or takes for granted what another one has set up, fails here; so does one
that imports a file of the current folder in place of an installed module.
"""

import shutil
import socket
from pathlib import Path

import pytest
from typer import Typer

from qpsearch.cli import models, spaces, studies
from qpsearch.cli.app import COMMANDS
from tests.cli.run import qpsearch, set_traps, started
from tests.scripted import Behaviour, space_text

GROUPS: dict[str, Typer] = {"studies": studies.app, "space": spaces.app, "model": models.app}

# Each command with what it shall say.
CALLS = {
    "run s.yaml --study more --dispatch inline": "10 of 10 trials ended",
    "resume scripted --trials 12 --dispatch inline": "12 of 12 trials ended",
    "status scripted": "10/10",
    "trials scripted": "10 trials: 10 complete",
    "best scripted": "the best of 10 complete trials",
    "importance scripted": "10 complete trials",
    "effects scripted": "effects on val_accuracy",
    "compare scripted --by block --on validation": "No p value is given",
    "plot history scripted": "page: studies/scripted-history.html",
    "report scripted": "page: studies/scripted.html",
    "evaluate scripted --trial 77": "does not have a complete trial 77",
    "confirm scripted --top 1 --seeds 1 --dispatch inline": "best on fresh seeds: trial",
    "rerun scripted 0": "it matches the record to the bit",
    "enqueue scripted --trial 0": "trial 10 of scripted waits; the budget is now 11 trials",
    "train smoke --set training.epochs=1 --set data.validation=740": "epoch that counts    1 of 1 (last)",
    "simulate scripted --method random+asha --trainings 2 --seeds 1": "10 curves, 10 of them to the end",
    "doctor": "1 study",
    "export scripted --format parquet": "scripted-trials.parquet",
    "import s.yaml --from sqlite:///studies/qpsearch.db --name scripted --study back": "10 trials imported",
    "dashboard --port PORT": "is in use at 127.0.0.1",
    "studies": "scripted",
    "studies rename scripted other": "study scripted is now other",
    "studies backup --to b.db": "backup: b.db",
    "studies delete scripted --yes": "study scripted is deleted",
    "studies copy scripted --as twin": "is copied to",
    "space check s.yaml": "s.yaml: fine.",
    "space plan s.yaml --no-measure": "time: not measured",
    "space sample s.yaml -n 1": "parameters",
    "space diff s.yaml smoke": "network.stem.width: 4 -> 8",
    "space schema": "$schema",
    "space list": "tradeoff",
    "space copy digits": "digits.yaml: written",
    "model list": "resnet101",
    "model show pure20": "272,483 parameters",
    "model rules": "Q16",
    "model export scripted --trial 77": "does not have trial 77",
    "model audit quotient8 --steps 0 --size 8 --batch 4 --precisions float32": "everything finite",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study, and with files that no command may import."""
    folder = tmp_path_factory.mktemp("started")
    set_traps(folder)
    (folder / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=10, epochs=2, pruner="none"))
    done = qpsearch(folder, "run", "s.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_each_command_is_called() -> None:
    called = {words for call in CALLS for words in (call.split()[0], " ".join(call.split()[:2]))}
    assert {name for name, *_ in COMMANDS} <= called
    assert {name for name, _, found in COMMANDS if found == "app"} == set(GROUPS)
    inner = {f"{name} {command.name}" for name, group in GROUPS.items() for command in group.registered_commands}
    assert len(inner) > 12
    assert inner <= called


@pytest.mark.parametrize("call", CALLS)
def test_a_command_needs_nothing_but_its_own_interpreter(study: Path, tmp_path: Path, call: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(study, folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        words = call.replace("PORT", str(taken.getsockname()[1])).split()
        done = started(folder, *words, scripted=words[0] in ("run", "resume", "confirm", "rerun"))
    assert "Traceback" not in done.stderr
    assert CALLS[call] in done.stdout + done.stderr
    assert done.returncode == (2 if {*words} & {"evaluate", "dashboard", "77"} else 0), done.stderr
