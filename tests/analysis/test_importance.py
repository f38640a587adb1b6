"""Planted studies whose answer is known."""

import math
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from qpsearch.analysis.anova.parameters import Parameter
from qpsearch.analysis.figures import importance_bars
from qpsearch.analysis.importance import QUESTIONS, TITLES, ImportanceTable, importance
from qpsearch.analysis.optuna_evaluators import _evaluator
from qpsearch.analysis.subject import Goal, Subject
from qpsearch.errors import UserError
from qpsearch.space import FloatRange, IntRange, LogIntRange, load_space
from qpsearch.vocabulary import Direction, Evaluator

BLOCK = CategoricalDistribution(["additive", "quotient", "product_unit"])
LR, ALPHA, CLIP = (
    FloatDistribution(0.01, 0.5, log=True),
    FloatDistribution(1.3, 2.2),
    CategoricalDistribution([None, 8.0]),
)


def planted(n: int, seed: int, alpha_matters: bool = False, noise: float = 0.01) -> list[FrozenTrial]:
    """Complete trials in which the block explains most, the learning rate a little, alpha nothing or much."""
    generator = random.Random(seed)
    trials = []
    for number in range(n):
        block = generator.choice(BLOCK.choices)
        params: dict[str, object] = {
            "block": block,
            "lr": 0.01 * 50 ** generator.random(),
            "noise": generator.uniform(1.3, 2.2),
        }
        distributions: dict[str, BaseDistribution] = {"block": BLOCK, "lr": LR, "noise": ALPHA}
        value = {"additive": 0.6, "quotient": 0.9, "product_unit": 0.3}[str(block)] + 0.1 * (
            float(str(params["lr"])) - 0.25
        )
        if block == "quotient":
            params["alpha"], distributions["alpha"] = generator.uniform(1.3, 2.2), ALPHA
            value += 0.3 * (float(str(params["alpha"])) - 1.75) * alpha_matters
        if block == "product_unit":
            params["clip"], distributions["clip"] = generator.choice([None, 8.0]), CLIP
        trial = create_trial(
            state=TrialState.COMPLETE,
            value=value + generator.gauss(0, noise),
            params=params,
            distributions=distributions,
        )
        trial.number = number
        trials.append(trial)
    return trials


def subject(trials: list[FrozenTrial]) -> Subject:
    return Subject(study="s", objectives=(Goal(metric="val_accuracy", direction=Direction.MAXIMIZE),), trials=trials)


def judged(trials: list[FrozenTrial], evaluator: Evaluator = Evaluator.ANOVA) -> ImportanceTable:
    return importance(subject(trials), evaluator=evaluator)


def share(trials: list[FrozenTrial], evaluator: Evaluator = Evaluator.ANOVA) -> dict[str, float]:
    return {row.parameter: row.importance for row in judged(trials, evaluator).importances}


NUMBERS: list[FloatRange | IntRange | LogIntRange] = [
    FloatRange(low=0.0, high=1.0, step=0.1),
    FloatRange(low=0.0, high=10.0, step=0.1),
    IntRange(low=8, high=64, step=8),
    LogIntRange(low=1, high=5),
    LogIntRange(low=1, high=40),
    LogIntRange(low=8, high=512),
]


@pytest.mark.parametrize("domain", NUMBERS, ids=str)
def test_numbers_are_analysed_on_the_scale_on_which_they_are_drawn(domain: FloatRange | IntRange | LogIntRange) -> None:
    """Features are orthonormal over draws of the space; with the draws in another scale they are not."""
    parameter, generator = Parameter(name="x", distribution=domain.distribution()), random.Random(0)
    values = list(domain.values or ())
    codes = parameter.codes([{"x": value} for value in values])
    assert [parameter.value(code) for code in codes] == values
    drawn = [domain.draw(generator) for _ in range(4000)]
    own = parameter.drawn(np.random.default_rng(0), 4000)
    for found in (parameter.codes([{"x": value} for value in drawn]), own):
        features = np.column_stack([np.ones(4000), parameter.features(found)])
        assert features.T @ features / 4000 == pytest.approx(np.eye(4), abs=0.16)  # sampled: sd up to 0.04
    below = sum(value <= parameter.value(parameter.at(0.5)) for value in drawn) / 4000
    assert 0.45 < below < 0.7  # the middle of the scale


def test_the_registries_agree() -> None:
    assert set(TITLES) == set(QUESTIONS) == set(Evaluator)


