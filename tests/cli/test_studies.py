"""Complete studies through the real command line: list, rename, delete, copy, export, import, sinks, dashboard."""

import csv
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import optuna
import pyarrow.parquet as pq
import pytest
from tensorboardX.proto.event_pb2 import Event

from tests.cli.run import ROOT, qpsearch, started
from tests.dispatch.study import records_of
from tests.helpers import release
from tests.postgres import PASSWORD, Postgres
from tests.scripted import Behaviour, space_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a study of six trials, some of them pruned, one failed."""
    (tmp_path / "s.yaml").write_text(
        space_text(Behaviour.IMPROVES, Behaviour.DIVERGES, trials=9, seed=3, pruner="successive_halving", epochs=5)
    )
    done = qpsearch(tmp_path, "run", "s.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    return tmp_path


def numbers(folder: Path, study: str, *options: str) -> list[tuple[object, ...]]:
    found = json.loads(qpsearch(folder, "trials", study, "--json", *options).stdout)["trials"]
    return [(t["number"], t["state"], t["value"], t["reason"], t["epochs"]) for t in found]


def test_a_budget_that_is_spent_names_the_command_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=3, epochs=4, pruner="none"))
    done = qpsearch(tmp_path, "run", "s.yaml", "--epochs", "6", "--dispatch", "inline", scripted=True)
    command = "qpsearch resume scripted --epochs 12"
    said = f"the budget of 6 epochs is spent\ncontinue with a larger one: {command}\n"
    assert done.stdout.endswith(said) or said in done.stderr
    status = qpsearch(tmp_path, "status", "scripted").stdout
    assert f"driver: none; the budget of 6 epochs is spent; to go on: {command}\n" in status
    assert f"continue: {command}" in qpsearch(tmp_path, "trials", "scripted").stdout
    assert f"a driver: {command}" in qpsearch(tmp_path, "trials", "scripted", "1").stdout
    done = qpsearch(tmp_path, *command.split()[1:], "--dispatch", "inline", scripted=True)
    assert "3 of 3 trials ended" in done.stdout


def test_a_renamed_study_keeps_everything_and_goes_on(folder: Path) -> None:
    before = numbers(folder, "scripted")
    assert qpsearch(folder, "studies", "rename", "scripted", "other").stdout == "study scripted is now other\n"
    assert numbers(folder, "other") == before
    assert "no study 'scripted'" in qpsearch(folder, "trials", "scripted").stderr
    done = qpsearch(folder, "resume", "other", "--trials", "11", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    assert numbers(folder, "other")[:9] == before
    assert len(list((folder / "studies" / "checkpoints").iterdir())) == 1


def test_options_before_a_command_on_studies_are_refused(folder: Path) -> None:
    """They are the list's own: a study of the default database was deleted in the place of one of the named database."""
    for words in ("delete scripted --yes", "rename scripted other", "copy scripted --as other"):
        done = qpsearch(folder, "studies", "--storage", "elsewhere.db", *words.split())
        command = words.split()[0]
        right = f"qpsearch studies {command} STUDY --storage elsewhere.db"
        assert (done.returncode, done.stdout) == (2, "")
        assert f"--storage stands before {command}. Write it after: {right}." in done.stderr
    refused = qpsearch(folder, "studies", "--json", "rename", "scripted", "other")
    assert (refused.returncode, "--json stands before rename" in refused.stderr) == (2, True)
    assert qpsearch(folder, "status", "scripted").returncode == 0


