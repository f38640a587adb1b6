"""Exporting a study's network: what is in the folder, what the card may claim, and which folders are left alone."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
import typer
from sklearn.datasets import load_digits

import qpsearch
from qpsearch.api.study import Study
from qpsearch.cli import models
from qpsearch.errors import UserError
from qpsearch.runner.documents import ExportDocument
from qpsearch.runner.exporting import Export
from qpsearch.study import manage
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.evaluations import Evaluated
from qpsearch.training import export, exported
from tests.cli.run import ROOT, documented
from tests.cli.run import qpsearch as command

FILES = ("config.json", "model.safetensors", "model.pt2", "model.onnx", "load.py", "README.md")
SPACE: dict[str, Any] = {
    "study": "first",
    "data": {"dataset": "digits", "validation": 300},
    "network": {
        "stem": {"width": 4},
        "stages": [
            {"width": 4, "depth": 1, "block": {"choice": ["quotient", "additive"]}},
            {"width": 4, "stride": 2, "depth": 1, "block": "product_unit"},
        ],
    },
    "training": {"epochs": 2, "batch_size": 128},
    "search": {"sampler": "grid", "pruner": "none", "replicates": 2, "score": "best"},
    "resources": {"gpus": 0},
}
IMAGES = torch.tensor(load_digits().images[:9], dtype=torch.uint8)[:, None]


def run(space: dict[str, Any]) -> Study:
    return qpsearch.run(space, dispatch="inline", progress=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of two trials of two runs, and an export of the first trial's second run."""
    made = tmp_path_factory.mktemp("winner")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        done = run(SPACE).export_model(trial=0, replicate=1)
        assert done.folder == Path("studies/export/first-0-1")
        (made / "done.json").write_text(json.dumps(done.to_dict()))
    return made