@pytest.mark.parametrize("seed", range(3))
def test_a_block_that_explains_almost_everything_is_found(seed: int) -> None:
    """Optuna's default evaluator gave such a block 0.00-0.13 and never ranked it first."""
    found = share(planted(60, seed))
    assert next(iter(found)) == "block"
    assert found["block"] > 0.9
    assert found["noise"] < 0.05


def test_conditional_parameters_stand_in_the_same_ranking_and_the_shares_add_up() -> None:
    """Alpha has a slope of 0.3 in a third of even draws: a variance of 0.3 ** 2 * 0.9 ** 2 / 12 / 3 beside the block's."""
    silent, strong = judged(planted(120, 0)), judged(planted(120, 0, alpha_matters=True))
    by_name = {table: {row.parameter: row for row in table.importances} for table in (silent, strong)}
    assert by_name[silent]["alpha"].importance < 0.02
    alone = by_name[strong]["alpha"]
    assert alone.importance == pytest.approx(0.0020 / 0.0645, abs=0.01)
    assert alone.first == pytest.approx(alone.importance / 3, rel=0.05)  # active in a third of even draws
    assert alone.trials < strong.n
    assert strong.unexplained is not None
    firsts = [row.first for row in strong.importances if row.first is not None]
    assert sum(firsts) + strong.unexplained.mean <= 1.0


def test_pruned_trials_are_used_and_not_taken_for_final() -> None:
    """Trials of the worst block stop at half of their value: taken as final, they would hide that it is the worst."""
    trials = []
    for trial in planted(80, 1):
        curve = {1: 0.25 * trial.value, 2: 0.5 * trial.value, 3: trial.value}
        stops = trial.params["block"] == "product_unit" and trial.number > 12
        trials.append(
            create_trial(
                state=TrialState.PRUNED if stops else TrialState.COMPLETE,
                value=None if stops else trial.value,
                params=trial.params,
                distributions=trial.distributions,
                intermediate_values={step: value for step, value in curve.items() if not stops or step < 3},
            )
        )
    table = judged(trials)
    assert table.pruned > 10
    assert table.n + table.pruned == 80
    assert table.importances[0].parameter == "block"
    assert table.importances[0].importance > 0.85


def test_a_search_in_which_nothing_matters_is_said_so() -> None:
    generator = random.Random(0)
    trials = planted(60, 0)
    for trial in trials:
        trial.values = [generator.random()]
    table = judged(trials)
    assert table.nothing is not None
    assert table.nothing.p > 0.05
    assert "It is not shown that any parameter matters" in table.notes[0]
    assert all(row.low is not None and row.low < 0.01 for row in table.importances)
    something = judged(planted(60, 0)).nothing
    assert something is not None
    assert something.p < 0.01


def test_intervals_shrink_with_evidence() -> None:
    few, many = (judged(planted(n, 3, noise=0.15)) for n in (15, 120))
    widths = [
        next(row.high - row.low for row in table.importances if row.parameter == "block" and row.low and row.high)
        for table in (few, many)
    ]
    assert widths[1] < widths[0] / 2


def test_an_interaction_without_main_effects_is_found_as_a_pair() -> None:
    generator = np.random.default_rng(0)
    ranges = {"a": FloatDistribution(0, 1), "b": FloatDistribution(0, 1), "c": FloatDistribution(0, 1)}
    trials = []
    for _ in range(100):
        params = {name: float(generator.random()) for name in ranges}
        value = (params["a"] - 0.5) * (params["b"] - 0.5) * 12 + 0.3 * generator.normal()
        trials.append(create_trial(params=params, distributions=dict(ranges), value=value))
    table = judged(trials)
    assert set(table.pairs[0].parameters) == {"a", "b"}
    assert table.pairs[0].share == pytest.approx(0.92, abs=0.06)  # 1 / (1 + 0.3 ** 2)
    assert {row.parameter for row in table.importances[:2]} == {"a", "b"}
    assert all(row.first is not None and row.first < 0.05 for row in table.importances)


@pytest.mark.parametrize("evaluator", [Evaluator.FANOVA, Evaluator.MDI])
def test_what_an_evaluator_cannot_judge_is_named(evaluator: Evaluator) -> None:
    table = judged(planted(40, 0), evaluator)
    assert {reason.split(":")[0] for reason in table.left_out} == {"alpha", "clip"}
    assert {row.parameter for row in table.importances} == {"block", "lr", "noise"}


