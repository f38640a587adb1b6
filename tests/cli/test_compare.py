"""``qpsearch compare``: a grid with replicates, confirmed trials, and arms that are tuned alike."""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import jsonschema
import numpy as np
import pytest
from pydantic import TypeAdapter

import qpsearch as package
from qpsearch.analysis.compare.comparison import Comparison
from qpsearch.errors import StorageError
from qpsearch.space import load_space
from qpsearch.study.drivers.turn import in_turn
from qpsearch.study.storage.database import Database
from tests.cli.run import ROOT, qpsearch, reply
from tests.helpers import rows

BASE = """\
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages: [{width: 4, stride: 2, depth: 1, block: %s}]
training: {epochs: 1, batch_size: 64, optimizer: {sgd: {lr: %s}}}
"""
GRID = f"study: grid\n{BASE % ('{choice: [additive, quotient]}', '{choice: [0.1, 0.2]}')}" + (
    "search: {sampler: grid, replicates: 3}\n"
)
ARMS = (
    f"study: tuned\n{BASE % ('additive', '{log: [0.05, 0.5]}')}"
    + """\
search: {sampler: random, pruner: none}
compare:
  arms:
    plain:
    quotient: {network.stages.*.block: quotient}
  tune: {trials: 2}
  retrain: {top: 2, seeds: 2}
"""
)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid of four points with three seeds each, and a comparison of two arms."""
    folder = tmp_path_factory.mktemp("compare")
    for name, text in (("grid", GRID), ("tuned", ARMS)):
        (folder / f"{name}.yaml").write_text(text)
        done = qpsearch(folder, "run", f"{name}.yaml", "--dispatch", "inline")
        assert done.returncode == 0, done.stderr
        (folder / f"{name}.out").write_text(done.stdout)
    return folder


@pytest.fixture
def copied(studies: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(studies, tmp_path / "copied"))


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/studies/qpsearch.db"


ACCURACIES = (
    "SELECT number, replicate, accuracy, correct FROM qpsearch_evaluations JOIN trials USING (trial_id) "
    "JOIN studies USING (study_id) WHERE study_name = :name ORDER BY 1, 2"
)


def test_a_grid_is_compared_by_a_parameter_over_the_points_of_the_others(copied: Path) -> None:
    found = reply(copied, "compare", "grid", "--by", "network.stages.*.block")
    schema = TypeAdapter(Comparison).json_schema(mode="serialization")
    assert json.dumps(schema, indent=1) in (ROOT / "docs" / "reference" / "json.md").read_text()
    jsonschema.validate(found, schema | {"additionalProperties": False})
    assert [(arm["name"], arm["n"], arm["points"]) for arm in found["arms"]] == [("additive", 6, 2), ("quotient", 6, 2)]
    params = {trial["number"]: trial["params"] for trial in reply(copied, "trials", "grid")["trials"]}
    by_point: dict[tuple[Any, ...], list[float]] = {}
    for number, _, accuracy, bits in rows(url_of(copied), ACCURACIES, name="grid"):
        by_point.setdefault(tuple(params[number].values()), []).append(accuracy)
        assert np.unpackbits(np.frombuffer(bits, np.uint8), count=300).sum() == round(300 * accuracy)
    assert all(len(runs) == 3 for runs in by_point.values())
    for arm in found["arms"]:
        own = [runs for point, runs in by_point.items() if arm["name"] in point]
        assert arm["mean"] == pytest.approx(fmean(map(fmean, own)))
        assert arm["sd"] == pytest.approx(fmean(stdev(runs) ** 2 for runs in own) ** 0.5)
        assert arm["cost_s"] > 0
    (pair,) = found["pairs"]
    assert (pair["a"], pair["b"]) == ("additive", "quotient")
    assert pair["difference"] == pytest.approx(found["arms"][1]["mean"] - found["arms"][0]["mean"])
    assert pair["low"] < pair["difference"] < pair["high"]
    assert pair["p"] == pair["p_adjusted"]
    assert found["has_images"]
    assert found["images"] == 300
    assert any("network.stages.*.init" in said for said in found["sentences"])  # auto is another init for each block
    assert reply(copied, "compare", "grid", "--by", "block") == found  # the images are not read twice
    assert len(rows(url_of(copied), ACCURACIES, name="grid")) == 12


def test_points_of_a_small_grid_and_named_trials_are_arms(copied: Path) -> None:
    found = reply(copied, "compare", "grid")
    blocks, rates = ("additive", "quotient"), (0.1, 0.2)
    assert {arm["name"] for arm in found["arms"]} == {f"block {a}, lr {b}" for a in blocks for b in rates}
    assert found["settings"] == []  # which the names say
    assert len(found["pairs"]) == 6
    assert all(pair["p"] <= pair["p_adjusted"] for pair in found["pairs"])
    named = reply(copied, "compare", "grid", "0", "2")
    drawn = {trial["number"]: trial["params"] for trial in reply(copied, "trials", "grid")["trials"]}
    assert [arm["name"] for arm in named["arms"]] == ["trial 0", "trial 2"]
    assert {row["parameter"]: row["values"] for row in named["settings"]} == {
        name: {f"trial {number}": drawn[number][name] for number in (0, 2)}
        for name in drawn[0]
        if drawn[0][name] != drawn[2][name]
    }
    seeds = {tuple(trial["seeds"]) for trial in reply(copied, "trials", "grid")["trials"]}
    assert len(seeds) == 1  # the points of a grid share their seeds


def test_validation_scores_are_compared_without_reading_anything(copied: Path) -> None:
    found = reply(copied, "compare", "grid", "--by", "block", "--on", "validation")
    assert (found["metric"], found["has_images"]) == ("val_accuracy", False)
    assert rows(url_of(copied), ACCURACIES, name="grid") == []
    shutil.rmtree(copied / "studies" / "checkpoints")
    found = reply(copied, "compare", "grid", "--by", "block")
    assert found["metric"] == "val_accuracy"
    assert any("The test images cannot be read" in said for said in found["sentences"])


def test_what_is_printed_is_markdown_latex_or_tables(copied: Path) -> None:
    shown = qpsearch(copied, "compare", "grid", "--by", "block", COLUMNS="80")
    assert "quotient - additive" in shown.stdout
    assert shown.stdout.startswith("reading the test images: 12 runs\n")
    tables = shown.stdout.split("\n\n")[:2]
    assert max(len(line) for table in tables for line in table.splitlines()) <= 80
    assert qpsearch(copied, "compare", "grid", "--by", "block", "--format", "markdown").stdout.startswith("**grid: ")
    assert r"\toprule" in qpsearch(copied, "compare", "grid", "--by", "block", "--format", "latex").stdout


def test_arms_are_tuned_alike_and_their_best_trained_again_on_the_same_fresh_seeds(studies: Path) -> None:
    names = [row["name"] for row in reply(studies, "studies")["studies"]]
    assert [name for name in names if name.startswith("tuned")] == ["tuned", "tuned.plain", "tuned.quotient"]
    trials = reply(studies, "trials", "tuned")["trials"]
    assert [trial["state"] for trial in trials] == ["COMPLETE"] * 8
    seeds = {trial["seeds"][0] for trial in trials}
    assert len(seeds) == 2
    searched = [reply(studies, "trials", f"tuned.{arm}")["trials"] for arm in ("plain", "quotient")]
    assert [len(each) for each in searched] == [2, 2]
    assert [trial["seeds"] for trial in searched[0]] == [trial["seeds"] for trial in searched[1]]
    assert not seeds & {seed for each in searched for trial in each for seed in trial["seeds"]}
    told = reply(studies, "compare", "tuned", "--on", "validation")["sentences"]
    assert not any("optimizer.sgd.lr" in said for said in told)  # which every arm tunes
    found = reply(studies, "compare", "tuned")
    assert [(arm["name"], arm["n"], arm["tuned"]) for arm in found["arms"]] == [("plain", 2, 2), ("quotient", 2, 2)]
    held = sum(trial["seconds"] for each in (trials, *searched) for trial in each)
    assert sum(arm["cost_s"] for arm in found["arms"]) == pytest.approx(held)
    printed = (studies / "tuned.out").read_text()
    assert "tuned: test_accuracy of 2 arms, 300 images" in printed
    assert found["sentences"][0] in printed
    assert len(rows(url_of(studies), ACCURACIES, name="tuned")) == 8


SEVERAL = ARMS.replace("tune: {trials: 2}", "tune: {trials: 2, searches: 2}").replace("seeds: 2}", "seeds: 1}")


def test_several_searches_of_each_arm_are_what_the_test_is_over(tmp_path: Path, studies: Path) -> None:
    """Each has draws and fresh seeds of its own; what a single search found gets no p value."""
    alone = reply(studies, "compare", "tuned")
    assert [pair["p"] for pair in alone["pairs"]] == [None]
    assert alone["sentences"][0].startswith("No p value is given: each arm was searched once.")
    assert "each arm is searched once, and" in qpsearch(studies, "space", "check", "tuned.yaml").stdout
    (tmp_path / "tuned.yaml").write_text(SEVERAL)
    checked = qpsearch(tmp_path, "space", "check", "tuned.yaml").stdout
    assert "2 arms, each searched 2 times, and after each search 2 trials on fresh seeds:" in checked
    assert "is searched once" not in checked
    began = qpsearch(tmp_path, "run", "tuned.yaml", "--dispatch", "inline")
    assert began.returncode == 0, began.stderr
    assert "arm plain, search 2 of 2\n" in began.stdout
    assert "the best 2 of each search, on a fresh seed\n" in began.stdout
    searches = ["tuned.plain", "tuned.quotient", "tuned.plain.2", "tuned.quotient.2"]
    assert sorted(row["name"] for row in reply(tmp_path, "studies")["studies"]) == sorted(["tuned", *searches])
    drawn = {name: [trial["params"] for trial in reply(tmp_path, "trials", name)["trials"]] for name in searches}
    assert drawn["tuned.plain"] == drawn["tuned.quotient"] != drawn["tuned.plain.2"] == drawn["tuned.quotient.2"]
    seeds = [trial["seeds"][0] for trial in reply(tmp_path, "trials", "tuned")["trials"]]
    assert len(seeds) == 8
    assert len(set(seeds)) == 2  # one for the first searches, and one for the second ones
    found = reply(tmp_path, "compare", "tuned")
    assert [(arm["name"], arm["n"], arm["tuned"]) for arm in found["arms"]] == [("plain", 2, 4), ("quotient", 2, 4)]
    assert found["searches"] == 2
    (pair,) = found["pairs"]
    assert 0 < pair["p"] <= 1
    assert any(said.startswith("Welch's t test over searches, each the mean over") for said in found["sentences"])
    assert qpsearch(tmp_path, "studies", "rename", "tuned", "moved").returncode == 0
    assert reply(tmp_path, "compare", "moved")["pairs"] == found["pairs"]
    begun = qpsearch(tmp_path, "run", "tuned.yaml", "--dispatch", "inline", "--trials", "3")
    assert begun.returncode == 0, begun.stderr
    assert [arm["tuned"] for arm in reply(tmp_path, "compare", "tuned")["arms"]] == [6, 6]


def test_a_comparison_goes_on_where_it_was_and_its_studies_stay_together(copied: Path) -> None:
    again = qpsearch(copied, "resume", "tuned", "--dispatch", "inline", "--ignore-stop", "--retry-failed", "all")
    assert again.returncode == 0, again.stderr
    assert "COMPLETE" not in again.stdout
    assert "arm plain" not in again.stdout  # what was chosen is not searched on
    larger = qpsearch(copied, "resume", "tuned", "--trials", "4", "--dispatch", "inline")
    assert (larger.returncode, "its test images have been read" in larger.stderr) == (2, True)
    again = qpsearch(copied, "run", "tuned.yaml", "--join", "--trials", "2", "--dispatch", "inline")  # as at its start
    assert again.returncode == 0, again.stderr
    assert qpsearch(copied, "studies", "copy", "tuned", "--as", "twin").returncode == 0
    assert reply(copied, "compare", "twin")["arms"] == reply(copied, "compare", "tuned")["arms"]
    assert qpsearch(copied, "studies", "rename", "twin", "other").returncode == 0
    assert reply(copied, "compare", "other")["pairs"] == reply(copied, "compare", "tuned")["pairs"]
    assert qpsearch(copied, "studies", "delete", "other", "--yes").returncode == 0
    left = [row["name"] for row in reply(copied, "studies")["studies"]]
    assert left == ["grid", "tuned", "tuned.plain", "tuned.quotient"]


def test_drivers_read_the_test_images_in_turn(copied: Path) -> None:
    database, order = Database.create(url_of(copied)), []

    def second() -> None:
        with in_turn(Database.create(url_of(copied)), "tuned"):
            order.append("second")

    with in_turn(database, "tuned"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.5)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]
    assert rows(url_of(copied), "SELECT COUNT(*) FROM qpsearch_leases WHERE state = 'held'") == [(0,)]
    database.close()


EPOCHS = "SELECT COUNT(*) FROM qpsearch_epochs"


def test_a_comparison_whose_driver_is_killed_trains_each_epoch_once_and_tunes_arms_alike(
    studies: Path, tmp_path: Path
) -> None:
    shutil.copy(studies / "tuned.yaml", tmp_path)
    words = [sys.executable, "-m", "qpsearch", "run", "tuned.yaml", "--trials", "3", "--dispatch", "inline"]
    with (tmp_path / "out").open("wb") as out, subprocess.Popen(words, cwd=tmp_path, stdout=out, stderr=out) as driver:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and driver.poll() is None and _epochs(tmp_path) < 1:
            time.sleep(0.02)
        driver.kill()
    assert 1 <= _epochs(tmp_path) < 14
    assert re.search(r"^tuned +not begun ", qpsearch(tmp_path, "status").stdout, re.MULTILINE)
    done = qpsearch(tmp_path, "resume", "tuned", "--dispatch", "inline")
    assert done.returncode == 0, done.stderr
    assert _epochs(tmp_path) == 2 * 3 + 2 * 2 * 2
    assert [arm["tuned"] for arm in reply(tmp_path, "compare", "tuned")["arms"]] == [3, 3]
    looks = rows(url_of(tmp_path), "SELECT COUNT(*), COUNT(DISTINCT evaluated) FROM qpsearch_evaluations")
    assert looks == [(8, 1)]  # the test images are read once


def _epochs(folder: Path) -> int:
    if not (folder / "studies" / "qpsearch.db").exists():
        return 0
    try:
        ((count,),) = rows(url_of(folder), EPOCHS)
    except StorageError:  # whose tables are being made
        return 0
    return int(count)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("grid", "--by", "blok"), "--by blok: refers to no parameter of study 'grid'. Known: network.stages.0.block"),
        (("grid", "7", "0"), "study 'grid' does not have trial 7. It has trials 0 to 3."),
        (("grid", "0"), "name at least two trials with different configurations"),
        (("grid", "0", "1", "--by", "block"), "give trial numbers or --by, not both"),
        (("tuned.plain",), "study 'tuned.plain' searches: name what to compare"),
        (("tuned.plain", "0", "1"), "qpsearch confirm tuned.plain --trial 0 --trial 1 --seeds 5"),
        (("nothing",), "no study 'nothing'"),
    ],
)
def test_what_cannot_be_compared_is_told_with_what_would_help(studies: Path, words: tuple[str, ...], says: str) -> None:
    done = qpsearch(studies, "compare", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_search_is_told_apart_from_a_comparison(studies: Path) -> None:
    found = reply(studies, "compare", "tuned.plain", "--by", "lr")
    assert found["basis"] == "searched"
    assert all(pair["p"] is None for pair in found["pairs"])
    assert any("No p value is given" in said for said in found["sentences"])


def test_arms_are_part_of_what_a_space_means(studies: Path) -> None:
    space = load_space(studies / "tuned.yaml")
    other = studies / "other.yaml"
    other.write_text(
        ARMS.replace("quotient: {network.stages.*.block: quotient}", "quotient: {network.stages.0.block: product_unit}")
    )
    assert package.space.diff(space, load_space(other)) == [
        "compare.arms.quotient.network.stages.0.block: quotient -> product_unit"
    ]
    done = qpsearch(studies, "resume", "tuned", "--space", "other.yaml")
    assert done.returncode == 2
    assert "was made from another space" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("resume", "tuned.plain", "--trials", "9"), "'tuned.plain' is an arm of 'tuned', whose arms are tuned alike"),
        (("resume", "tuned.plain", "--ignore-stop"), "have been chosen: qpsearch resume tuned --ignore-stop."),
        (("resume", "tuned.plain", "--retry-failed", "all"), "chosen: qpsearch resume tuned --retry-failed all."),
        (("run", "tuned.yaml", "--join", "--trials", "9"), "its test images have been read"),
        (("studies", "rename", "tuned.plain", "other"), "qpsearch studies rename tuned NEW"),
        (("studies", "delete", "tuned.plain", "--yes"), "qpsearch studies delete tuned."),
    ],
)
def test_no_arm_goes_its_own_way(copied: Path, words: tuple[str, ...], says: str) -> None:
    done = qpsearch(copied, *words)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert [arm["tuned"] for arm in reply(copied, "compare", "tuned")["arms"]] == [2, 2]


def test_arms_that_are_all_pruned_need_more_trials(tmp_path: Path) -> None:
    text = ARMS.replace("pruner: none", "pruner: {threshold: {lower: 0.999}}").replace("epochs: 1", "epochs: 2")
    (tmp_path / "tuned.yaml").write_text(text)
    done = qpsearch(tmp_path, "run", "tuned.yaml", "--dispatch", "inline")
    assert done.returncode == 2
    assert "All were pruned. Go on with more trials: qpsearch resume tuned --trials N." in done.stderr
    assert "best 2 of each arm" not in done.stdout
    shown = qpsearch(tmp_path, "status", "tuned").stdout
    assert "arm tuned.plain: 2 of 2 trials ended\narm tuned.quotient: 2 of 2 trials ended\n" in shown
    larger = qpsearch(tmp_path, "resume", "tuned", "--epochs", "2", "--dispatch", "inline")
    assert "no trial of its arms" in larger.stderr


def test_what_goes_on_with_an_arm_is_its_comparison(copied: Path) -> None:
    refused = qpsearch(copied, "run", "grid.yaml", "--join", "--trials", "1", "--dispatch", "inline")
    assert (refused.returncode, "has 4 trials behind it" in refused.stderr) == (2, True)
    (copied / "small.yaml").write_text(ARMS.replace("study: tuned", "study: small").replace("trials: 2}", "trials: 9}"))
    began = qpsearch(copied, "run", "small.yaml", "--dispatch", "inline", "--epochs", "1")
    assert began.returncode == 0, began.stderr
    over = qpsearch(copied, "status", "small.plain").stdout
    assert "the budget of 1 epoch is spent; to go on: qpsearch resume small\n" in over
    assert qpsearch(copied, "resume", "small", "--dispatch", "inline").returncode == 0


def test_a_copy_of_an_arm_is_a_study_of_its_own(copied: Path) -> None:
    assert qpsearch(copied, "studies", "copy", "tuned.plain", "--as", "kept").returncode == 0
    assert qpsearch(copied, "studies", "rename", "tuned", "moved").returncode == 0
    assert qpsearch(copied, "studies", "delete", "moved", "--yes").returncode == 0
    assert [row["name"] for row in reply(copied, "studies")["studies"]] == ["grid", "kept"]
    assert len(reply(copied, "trials", "kept")["trials"]) == 2


CONDITIONAL = GRID.replace("study: grid", "study: odd").replace("[0.1, 0.2]", "[0.1, 0.100004]").replace(
    "training:", "  rules: {quotient: {alpha: {choice: [1.5, 2.0]}}}\ntraining:"
).replace("replicates: 3", "replicates: 2")  # fmt: skip


def test_values_are_told_apart_and_trials_without_the_parameter_belong_to_no_arm(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(CONDITIONAL)
    assert qpsearch(tmp_path, "run", "odd.yaml", "--dispatch", "inline").returncode == 0
    found = reply(tmp_path, "compare", "odd", "--by", "alpha", "--on", "validation")
    assert [(arm["name"], arm["n"]) for arm in found["arms"]] == [("alpha 1.5", 4), ("alpha 2", 4)]
    assert "Trials without network.rules.quotient.alpha, which belong to no arm: 2." in found["sentences"]
    found = reply(tmp_path, "compare", "odd", "--by", "lr", "--on", "validation")
    assert [(arm["name"], arm["n"], arm["points"]) for arm in found["arms"]] == [
        ("lr 0.1", 6, 3),
        ("lr 0.100004", 6, 3),
    ]
    found = reply(tmp_path, "compare", "odd", "--by", "block", "--on", "validation")
    assert any(said.startswith("No point of the other parameters") for said in found["sentences"])


def test_two_arms_that_mean_the_same_are_refused(tmp_path: Path) -> None:
    (tmp_path / "twins.yaml").write_text(
        ARMS.replace("quotient: {network", "twin: {training.epochs: 1}\n    other: {network")
    )
    done = qpsearch(tmp_path, "space", "check", "twins.yaml")
    assert (done.returncode, "compare.arms.twin: means the same as plain" in done.stderr) == (2, True), done.stderr


BAD = """
import torch
from torch import nn
from qpsearch.models import build_branch, build_shortcut, custom_block


