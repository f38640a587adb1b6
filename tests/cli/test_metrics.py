"""A study of balanced accuracy, latency and a metric of one's own, from the file to the report, as a user has it."""

import re
from pathlib import Path

import pytest

from tests.cli.run import ROOT, qpsearch, reply
from tests.test_pages import blocks

GUIDE = ROOT / "docs" / "guides" / "metrics.md"
SPACE = """\
extends: smoke
study: judged
search:
  objective: {maximize: val_balanced_accuracy, minimize: [latency_ms, val_distance, parameters]}
  metrics: [epochs_to_0.1, val_top5_accuracy]
  pruner: {asha: {first: 1}}
  trials: 8
"""
OWN = ("--import", "./cost.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("judged")
    (made / "cost.py").write_text(blocks(GUIDE, "python")[0])
    (made / "judged.yaml").write_text(SPACE)
    done = qpsearch(made, "run", "judged.yaml", "--dispatch", "inline", *OWN)
    assert done.returncode == 0, done.stderr
    assert "cannot be used" not in done.stderr + done.stdout  # a checkpoint of a paused trial
    return made


def test_every_answer_of_such_a_study(folder: Path) -> None:
    best = reply(folder, "best", "judged", *OWN)
    metrics = [each["metric"] for each in best["objectives"]]
    assert metrics == ["val_balanced_accuracy", "val_distance", "latency_ms", "parameters"]
    first = best["front"][0]
    assert 0 < first["values"][0] < 1
    assert 0 < first["values"][1] < 9
    assert first["values"][2] > 0
    shown = qpsearch(folder, "best", "judged", *OWN, COLUMNS="200").stdout
    assert f"{first['values'][0]:.4f}" in shown
    again = qpsearch(folder, "best", "judged", "--as-space", *OWN).stdout
    assert "# Needs --import, with the module of: val_distance.\n" in again
    assert re.search(r"latency_ms +params", shown)
    trial = reply(folder, "trials", "judged", str(first["number"]), *OWN)["trial"]
    own = {"val_balanced_accuracy", "val_distance", "latency_ms", "epochs_to_0.1", "val_top5_accuracy"}
    assert all(own <= set(row) for row in trial["history"])
    assert len({row["latency_ms"] for row in trial["history"]}) == 1  # though the trial was paused between its epochs
    assert trial["history"][-1]["val_balanced_accuracy"] == first["values"][0]
    counts = reply(folder, "status", "judged", *OWN)["studies"][0]["counts"]
    assert counts.get("COMPLETE", 0) + counts.get("PRUNED", 0) == 8


def test_what_it_gives_on_test_images(folder: Path) -> None:
    document = reply(folder, "evaluate", "judged", *OWN)
    (tested,) = document["trials"]
    found = {each["metric"]: each["mean"] for each in tested["metrics"]}
    assert set(found) == {"test_balanced_accuracy", "test_distance", "test_top5_accuracy"}
    assert 0 < found["test_balanced_accuracy"] < found["test_top5_accuracy"] < 1
    table = qpsearch(folder, "evaluate", "judged", "--noise", "poisson:0.5", *OWN, COLUMNS="200").stdout
    assert f"{found['test_balanced_accuracy']:.4f} (n = 1)" in table
    trial = reply(folder, "trials", "judged", str(tested["trial"]), *OWN)["trial"]
    assert trial["evaluations"][0]["test_distance"] == found["test_distance"]


@pytest.mark.parametrize("command", ["importance", "effects", "report"])
def test_analyses_are_about_the_metric(folder: Path, command: str) -> None:
    done = qpsearch(folder, command, "judged", *OWN)
    assert done.returncode == 0, done.stderr
    page = folder / "studies" / ("judged.html" if command == "report" else f"judged-{command}.html")
    assert "val_balanced_accuracy" in done.stdout + page.read_text()


def test_without_its_module_the_metric_is_unknown(folder: Path) -> None:
    done = qpsearch(folder, "resume", "judged", "--trials", "9")
    assert done.returncode == 2
    assert "unknown metric 'val_distance'" in done.stderr
    assert "Load a metric of your own with --import MODULE (in Python: QPSEARCH_IMPORT)." in done.stderr
    assert "Traceback" not in done.stderr