def test_deleting_asks_and_removes_rows_and_checkpoints(folder: Path) -> None:
    refused = qpsearch(folder, "studies", "delete", "scripted")
    assert refused.returncode == 2
    assert "study 'scripted' has 9 trials. To delete them without being asked, add --yes." in refused.stderr
    assert qpsearch(folder, "studies", "delete", "scripted", "--yes").returncode == 0
    assert json.loads(qpsearch(folder, "studies", "--json").stdout)["studies"] == []
    assert list((folder / "studies" / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_copy_is_a_study_of_its_own(folder: Path, kind: str, postgres: Postgres) -> None:
    url = "sqlite:///copies/c.db" if kind == "sqlite" else postgres.new_database()
    done = qpsearch(folder, "studies", "copy", "scripted", "--to", url, "--as", "twin")
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert numbers(folder, "twin", "--storage", url) == numbers(folder, "scripted")
    again = qpsearch(folder, "studies", "copy", "scripted", "--to", url, "--as", "twin")
    assert (again.returncode, "study 'twin' already exists" in again.stderr) == (2, True)
    done = qpsearch(folder, "resume", "twin", "--trials", "12", "--storage", url, "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    assert len(numbers(folder, "scripted")) == 9
    qpsearch(folder, "studies", "delete", "scripted", "--yes")
    left = [path for path in folder.rglob("*.pt") if "copies" in path.parts or kind == "postgresql"]
    assert len(left) >= sum(state == "COMPLETE" for _, state, *_ in numbers(folder, "twin", "--storage", url))


def test_a_study_that_runs_is_neither_renamed_nor_deleted(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.SLOW, trials=2, epochs=20))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.driver", "run", "s.yaml", "--dispatch", "inline"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCRIPTED_LOG": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    )
    while not (tmp_path / "log").exists():
        time.sleep(0.05)
    for command in (("rename", "scripted", "x"), ("delete", "scripted", "--yes")):
        done = qpsearch(tmp_path, "studies", *command)
        assert done.returncode == 2
        assert f"study 'scripted' is being run by process {process.pid} on " in done.stderr
    process.terminate()
    assert process.wait(timeout=60) == 130


def test_tables_hold_every_trial_and_epoch(folder: Path) -> None:
    records = records_of(f"sqlite:///{folder}/studies/qpsearch.db")
    for kind in ("csv", "parquet", "json"):
        assert qpsearch(folder, "export", "scripted", "--format", kind).returncode == 0
    out = folder / "studies" / "export"
    with (out / "scripted-trials.csv").open() as file:
        from_csv = list(csv.DictReader(file))
    from_parquet = pq.read_table(out / "scripted-trials.parquet").to_pylist()
    document = json.loads((out / "scripted.json").read_text(), parse_constant=lambda text: pytest.fail(text))
    for record, line, row, entry in zip(records, from_csv, from_parquet, document["trials"], strict=True):
        assert int(line["number"]) == row["number"] == entry["number"] == record.number
        assert line["state"] == row["state"] == entry["state"] == record.state
        assert row["value"] == entry["value"] == record.value
        assert line["value"] == ("" if record.value is None else str(record.value))
        for name, value in record.params.items():
            assert entry[f"param.{name}"] == row[f"param.{name}"] == value
    epochs = sum(record.epochs for record in records)
    assert len(document["epochs"]) == pq.read_table(out / "scripted-epochs.parquet").num_rows == epochs


def test_an_exported_study_is_plain_optunas_and_can_be_imported_again(folder: Path) -> None:
    assert qpsearch(folder, "export", "scripted", "--format", "optuna").returncode == 0
    path = folder / "studies" / "export" / "scripted.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    study = optuna.load_study(study_name="scripted", storage=storage)
    before = numbers(folder, "scripted")
    assert [(t.number, t.state.name, t.value) for t in study.get_trials()] == [row[:3] for row in before]
    release(storage)
    again = qpsearch(folder, "export", "scripted", "--format", "optuna")
    assert (again.returncode, "already exists and is not overwritten" in again.stderr) == (2, True)
    done = qpsearch(folder, "import", "s.yaml", "--from", f"sqlite:///{path}", "--name", "scripted", "--study", "back")
    assert done.returncode == 0, done.stderr
    assert "9 trials imported; continue: qpsearch resume back --trials 18" in done.stdout
    assert [row[:3] for row in numbers(folder, "back")] == [row[:3] for row in before]
    done = qpsearch(folder, "resume", "back", "--trials", "11", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    assert qpsearch(folder, "best", "back").returncode == 0


def test_a_foreign_study_is_matched_by_name_or_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES))
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/foreign.db")
    study = optuna.create_study(study_name="mine", storage=storage, direction="maximize")
    for index in range(3):
        trial = study.ask()
        trial.suggest_int("network.stages.0.depth", 1, 3)
        trial.suggest_categorical("network.stages.0.block", ["additive"])
        trial.suggest_float("learning_rate", 0.01, 0.5, log=True)
        study.tell(trial, 0.1 * index)
    study.ask()  # still running there: not taken over
    release(storage)
    arguments = ["import", "s.yaml", "--from", "sqlite:///foreign.db", "--name", "mine"]
    refused = qpsearch(tmp_path, *arguments)
    assert refused.returncode == 2
    assert "the space does not have the study's parameter 'learning_rate'" in refused.stderr
    assert "Match the name: --map learning_rate=OURS" in refused.stderr
    done = qpsearch(tmp_path, *arguments, "--map", "learning_rate=training.optimizer.sgd.lr")
    assert done.returncode == 0, done.stderr
    assert "  1: has not ended (trial 3)" in done.stdout
    assert [row[:3] for row in numbers(tmp_path, "scripted")] == [
        (0, "COMPLETE", 0.0),
        (1, "COMPLETE", 0.1),
        (2, "COMPLETE", 0.2),
    ]
    for wrong, message in (
        (["--name", "mien"], "no study 'mien'. Did you mean 'mine'?"),
        (["--from", "sqlite:///nothing.db"], "nothing.db: there is no database at this path"),
        (["--map", "learning_rate"], "--map learning_rate: is not THEIRS=OURS"),
    ):
        refused = qpsearch(tmp_path, *arguments, *wrong, "--study", "second")
        assert refused.returncode == 2
        assert message in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "nothing.db").exists()


