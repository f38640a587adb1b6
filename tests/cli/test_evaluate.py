"""``qpsearch evaluate``: the test images, noise, and how fast a network learned."""

import shutil
from pathlib import Path

import pytest

from tests.cli.run import qpsearch, reply

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
    assert reply(study, "evaluate", "small", *words) == document  # the noise has a seed
    more = (*words, "--noise", "poisson:0.5", "--noise", "poisson:1")
    for options, count in ((words[:6], 2), (words, 6), (more, 10)):  # where levels do not fit beside each other, below
        lines = qpsearch(study, "evaluate", "small", *options, COLUMNS="80").stdout.splitlines()
        assert max(map(len, lines)) <= 80
        assert sum(line.startswith(("0  ", "1  ")) for line in lines) == count
    text = qpsearch(study, "evaluate", "small", "--target", "1").stdout
    assert "accuracy on test images" in text
    assert "never reached" in text


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
    said = "--target: study 'small' holds out no validation images, on which epochs are counted."
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_trial_that_was_imported_is_not_evaluated(study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    assert qpsearch(copy, "export", "small", "--format", "optuna").returncode == 0
    source = "sqlite:///studies/export/small.db"
    words = ("import", "small.yaml", "--from", source, "--name", "small", "--study", "back")
    assert qpsearch(copy, *words).returncode == 0
    done = qpsearch(copy, "evaluate", "back")
    assert (done.returncode, "does not have a complete trial that was trained here" in done.stderr) == (2, True), (
        done.stderr
    )


def test_what_cannot_be_evaluated_is_answered(study: Path, tmp_path: Path) -> None:
    for words, said in (
        (("--noise", "gauss:1"), "--noise: cannot parse noise 'gauss:1'. Expected poisson:LEVEL"),
        (("--noise", "poisson:0"), "--noise: cannot parse noise 'poisson:0'"),
        (
            ("--noise", "poisson:1e-20"),
            "--noise: cannot parse noise 'poisson:1e-20'. Expected poisson:LEVEL with a level from 1e-9",
        ),
        (("--trial", "7"), "study 'small' does not have a complete trial 7 that was trained here"),
    ):
        done = qpsearch(study, "evaluate", "small", *words)
        assert (done.returncode, said in done.stderr) == (2, True)
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    shutil.rmtree(copy / "studies" / "checkpoints")
    gone = qpsearch(copy, "evaluate", "small")
    assert (gone.returncode, "is missing or damaged" in gone.stderr) == (2, True), gone.stderr