class Bad(nn.Module):
    def __init__(self, stage, width_in, stride):
        super().__init__()
        self.branch, self.shortcut = build_branch(stage, width_in, stride), build_shortcut(stage, width_in, stride)

    def forward(self, x):
        if self.training and len(x) > 40:
            raise ValueError("bad block")
        return torch.relu(self.shortcut(x) + self.branch(x))


bad = custom_block("bad", Bad, rules={}, formula="bad")
"""


def test_arms_whose_searches_fail_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    one = ARMS.replace("block: quotient", "block: bad")
    (tmp_path / "all.yaml").write_text(
        one.replace("tuned", "all").replace("plain:", "plain: {network.stages.*.block: bad, training.epochs: 2}")
    )
    words = ("--import", "./bad.py", "--dispatch", "inline")
    done = qpsearch(tmp_path, "run", "all.yaml", *words)
    assert done.returncode == 2
    assert "no trial of its arms is complete. Show why: qpsearch trials all.plain --import ./bad.py." in done.stderr


SEARCHED = f"study: drawn\n{BASE % ('{choice: [additive, quotient]}', '{choice: [0.1, 0.2, 0.3, 0.4]}')}" + (
    "search: {sampler: random, pruner: none, trials: 9, seed: 3}\n"
)


def test_of_a_search_what_is_left_out_is_counted_and_is_no_confound(tmp_path: Path) -> None:
    (tmp_path / "drawn.yaml").write_text(SEARCHED)
    assert qpsearch(tmp_path, "run", "drawn.yaml", "--dispatch", "inline").returncode == 0
    block, lr = "network.stages.0.block", "training.optimizer.sgd.lr"
    drawn = [trial["params"] for trial in reply(tmp_path, "trials", "drawn")["trials"]]  # type: ignore[index,union-attr]
    rates = [{params[lr] for params in drawn if params[block] == kind} for kind in ("additive", "quotient")]
    shared, single = rates[0] & rates[1], rates[0] ^ rates[1]
    assert shared, "the seed must draw some rate for both"
    assert single, "and some for one alone"
    said = reply(tmp_path, "compare", "drawn", "--by", "block")["sentences"]
    assert f"other points, which are left out: {len(single)}." in " ".join(said)  # type: ignore[arg-type]
    assert lr not in " ".join(said)  # type: ignore[arg-type]
    assert "differ in more than what is compared." in " ".join(said)  # type: ignore[arg-type]  # no sampler that adapts


NOWHERE = """
import qpsearch

