"""Every command that reads, on every kind of damage: one message that names row or file and what can be done, exit 1."""

import io
import os
import pickle
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from qpsearch.artifacts import content_hash
from qpsearch.cli.main import main
from tests.cli.run import qpsearch

SPACE = """\
study: small
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages: [{width: 4, stride: 2, depth: 1, block: {choice: [additive, product_unit]}}]
training: {epochs: 2, batch_size: 512}
search: {sampler: random, trials: 2}
"""
LIST, STATUS, TRIALS, TRIAL, BEST = "status", "status small", "trials small", "trials small 1", "best small"
IMPORTANCE, TABLES, OPTUNA = "importance small", "export small --format csv", "export small --format optuna"
EVALUATE, RESUME, COPY = "evaluate small --trial 1", "resume small --dispatch inline", "studies copy small --as b"
COMMANDS = (LIST, f"{STATUS} --json", STATUS, TRIALS, f"{TRIALS} --json", TRIAL, BEST, IMPORTANCE, TABLES, OPTUNA)
COMMANDS += (EVALUATE, RESUME, COPY)
TRIAL_READERS = {command for command in COMMANDS if command.startswith((TRIALS, EVALUATE, RESUME, "export"))}
# ``best`` reads the values of all trials and one trial: which one, training decides.


def row(update: str, says: str, *commands: str | set[str]) -> tuple[str, str, set[str]]:
    """SQL that damages a row of trial 1, what a message says, and which commands at least cannot go on."""
    named = {command for group in commands for command in ({group} if isinstance(group, str) else group)}
    return update, says, named


OF_1 = "WHERE trial_id = (SELECT trial_id FROM trials WHERE number = 1 AND study_id = 1)"
ROWS = {
    "configuration cut": row(
        f"UPDATE qpsearch_configs SET config_json = '{{\"net' {OF_1}",
        "config_json",
        TRIALS,
        TRIAL,
        EVALUATE,
        RESUME,
        LIST,
        STATUS,
    ),
    "configuration of nothing": row(
        f"UPDATE qpsearch_configs SET config_json = '{{}}' {OF_1}",
        "config_json",
        TRIALS,
        TRIAL,
        EVALUATE,
        RESUME,
        LIST,
        STATUS,
    ),
    "configuration of another kind": row(
        f"UPDATE qpsearch_configs SET config_json = '[3]' {OF_1}", "config_json", STATUS
    ),
    "no text": row(
        f"UPDATE qpsearch_configs SET config_json = CAST(X'ff00' AS TEXT) {OF_1}", "config_json", TRIAL_READERS
    ),
    "distribution": row(
        f"UPDATE trial_params SET distribution_json = '{{}}' {OF_1}",
        "distribution_json of trial_params",
        TRIAL_READERS,
        IMPORTANCE,
    ),
    "choice out of range": row(
        f"UPDATE trial_params SET param_value = 7 {OF_1}", "param_value of trial_params", TRIAL_READERS, IMPORTANCE
    ),
    "state": row(
        "UPDATE trials SET state = 'BROKEN' WHERE number = 1 AND study_id = 1", "state of trials", TRIAL_READERS, STATUS
    ),
    "time": row(
        "UPDATE trials SET datetime_start = 'noon' WHERE number = 1 AND study_id = 1",
        "datetime_start of trials",
        TRIAL_READERS,
    ),
    "kind of value": row(
        f"UPDATE trial_values SET value_type = 'ODD' {OF_1}", "value_type of trial_values", TRIAL_READERS
    ),
    "number": row(f"UPDATE qpsearch_attempts SET seconds = 'long' {OF_1}", "seconds of qpsearch_attempts", TRIALS),
    "number of an epoch": row(
        f"UPDATE qpsearch_epochs SET lr = 'high' {OF_1} AND epoch = 1", "lr of qpsearch_epochs", TRIAL
    ),
    "time of an attempt": row(
        f"UPDATE qpsearch_attempts SET began = 'noon' {OF_1}", "began of qpsearch_attempts", TRIALS, TRIAL
    ),
    "score of a run": row(f"UPDATE qpsearch_runs SET score = 'good' {OF_1}", "score of qpsearch_runs", TRIAL),
    "value": row(f"UPDATE trial_values SET value = 'good' {OF_1}", "value of trial_values", TRIAL, BEST),
    "parameter": row(f"UPDATE trial_params SET param_value = 'x' {OF_1}", "param_value of trial_params", TRIAL),
    "value at an epoch": row(
        f"UPDATE trial_intermediate_values SET intermediate_value = 'x' {OF_1}",
        "intermediate_value of trial_intermediate_values",
        OPTUNA,
    ),
    "no attempt": row(f"DELETE FROM qpsearch_attempts {OF_1}", "it has no attempt in qpsearch_attempts", TRIALS),
    "attributes": row(
        "INSERT INTO trial_system_attributes (trial_id, key, value_json) SELECT trial_id, 'x', '[' FROM trials WHERE number = 1 AND study_id = 1",
        "value_json of trial_system_attributes",
        IMPORTANCE,
        RESUME,
    ),
    "environment": row(
        "UPDATE qpsearch_studies SET environment_json = '{' WHERE study_id = 1",
        "environment_json of qpsearch_studies",
        LIST,
        STATUS,
    ),
    "resources": row(
        "UPDATE qpsearch_studies SET resources_json = '[]' WHERE study_id = 1",
        "resources_json of qpsearch_studies",
        TRIALS,
        BEST,
        EVALUATE,
    ),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study with checkpoints, and another that nothing happens to."""
    folder = tmp_path_factory.mktemp("damage")
    (folder / "small.yaml").write_text(SPACE)
    for words in ("run small.yaml --dispatch inline", "studies copy small --as sound"):
        done = qpsearch(folder, *words.split())
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the study's folder, in which commands run."""
    shutil.copytree(study, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "copy"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str, str]]:
    """Runs a command in this process: exit code, output, errors."""

    def run(words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["qpsearch", *words.split()])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(str(left.code or 0))
        return code, *capfd.readouterr()

    return run