@pytest.fixture
def study(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A copy of that study."""
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return qpsearch.load_study("first")


@pytest.fixture
def without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights alone, since programs take seconds."""

    def fail(*args: object) -> None:
        raise RuntimeError("not here")

    monkeypatch.setattr(export, "_traced", fail)


def test_an_export_is_the_network_in_every_form_and_names_the_input(study: Study) -> None:
    place = Path("studies/export/first-0-1")
    assert sorted(path.name for path in place.iterdir()) == sorted(FILES)
    document = json.loads(Path("done.json").read_text())
    documented(ExportDocument, document)
    assert set(document) == {
        "folder", "files", "problems", "study", "trial", "replicate", "input", "output", "results", "checks"
    }  # fmt: skip
    assert (document["files"], document["problems"], document["replicate"]) == (list(FILES), {}, 1)
    assert [check["difference"] for check in document["checks"][:2]] == [0.0, 0.0]
    network = study.load_model(0, replicate=1)
    wanted = network(study.preprocess(IMAGES)).detach()
    loaded = qpsearch.load_exported(place)
    assert not loaded.network.training
    assert torch.equal(loaded.network(loaded.preprocess(IMAGES)), wanted)
    assert loaded.classes == tuple("0123456789")
    assert loaded.config == study.trials[0].config
    info = loaded.info
    assert info["seed"] == study.trials[0].seeds[1]
    given = info["input"]
    assert (given["shape"], given["channels"], given["peak"]) == (["batch", 1, 8, 8], "grey", 16)
    by_hand = ((IMAGES.double() / given["peak"] - given["mean"][0]) / given["std"][0]).float()  # as the card says
    session = onnxruntime.InferenceSession(place / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {given["name"]: by_hand.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), wanted, rtol=1e-3, atol=1e-5)


def test_the_loader_and_the_card_run_as_they_stand(study: Study) -> None:
    """With qpsearch alone: neither the study nor its database is there."""
    place = Path("studies/export/first-0-1").rename("elsewhere")
    shutil.rmtree("studies")
    text = (place / "README.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 3
    code = "\n".join(snippets)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    labels, *shapes = done.stdout.splitlines()
    assert re.fullmatch(r"\[('\d'(, )?){4}\]", labels)
    assert shapes == ["torch.Size([4, 10])", "(4, 10)"]
    assert len((place / "load.py").read_text().splitlines()) < 15
    for said in ("(N, 1, 8, 8) for any N from 1: grey levels", "`(pixel / 16 - mean) / std`, with mean (0.3053)"):
        assert said in text


def card_of(done: Export) -> str:
    return (done.folder / "README.md").read_text()


@pytest.mark.usefixtures("without_programs")
def test_a_card_says_what_was_chosen_and_what_was_tested(study: Study) -> None:
    best, other = study.best.number, 1 - study.best.number
    done = study.export_model("a")
    results, text = done.info["results"], card_of(done)
    assert (done.info["trial"], results["n"], results["complete_trials"], results["confirmed"]) == (best, 2, 2, False)
    assert results["mean"] == pytest.approx(study.best.value)
    assert results["sd"] == pytest.approx(study.best.sd)
    assert results["score"] == study.best.scores[0]
    assert "It is the best of 2 complete trials of one search." in text
    assert "so the score is optimistic until the configuration is trained again on fresh seeds" in text
    assert (
        f"| mean over the runs of its configuration, sd {study.best.sd:.4f} | {study.best.value:.4f} | 2 seeds |"
        in text
    )
    assert re.search(r"those of epoch [12], which the same images chose \(`best`\)", text)
    assert "Nobody has looked at the test images" in text
    assert "test images |" not in text

    def tested(trial: int, accuracy: float, now: float, noise: float = 0.0) -> None:
        (run,) = [each for each in runs if (each.trial, each.replicate) == (trial, 0)]
        row = Evaluated(
            replicate=0, checkpoint=run.checkpoint, noise=noise, images=300, accuracy=accuracy, loss=1.0, nonfinite=0,
            metrics={"test_macro_f1": accuracy / 2},
        )  # fmt: skip
        manage.record_evaluations(Database.create(study.storage), "first", trial, [row], now)

    from qpsearch.study import queries

    runs = queries.kept_runs(Database.open(study.storage), "first", [0, 1])
    tested(other, 0.5, 1.6e9)
    text = card_of(study.export_model("a", overwrite=True))
    assert "These weights were not tested. The study's test images were looked at once, for other weights." in text
    tested(best, 0.25, 1.7e9)
    tested(best, 0.75, 1.8e9)
    tested(best, 0.125, 1.8e9, noise=0.05)
    text = card_of(study.export_model("a", overwrite=True))
    assert "| accuracy of this run, on test images | 0.7500 | 300 images |" in text
    assert "| accuracy of this run under poisson:0.05, on test images | 0.1250 | 300 images |" in text
    assert "| test_macro_f1 of this run, on test images | 0.3750 | 300 images |" in text
    assert "0.2500" not in text
    assert "recorded for these weights (2027-01-15). The study's test images were looked at 3 times" in text
    named = card_of(study.export_model("b", trial=other))
    assert f"Trial {other} was named for this export; the best of the study is trial {best}." in named
    assert "if it was named for its score" in named


@pytest.mark.usefixtures("without_programs")
def test_a_configuration_is_confirmed_by_runs_of_other_seeds_in_another_study(study: Study) -> None:
    best = study.best.number
    database = Database.create(study.storage)
    manage.copy(database, "first", database, "twin")  # whose runs are those of the search
    assert not study.export_model("c").info["results"]["confirmed"]
    for name in ("again", "last"):
        manage.copy(database, "first", database, name)
    of_study = "trial_id IN (SELECT trial_id FROM trials JOIN studies USING (study_id) WHERE study_name = ?{})"
    change(f"UPDATE qpsearch_runs SET seed = 7 + replicate, score = 0.5 - 0.2 * replicate WHERE {of_study}", "again")
    change(f"DELETE FROM trials WHERE {of_study.format(' AND number != ?')}", "again", best)
    change(f"UPDATE qpsearch_runs SET seed = 70 + replicate WHERE {of_study}", "last")
    judged_by_last = "replace(space_text, 'score: best', 'score: last')"
    change(
        f"UPDATE qpsearch_studies SET space_text = {judged_by_last} WHERE study_id IN "
        "(SELECT study_id FROM studies WHERE study_name = ?)",
        "last",
    )
    assert str(qpsearch.load_study("last").space.search.score) == "last"
    done = study.export_model("c", overwrite=True)
    assert [(each["study"], each["seed"], each["score"]) for each in done.info["results"]["fresh"]] == [
        ("again", 7, 0.5),
        ("again", 8, 0.3),
    ]
    text = card_of(done)
    assert "trained again on 2 seeds that took no part in choosing it (study `again`)" in text
    assert f"The mean there is 0.4000, against {study.best.value:.4f} in the search" in text
    assert "| trained again on fresh seeds, sd 0.1414 | 0.4000 | 2 seeds |" in text
    own = f"{study.best.scores[0]:.4f} in this run, {study.best.value:.4f} over the runs of its configuration (n = 2)"
    assert text.splitlines()[2].endswith(f"val_accuracy {own}, 0.4000 on fresh seeds (n = 2).")
    assert "ot confirmed" not in text
    alone = card_of(qpsearch.load_study("again").export_model("d"))
    assert "no other complete configuration, so this one was not chosen by its score" in alone


@pytest.mark.usefixtures("without_programs")
def test_a_trial_of_a_confirmation_is_on_fresh_seeds_itself(study: Study) -> None:
    """The runs of the search, which were not on fresh seeds, do not confirm it."""
    study.confirm(top=1, seeds=1, dispatch="inline", progress=False)
    done = qpsearch.load_study("first.confirm").export_model("e")
    text = card_of(done)
    assert (done.info["results"]["on_fresh_seeds"], done.info["results"]["fresh"]) == (True, [])
    assert text.splitlines()[2].endswith(" in this run, on fresh seeds.")
    assert "trains again what other studies chose, on fresh seeds that took no part in that choice" in text
    assert "onfirmed" not in text.replace("first.confirm", "")


def change(statement: str, *values: object) -> None:
    connection = sqlite3.connect("studies/qpsearch.db")
    connection.execute(statement.replace("{}", ""), values)
    connection.commit()
    connection.close()


@pytest.mark.usefixtures("without_programs")
def test_a_score_that_is_not_finite_is_said_in_words(study: Study) -> None:
    worst = 1 - study.best.number
    change(
        "UPDATE qpsearch_runs SET score = 9e999 WHERE replicate = 0 AND trial_id IN "
        "(SELECT trial_id FROM trials WHERE number = ?)",
        worst,
    )
    done = study.export_model("e", trial=worst)
    assert (done.info["results"]["score"], done.info["results"]["sd"]) == (None, None)
    assert "| val_accuracy of this run, on 300 validation images | not finite | 1 seed |" in card_of(done)
    assert qpsearch.load_exported("e").info["results"]["score"] is None


@pytest.mark.usefixtures("without_programs")
def test_only_an_earlier_export_is_replaced_and_only_when_asked(study: Study) -> None:
    place = Path("studies/export/first-0-1")
    with pytest.raises(UserError, match=r"holds an export of trial 0 of study 'first'\. Replace it \(--overwrite\)"):
        study.export_model(place, trial=1)
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    (place / "notes.txt").write_text("mine")
    done = study.export_model(place, trial=1, overwrite=True)
    assert done.files == ("config.json", "model.safetensors", "load.py", "README.md")
    assert sorted(path.name for path in place.iterdir()) == sorted([*done.files, "notes.txt"])  # nothing of the old one
    assert (place / "model.safetensors").read_bytes() != before["model.safetensors"]
    assert {*done.problems} == {"model.pt2", "model.onnx"}
    assert "`model.onnx` was not written: torch.export cannot express block" in card_of(done)
    assert "torch.export.load" not in card_of(done)
    other = Path("other")
    other.mkdir()
    (other / "config.json").write_text('{"format": "another"}')
    for overwrite in (False, True):
        with pytest.raises(UserError, match="other: is not empty, and is not an earlier export"):
            study.export_model(other, overwrite=overwrite)
    assert [path.name for path in other.iterdir()] == ["config.json"]
    (Path("empty") / ".export-killed").mkdir(parents=True)  # what a killed export left
    assert study.export_model("empty", trial=0).files == done.files
    Path("file").write_text("")
    with pytest.raises(UserError, match=r"file: cannot be used \(Not a directory\)\. Name another folder\."):
        study.export_model("file")


def test_the_epoch_of_an_export_is_that_of_the_last_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_programs: None
) -> None:
    """Its card says of how many epochs the recipe is, beside it."""
    monkeypatch.chdir(tmp_path)
    search = {"fidelity": {"width": [0.5, 1]}, "trials": 1, "score": "last"}
    done = run(SPACE | {"training": {"epochs": 1, "batch_size": 128}, "search": search}).export_model()
    assert json.loads((done.folder / "config.json").read_text())["epoch"] == 1


def test_mistakes_are_said_before_anything_is_written(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="study 'first' does not have trial 9"):
        study.export_model("x", trial=9)
    with pytest.raises(UserError, match="trial 0 of study 'first' does not have replicate 2"):
        study.export_model("x", trial=0, replicate=2)
    real = exported.find_spec
    monkeypatch.setattr(exported, "find_spec", lambda name: None if name in ("onnx", "onnxscript") else real(name))
    with pytest.raises(
        UserError, match=r"need onnx and onnxscript\. Install: pip install 'qpsearch\[export\]'\."
    ) as error:
        study.export_model("x", trial=0)
    assert error.value.exit_code == 2
    assert not Path("x").exists()


def test_the_command_prints_files_and_differences_or_json(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    models.export("first", trial=1, output=Path("out"), storage=study.storage)
    shown = capsys.readouterr().out
    assert re.search(r"^study first, trial 1: val_accuracy 0\.\d{4} in epoch [12]$", shown, re.MULTILINE)
    assert re.search(r"^  out/model\.onnx  largest difference of a logit \S+e-\d\d$", shown, re.MULTILINE)
    assert "Not confirmed: the score is optimistic" in shown
    refused = command(Path.cwd(), "model", "export", "first", "--output", "out", "--json")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "already holds an export of trial 1" in refused.stderr


@pytest.mark.usefixtures("without_programs")
def test_the_command_exits_with_1_where_a_file_could_not_be_written(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    for as_json in (False, True):
        with pytest.raises(typer.Exit) as ended:
            models.export("first", output=Path("out"), overwrite=as_json, storage=study.storage, as_json=as_json)
        assert ended.value.exit_code == 1
        shown = capsys.readouterr().out
        if as_json:
            assert {*json.loads(shown)["problems"]} == {"model.pt2", "model.onnx"}
        else:  # one reason is said once
            assert shown.count("not written: model.pt2 and model.onnx: torch.export cannot express block") == 1