def nowhere(logits, labels):
    "Nothing that can be compared."
    return float("nan")

metric = qpsearch.custom_metric("nowhere", nowhere, direction="maximize")
"""


def test_arms_without_a_finite_value_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "nowhere.py").write_text(NOWHERE)
    search = "{objective: {maximize: val_nowhere}, sampler: random, pruner: none, trials: 4}"
    (tmp_path / "drawn.yaml").write_text(f"{SEARCHED.partition('search:')[0]}search: {search}\n")
    words = ("--import", "./nowhere.py")
    assert (
        "no complete trial has a finite value"
        in qpsearch(tmp_path, "run", "drawn.yaml", "--dispatch", "inline", *words).stdout
    )
    compared = qpsearch(tmp_path, "compare", "drawn", "--by", "block", *words)
    assert ("nan" in compared.stdout, compared.stderr, compared.returncode) == (False, "", 0)
    assert "complete trial with a finite value" in qpsearch(tmp_path, "best", "drawn", *words).stderr


def test_runs_that_two_points_of_a_grid_share_are_tested_once_in_the_report(tmp_path: Path) -> None:
    """With one block a stage, ``by_depth`` is 2: both points are the same networks on the same seeds."""
    text = f"study: dup\n{BASE % ('quotient', '0.1')}search: {{sampler: grid, replicates: 2}}\n"
    text = text.replace("block: quotient", "block: quotient, quotient: {alpha: {choice: [by_depth, 2.0]}}")
    (tmp_path / "dup.yaml").write_text(text)
    for words in ("run dup.yaml --dispatch inline", "evaluate dup", "report dup"):
        done = qpsearch(tmp_path, *words.split())
        assert done.returncode == 0, done.stderr
    page = (tmp_path / "studies" / "dup.html").read_text(encoding="utf-8")
    (table,) = re.findall(r"<caption>Metrics of the test images</caption>.*?</table>", page, re.DOTALL)
    assert re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", table)[-1] == "2"
    (pair,) = reply(tmp_path, "compare", "dup", "--by", "alpha")["pairs"]
    assert pair["is_same"]