@pytest.mark.parametrize("damage", ROWS)
def test_a_row_that_cannot_be_read_is_named(
    folder: Path, call: Callable[[str], tuple[int, str, str]], damage: str
) -> None:
    update, says, cannot = ROWS[damage]
    with sqlite3.connect(folder / "studies" / "qpsearch.db") as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        assert connection.execute(update).rowcount >= 1
    connection.close()
    failed = set()
    for command in COMMANDS:
        code, out, err = call(command)
        assert "Traceback" not in out + err, command
        if code == 1:
            failed.add(command)
            assert says in err, (command, err)
            assert err.count("\n") == 1, (command, err)
            assert "Restore a backup" in err
        else:
            assert (code, err) == (0, "") or (command == IMPORTANCE and code == 2), (command, code, err)
        shutil.rmtree("studies/export", ignore_errors=True)
    assert failed >= cannot, cannot - failed
    listed = call("status")[1]
    assert "\nsound " in listed  # one damaged study does not hide the others
    assert call("trials sound")[0] == 0
    for name, codes in (("small", {0}), ("b", {0, 2})):  # b is the damaged study's copy, if it could be made
        assert call(f"studies delete {name} --yes")[0] in codes
    assert call("status")[0] == 0


def test_a_damaged_page_is_named_with_its_file(folder: Path, call: Callable[[str], tuple[int, str, str]]) -> None:
    path = folder / "studies" / "qpsearch.db"
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'qpsearch_configs'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    for command in (*TRIAL_READERS - {OPTUNA}, LIST, STATUS):
        code, _, err = call(command)
        assert (code, err.count("\n")) == (1, 1), (command, err)
        assert "studies/qpsearch.db: the file is damaged (" in err
        assert err.endswith("Restore a backup, or save what can be read: sqlite3 FILE .recover\n")


@pytest.mark.parametrize("kind", ["cut off", "its first page"])
def test_a_file_to_which_no_connection_can_be_made_is_named(
    folder: Path, call: Callable[[str], tuple[int, str, str]], kind: str
) -> None:
    path = folder / "studies" / "qpsearch.db"
    with sqlite3.connect(path) as connection, sqlite3.connect(folder / "whole.db") as copy:
        connection.backup(copy)
    whole = (folder / "whole.db").read_bytes()
    damaged = whole[: len(whole) // 2] if kind == "cut off" else whole[:100] + b"x" * 2900 + whole[3000:]
    path.with_name("damaged.db").write_bytes(damaged)
    for command in (LIST, TRIALS, BEST, RESUME):
        code, _, err = call(f"{command} --storage studies/damaged.db")
        assert (code, err.count("\n")) == (1, 1), (command, err)
        assert "damaged.db: the file is damaged (" in err
        assert err.endswith("Restore a backup, or save what can be read: sqlite3 FILE .recover\n")


class Code:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("was-run",)


def content_of(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


WHOLE = {"epoch": 2, "optimizer": {}, "scaler": {}}
CHECKPOINTS = {
    "code in a pickle": (pickle.dumps(Code()), "is not a checkpoint ("),
    "code in a checkpoint": (content_of(WHOLE | {"model": Code()}), "is not a checkpoint (Weights only load failed"),
    "no archive": (b"PK\3\4 and then nothing", "is not a checkpoint ("),
    "empty": (b"", "is not a checkpoint ("),
    "a list": (content_of([1, 2]), "is not a checkpoint ("),
    "other keys": (content_of({"weights": {}}), "is not a checkpoint ("),
    "no dictionary of weights": (
        content_of(WHOLE | {"model": torch.ones(3)}),
        "is not a checkpoint (of an epoch, weights",
    ),
    "no tensors": (content_of(WHOLE | {"model": {"x": "y"}}), "is not a checkpoint (its weights are not tensors)"),
    "wrong names": (content_of(WHOLE | {"model": {"x": torch.ones(3)}}), "does not fit its network ("),
    "another hash": (None, "is damaged, since its content does not match the hash in its name"),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_a_checkpoint_that_cannot_be_used_is_named(
    folder: Path, call: Callable[[str], tuple[int, str, str]], kind: str
) -> None:
    content, says = CHECKPOINTS[kind]
    with sqlite3.connect(folder / "studies" / "qpsearch.db") as connection:
        (uid,) = connection.execute("SELECT uid FROM qpsearch_studies WHERE study_id = 1").fetchone()
    (old,) = folder.glob(f"studies/checkpoints/small-{uid[:8]}/trial-00001/*.pt")
    new = old
    if content is None:
        old.write_bytes(old.read_bytes()[:-1])
    else:
        new = old.with_name(f"r0-a1-e002-{content_hash(content)}.pt")
        new.write_bytes(content)
        with sqlite3.connect(folder / "studies" / "qpsearch.db") as connection:
            connection.execute("UPDATE qpsearch_epochs SET checkpoint = ? WHERE checkpoint = ?", (new.name, old.name))
        connection.close()
    code, _, err = call(EVALUATE)
    assert (code, err.count("\n")) == (1, 1), err
    assert f"{new}: {says}" in err
    assert err.endswith("Another trial may be used: --trial N.\n")
    assert not (folder / "was-run").exists()
    assert call("trials small 1")[0] == 0
