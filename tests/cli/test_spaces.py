"""``qpsearch space ...`` as a user calls it."""

import csv
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from qpsearch.architecture.candidates import on_the_grid
from qpsearch.architecture.config import TrialConfig
from qpsearch.space import edited, load_space, parse_space
from tests.cli.run import ROOT, qpsearch, reply
from tests.helpers import SPACES
from tests.scripted import Behaviour

NAMES = [path.stem for path in SPACES]


def own(folder: Path, name: str, changes: dict[str, Any]) -> Path:
    """Write a shipped space, changed, for the scripted trainer, which takes the batch size for its script."""
    text = (ROOT / "spaces" / f"{name}.yaml").read_text()
    path = folder / f"{name}.yaml"
    path.write_text(edited(text, {"training.batch_size": int(Behaviour.IMPROVES)} | changes))
    return path


def test_the_shipped_spaces_are_listed_and_found_by_name_from_any_folder(tmp_path: Path) -> None:
    listed = reply(tmp_path, "space", "list")["spaces"]
    assert [entry["name"] for entry in listed] == sorted(NAMES)
    assert {"smoke", "digits", "cifar", "cifar100", "svhn", "galaxy10", "imagenet", "tradeoff"} <= set(NAMES)
    assert {"quotient-table", "alpha-ablation", "pure-cifar10", "placement", "mixed", "galaxy10-pure"} <= set(NAMES)
    assert all(len(entry["about"]) > 20 for entry in listed)
    assert reply(tmp_path, "space", "check", "digits")["study"] == "digits"


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_space_is_fine_and_can_be_planned(name: str, tmp_path: Path) -> None:
    assert f"{name}: fine." in qpsearch(tmp_path, "space", "check", name).stdout
    found, space = reply(tmp_path, "space", "plan", name, "--no-measure"), load_space(name)
    arms = {"": space} if space.compare is None else space.compare.arms
    for arm, own in arms.items():
        plan = found["arms"][arm] if arm else found
        assert plan["allowed"] > 0
        sizes = [plan["sizes"][size]["parameters"] for size in ("smallest", "median", "largest")]
        assert sizes == sorted(sizes)
        assert 0 < plan["kept"] <= 1
        assert plan["trials"] == on_the_grid(own, own.search.budget).trials


def test_a_copy_is_the_file_and_nothing_is_overwritten(tmp_path: Path) -> None:
    assert qpsearch(tmp_path, "space", "copy", "digits").returncode == 0
    assert (tmp_path / "digits.yaml").read_text() == (ROOT / "spaces" / "digits.yaml").read_text()
    again = qpsearch(tmp_path, "space", "copy", "digits")
    assert (again.returncode, "digits.yaml: already exists and is not overwritten" in again.stderr) == (2, True)
    assert qpsearch(tmp_path, "space", "copy", "cifar100", "mine.yaml").returncode == 0
    assert reply(tmp_path, "space", "check", "mine.yaml")["study"] == "mine"
    (tmp_path / "own").mkdir()
    assert "qpsearch run own/digits.yaml" in qpsearch(tmp_path, "space", "copy", "digits", "own").stdout
    assert (tmp_path / "own" / "digits.yaml").exists()


def test_what_is_set_on_the_command_line_may_leave_rules_of_the_file_without_use(tmp_path: Path) -> None:
    words = (
        "run",
        "digits",
        "--set",
        "network.stages.*.block=quotient",
        "--set",
        "search.trials=1",
        "--set",
        "training.batch_size=1",
    )
    assert qpsearch(tmp_path, *words, "--dispatch", "inline", scripted=True).returncode == 0
    assert (
        qpsearch(tmp_path, "resume", "digits", "--trials", "2", "--dispatch", "inline", scripted=True).returncode == 0
    )


def test_the_smallest_study_runs_by_name(tmp_path: Path) -> None:
    done = qpsearch(tmp_path, "run", "smoke", "--dispatch", "inline")
    assert done.returncode == 0, done.stderr
    assert "3 of 3 trials ended, in this run 3 COMPLETE" in done.stdout


