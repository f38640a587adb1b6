"""What follows a search: the best configuration's weights and space file."""

import json
from pathlib import Path

import pytest

from qpsearch.cli.best import best
from qpsearch.errors import ArtifactError
from qpsearch.study import queries
from tests.cli.run import qpsearch, reply
from tests.scripted import Behaviour, space_text


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("winner")
    text = space_text(Behaviour.IMPROVES, Behaviour.STALLS, trials=8, replicates=2, sampler="random")
    (folder / "s.yaml").write_text(text)
    done = qpsearch(folder, "run", "s.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_best_names_the_checkpoints_that_were_kept(study: Path) -> None:
    found = reply(study, "best", "scripted")["best"]
    assert len(found["checkpoints"]) == len(found["seeds"]) == 2
    assert all(Path(path).is_file() for path in found["checkpoints"])
    assert [Path(path).name[:5] for path in found["checkpoints"]] == ["r0-a1", "r1-a1"]
    lines = qpsearch(study, "best", "scripted").stdout.splitlines()
    named = [line.removeprefix("checkpoint: ") for line in lines if line.startswith("checkpoint: ")]
    assert [str(study / path) for path in named] == found["checkpoints"]  # from the working directory


def test_best_is_read_where_the_store_of_its_checkpoints_cannot_be_reached(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*given: object) -> None:
        raise ArtifactError("s3://bucket: cannot be reached.")

    monkeypatch.setattr(queries, "kept_runs", unreachable)
    storage = f"sqlite:///{study}/studies/qpsearch.db"
    best("scripted", storage=storage)
    assert "checkpoint: s3://bucket: cannot be reached.\n" in capsys.readouterr().out
    best("scripted", storage=storage, as_json=True)
    found = json.loads(capsys.readouterr().out)["best"]
    assert (found["checkpoints"], found["checkpoints_problem"]) == ([], "s3://bucket: cannot be reached.")


def test_the_best_configuration_is_written_as_a_space_file(study: Path, tmp_path: Path) -> None:
    storage = ("--storage", str(study / "studies" / "qpsearch.db"))
    done = qpsearch(tmp_path, "best", "scripted", "--as-space", "again.yaml", *storage)
    assert (done.returncode, done.stdout) == (0, "again.yaml: written. Train it: qpsearch run again.yaml\n")
    assert qpsearch(tmp_path, "space", "check", "again.yaml").returncode == 0
    printed = qpsearch(tmp_path, "best", "scripted", "--as-space", *storage).stdout
    assert printed == (tmp_path / "again.yaml").read_text()
    assert printed.startswith("# Trains the best configuration of study scripted on fresh seeds.\n")
    assert qpsearch(tmp_path, "run", "again.yaml", "--dispatch", "inline", scripted=True).returncode == 0
    found = reply(study, "best", "scripted")["best"]
    (again,) = reply(tmp_path, "trials", "scripted-again")["trials"]
    assert again["config"] == found["config"]
    assert len(again["seeds"]) == 5
    every = reply(study, "trials", "scripted")["trials"]
    assert not set(again["seeds"]) & {seed for trial in every for seed in trial["seeds"]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "best scripted again.yaml",
            "only --as-space writes a file. Write: qpsearch best scripted --as-space again.yaml.",
        ),
        ("best scripted --as-space s.yaml", "s.yaml: already exists and is not overwritten. Name another file."),
        ("best scripted --as-space no/such.yaml", "no/such.yaml: cannot be written (No such file or directory)."),
        ("best scripted --as-space --json", "Leave --json or --as-space out."),
    ],
)
def test_bad_input_is_answered_in_one_line(study: Path, words: str, said: str) -> None:
    done = qpsearch(study, *words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
