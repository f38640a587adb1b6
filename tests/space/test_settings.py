"""Values of the command line in place of a file's: ``--set PATH=VALUE``."""

from pathlib import Path

import pytest

from qpsearch.errors import SpaceError
from qpsearch.space import RandomChooser, load_space, parse_space
from qpsearch.space.sampling import draw
from tests.cli.run import qpsearch

BRANCHES = """\
study: s
extends: {base}
network: {{stages: [{{width: 8, depth: 1, block: additive}}, {{width: 8, depth: 2, block: quotient}}]}}
training: {{epochs: 3, optimizer: {{choice: {{sgd: {{lr: {{log: [0.01, 0.1]}}}}, adamw: {{lr: 0.001}}}}}}}}
"""
ARMS = """\
study: s
data: {dataset: digits, validation: 300}
network: {stem: {width: 8}, stages: [{width: 8, depth: 1, block: additive}]}
training: {epochs: 15, optimizer: {sgd: {lr: {log: [0.01, 0.1]}}}}
compare:
  arms:
    paper: {training.recipe: quotient, training.optimizer.sgd.lr: {log: [0.02, 0.2]}}
    today: {training: {recipe: modern, optimizer: {muon: {lr: {log: [0.01, 0.1]}}}}}
  tune: {trials: 10}
"""


@pytest.mark.parametrize(
    ("setting", "path", "expected"),
    [
        ("training.epochs=7", "training.epochs", "7"),
        ("search.trials = 3", "", ""),
        ("network.stages.1.block={choice: [additive, quotient]}", "network.stages.1.block", "{choice: [additive, quotient]}"),
        ("network.stages.*.depth=4", "network.stages.1.depth", "4"),
        ("training.optimizer.sgd.lr=0.05", "training.optimizer.sgd.lr", "0.05"),
        ("network.rules.norm=group", "network.rules.norm", "group"),
    ],
)  # fmt: skip
def test_a_setting_replaces_what_the_file_and_its_base_say(
    tmp_path: Path, setting: str, path: str, expected: str
) -> None:
    (tmp_path / "s.yaml").write_text(BRANCHES.format(base="smoke"))
    space = load_space(tmp_path / "s.yaml", [setting])
    if path:
        assert space.meaning()[path] == expected
    else:
        assert space.search.budget.trials == 3
    assert parse_space(space.source).fingerprint == space.fingerprint  # what a study stores


def test_the_optimiser_of_a_recipe_that_is_set_stands_over_the_files_own() -> None:
    meaning = load_space("digits", ["training.recipe=modern"]).meaning()
    assert "training.optimizer.sgd.lr" not in meaning
    assert meaning["training.optimizer.muon.adamw_lr"] == "0.003"
    assert (meaning["training.epochs"], meaning["training.batch_size"]) == ("15", "64")  # the file's own
    assert meaning["training.ema"] == "0.999"
    again = load_space("digits", ["training.recipe=modern", "training.optimizer.muon.lr={log: [0.01, 0.1]}"])
    assert again.meaning()["training.optimizer.muon.lr"] == "{log: [0.01, 0.1]}"


STAGES = """
study: s
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages:
    - choice: {wide: {width: 8, depth: 1, block: additive}, slim: {width: 4, depth: 1, block: additive}}
    - choice: {none: [], more: [{width: 4, depth: 1, block: additive}]}
training: {epochs: 1}
"""


def test_a_stage_is_set_by_its_name() -> None:
    assert list(parse_space(STAGES, settings=["network.stages.0=slim"]).searched) == ["network.stages.1"]
    with pytest.raises(SpaceError, match=r"network\.stages\.0: expected keys"):
        parse_space(STAGES, settings=["network.stages.0=slime"])
    with pytest.raises(SpaceError, match=r"network\.stages\.0\.width: the choice has no branch 'width'\."):
        parse_space(STAGES, settings=["network.stages.0.width=4"])
    more = parse_space(STAGES, settings=["network.stages.0=slim", "network.stages.1=more"])
    assert len(draw(more, RandomChooser(0)).values["network"]["stages"]) == 2


def test_a_branch_of_no_stage_is_set_by_its_name() -> None:
    none, wide = (load_space("mixed", [f"network.stages.3={word}"]) for word in ("none", "wide"))
    assert "network.stages.3.width" not in none.meaning()
    assert len(draw(none, RandomChooser(0)).values["network"]["stages"]) == 3
    assert len(draw(wide, RandomChooser(0)).values["network"]["stages"]) == 4


def test_an_option_of_what_the_file_names_by_its_word_alone_is_set() -> None:
    search = load_space("digits", ["search.sampler.gp.random=0.5"]).search
    assert (str(search.sampler), search.sampler_options["random"]) == ("gp", 0.5)


def test_a_recipe_of_an_arm_stands_over_the_files_own() -> None:
    space = parse_space(ARMS)
    assert space.compare is not None
    today = space.compare.arms["today"].meaning()
    assert today["training.ema"] == "0.999"
    assert today["training.optimizer.muon.lr"] == "{log: [0.01, 0.1]}"
    assert space.compare.arms["paper"].meaning()["training.epochs"] == "15"
    assert space.compare.arms["paper"].data.normalise == "dataset"  # the images are grey
    for arm in space.compare.arms.values():
        assert parse_space(arm.source, strict=False).fingerprint == arm.with_search(study="s").fingerprint
    assert space.compare.arms["paper"].meaning()["training.optimizer.sgd.momentum"] == "0.9"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("training.epochs", r"--set training.epochs: expected PATH=VALUE, such as"),
        ("training.epochs=", r"--set training.epochs=: expected PATH=VALUE"),
        ("training.epoch=3", r"--set training.epoch:1:1: training: unknown key 'epoch'. Did you mean 'epochs'"),
        ("training.epochs=many", r"--set training.epochs:1:1: training.epochs: 'many' is not a whole number"),
        ("network.stages.5.block=quotient", r"--set network.stages.5.block:1:1: .*has no item '5' here. Expected 0 to 0"),
        ("study.name=x", r"--set study.name:1:1: .*leads through smoke, which is a constant"),
        ("search.trials=[", r"--set search.trials"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(setting: str, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        load_space("smoke", [setting])


def test_run_and_plan_take_settings(tmp_path: Path) -> None:
    given = ("--set", "search.trials=1", "--set", "training.batch_size=1")
    done = qpsearch(tmp_path, "run", "smoke", "--dispatch", "inline", *given, scripted=True)
    assert done.returncode == 0, done.stderr
    assert "study smoke: 1 of 1 trials ended" in done.stdout
    wrong = qpsearch(tmp_path, "space", "sample", "smoke", "--set", "training.epochs=0")
    assert wrong.returncode == 2
    assert "--set training.epochs:1:1" in wrong.stderr