@pytest.mark.parametrize("evaluator", [each for each in Evaluator if each is not Evaluator.ANOVA])
def test_optunas_evaluators_give_optunas_numbers_in_whatever_order_parameters_were_drawn(evaluator: Evaluator) -> None:
    generator, ranges = random.Random(0), {"z": FloatDistribution(0, 1), "a": FloatDistribution(0, 1)}
    trials = []
    for _ in range(60):
        params = {name: generator.random() for name in ranges}
        trials.append(create_trial(params=params, distributions=dict(ranges), value=params["z"]))
    found = share(trials, evaluator)
    assert found["z"] > 0.8
    assert found["a"] < 0.2
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    theirs = _evaluator(evaluator, 0).evaluate(study, params=["a", "z"])
    scale = sum(theirs.values()) if evaluator is Evaluator.PED_ANOVA else 1.0
    assert found == pytest.approx({name: value / scale for name, value in theirs.items()})


@pytest.mark.parametrize("evaluator", list(Evaluator))
@pytest.mark.parametrize(("n", "rare"), [(10, 0), (12, 2)])
def test_words_of_which_one_is_rare_are_judged(evaluator: Evaluator, n: int, rare: int) -> None:
    trials = [
        create_trial(
            params={"block": "quotient" if index < rare else "additive"},
            distributions={"block": CategoricalDistribution(("additive", "quotient"))},
            value=index / n,
        )
        for index in range(n)
    ]
    assert [0 <= row.importance <= 1 for row in judged(trials, evaluator).importances] == [True]


def test_what_is_not_finite_or_did_not_report_is_not_used_and_this_is_said() -> None:
    trials = planted(20, 0)
    silent = create_trial(state=TrialState.PRUNED, params=trials[0].params, distributions=trials[0].distributions)
    endless = create_trial(value=math.inf, params=trials[0].params, distributions=trials[0].distributions)
    table = judged([*trials, silent, endless])
    assert (table.n, table.pruned, table.total) == (20, 0, 22)
    assert "20 complete trials" in table.title
    assert "Not used: 2 of 22 trials (failed or still running)." in table.notes


def test_too_few_trials_are_refused_with_the_way_out() -> None:
    wanted = r"study 's' has 5 trials with a value, 5 of them complete; importance needs at least 8 trials with a value, 3 of them complete"
    with pytest.raises(UserError, match=wanted):
        judged(planted(5, 0))
    with pytest.raises(UserError, match=r"study 's' has none; importance needs"):
        judged([create_trial(state=TrialState.FAIL, params={"lr": 0.1}, distributions={"lr": LR})] * 3)


@pytest.mark.parametrize(
    ("space", "states", "way_out"),
    [
        (
            "digits",
            [],
            "has none; importance needs at least 8 trials .* Run more trials: qpsearch resume s --trials 16",
        ),
        (
            "digits",
            ["COMPLETE"],
            "has 1 trial with a value, 1 of them complete; .* Run more trials: qpsearch resume s --trials 16",
        ),
        (
            "digits",
            ["COMPLETE"] * 2 + ["PRUNED"] * 7,
            "has 9 trials with a value, 2 of them complete; .* qpsearch resume s --trials 18",
        ),
        ("digits", ["FAIL"] * 9, "has none; .* All its trials failed; why: qpsearch status s"),
        ("digits", ["COMPLETE", "RUNNING"], "Trials are still open: qpsearch status s"),
        ("quotient-table", ["COMPLETE"] * 6, "Its grid has no more points; compare them: qpsearch compare s"),
    ],
)
def test_a_study_of_which_too_little_is_known_is_answered_with_what_helps(
    space: str, states: list[str], way_out: str
) -> None:
    """A grid cannot be resumed for more trials, and failed trials are not mended by more."""
    trials = [
        create_trial(
            state=TrialState[state],
            value=0.5 if state == "COMPLETE" else None,
            params={"network.stages.0.block": "additive"},
            distributions={"network.stages.0.block": BLOCK},
            intermediate_values={1: 0.1} if state == "PRUNED" else {},
        )
        for state in states
    ]
    with pytest.raises(UserError, match=way_out):
        importance(replace(subject(trials), space=load_space(space)))


def test_trials_that_a_search_has_chosen_do_not_show_what_matters() -> None:
    with pytest.raises(UserError, match=r"trains again what a search has chosen.*: qpsearch importance other"):
        importance(replace(subject(planted(40, 0)), chosen_by="other"))


def test_a_study_that_searches_nothing_is_said_so() -> None:
    trials = [create_trial(state=TrialState.COMPLETE, value=0.5 + index / 100) for index in range(9)]
    with pytest.raises(UserError, match="study 's' does not search anything"):
        judged(trials)