def events(folder: Path) -> list[Event]:
    """Read event files: records of length, checksum, content, checksum."""
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return found


def test_curves_are_shown_in_tensorboard_and_wandb(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        space_text(Behaviour.IMPROVES, Behaviour.DIVERGES, trials=4, seed=1, pruner="none")
    )
    sinks = ("--sink", "tensorboard:curves", "--sink", "wandb:project")
    done = started(
        tmp_path,
        "run",
        "s.yaml",
        "--dispatch",
        "inline",
        *sinks,
        scripted=True,
        WANDB_MODE="offline",
        WANDB_SILENT="true",
    )
    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stdout
    records = records_of(f"sqlite:///{tmp_path}/studies/qpsearch.db")
    for record in records:
        folder = tmp_path / "curves" / "scripted" / f"trial-{record.number:05d}"
        steps = [
            event.step
            for event in events(folder)
            if event.summary.value and event.summary.value[0].tag == "val_accuracy"
        ]
        assert steps == list(range(1, record.epochs + 1))
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 4


def test_an_unknown_sink_is_said_before_a_budget_is_changed(folder: Path) -> None:
    refused = qpsearch(folder, "resume", "scripted", "--trials", "50", "--sink", "bogus")
    assert refused.returncode == 2
    assert json.loads(qpsearch(folder, "status", "--json").stdout)["studies"][0]["trials"] == 9


def test_joining_with_other_artifacts_is_refused(folder: Path) -> None:
    refused = qpsearch(folder, "run", "s.yaml", "--join", "--artifacts", "elsewhere")
    assert refused.returncode == 2
    assert f"study 'scripted' keeps its checkpoints in {folder}/studies/checkpoints, not in " in refused.stderr
    assert not (folder / "elsewhere").exists()


def test_a_copy_whose_checkpoints_cannot_be_written_is_no_copy(folder: Path) -> None:
    (folder / "copies").mkdir()
    (folder / "copies" / "checkpoints").write_text("in the way")
    failed = qpsearch(folder, "studies", "copy", "scripted", "--to", "sqlite:///copies/c.db")
    assert (failed.returncode, len(failed.stderr.strip().splitlines())) == (2, 1)
    assert (
        json.loads(qpsearch(folder, "status", "--json", "--storage", "sqlite:///copies/c.db").stdout)["studies"] == []
    )


def test_a_sink_that_cannot_be_used_is_said_before_a_study_is_made(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=2))
    (tmp_path / "curves").write_text("in the way")
    nobody = {"HOME": str(tmp_path), "WANDB_API_KEY": "", "WANDB_MODE": "online"}
    for sink, message in (
        ("tensorboard:curves", "curves/scripted cannot be made (Not a directory). Name another folder: --sink"),
        ("tensorbord", "unknown sink 'tensorbord'. Did you mean 'tensorboard'?"),
        ("wandb", "not logged in (No API key configured. Use `wandb login` to log in). Log in: wandb login, or set"),
    ):
        refused = qpsearch(tmp_path, "run", "s.yaml", "--dispatch", "inline", "--sink", sink, scripted=True, **nobody)
        assert refused.returncode == 2
        assert f"--sink {sink}: {message}" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert not (tmp_path / "studies").exists()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_optunas_dashboard_and_command_open_the_database(folder: Path, free_port: int) -> None:
    storage = f"sqlite:///{folder}/studies/qpsearch.db"
    done = subprocess.run(
        [sys.executable, "-m", "optuna", "trials", "--study-name", "scripted", "--storage", storage, "-f", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("optuna")),
                "trials",
                "--study-name",
                "scripted",
                "--storage",
                storage,
                "-f",
                "json",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    assert [trial["number"] for trial in json.loads(done.stdout)] == list(range(9))
    process = subprocess.Popen(
        [sys.executable, "-m", "qpsearch.cli.main", "dashboard", "--port", str(free_port)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{free_port}/api/studies"
        for _ in range(200):
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    document = json.loads(answer.read())
                break
            except OSError:
                time.sleep(0.1)
        assert [entry["study_name"] for entry in document["study_summaries"]] == ["scripted"]
        taken = qpsearch(folder, "dashboard", "--port", str(free_port))
        assert taken.returncode == 2
        assert f"--port {free_port}: is in use at 127.0.0.1. Another one: --port {free_port + 1}." in taken.stderr
    finally:
        process.terminate()
        process.wait(timeout=30)
