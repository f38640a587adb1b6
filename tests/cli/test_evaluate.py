"""``qpsearch evaluate``: the test images, noise, and how fast a network learned."""

import re
import shutil
import sqlite3
import statistics
from pathlib import Path

import pytest

from qpsearch import load_study
from qpsearch.cli import evaluate, evaluation_table
from qpsearch.errors import UserError
from qpsearch.runner import evaluate_documents
from qpsearch.runner.evaluate_documents import Accuracies, EvaluateDocument
from qpsearch.runner.evaluating import StudyEvaluation
from qpsearch.runner.looks import Log
from tests.cli.run import documented, qpsearch, reply
from tests.helpers import rows

SPACE = """\
study: small
data: {dataset: digits, validation: 300}
network:
  stem: {width: 8}
  stages: [{width: 8, stride: 2, depth: 1, block: {choice: [additive, product_unit]}}]
training: {epochs: 8, batch_size: 32}
search: {sampler: grid, replicates: 2}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two trials of two runs."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "small.yaml").write_text(SPACE)
    done = qpsearch(folder, "run", "small.yaml", "--dispatch", "inline")
    assert done.returncode == 0, done.stderr
    return folder


def test_trained_networks_are_tested_and_noise_costs_accuracy(study: Path) -> None:
    words = ("--trial", "0", "--trial", "1", "--target", "0.5", "--noise", "poisson:0.05", "--noise", "poisson:2")
    words += ("--noise", "poisson:5e-2")  # asked for twice, it is measured once
    document = reply(study, "evaluate", "small", *words)
    assert [trial["trial"] for trial in document["trials"]] == [0, 1]
    assert {trial["blocks"] for trial in document["trials"]} == {"additive", "product_unit"}
    for trial in document["trials"]:
        clean, little, much = (level["mean"] for level in trial["accuracies"])
        assert clean > 0.5
        assert clean + 0.02 > little > much
        assert len(trial["seeds"]) == len(trial["accuracies"][0]["runs"]) == 2
        assert all(1 <= epochs <= 8 for epochs in trial["epochs_to_target"])
    again = reply(study, "evaluate", "small", *words)
    assert again["trials"] == document["trials"]  # the noise has a seed
    assert len(again["looks_before"]) == len(document["looks_before"]) + 1
    more = (*words, "--noise", "poisson:0.5", "--noise", "poisson:1")
    for options, count in ((words[:6], 2), (words, 6), (more, 10)):  # where levels do not fit beside each other, below
        lines = qpsearch(study, "evaluate", "small", *options, COLUMNS="80").stdout.splitlines()
        assert max(map(len, lines)) <= 80
        assert sum(line.startswith(("0  ", "1  ")) for line in lines) == count
    text = qpsearch(study, "evaluate", "small", "--target", "1").stdout
    assert "accuracy on test images" in text
    assert "never reached" in text


ALL_LOOKS = (
    "SELECT number, replicate, noise, images, accuracy, nonfinite FROM qpsearch_evaluations JOIN trials USING (trial_id) "
    "ORDER BY number, replicate, noise"
)


@pytest.fixture
def copied(study: Path, tmp_path: Path) -> Path:
    """A copy of the study at whose test images nobody has looked."""
    folder = tmp_path / "copied"
    shutil.copytree(study, folder)
    change(folder, "DELETE FROM qpsearch_evaluations")
    return folder


def change(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "studies" / "qpsearch.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/studies/qpsearch.db"


def test_a_grid_is_tested_point_by_point_and_every_look_is_recorded(copied: Path) -> None:
    first = reply(copied, "evaluate", "small")
    documented(EvaluateDocument, first)
    blocks = [row["params"]["network.stages.0.block"] for row in first["trials"]]
    assert blocks == ["additive", "product_unit"]  # in the order of the space, whatever the order of training
    assert (first["looks_before"], first["recorded"], first["not_tested"], first["not_trained"]) == ([], True, [], 0)
    clean = sorted(
        (row["trial"], replicate, 0.0, 300, accuracy, 0)
        for row in first["trials"]
        for replicate, accuracy in enumerate(row["accuracies"][0]["runs"])
    )
    assert rows(url_of(copied), ALL_LOOKS) == clean
    shown = qpsearch(copied, "evaluate", "small", "--trial", "1", "--noise", "poisson:0.05").stdout
    assert "Recorded: look 2 of this study at test images (the last: 20" in shown
    noisy = [row for row in rows(url_of(copied), ALL_LOOKS) if row[2] == 0.05]
    assert [row[:2] for row in noisy] == [(1, 0), (1, 1)]
    facts = qpsearch(copied, "trials", "small", "1").stdout
    assert re.search(r"test images +read 2 times, last on 20\d\d-", facts)
    assert f"run 1: accuracy {noisy[1][4]:.4f} under poisson:0.05" in facts
    assert len(reply(copied, "trials", "small", "1")["trial"]["evaluations"]) == 2 + 4


def test_a_trial_trained_again_in_another_process_matches_to_the_bit(study: Path) -> None:
    document = reply(study, "rerun", "small", "1", "--replicate", "1")
    assert (document["matches"], document["environment"], document["runs"][0]["epochs"]) == (True, [], 8)


def test_looks_at_the_test_images_go_with_their_study(copied: Path) -> None:
    assert reply(copied, "evaluate", "small", "--trial", "0")["recorded"]
    assert qpsearch(copied, "studies", "copy", "small", "--as", "twin").returncode == 0
    assert len(rows(url_of(copied), ALL_LOOKS)) == 4
    assert qpsearch(copied, "studies", "delete", "twin", "--yes").returncode == 0
    assert len(rows(url_of(copied), ALL_LOOKS)) == 2
    change(copied, "DELETE FROM trials")  # as Optuna does it, without foreign keys
    assert rows(url_of(copied), "SELECT * FROM qpsearch_evaluations") == []


def test_points_of_a_grid_that_cannot_be_tested_are_named(copied: Path) -> None:
    change(
        copied,
        "UPDATE trials SET state = 'FAIL' WHERE number = 1",
        "UPDATE qpsearch_attempts SET ending = 'failed', reason = 'diverged' WHERE trial_id = 2",
        "UPDATE qpsearch_studies SET asked = 5",
    )
    document = reply(copied, "evaluate", "small")
    documented(EvaluateDocument, document)
    (left,) = document["not_tested"]
    assert (left["trial"], left["state"], left["reason"]) == (1, "FAIL", "diverged")
    assert (len(document["trials"]), document["not_trained"]) == (1, 3)
    shown = qpsearch(copied, "evaluate", "small").stdout
    assert f"not tested: trial 1, failed (diverged): network.stages.0.block {left['params'].popitem()[1]}" in shown
    assert "not trained yet: 3 points of the grid" in shown


def test_a_study_of_an_earlier_schema_is_read_and_migrated_by_the_first_look(copied: Path) -> None:
    change(
        copied,
        "DROP TRIGGER qpsearch_after_trials",
        "DROP TABLE qpsearch_evaluations",
        "DROP TABLE qpsearch_measured",
        "ALTER TABLE qpsearch_leases DROP COLUMN steps_json",
        "CREATE TRIGGER qpsearch_after_trials AFTER DELETE ON trials BEGIN SELECT 1; END",
        "UPDATE qpsearch_version SET version_num = '0005'",
    )
    assert reply(copied, "trials", "small", "0")["trial"]["evaluations"] == []
    assert rows(url_of(copied), "SELECT version_num FROM qpsearch_version") == [("0005",)]
    assert reply(copied, "evaluate", "small", "--trial", "0")["recorded"] is True
    assert rows(url_of(copied), "SELECT version_num FROM qpsearch_version") == [("0009",)]


def test_a_look_that_cannot_be_recorded_is_told_and_ends_nothing() -> None:
    log = Log("sqlite:////proc/nothing/q.db", "small")
    log.write(0, [])
    assert log.problem is not None
    found = StudyEvaluation(
        study="small",
        dataset="digits",
        target=None,
        looks_before=[],
        problem=log.problem,
        trials=(),
        not_tested=(),
        not_trained=0,
        best=None,
        passed_over=None,
    )
    assert "Not recorded: look 1 of this study at test images. /proc/nothing" in evaluate._said(found)
    document = EvaluateDocument.of(found)
    assert (document.recorded, document.problem) == (False, log.problem)


@pytest.mark.parametrize(("columns", "layout"), [(200, "clean"), (80, "noise")])
def test_a_grid_of_many_parameters_says_what_tells_its_points_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int, layout: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "50")
    tested = [made(number, f"layers{20 + number}", lr, number / 4) for number, lr in enumerate((0.1, 0.01, 0.1))]
    evaluation_table.print_table(tested, 0.9 if columns == 200 else None, is_grid=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["trial", "blocks", "stages"]
    assert layout in lines[0]
    assert any("layers22" in line and "0.5000 (n = 1)" in line for line in lines)
    assert max(map(len, lines)) <= columns
    assert ("sgd.lr" in lines[0] or " lr " in lines[0]) is (columns == 200)
    assert ("not shown: " in "".join(lines)) is (columns == 80)


def made(number: int, stages: str, lr: float, accuracy: float) -> evaluate_documents.TestedConfiguration:
    """A trial of a grid whose parameters have long names and values."""
    params = {
        "network.stages": stages,
        "network.rules.norm": "batch",
        "training.optimizer.sgd.lr": lr,
        "training.optimizer.adamw.lr": lr,
        "training.optimizer.adamw.weight_decay": f"a-very-long-value-{number}" if lr < 0.1 else "a-long-value",
    }
    accuracies = tuple(
        Accuracies(noise=noise, mean=accuracy, sd=None, runs=(accuracy,), nonfinite=(0,))
        for noise in (None, "poisson:0.05")
    )
    return evaluate_documents.TestedConfiguration(
        trial=number,
        trials=(number,),
        blocks=" ".join(["quotient_product_unit"] * 3),
        params=params,
        value=None,
        seeds=(1,),
        accuracies=accuracies,
        epochs_to_target=(None,),
    )


def test_of_equal_best_epochs_the_kept_one_is_tested(tmp_path: Path) -> None:
    """With 300 validation images ties are common; the file of the first of them is kept."""
    text = SPACE.replace("replicates: 2", "replicates: 3, score: best")
    (tmp_path / "small.yaml").write_text(text)
    assert qpsearch(tmp_path, "run", "small.yaml", "--dispatch", "inline").returncode == 0
    document = reply(tmp_path, "evaluate", "small", "--trial", "0", "--trial", "1")
    assert all(len(trial["accuracies"][0]["runs"]) == 3 for trial in document["trials"])


def test_a_study_that_trains_on_all_images_is_judged_by_the_test_alone(tmp_path: Path) -> None:
    text = SPACE.replace("validation: 300", "validation: 0").replace(
        "replicates: 2", "objective: {minimize: train_loss}"
    )
    text = text.replace("epochs: 8", "epochs: 2").replace("{choice: [additive, product_unit]}", "additive")
    (tmp_path / "small.yaml").write_text(text)
    assert qpsearch(tmp_path, "run", "small.yaml", "--dispatch", "inline").returncode == 0
    best = reply(tmp_path, "best", "small")["best"]
    history = reply(tmp_path, "trials", "small", "0")["trial"]["history"]
    assert [row["val_accuracy"] for row in history] == [None, None]
    (tested,) = reply(tmp_path, "evaluate", "small", "--trial", str(best["number"]))["trials"]
    assert 0.2 < tested["accuracies"][0]["mean"] < 1
    assert f"train_loss {best['value']:.4f} on training images" in qpsearch(tmp_path, "best", "small").stdout
    done = qpsearch(tmp_path, "evaluate", "small", "--target", "0.9")
    said = "target: study 'small' holds out no validation images, on which epochs are counted."
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_trial_that_was_imported_is_not_evaluated(study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    assert qpsearch(copy, "export", "small", "--format", "optuna").returncode == 0
    source = "sqlite:///studies/export/small.db"
    words = ("import", "small.yaml", "--from", source, "--name", "small", "--study", "back")
    assert qpsearch(copy, *words).returncode == 0
    said = "does not have a complete trial that was trained here"
    for words in (("evaluate", "back"), ("model", "export", "back")):
        done = qpsearch(copy, *words)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    back = load_study("back", url_of(copy))
    with pytest.raises(UserError, match=said):
        back.load_model()
    with pytest.raises(UserError, match=r"trial 0 of study 'back' was imported without weights"):
        back.load_model(0)


def test_what_cannot_be_evaluated_is_answered(study: Path, tmp_path: Path) -> None:
    for words, said in (
        (("--noise", "gauss:1"), "noise: cannot parse noise 'gauss:1'. Expected poisson:LEVEL"),
        (("--noise", "poisson:0"), "noise: cannot parse noise 'poisson:0'"),
        (
            ("--noise", "poisson:1e-20"),
            "noise: cannot parse noise 'poisson:1e-20'. Expected poisson:LEVEL with a level from 1e-9",
        ),
        (("--trial", "7"), "study 'small' does not have a complete trial 7 that was trained here"),
    ):
        done = qpsearch(study, "evaluate", "small", *words)
        assert (done.returncode, said in done.stderr) == (2, True)
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    shutil.rmtree(copy / "studies" / "checkpoints")
    gone = qpsearch(copy, "evaluate", "small")
    assert (gone.returncode, "is missing, so its trial cannot be evaluated" in gone.stderr) == (2, True), gone.stderr


def test_weights_that_were_chosen_are_said_to_be_lucky_on_test_images_too(tmp_path: Path) -> None:
    text = SPACE.replace("epochs: 8", "epochs: 1, optimizer: {sgd: {lr: {log: [0.01, 0.1]}}}")
    (tmp_path / "small.yaml").write_text(text.replace("sampler: grid, replicates: 2", "sampler: random, trials: 2"))
    said = "These weights won by their validation score: new seeds are on average worse on test images, too."
    for trials, is_said in (("1", False), ("2", True)):
        words = ("run", "small.yaml", "--dispatch", "inline", "--study", f"of{trials}", "--trials", trials)
        assert qpsearch(tmp_path, *words).returncode == 0
        assert (said in qpsearch(tmp_path, "evaluate", f"of{trials}").stdout) is is_said


def test_trials_of_one_configuration_are_its_seeds_for_best_status_and_evaluate_alike(tmp_path: Path) -> None:
    text = SPACE.replace("{choice: [additive, product_unit]}", "additive").replace("epochs: 8", "epochs: 1")
    (tmp_path / "small.yaml").write_text(text.replace("sampler: grid", "sampler: random, trials: 2, pruner: none"))
    assert qpsearch(tmp_path, "run", "small.yaml", "--dispatch", "inline").returncode == 0
    trials = reply(tmp_path, "trials", "small")["trials"]
    mean = (trials[0]["value"] + trials[1]["value"]) / 2
    assert trials[0]["value"] != trials[1]["value"]
    best = reply(tmp_path, "best", "small")["best"]
    assert (best["trials"], best["n"], best["value"]) == ([0, 1], 4, pytest.approx(mean))
    assert best["sd"] == pytest.approx(statistics.stdev(best["scores"]))
    assert reply(tmp_path, "status", "small")["studies"][0]["best"]["value"] == best["value"]
    shown = qpsearch(tmp_path, "best", "small").stdout
    assert f"trials 0, 1: val_accuracy {mean:.4f} (sd {best['sd']:.4f}) on validation images," in shown
    assert "one configuration, by the mean over its runs the best of 2 complete trials, n = 4: optimistic" in shown
    (tested,) = reply(tmp_path, "evaluate", "small")["trials"]
    assert (tested["trials"], tested["value"], tested["seeds"]) == ([0, 1], best["value"], best["seeds"])
    assert len(tested["accuracies"][0]["runs"]) == 4
    looks = rows(
        url_of(tmp_path), "SELECT number, count(*) FROM qpsearch_evaluations JOIN trials USING (trial_id) GROUP BY 1"
    )
    assert looks == [(0, 2), (1, 2)]