def test_several_objectives_run_and_best_shows_the_front(tmp_path: Path) -> None:
    switches = [{word: {"used": {"choice": [True, False]}}} for word in ("cutout", "mixup")]
    own(tmp_path, "tradeoff", {"search.trials": 12, "data.augment": switches})
    done = qpsearch(tmp_path, "run", "tradeoff.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    best = reply(tmp_path, "best", "tradeoff")
    assert [each["metric"] for each in best["objectives"]] == ["val_accuracy", "parameters", "macs"]
    front = [tuple(record["values"]) for record in best["front"]]
    assert front
    for one in front:
        assert not any(
            other != one and other[0] >= one[0] and other[1] <= one[1] and other[2] <= one[2] for other in front
        )
    shown = qpsearch(tmp_path, "best", "tradeoff", COLUMNS="300").stdout
    assert len(re.findall(r"cutout\.used (?:true|false), mixup\.used (?:true|false)", shown)) == len(front)
    (summary,) = reply(tmp_path, "status", "tradeoff")["studies"]
    complete = summary["counts"]["COMPLETE"]
    assert 0 < complete < 12  # the others are pruned
    assert f"Pareto front: {len(front)} of {complete} complete trials" in shown
    page = qpsearch(tmp_path, "importance", "tradeoff")
    assert page.returncode == 0, page.stderr
    assert qpsearch(tmp_path, "export", "tradeoff", "--format", "csv").returncode == 0
    with (tmp_path / "studies" / "export" / "tradeoff-trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(float(row["objective.macs"]) > 0 and row["objective.val_accuracy"] == row["value"] for row in rows)
    assert len(summary["objectives"]) == 3


def test_a_grid_takes_each_point_once(tmp_path: Path) -> None:
    changes = {"data.dataset": "digits", "data.validation": 300, "training.epochs": 2, "search.replicates": 1}
    changes |= {"data.normalise": "dataset", "search.score": "best"}
    own(tmp_path, "alpha-ablation", changes)
    done = qpsearch(tmp_path, "run", "alpha-ablation.yaml", "--dispatch", "inline", scripted=True)
    assert done.returncode == 0, done.stderr
    more = qpsearch(tmp_path, "resume", "alpha-ablation", "--trials", "30", "--dispatch", "inline", scripted=True)
    assert more.returncode == 0, more.stderr
    assert more.stdout.count("study alpha-ablation: a grid of 8 points, each taken once") == 1
    trials = reply(tmp_path, "trials", "alpha-ablation")["trials"]
    rules = [tuple(trial["params"].values()) for trial in trials]
    assert sorted(rules) == sorted(
        [("sigmoid", a) for a in (2.0, 2.5, 4.0)]
        + [("linear", a) for a in (4.0, 4.5, 8.0)]
        + [(reading, 2.0) for reading in ("relu", "unbounded")]
    )


def test_check_plan_and_run_say_which_prior_is_lost(tmp_path: Path) -> None:
    forbid = [{"network.stages.0.block": "quotient"}]
    changes = {"network.stages.0.block": {"choice": ["additive", "quotient"], "prior": "quotient"}}
    own(tmp_path, "smoke", changes | {"search.forbid": forbid, "search.trials": 1, "training.epochs": 1})
    said = "network.stages.0.block: no trial can have its prior, quotient, so the first trial is not the guess. Refused by:"
    checked = qpsearch(tmp_path, "space", "check", "smoke.yaml")
    assert checked.returncode == 0
    assert f"note: {said}" in checked.stdout
    for command in ("check", "plan"):
        (note,) = reply(tmp_path, "space", command, "smoke.yaml", *(["--no-measure"] * (command == "plan")))["notes"]
        assert note.startswith(said)
    planned = qpsearch(tmp_path, "space", "plan", "smoke.yaml", "--no-measure", COLUMNS="200").stdout
    assert f"note: {said}" in planned
    run = qpsearch(tmp_path, "run", "smoke.yaml", "--dispatch", "inline", scripted=True)
    assert run.returncode == 0, run.stderr
    assert said in run.stdout
    assert reply(tmp_path, "space", "check", "cifar")["notes"] == []


def test_samples_are_resolved_and_seeded(tmp_path: Path) -> None:
    first, again = (reply(tmp_path, "space", "sample", "mixed", "-n", "20", "--seed", "3") for _ in range(2))
    assert first == again
    assert len(first["samples"]) == 20
    for sample in first["samples"]:
        config = TrialConfig.from_json(json.dumps(sample["config"]))
        assert sample["cost"]["macs"] <= 75e6
        assert config.network.stages
    assert reply(tmp_path, "space", "sample", "mixed", "-n", "20", "--seed", "4") != first
    shown = qpsearch(tmp_path, "space", "sample", "digits", "-n", "2").stdout
    assert re.search(r"^0: \d x \w+ 16, \d x \w+ 32; [\d,]+ parameters, [\d.]+M MACs$", shown, re.MULTILINE)


def test_a_diff_is_of_meaning(tmp_path: Path) -> None:
    text = (ROOT / "spaces" / "digits.yaml").read_text()
    (tmp_path / "a.yaml").write_text(text.replace("# ", "# other ").replace("1.0e-5", "0.00001"))
    (tmp_path / "b.yaml").write_text(text.replace("epochs: 15", "epochs: 16"))
    assert "no difference in meaning" in qpsearch(tmp_path, "space", "diff", "digits", "a.yaml").stdout
    assert qpsearch(tmp_path, "space", "diff", "digits", "b.yaml").stdout == "training.epochs: 15 -> 16\n"
    assert reply(tmp_path, "space", "diff", "a.yaml", "b.yaml")["differences"] == ["training.epochs: 15 -> 16"]


def test_resuming_with_another_space_is_refused_with_the_difference(tmp_path: Path) -> None:
    path = own(tmp_path, "smoke", {})
    assert qpsearch(tmp_path, "run", "smoke.yaml", "--dispatch", "inline", scripted=True).returncode == 0
    same = qpsearch(tmp_path, "resume", "smoke", "--space", "smoke.yaml", "--dispatch", "inline", scripted=True)
    assert same.returncode == 0, same.stderr
    path.write_text(edited(path.read_text(), {"training.epochs": 3, "search.limits.macs": "<= 9M"}))
    done = qpsearch(tmp_path, "resume", "smoke", "--space", "smoke.yaml", scripted=True)
    assert done.returncode == 2
    assert "training.epochs: 2 -> 3" in done.stderr
    assert "search.limits.macs: (absent) -> <= 9,000,000" in done.stderr


def test_the_schema_is_written_for_editors(tmp_path: Path) -> None:
    done = qpsearch(tmp_path, "space", "schema", "--output", "space.schema.json")
    assert done.returncode == 0, done.stderr
    assert "# yaml-language-server: $schema=space.schema.json" in done.stdout
    schema = json.loads((tmp_path / "space.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(qpsearch(tmp_path, "space", "schema").stdout) == schema


def test_a_plan_shows_parameters_sizes_and_cost(tmp_path: Path) -> None:
    shown = qpsearch(tmp_path, "space", "plan", "digits").stdout
    for text in ("a stage is quotient", "Q3, Q4, Q5", "smallest", "median", "largest", "epoch on cpu, batches of"):
        assert text in shown
    assert re.search(r"search: 60 trials, 900 epochs without pruning, about \d+ with asha \(simulated\)", shown)
    assert re.search(
        r"time: about .* without pruning, about .* with pruning\n *\(estimated for one trial at a time", shown
    )
    shown = qpsearch(tmp_path, "space", "plan", "mixed", "--no-measure").stdout
    assert "network.stages.3 is wide" in shown
    assert "points looked at may be trained; refused by:" in shown
    tied = qpsearch(tmp_path, "space", "plan", "tradeoff", "--no-measure").stdout
    assert "as network.stages.0.depth (tie depth)" in tied
    assert "= 2 * network.stem.width" in tied


def test_a_plans_seconds_are_measured_and_plausible(tmp_path: Path) -> None:
    plan = reply(tmp_path, "space", "plan", "smoke")
    seconds = [plan["sizes"][size]["seconds_an_epoch"] for size in ("smallest", "median", "largest")]
    assert all(0.001 < each < 30 for each in seconds)
    assert plan["device"] == "cpu"
    assert plan["seconds"] == pytest.approx(6 * sum(seconds) / 3, rel=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "digit"), "digit: no such file. Did you mean 'digits'?"),
        (("plan", "nothing.yaml"), "nothing.yaml: no such file."),
        (("sample", "empty.yaml"), "none of 1000 draws can be trained. Refused by: limit parameters <= 10"),
        (("check", "empty.yaml"), "none of 1000 draws can be trained"),
        (("diff", "digits", "cifr"), "cifr: no such file. Did you mean 'cifar'?"),
        (("copy", "digit"), "digit: no such file. Did you mean 'digits'?"),
        (("schema", "--output", "no/where/x.json"), "no/where/x.json: cannot be written"),
    ],
)
def test_bad_input_is_one_message(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    text = (ROOT / "spaces" / "smoke.yaml").read_text()
    (tmp_path / "empty.yaml").write_text(text.replace("trials: 3", "trials: 3, limits: {parameters: <= 10}"))
    done = qpsearch(tmp_path, "space", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_check_loads_neither_torch_nor_ray(tmp_path: Path) -> None:
    code = (
        "import sys; from qpsearch.cli.main import main\n"
        "sys.argv = ['qpsearch', 'space', 'check', 'cifar']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'ray', 'optuna', 'sqlalchemy', 'numpy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == ""


def test_the_spaces_travel_inside_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
        inside = {Path(name).stem for name in archive.namelist() if name.startswith("qpsearch/spaces/")}
    assert inside == set(NAMES)
    code = "from qpsearch.space import shipped, load_space; print(*shipped()); load_space('cifar100')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == sorted(NAMES)


def test_what_a_study_of_an_extending_space_keeps_stands_alone() -> None:
    space = load_space("placement")
    assert parse_space(space.source).meaning() == space.meaning()
