"""Effects of planted studies, whose answer is known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, create_trial

from qpsearch.analysis.effects import EffectTable, effects
from qpsearch.analysis.figures import effect_forest
from qpsearch.analysis.importance import importance
from qpsearch.analysis.subject import Goal, Subject
from qpsearch.errors import StudyNotFound
from qpsearch.space import load_space
from qpsearch.vocabulary import Direction
from tests.analysis.test_importance import subject

BLOCK = CategoricalDistribution(("quotient", "additive"))
NORM = CategoricalDistribution(("batch", "group"))
RANGES: dict[str, BaseDistribution] = {
    "stages.0.block": BLOCK,
    "stages.1.block": BLOCK,
    "norm": NORM,
    "lr": FloatDistribution(0.01, 1.0, log=True),
}


def interacting(n: int) -> list[FrozenTrial]:
    """A quotient is 2 better at the second stage, where it is 3 better with batch norm and 1 with group norm."""
    rng = np.random.default_rng(0)
    trials = []
    for _ in range(n):
        params = {name: each.choices[rng.integers(2)] for name, each in RANGES.items() if name != "lr"}  # type: ignore[attr-defined]
        params["lr"] = float(0.01 ** rng.random())
        gain = {"batch": 3.0, "group": 1.0}[params["norm"]] * (params["stages.1.block"] == "quotient")
        trials.append(create_trial(params=params, distributions=RANGES, value=gain + 0.2 * rng.normal()))
    return trials


@pytest.fixture(scope="module")
def table() -> EffectTable:
    return effects(subject(interacting(80)))


def test_an_effect_is_the_difference_to_the_additive_block_in_the_objectives_unit(table: EffectTable) -> None:
    found = {(row.parameter, row.level, row.reference): row for row in table.effects}
    assert set(found) == {
        ("stages.0.block", "quotient", "additive"),  # the reference, though it is listed second
        ("stages.1.block", "quotient", "additive"),
        ("norm", "group", "batch"),
    }
    there = found["stages.1.block", "quotient", "additive"]
    assert there.effect == pytest.approx(2.0, abs=0.15)
    assert there.low < 2.0 < there.high
    nowhere = found["stages.0.block", "quotient", "additive"]
    assert nowhere.low < 0.0 < nowhere.high
    assert found["norm", "group", "batch"].effect == pytest.approx(-1.0, abs=0.15)
    assert there.trials == sum(trial.params["stages.1.block"] == "quotient" for trial in interacting(80))


def test_of_an_option_that_no_trial_has_nothing_is_told(table: EffectTable) -> None:
    """Its interval was that of the other options, which says nothing of it."""
    more = RANGES | {"norm": CategoricalDistribution(("none", "batch", "group"))}
    trials = [create_trial(params=each.params, distributions=more, value=each.value) for each in interacting(80)]
    found = effects(subject(trials))
    assert [(row.parameter, row.level, row.reference) for row in found.effects] == [
        (row.parameter, row.level, row.reference) for row in table.effects
    ]
    assert "No trial has norm none: nothing is known of it." in found.notes
    assert "none" not in {row.value for row in found.interactions}
    assert not table.untried


def test_a_switch_is_compared_to_its_being_off() -> None:
    """The way in which ``augment: [{cutout: {used: {choice: [true, false]}}}]`` is asked about."""
    used = CategoricalDistribution((True, False))
    trials = [
        create_trial(params={"used": index % 3 == 0}, distributions={"used": used}, value=float(index % 3 == 0))
        for index in range(20)
    ]
    (row,) = effects(subject(trials)).effects
    assert (row.level, row.reference) == (True, False)
    assert row.effect > 0.5


def test_a_block_is_compared_across_stages_and_told_by_the_rule_that_changes_it(table: EffectTable) -> None:
    (across,) = table.across
    assert (across.parameter, across.given) == ("stages.0.block", "stages.1.block")
    assert across.effect == pytest.approx(-2.0, abs=0.2)
    by_norm = {row.value: row.effect for row in table.interactions if row.given == "norm"}
    assert by_norm == {"batch": pytest.approx(3.0, abs=0.2), "group": pytest.approx(1.0, abs=0.2)}
    assert {row.parameter for row in table.interactions} == {"stages.1.block"}


def test_where_nothing_is_shown_nothing_is_told() -> None:
    rng = np.random.default_rng(1)
    trials = interacting(60)
    for trial in trials:
        trial.values = [float(rng.normal())]
    found = effects(subject(trials))
    assert found.interactions == ()
    assert "It is not shown that any parameter matters" in found.notes[0]
    assert all(row.low < 0 < row.high for row in found.effects)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("digits", "trials of an adaptive sampler (gp): points were chosen by earlier results"),
        ("quotient-table", "designed trials (grid), chosen without looking"),
        ("smoke", "random trials, chosen without looking"),
    ],
)
def test_the_design_is_named(space: str, words: str) -> None:
    assert words in replace(subject([]), space=load_space(space)).design


def test_a_study_of_another_program_has_points_of_unknown_origin() -> None:
    assert "is not known" in subject([]).design
    shown = effects(subject(interacting(20))), importance(subject(interacting(20)))
    assert [each.notes[-1] for each in shown] == [subject([]).design] * 2


def test_the_figure_shows_every_effect_and_a_map_of_blocks(table: EffectTable) -> None:
    points, heat = effect_forest(table).data
    assert dict(zip(points.y, points.x, strict=True)) == {
        f"{row.parameter}: {row.level}": row.effect for row in table.effects
    }
    assert list(heat.x) == ["0", "1"]
    assert list(heat.y) == ["additive", "quotient"]  # the reference too, at 0
    assert not np.array(heat.z[0]).any()


def test_a_plain_study_of_optuna_is_read_from_a_database_and_a_journal(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/plain.db"
    journal = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(f"{tmp_path}/plain.log"))
    for storage in (url, journal):
        study = optuna.create_study(study_name="plain", storage=storage, direction="minimize")
        study.add_trials(interacting(20))
    read = [Subject.at(source, "plain") for source in (url, f"{tmp_path}/plain.log")]
    for each in read:
        assert (each.objective, len(each.trials)) == (Goal(metric="value", direction=Direction.MINIMIZE), 20)
        assert json.dumps(effects(each).to_dict())
    with pytest.raises(StudyNotFound, match=r"no study 'plian'\. Did you mean 'plain'"):
        Subject.at(url, "plian")