def test_a_study_in_which_nothing_varies_explains_nothing() -> None:
    trials = planted(20, 0)
    for trial in trials:
        trial.values = [0.5]
    assert set(share(trials, Evaluator.FANOVA).values()) == {0.0}
    table = judged(trials)
    assert table.nothing is not None
    assert table.nothing.p > 0.05


def words_alone(values: Callable[[str, str, int], float], n: int) -> list[FrozenTrial]:
    """Complete trials of two words of two values each."""
    generator, word = random.Random(0), CategoricalDistribution(["x", "y"])
    trials = []
    for number in range(n):
        params = {name: generator.choice("xy") for name in ("a", "b")}
        distributions: dict[str, BaseDistribution] = dict.fromkeys(params, word)
        value = values(params["a"], params["b"], number)
        trials.append(create_trial(value=value, params=params, distributions=distributions))
        trials[-1].number = number
    return trials


def test_values_without_noise_are_not_doubted() -> None:
    found = judged(words_alone(lambda a, b, number: float(a == "x"), 20))
    assert found.doubts == ()
    assert found.importances[0].parameter == "a"


def test_of_equal_values_only_the_one_that_differs_is_far_off() -> None:
    found = judged(words_alone(lambda a, b, number: 0.9 if number == 7 else 0.1, 40))
    assert found.doubts == (
        "The value of 1 trial lies far from what the choices say (trial 7): a few values decide the shares.",
    )


def test_a_parameter_with_one_value_is_left_out_by_name() -> None:
    single = CategoricalDistribution(["sgd"])
    trials = [
        create_trial(
            value=trial.value,
            params=trial.params | {"optimizer": "sgd"},
            distributions=trial.distributions | {"optimizer": single},
        )
        for trial in planted(20, 0)
    ]
    assert "optimizer: only one value is possible" in judged(trials).left_out


def test_the_figure_shows_every_row_of_the_table() -> None:
    table = judged(planted(40, 0))
    figure = importance_bars(table)
    total, alone = (dict(zip(trace.y, trace.x, strict=True)) for trace in figure.data)
    assert total == {row.parameter: row.importance for row in table.importances}
    assert alone == {row.parameter: row.first for row in table.importances}
    assert figure.layout.title.text == table.title


def halved(
    trials: list[FrozenTrial], rungs: dict[int, float], *, by_block: bool = True, turned: bool = False
) -> list[FrozenTrial]:
    """Trials that learn in proportion to their value, of which at each rung the best share goes on.

    Args:
        trials: Complete trials.
        rungs: The share that goes on, by epoch.
        by_block: Whether the best of each kind of block goes on, as our pruners have it.
        turned: Whether those that are best at first are the worst from the second rung on.
    """
    first = min(rungs)

    def value(trial: FrozenTrial, epoch: int) -> float:
        whole = trial.value or 0.0
        return (1 - whole if turned and epoch > first else whole) * epoch / 9

    found, going = [], trials
    for epoch, share in rungs.items():
        kinds = {str(each.params["block"]) if by_block else "" for each in going}
        last, before = list[FrozenTrial](), going
        going = []
        for kind in sorted(kinds):
            own = [each for each in before if kind in ("", each.params["block"])]
            own = sorted(own, key=lambda each: -value(each, epoch))
            count = math.ceil(len(own) * share)
            going, last = going + own[:count], last + own[count:]
        for trial in last:
            curve = {at: value(trial, at) for at in rungs if at <= epoch}
            stopped = create_trial(
                state=TrialState.PRUNED,
                params=trial.params,
                distributions=trial.distributions,
                intermediate_values=curve,
            )
            stopped.number = trial.number
            found.append(stopped)
    for trial in going:
        curve = {at: value(trial, at) for at in rungs}
        whole = create_trial(
            state=TrialState.COMPLETE,
            value=value(trial, 9),
            params=trial.params,
            distributions=trial.distributions,
            intermediate_values=curve,
        )
        whole.number = trial.number
        found.append(whole)
    return sorted(found, key=lambda each: each.number)


