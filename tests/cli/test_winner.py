"""What follows a search: the best configuration's weights and space file, and trials that are trained again."""

import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from qpsearch import load_study
from qpsearch.cli.best import best
from qpsearch.errors import ArtifactError, UserError
from qpsearch.runner import trainer
from qpsearch.runner.documents import BestDocument, ConfirmDocument, RerunDocument
from qpsearch.study import queries
from tests import scripted
from tests.cli.run import documented, qpsearch, reply
from tests.scripted import Behaviour, space_text


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("winner")
    text = space_text(Behaviour.IMPROVES, Behaviour.STALLS, trials=8, replicates=2, sampler="random", pruner="none")
    (folder / "s.yaml").write_text(text)
    done = qpsearch(folder, "run", "s.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_best_names_the_checkpoints_that_were_kept(study: Path) -> None:
    document = reply(study, "best", "scripted")
    documented(BestDocument, document)
    found = document["best"]
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
    assert (done.returncode, done.stdout) == (
        0,
        f"again.yaml: written. Train it: qpsearch run again.yaml {' '.join(storage)}\n",
    )
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


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """A study with trials that were pruned, and that failed in each of their own ways: by how they ended, a number."""
    folder = tmp_path_factory.mktemp("ended")
    several = (Behaviour.IMPROVES, Behaviour.STALLS, Behaviour.DIVERGES, Behaviour.RAISES, Behaviour.OUT_OF_MEMORY)
    text = space_text(*several, Behaviour.ENDS_EARLY, trials=32, sampler="random", pruner="median", study="ended")
    (folder / "s.yaml").write_text(text.replace("{choice: [additive, quotient, product_unit]}", "quotient"))
    done = qpsearch(folder, "run", "s.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    found = {}
    for trial in reply(folder, "trials", "ended")["trials"]:
        batch = trial["params"]["training.batch_size"]
        found.setdefault(trial["state"] if trial["reason"] is None else Behaviour(batch).name, trial["number"])
    return folder, found


ENDED = {
    "COMPLETE": "4 epochs, equal to the bit",
    "PRUNED": "1 epoch, equal to the bit",
    "DIVERGES": "1 epoch, equal to the bit; failed again (diverged)",
    "RAISES": "1 epoch, equal to the bit; failed again (error)",
    "OUT_OF_MEMORY": "1 epoch, equal to the bit; failed again (out_of_memory)",
    "ENDS_EARLY": "2 epochs, equal to the bit; failed again (error)",
}


@pytest.mark.parametrize("how", ENDED)
def test_a_trial_is_trained_again_as_it_ended(ended: tuple[Path, dict[str, int]], how: str) -> None:
    folder, numbers = ended
    before = (folder / "studies" / "qpsearch.db").read_bytes()
    done = qpsearch(folder, "rerun", "ended", str(numbers[how]), scripted=True)
    assert done.returncode == 0, done.stderr
    assert ENDED[how] in done.stdout
    assert done.stdout.endswith("it matches the record to the bit\n")
    assert (folder / "studies" / "qpsearch.db").read_bytes() == before


def test_what_does_not_match_is_told_by_how_much_and_from_which_epoch_on(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    connection = sqlite3.connect(tmp_path / "studies" / "qpsearch.db")
    own = "WHERE replicate = 1 AND trial_id = (SELECT trial_id FROM trials WHERE number = 2)"
    connection.execute(f"UPDATE qpsearch_epochs SET train_loss = train_loss + 0.25 {own} AND epoch = 3")
    connection.execute(
        f"UPDATE qpsearch_epochs SET train_loss = train_loss - 0.125, val_loss = NULL {own} AND epoch = 4"
    )
    older = "json_set(environment_json, '$.versions.torch', '1.13.0', '$.machine.cores', 512)"
    connection.execute(f"UPDATE qpsearch_studies SET environment_json = {older}")
    connection.execute("UPDATE qpsearch_attempts SET host = 'elsewhere', device = 'cuda 3'")
    connection.commit()
    connection.close()
    done = qpsearch(tmp_path, "rerun", "scripted", "2", scripted=True)
    assert done.returncode == 1
    assert re.search(r"^run 0, seed \d+: 4 epochs, equal to the bit$", done.stdout, re.MULTILINE)
    said = "4 epochs, differs from epoch 3 on: train_loss by up to 0.25, val_loss by up to a number that is missing"
    assert said in done.stdout
    assert re.search(r"^differs from the record: torch: 1\.13\.0 then, 2\.\S+ now$", done.stdout, re.MULTILINE)
    assert re.search(r"^differs from the record: host: elsewhere then, ", done.stdout, re.MULTILINE)
    assert "differs from the record: device: cuda then, cpu now" in done.stdout
    assert done.stdout.endswith("it does not match the record to the bit\n")
    first = qpsearch(tmp_path, "rerun", "scripted", "2", "--replicate", "0", "--json", scripted=True)
    document = json.loads(first.stdout)
    documented(RerunDocument, document)
    assert (first.returncode, document["matches"], [run["replicate"] for run in document["runs"]]) == (0, True, [0])
    assert [each["what"] for each in document["environment"]] == ["versions.torch", "machine.cores", "host", "device"]
    second = qpsearch(tmp_path, "rerun", "scripted", "2", "--replicate", "1", "--json", scripted=True)
    (run,) = json.loads(second.stdout)["runs"]
    assert (second.returncode, run["differs_from_epoch"], run["matches"]) == (1, 3, False)
    assert run["largest_difference"] == {"train_loss": pytest.approx(0.25), "val_loss": None}
    trained = json.loads(qpsearch(tmp_path, "trials", "scripted", "2", "--json").stdout)["trial"]
    assert run["seed"] == trained["seeds"][1]


def test_the_best_are_confirmed_and_every_command_says_so(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    optimistic = "optimistic until it is trained again on fresh seeds"
    for words in ("best scripted", "status scripted"):
        assert optimistic in qpsearch(tmp_path, *words.split()).stdout
    before = reply(tmp_path, "trials", "scripted")
    asked = ("confirm", "scripted", "--top", "2", "--seeds", "2", "--dispatch", "inline")
    done = qpsearch(tmp_path, *asked, scripted=True)
    assert done.returncode == 0, done.stderr
    best = reply(tmp_path, "best", "scripted")["best"]
    fresh = best["confirmed"]
    assert (fresh["n"], fresh["failed"], fresh["open"], fresh["search"]) == (2, 0, 0, best["value"])
    table = [line.split() for line in done.stdout.splitlines() if line.endswith(" -")]  # no interval: the seeds agree
    assert table[0][:5] == [
        str(best["number"]),
        f"{best['value']:.4f}",
        f"{fresh['mean']:.4f}",
        "0.0000",
        "2",
    ]
    assert len(table) == 2
    said = f"confirmed at {fresh['mean']:.4f} (sd 0.0000, n = 2)"  # the scripted trainer does not mind its seed
    for words in ("best scripted", "status scripted"):
        text = qpsearch(tmp_path, *words.split()).stdout
        assert said in text
        assert optimistic not in text
    assert reply(tmp_path, "trials", "scripted") == before
    (summary,) = reply(tmp_path, "status", "scripted")["studies"]
    assert (summary["counts"], summary["trials"], summary["best"]["confirmed"]) == ({"COMPLETE": 8}, 8, fresh)
    kept = reply(tmp_path, "trials", "scripted.confirm", "3")["trial"]["checkpoints"]
    assert len(kept) == 1
    assert Path(kept[0]).is_file()
    assert "trained on fresh seeds" in qpsearch(tmp_path, "best", "scripted.confirm").stdout
    again = qpsearch(tmp_path, *asked, "--json", scripted=True)  # nothing is left to train
    document = json.loads(again.stdout)
    documented(ConfirmDocument, document)
    documented(BestDocument, reply(tmp_path, "best", "scripted"))
    assert (again.returncode, document["finished"], document["confirmation"]) == (0, True, "scripted.confirm")
    assert [each["confirmed"]["n"] for each in document["configurations"]] == [2, 2]
    assert document["configurations"][0]["confirmed"] == fresh
    assert len(reply(tmp_path, "trials", "scripted.confirm")["trials"]) == 4
    named = [word for each in reversed(document["configurations"]) for word in ("--trial", str(each["trials"][0]))]
    text = qpsearch(tmp_path, "confirm", "scripted", *named, *asked[-4:], scripted=True).stdout  # the second one first
    assert f"best on fresh seeds: trial {best['number']}, the best of these in the search, too; as the best of " in text
    refused = qpsearch(tmp_path, "confirm", "scripted.confirm")
    assert (refused.returncode, "study 'scripted.confirm' does not search" in refused.stderr) == (2, True)


def test_python_confirms_and_reruns_as_the_command_line_does(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the scripted trainer, in this process."""
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainer, "train", scripted.train)
    found = load_study("scripted")
    again = found.rerun(2, replicate=1)
    assert (again.trial, again.matches, [run.replicate for run in again.runs]) == (2, True, [1])
    assert again.changes == {}
    assert RerunDocument.of(again).to_dict()["runs"][0]["seed"] == found.trials[2].seeds[1]
    with pytest.raises(UserError, match="replicate: -1 is not a whole number from 0"):
        found.rerun(2, replicate=-1)
    confirmed = found.confirm(top=2, seeds=2, dispatch="inline", progress=False)
    assert (confirmed.study, confirmed.outcome.is_finished) == ("scripted.confirm", True)
    assert [each.confirmed.n for each in confirmed.configurations if each.confirmed is not None] == [2, 2]
    assert found.best.confirmed == confirmed.configurations[0].confirmed
    assert reply(tmp_path, "confirm", "scripted", "--top", "2", "--seeds", "2", "--dispatch", "inline") == json.loads(
        json.dumps(ConfirmDocument.of("scripted", confirmed).to_dict())
    )
    with pytest.raises(UserError, match="seeds: 0 is not a whole number from 1 to 1000"):
        found.confirm(seeds=0)
    with pytest.raises(UserError, match="does not search"):
        load_study("scripted.confirm").confirm(dispatch="inline", progress=False)


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
        ("rerun scripted 77", "study 'scripted' does not have trial 77. It has trials 0 to 7."),
        ("rerun scripted 0 --replicate 2", "replicate 2: trial 0 has runs 0 to 1."),
        ("rerun nosuch 0", "nosuch"),
        ("confirm nosuch", "nosuch"),
        (
            "confirm scripted --trial 3 --top 2",
            "the best configurations (--top) or those of named trials (--trial). Leave",
        ),
    ],
)
def test_bad_input_is_answered_in_one_line(study: Path, words: str, said: str) -> None:
    done = qpsearch(study, *words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