def test_where_few_trials_are_complete_the_last_step_with_enough_is_analysed() -> None:
    """After halving 60 trials to 8, those at the second rung say that the block decides; eight would say nothing."""
    trials = halved(planted(60, seed=0), {1: 0.5, 3: 1 / 3, 6: 2 / 3})
    table = judged(trials)
    assert sum(trial.state is TrialState.COMPLETE for trial in trials) == 8
    assert (table.at, table.n, table.pruned) == ("step 3", 31, 29)
    assert table.importances[0].parameter == "block"
    assert table.importances[0].low is not None
    assert table.importances[0].low > 0.3
    assert table.title == "s: what decides val_accuracy (Bayesian ANOVA; 31 trials at step 3, 29 that stopped before)"
    assert table.notes[0] == (
        "Few trials reached step 6, so this is about val_accuracy after step 3, which 31 trials reached."
    )


def test_later_values_that_say_nothing_of_the_trials_that_stopped_are_not_analysed() -> None:
    """A choice of which hardly a trial went on, and curves that cross, gave an answer with a narrow and wrong interval."""
    table = judged(halved(planted(60, seed=0), {1: 0.5, 3: 0.8, 6: 1.0}, by_block=False))
    assert (table.at, table.n) == ("step 1", 60)
    assert table.of == "val_accuracy after step 1"
    assert table.why == "None of the 23 trials with block product_unit went on to step 3"
    table = judged(halved(planted(60, seed=0), {1: 0.5, 3: 0.9}, turned=True))
    assert (table.at, table.why) == (
        "step 1",
        "The 31 trials that went on to step 3 are ordered otherwise there than before",
    )
    assert table.notes[0] == f"{table.why}, so this is about val_accuracy after step 1, which 60 trials reached."
    most = judged(halved(planted(60, seed=0), {1: 0.8, 3: 0.9}, turned=True))
    assert most.at is None  # two thirds are complete: little is guessed, and that curves cross is said
    assert any(doubt.startswith("Curves cross") for doubt in most.doubts)


def test_imported_trials_beside_those_of_a_search_are_neither_lost_nor_nan() -> None:
    """Nothing selected which of them have a final value, and they do not have another one."""
    imported = planted(50, seed=1)
    own = halved(planted(40, seed=2), {1: 0.4, 3: 0.4}, by_block=False)
    for number, trial in enumerate(own):
        trial.number = 50 + number
    table = judged([*imported, *own])
    assert (table.at, table.n) == (None, 50 + sum(trial.state is TrialState.COMPLETE for trial in own))
    few = judged([*imported[:3], *halved(planted(60, seed=0), {1: 0.5, 3: 0.8, 6: 1.0}, by_block=False)])
    assert (few.at, few.n, few.pruned) == ("step 1", 60, 0)  # the three do not have a value there
    assert math.isfinite(few.importances[0].importance)
    assert "Not used: 3 of 63 trials (failed, still running, or without a value after step 1)." in few.notes


def test_first_values_that_follow_nothing_do_not_stand_against_later_ones() -> None:
    """Before networks learn, which of them go on is chance, and their later values are those of random trials."""
    noise, trials = random.Random(0), planted(80, seed=4)
    found = halved(trials, {1: 0.5, 3: 1.0}, by_block=False)
    values = [noise.random() for _ in found]
    for trial, first, stops in zip(found, values, np.argsort(values) < 40, strict=True):
        whole = next(each.value for each in trials if each.number == trial.number)
        trial.intermediate_values = {1: first} if stops else {1: first, 3: whole}
        trial.state, trial.values = (TrialState.PRUNED, None) if stops else (TrialState.COMPLETE, [whole])
    table = judged(found)
    assert (table.at, table.n) == (None, 40)
    assert table.importances[0].parameter == "block"


def test_final_values_are_analysed_where_enough_trials_have_one() -> None:
    assert judged(halved(planted(60, seed=0), {1: 0.5, 3: 0.8, 6: 1.0})).at is None  # 24 of 60 are complete
    assert judged(halved(planted(12, seed=0), {1: 0.5})).at is None  # half of a small study
    assert judged(halved(planted(400, seed=0), {1: 1 / 3, 3: 1 / 3, 6: 1 / 2})).at is None  # 23 are enough


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("pruned", [1, 2, 9])
def test_complete_trials_without_curves_count_beside_pruned_ones(pruned: int) -> None:
    """Imported trials have final values alone; those that a search then prunes have early ones alone."""
    trials = planted(45 + pruned, seed=3)
    for trial in trials[45:]:
        trial.state, trial.intermediate_values, trial.values = TrialState.PRUNED, {1: trial.values[0]}, None
    goal = Goal(metric="val_accuracy", direction=Direction.MAXIMIZE)
    found = importance(Subject(study="planted", objectives=(goal,), trials=trials))
    assert found.nothing is not None
    assert found.nothing.p < 0.01
    assert found.importances[0].parameter == "block"
