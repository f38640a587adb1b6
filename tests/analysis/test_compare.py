"""The test behind ``compare``: against SciPy, and on simulated comparisons whose truth is known."""

import contextlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import nctdtr

from qpsearch.analysis.compare import rendering
from qpsearch.analysis.compare.arms import arms_of
from qpsearch.analysis.compare.basis import Basis
from qpsearch.analysis.compare.comparison import ArmRow, Comparison, PairRow
from qpsearch.analysis.compare.contrast import Contrast, Replicates, adjusted, are_same, contrast, holm, power
from qpsearch.analysis.compare.naming import SettingRow
from qpsearch.analysis.compare.sentences import sentences
from qpsearch.analysis.compare.table import TIMED, compare, compared
from qpsearch.architecture.config import Stage
from qpsearch.architecture.cost import cost
from qpsearch.errors import UserError
from qpsearch.protocol import EpochReport, Progress
from qpsearch.space import Space, parse_space
from qpsearch.study.queries import top_configurations, trial_records
from qpsearch.vocabulary import Direction, SplitName
from tests.benchmarks.comparisons import MODES, World, measured
from tests.helpers import HERE, new_ledger, progress, ready_database
from tests.scripted import Behaviour, space_text

ALIKE, UNLIKE, GRIDS = MODES[0], MODES[1], MODES[3]


def drawn(seed: int, *counts: int) -> list[Replicates]:
    random = np.random.default_rng(seed)
    return [Replicates(random.normal(0.9, 0.01 * place, count)) for place, count in enumerate(counts, 1)]


@pytest.mark.parametrize("counts", [(3, 3), (5, 2), (10, 4)])
def test_without_images_it_is_welchs_test(counts: tuple[int, int]) -> None:
    first, second = drawn(1, *counts)
    found = contrast([first], [second])
    expected = stats.ttest_ind(second.scores, first.scores, equal_var=False)
    assert found is not None
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.interval == pytest.approx(expected.confidence_interval(), rel=1e-9)
    assert found.df == pytest.approx(expected.df, rel=1e-9)


def test_the_mean_of_points_has_the_variance_of_a_mean() -> None:
    first, second, third, fourth = drawn(2, 4, 4, 6, 6)
    found = contrast([first, second], [third, fourth])
    assert found is not None
    assert found.difference == pytest.approx(
        (third.scores.mean() + fourth.scores.mean() - first.scores.mean() - second.scores.mean()) / 2
    )
    cells = (first, second, third, fourth)
    assert found.se**2 == pytest.approx(sum(np.var(cell.scores, ddof=1) / len(cell.scores) for cell in cells) / 4)


def test_points_that_share_seeds_are_one_mean_for_each_seed() -> None:
    """Whatever the order of the runs; what points do not share is theirs alone."""
    first, second, third, fourth = (replace(cell, seeds=(7, 8, 9, 10)) for cell in drawn(2, 4, 4, 4, 4))
    turned = replace(fourth, scores=fourth.scores[::-1], seeds=fourth.seeds[::-1])
    found = contrast([replace(first, points=2), second], [third, turned])
    one, two = (2 * first.scores + second.scores) / 3, (third.scores + fourth.scores) / 2
    expected = stats.ttest_ind(two, one, equal_var=False)
    assert found is not None
    assert (found.p, found.df) == pytest.approx((expected.pvalue, expected.df), rel=1e-9)
    assert found.freedom.tolist() == [3, 3]
    apart = contrast([first, replace(second, seeds=(1, 2, 3, 4))], [third])
    assert apart is not None
    assert apart.freedom.tolist() == [3, 3, 3]
    some = replace(second, scores=second.scores[:3], seeds=second.seeds[:3])  # one of its runs was lost
    partly = contrast([first, some], [third])
    assert partly is not None
    assert partly.freedom.tolist() == [2, 3]
    own = (first.scores - first.scores.mean()) / 12**0.5
    own[:3] += (some.scores - some.scores.mean()) / 6**0.5
    assert partly.parts[0] == pytest.approx((own**2).sum() / 4)


def test_seeds_that_points_share_do_not_raise_false_alarms() -> None:
    """Three points of each arm: as many runs of seeds of their own would be three times as much evidence."""
    world, alarms = World(6, images=1000), [0, 0]
    for _ in range(300):
        sides = [[replace(cell, right=None) for cell in side] for side in world.sides(GRIDS, 5, 0.0)]
        for place, is_told in enumerate((True, False)):
            given = sides if is_told else [[replace(cell, seeds=()) for cell in side] for side in sides]
            found = contrast(*given)
            alarms[place] += found is not None and found.p < 0.05
    assert alarms[0] <= 27 < 36 < alarms[1]  # of 300, where 15 are meant


def test_a_single_run_cannot_be_tested() -> None:
    assert contrast([drawn(1, 1)[0]], [drawn(2, 5)[0]]) is None


def test_images_that_every_run_tells_alike_are_all_of_the_chance() -> None:
    """Without chance between runs, the difference of two networks is that of paired images: a z test."""
    random = np.random.default_rng(3)
    right = [np.repeat((random.random((1, 400)) < rate).astype(np.float32), 3, axis=0) for rate in (0.8, 0.9)]
    found = contrast(*([Replicates(each.mean(1), each)] for each in right))
    gap = right[1][0] - right[0][0]
    assert found is not None
    assert found.se == pytest.approx(gap.std(ddof=1) / 20, rel=1e-6)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(gap.mean()) / found.se), rel=1e-3)


@pytest.mark.parametrize(("mode", "runs"), [(ALIKE, 10), (UNLIKE, 3)], ids=["alike", "unlike"])
def test_equal_arms_are_told_apart_as_often_as_promised_and_power_is_as_told(mode: type(ALIKE), runs: int) -> None:  # type: ignore[valid-type]  # a class of the benchmark
    """On new images; of the 600 comparisons 30 are expected, and 14 to 50 in 999 of 1,000 such tests."""
    row = measured(mode, runs, 600, seed=11, images=1000)
    assert 14 / 600 <= row.found[0.0] <= 50 / 600
    for effect in (0.003, 0.006):
        assert row.told[effect] == pytest.approx(row.found[effect], abs=0.08)


def test_many_equal_arms_are_told_apart_no_more_often_than_two() -> None:
    """Six arms of two seeds have 15 pairs, of which some agree by luck: without care 18% of comparisons claimed something."""
    world, mode, alarms = World(8, images=1500), replace(ALIKE, sds=(0.0025,) * 6), [0, 0]
    for _ in range(150):
        sides = world.sides(mode, 2, 0.0)
        tests = [test for one, two in itertools.combinations(sides, 2) if (test := contrast(one, two)) is not None]
        alarms[0] += min(adjusted(tests)) < 0.05
        alarms[1] += min(holm([test.p for test in tests])) < 0.05
    assert alarms[0] <= 17 < 19 <= alarms[1]  # of 150, where 7.5 are meant


@pytest.mark.parametrize("images", [0.0, 1e-6])
def test_a_p_value_of_many_is_never_smaller_than_its_own(images: float) -> None:
    """Two runs beside three: larger variances alone would give the pair more degrees of freedom."""
    for parts in itertools.product((1e-7, 1e-6, 1e-5), repeat=2):
        found = Contrast(difference=0.006, parts=np.array(parts), freedom=np.array([1.0, 2.0]), images=images)
        assert found.p_of_many >= found.p


def test_the_power_that_is_told_of_several_arms_is_that_of_the_verdict() -> None:
    row = measured(replace(ALIKE, sds=(0.0025,) * 4), 5, 400, seed=12, images=1500)
    assert row.found[0.0] <= 0.08
    assert row.told[0.006] == pytest.approx(row.found[0.006], abs=0.1)


def test_leaving_the_images_out_raises_false_alarms() -> None:
    world, alarms = World(5, images=1000), 0
    for _ in range(200):
        sides = [[Replicates(cell.scores) for cell in side] for side in world.sides(ALIKE, 10, 0.0)]
        found = contrast(*sides)
        alarms += found is not None and found.p < 0.05
    assert alarms > 30  # of 200, where 10 are meant


def test_holm_adjusts_as_the_textbook_does() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


GRID = """
study: g
data: {{dataset: digits, validation: 300}}
network:
  stem: {{width: 4}}
  stages:
    - {{width: 4, depth: {{choice: [1, 3]}}, block: {{choice: [additive, quotient]}}{rules}}}
training: {{epochs: 1, batch_size: 8, optimizer: {{sgd: {{lr: 0.1}}}}}}
search: {{sampler: grid, objective: {{minimize: val_loss}}, replicates: 3}}
"""


def of_grid(url: str, lost: Callable[[Stage, int], bool], rules: str = "") -> Comparison:
    """Compare two blocks with the same losses, by depth and seed; some runs have none."""

    def report(stage: Stage, run: int) -> EpochReport:
        loss = None if lost(stage, run) else stage.depth + run / 100
        return EpochReport(epoch=1, train_loss=1.0, val_loss=loss, val_accuracy=0.5)

    return reported(url, GRID.format(rules=rules), report)


def reported(url: str, text: str, report: Callable[[Stage, int], EpochReport]) -> Comparison:
    """Compare the blocks of a grid whose runs report what a function says of their stage and replicate."""
    with new_ledger(url, parse_space(text)) as ledger:
        while (assignment := ledger.ask()) is not None:
            (stage,) = assignment.config.network.stages
            for run in assignment.runs:
                told = Progress(replicate=run.replicate, report=report(stage, run.replicate), place=HERE)
                ledger.report(assignment.trial, assignment.attempt, told)
    with contextlib.closing(ready_database(url)) as database:
        return compared(database, "g", by=["block"], split=SplitName.VALIDATION, read=lambda study, numbers: None)


CLIPS = """
study: clips
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages:
    - &stage
      width: 4
      depth: 1
      block: {choice: [additive, product_unit]}
      product_unit: {exponent_clip: {choice: [none, 8]}}
    - *stage
training: {epochs: 1, batch_size: 8, optimizer: {sgd: {lr: 0.1}}}
search: {sampler: grid, replicates: 3, forbid: [network.stages.0.block == product_unit and network.stages.1.block == product_unit]}
"""


def test_who_chose_none_is_another_arm_than_who_does_not_have_the_parameter(sqlite_url: str) -> None:
    """The clip does nothing here, the place of the product unit much; both were none to the comparison."""
    with new_ledger(sqlite_url, parse_space(CLIPS)) as ledger:
        while (assignment := ledger.ask()) is not None:
            is_first = assignment.config.network.stages[0].block == "product_unit"
            for run in assignment.runs:
                value = 0.6 + 0.1 * (not is_first) + run.replicate / 1000
                report = EpochReport(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=value)
                told = Progress(replicate=run.replicate, report=report, place=HERE)
                ledger.report(assignment.trial, assignment.attempt, told)
    with contextlib.closing(ready_database(sqlite_url)) as database:
        found = compared(database, "clips", by=["exponent_clip"], split=SplitName.VALIDATION, read=lambda *_: None)
    assert sorted(round(row.mean or 0, 3) for row in found.arms) == [0.601, 0.601, 0.701, 0.701]
    assert [row.n for row in found.arms] == [3] * 4
    assert sum(pair.p is not None and pair.p < 0.05 for pair in found.pairs) == 4


def test_times_are_compared_as_they_were_measured_in_training(sqlite_url: str) -> None:
    """Test images say nothing of them, whoever asks; the report compared accuracies instead."""
    text = GRID.format(rules="").replace("minimize: val_loss", "minimize: epoch_seconds")
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        while (assignment := ledger.ask()) is not None:
            for run in assignment.runs:
                report = EpochReport(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, seconds=2.0)
                told = Progress(replicate=run.replicate, report=report, place=HERE)
                ledger.report(assignment.trial, assignment.attempt, told)
    with contextlib.closing(ready_database(sqlite_url)) as database:
        found = compare(arms_of(database, "g", by=["block"]), SplitName.TEST)
    assert (found.metric, found.split) == ("epoch_seconds", SplitName.VALIDATION)
    assert TIMED in found.sentences


def test_a_trial_that_was_pruned_cannot_be_compared(sqlite_url: str, space: Space) -> None:
    """It was told to train it on fresh seeds, which is refused."""
    with new_ledger(sqlite_url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            for epoch in range(1, 5):
                told = progress(epoch, 1 / (1 + assignment.trial))
                if not ledger.report(assignment.trial, assignment.attempt, told):
                    break
    with contextlib.closing(ready_database(sqlite_url)) as database:
        pruned, *_ = (each.number for each in trial_records(database, "scripted") if each.state == "PRUNED")
        complete, *_ = (each.number for each in trial_records(database, "scripted") if each.state == "COMPLETE")
        with pytest.raises(UserError, match=rf"trial {pruned} is PRUNED\. Only complete trials can be compared"):
            arms_of(database, "scripted", trials=[complete, pruned])


def test_sizes_and_other_settings_of_a_search_are_those_of_the_trials_that_means_are_over(sqlite_url: str) -> None:
    """Those of pruned trials were told, too."""
    text = space_text(Behaviour.IMPROVES, trials=14, pruner="median", epochs=3)
    text = text.replace("stem: {width: 4}", "stem: {width: {choice: [4, 8]}}")
    space = parse_space(text.replace("- {width: 4,", '- {width: "network.stem.width",'))
    with new_ledger(sqlite_url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            for epoch in (1, 2, 3):
                told = progress(epoch, 1 / (1 + assignment.trial % 7))
                if not ledger.report(assignment.trial, assignment.attempt, told):
                    break
    with contextlib.closing(ready_database(sqlite_url)) as database:
        found = compared(
            database, "scripted", by=["block"], split=SplitName.VALIDATION, read=lambda study, numbers: None
        )
        records = trial_records(database, "scripted")
    assert {record.state for record in records} == {"COMPLETE", "PRUNED"}
    assert len(found.pairs) > 0
    for each in found.arms:
        own = [record for record in records if record.state == "COMPLETE" and record.stages == (each.name,)]
        configs = {record.config_json: record.config for record in own}
        sizes = [cost(config.network).parameters for config in configs.values()]
        assert each.parameters == (pytest.approx(fmean(sizes)) if sizes else None)
        rates = sorted(record.params["training.optimizer.sgd.lr"] for record in own)
        (said,) = (line for line in found.sentences if "sgd.lr" in line)
        told = f"{rates[0]:.6g} to {rates[-1]:.6g} " if len(rates) > 3 else f"{rates[0]:.6g} "
        assert told in said
    widths = [line for line in found.sentences if "width" in line]
    assert (len(widths), any("stages" in line for line in widths)) == (1, False)  # one is computed from the other


@pytest.mark.parametrize(("replicates", "points", "said"), [(range(3), 1, "3 of its runs have"), ([2], 2, "1 of its")])
def test_runs_without_a_finite_score_are_told_and_means_are_over_points_that_both_arms_have(
    sqlite_url: str, replicates: Sequence[int], points: int, said: str
) -> None:
    """A point was left out of one arm alone, which then was the better one."""
    found = of_grid(sqlite_url, lambda at, run: at.depth == 3 and at.block == "additive" and run in replicates)
    assert [row.points for row in found.arms] == [points, points]
    (pair,) = found.pairs
    assert abs(pair.difference) < 0.01
    assert any(said in sentence for sentence in found.sentences)


def test_an_arm_without_any_finite_score_is_not_compared(sqlite_url: str) -> None:
    found = of_grid(sqlite_url, lambda at, run: at.block == "additive")
    assert not found.pairs
    assert "additive is not compared: 6 of its runs have no finite val_loss." in found.sentences


def test_two_points_of_a_grid_that_are_one_configuration_are_one(sqlite_url: str) -> None:
    """Trials of a grid share their seeds, so that the second point repeats the runs of the first."""
    twice = ", quotient: {alpha: {choice: [by_depth, 2.0]}}"
    found = of_grid(sqlite_url, lambda at, run: False, rules=twice)
    assert {row.name: row.n for row in found.arms} == {"additive": 6, "quotient": 6}
    with contextlib.closing(ready_database(sqlite_url)) as database:
        best = top_configurations(database, "g", 9)
    assert [each.n for each in best] == [3] * 4
    assert sorted(len(each.trials) for each in best) == [1, 1, 2, 2]


@pytest.mark.parametrize("order", ["[auto, zero_last_norm, framework]", "[framework, zero_last_norm, auto]"])
def test_a_mean_is_over_all_points_of_a_grid_also_over_those_that_are_one_configuration(
    sqlite_url: str, order: str
) -> None:
    """With ``auto``, additive blocks begin as with ``zero_last_norm``, and quotient blocks as with ``framework``."""

    def report(stage: Stage, run: int) -> EpochReport:
        loss = {"zero_last_norm": 5.0, "framework": 2.0}[stage.init] + run / 100
        return EpochReport(epoch=1, train_loss=1.0, val_loss=loss, val_accuracy=0.5)

    text = GRID.format(rules=f", init: {{choice: {order}}}").replace("choice: [1, 3]", "choice: [1]")
    found = reported(sqlite_url, text, report)
    means = {row.name: row.mean for row in found.arms}
    assert means == pytest.approx({"additive": (5 + 5 + 2) / 3 + 0.01, "quotient": (5 + 2 + 2) / 3 + 0.01})
    assert {row.name: (row.n, row.points) for row in found.arms} == {"additive": (6, 3), "quotient": (6, 3)}
    assert not any("left out" in said or "are few" in said for said in found.sentences)  # each point has three runs


def test_the_luck_of_a_seed_is_one_chance_at_all_points_of_a_grid(sqlite_url: str) -> None:
    luck = {"additive": (0.1, 0.5, 0.2), "quotient": (0.7, 0.4, 0.9)}

    def report(stage: Stage, run: int) -> EpochReport:
        loss = stage.depth + luck[stage.block][run] + stage.depth * run**2 / 100
        return EpochReport(epoch=1, train_loss=1.0, val_loss=loss, val_accuracy=0.5)

    found = reported(sqlite_url, GRID.format(rules=""), report)
    (pair,) = found.pairs
    means = [
        [2 + each + 2 * run**2 / 100 for run, each in enumerate(luck[block])] for block in ("additive", "quotient")
    ]
    assert pair.p == pytest.approx(stats.ttest_ind(*means, equal_var=False).pvalue, rel=1e-6)
    assert any(said.startswith("Welch's t test over seeds, each the mean over its points") for said in found.sentences)


def test_runs_that_two_points_share_count_once_in_the_error_of_the_mean() -> None:
    first, second, other = drawn(5, 3, 3, 4)
    found = contrast([replace(first, points=2), second], [other])
    assert found is not None
    assert found.difference == pytest.approx(other.scores.mean() - (2 * first.scores.mean() + second.scores.mean()) / 3)
    variances = [np.var(cell.scores, ddof=1) / len(cell.scores) for cell in (first, second, other)]
    assert found.se**2 == pytest.approx(np.dot([4 / 9, 1 / 9, 1], variances))


def test_runs_that_stand_in_both_arms_are_one_chance() -> None:
    """A point at which two arms are one network said nothing, and hid with its spread what the other point said."""
    shared, first, second = drawn(6, 4, 3, 5)
    shared = replace(shared, runs=frozenset({("a network", seed) for seed in range(4)}))
    alone, beside = contrast([first], [second]), contrast([shared, first], [second, shared])
    assert alone is not None
    assert beside is not None
    assert (beside.difference, beside.se) == pytest.approx((alone.difference / 2, alone.se / 2))
    assert (beside.df, beside.p) == pytest.approx((alone.df, alone.p))
    apart = contrast([first], [replace(second, runs=shared.runs)])
    assert apart is not None
    assert apart.p == alone.p
    assert not are_same([first, shared], [shared, second])
    assert are_same([shared], [shared])
    assert contrast([shared], [shared]) is None


def test_arms_that_are_one_network_are_called_that(sqlite_url: str) -> None:
    text = GRID.format(rules=", quotient: {alpha: {choice: [by_depth, 2.0]}}")
    reported(sqlite_url, text, lambda at, run: EpochReport(epoch=1, train_loss=1.0, val_loss=run / 7, val_accuracy=0.5))
    with contextlib.closing(ready_database(sqlite_url)) as database:
        found = compared(database, "g", by=["alpha"], split=SplitName.VALIDATION, read=lambda *_: None)
    (pair,) = found.pairs
    assert (pair.is_same, pair.difference, pair.p) == (True, 0.0, None)
    assert found.sentences[0].endswith("are the same configurations on the same seeds: there is nothing to compare.")
    assert not any("Welch" in said for said in found.sentences)


def made(images: float, parts: float = 4e-6, freedom: float = 4.0) -> Contrast:
    return Contrast(difference=0.0, parts=np.full(2, parts), freedom=np.full(2, freedom), images=images)


def test_power_rises_with_the_effect_and_the_runs_and_is_bounded_by_the_images() -> None:
    found = made(1e-6)
    powers = [found.power(effect) for effect in (0.0, 0.001, 0.003, 0.006, 0.02)]
    assert powers == sorted(powers)
    assert powers[0] == pytest.approx(0.05, abs=1e-6)
    assert powers[-1] > 0.999
    needed = found.runs_needed(0.006)
    assert needed is not None
    assert found.power(0.006, needed / 5) >= 0.8 > found.power(0.006, (needed - 1) / 5)
    assert made(images=0.01**2).runs_needed(0.003) is None  # no number of seeds makes up for few images


@pytest.mark.parametrize("df", [1.0, 1.3, 2.0, 3.7, 6.0, 18.0, 200.0, 1e5])
def test_power_is_that_of_the_noncentral_t(df: float) -> None:
    """SciPy's is NaN for many shifts, and right elsewhere: it is compared there, and the integral everywhere."""
    bound = stats.t.ppf(0.975, df)
    for shift in (0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 9.5, 13.0, 20.0, 30.0, 60.0, 100.0, 300.0):
        whole, _ = integrate.quad(
            lambda z, shift=shift: stats.norm.pdf(z - shift) * stats.chi2.cdf(df * (z / bound) ** 2, df),
            -9, shift + 9, points=[-bound, 0, bound, shift], limit=200, epsabs=1e-11,
        )  # fmt: skip
        assert power(df, shift) == pytest.approx(whole, abs=1e-8), shift
        peer = 1 - nctdtr(df, shift, bound) + nctdtr(df, shift, -bound)
        assert np.isnan(peer) or power(df, shift) == pytest.approx(peer, abs=1e-8), shift


def test_power_is_how_often_a_difference_is_found() -> None:
    """In 200,000 draws; 0.001 is more than three standard errors, at a shift for which SciPy's may be NaN."""
    random, df, shift = np.random.default_rng(7), 2.0, 10.0
    found = abs(random.normal(shift, 1, 200_000)) / np.sqrt(random.chisquare(df, 200_000) / df) > stats.t.ppf(0.975, df)
    assert power(df, shift) == pytest.approx(found.mean(), abs=0.001)


def test_runs_that_hardly_vary_have_a_power_and_as_few_runs_as_are_enough(sqlite_url: str) -> None:
    """The power was NaN, so that more runs than needed were asked for, and the sentences could not be made."""
    close = made(images=0, parts=3e-9, freedom=2)
    assert [close.power(effect) for effect in (0.003, 0.006)] == pytest.approx([1, 1], abs=1e-6)
    assert (close.runs_needed(0.003), close.runs_needed(0.006)) == (2, 2)
    scores = {"additive": (0.9000, 0.9004, 0.8996, 0.9002), "quotient": (0.9001, 0.9005, 0.8997, 0.9003)}

    def report(stage: Stage, run: int) -> EpochReport:
        return EpochReport(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=scores[stage.block][run])

    text = GRID.format(rules="").replace("choice: [1, 3]", "choice: [1]").replace("replicates: 3", "replicates: 4")
    found = reported(sqlite_url, text.replace("minimize: val_loss", "maximize: val_accuracy"), report)
    assert found.pairs[0].power == pytest.approx({"0.3": 1, "0.6": 1}, abs=0.01)
    assert any("of 0.3 points in 100, of 0.6 points in 100" in each for each in found.sentences)


@pytest.mark.parametrize("score", [0.1, 0.7, 203 / 300, 1 / 3])
def test_the_variance_of_equal_scores_is_zero_however_they_are_rounded(score: float) -> None:
    same = Replicates(np.full(3, score))
    assert same.variance == 0
    assert contrast([same], [Replicates(np.array([score, score * (1 + 2e-16), score]))]) is None


def test_scores_that_do_not_vary_give_no_nonsense() -> None:
    same = contrast([Replicates(np.full(3, 0.5))], [Replicates(np.full(3, 0.5))])
    apart = contrast([Replicates(np.full(3, 0.5))], [Replicates(np.full(3, 0.25))])
    assert same is None  # a few runs that happen to agree do not show that runs do not vary
    assert apart is None
    arms = (row("a_1", sd=0.0), row("b|<i>", sd=0.0))
    (said, *_) = sentences(table(PairRow(a="a_1", b="b|<i>", difference=0.01), arms=arms), [], 0, [])
    assert "their runs all have the same score" in said


def row(name: str, mean: float | None = 0.9, **fields: object) -> ArmRow:
    whole = {"sd": 0.01, "n": 5, "points": 1, "cost_s": 61.0, "parameters": 1e4, "macs": 1e6, "epoch_s": 0.5}
    rest = {"diverged": 0.2, "failed": 0, "pruned": 0, "open": 0, "unscored": 0, "tuned": 0}
    return ArmRow(name=name, mean=mean, **(whole | rest | fields))  # type: ignore[arg-type]  # made from plain fields


def table(*pairs: PairRow, basis: Basis = Basis.CONFIGURATIONS, arms: tuple[ArmRow, ...] = ()) -> Comparison:
    return Comparison(
        study="s", basis=basis, split=SplitName.TEST, metric="test_accuracy", direction=Direction.MAXIMIZE,
        images=10_000, has_images=True, arms=arms or (row("a_1"), row("b|<i>", 0.91)), pairs=pairs,
    )  # fmt: skip


SURE = PairRow(a="a_1", b="b|<i>", difference=0.01, low=0.004, high=0.016, p=0.002, p_adjusted=0.004, effect_size=1.0,
               power={"0.3": 0.2, "0.6": 0.55}, runs_needed={"0.3": 40, "0.6": None})  # fmt: skip
OPEN = replace(SURE, low=-0.002, high=0.022, p=0.08, p_adjusted=0.16)


def test_sentences_name_the_better_arm_or_say_that_nothing_is_shown() -> None:
    said = list(sentences(table(SURE), [], 0, []))
    assert said[0] == "b|<i> is better than a_1 by 1.00 points of test accuracy (95% interval 0.40 to 1.60; p = 0.002)."
    said = list(sentences(table(SURE, OPEN), ["x: 1 (a), 2 (b)"], 3, ["Noted."]))
    assert said[1].startswith("No difference between a_1 and b|<i> is shown: b|<i> minus a_1 is +1.00 points")
    assert "p = 0.080, p = 0.160 after Holm's correction for 2 pairs" in said[1]
    assert (
        said[2]
        == "Of 100 such comparisons, a true difference would be found: of 0.3 points in 20, of 0.6 points in 55."
    )
    assert "The arms also differ in x: 1 (a), 2 (b). The difference may be due to that." in said
    assert not any("searched settings" in each for each in said)
    rows = tuple(SettingRow(parameter=name, values={}) for name in ("lr", "n"))
    several = sentences(replace(table(SURE), settings=rows), [], 0, [])
    assert "The trials differ in 2 searched settings: the difference may be due to any of them." in several
    assert said[-2:] == [
        "Means are over the points that all arms have; other points, which are left out: 3.",
        "Noted.",
    ]


def test_a_search_gets_no_p_and_one_tuning_makes_no_claim_about_the_best() -> None:
    bare = PairRow(a="a_1", b="b|<i>", difference=0.01)
    said = " ".join(sentences(table(bare, basis=Basis.SEARCHED), [], 0, []))
    assert (
        "No p value is given: trials of the search s differ in more than what is compared, and a sampler that" in said
    )
    assert "qpsearch effects s" in said
    (said, *_) = sentences(table(bare, basis=Basis.SEARCHED), [], 0, [], is_blind=True)
    assert said == "No p value is given: trials of the search s differ in more than what is compared."
    tuned = table(bare, basis=Basis.TUNED, arms=(row("a_1", tuned=20), row("b|<i>", tuned=20)))
    said = list(sentences(replace(tuned, searches=1), [], 0, []))
    assert said[0].startswith("No p value is given: each arm was searched once. Another search would have found other")
    assert "search each of them three times or more: compare: {tune: {searches: 3}}." in said[1]
    assert said[2].startswith("Each arm was tuned alike (20 trials); the best configurations of each arm were trained")
    assert "Welch" not in " ".join(said)
    several = " ".join(sentences(replace(tuned, searches=3, pairs=(OPEN,)), [], 0, []))
    assert (
        "Each arm was tuned alike in 3 searches (20 trials in all); the best configurations of each search were"
        in several
    )
    assert "Welch's t test over searches, each the mean over its best configurations" in several
    unlike = table(OPEN, basis=Basis.TUNED, arms=(row("a_1", tuned=20), row("b|<i>", tuned=2)))
    text = " ".join(sentences(replace(unlike, searches=2), [], 0, []))
    assert "tuned alike" not in text
    assert "(a_1 20, b|<i> 2)" in text


def test_pairs_without_a_test_do_not_count_for_the_correction() -> None:
    bare = PairRow(a="a_1", b="c", difference=0.01)
    assert "Holm" not in " ".join(sentences(table(SURE, bare), [], 0, []))


def test_arms_without_a_score_and_few_runs_are_told() -> None:
    arms = (row("a", None, n=0, failed=5), row("b", n=2), row("c", failed=1, pruned=2))
    said = " ".join(sentences(table(arms=arms), [], 0, [], has_few=True))
    assert "a is not compared: 5 of its trials failed." in said
    assert "c: 1 of its trials failed and 2 were pruned; its mean leaves them out." in said
    few = "Two runs of an arm are few: p values may be too small (up to 9% false alarms). Train three or more."
    assert few in said
    bare = " ".join(sentences(replace(table(arms=arms), has_images=False), [], 0, [], has_few=True))
    assert "Two runs of an arm are few: only large differences can be found. Train three or more." in bare
    tuned = replace(table(arms=(row("a", n=2, tuned=9), row("b", n=2, tuned=9)), basis=Basis.TUNED), searches=2)
    assert "Two searches of an arm are few" in (said := " ".join(sentences(tuned, [], 0, [], has_few=True)))
    assert "Search three times or more." in said
    lost = replace(table(arms=(row("a", n=2, tuned=9, barren=1), row("b", n=3))), basis=Basis.TUNED, searches=3)
    said = " ".join(sentences(lost, [], 0, [], has_few=True))
    assert "a: 1 of its 3 searches has nothing to compare; its mean leaves it out." in said
    assert "Search three" not in said


def test_one_arm_is_compared_with_nothing() -> None:
    alone = table(arms=(row("a", n=2),))
    assert alone.title == "s: test_accuracy of 1 arm, 10,000 images"
    assert list(sentences(alone, [], 0, ["Noted."])) == ["Noted."]


def test_markdown_and_latex_have_every_cell_and_break_nothing() -> None:
    settings = (SettingRow(parameter="lr", values={"a_1": 0.1}), SettingRow(parameter="x.used", values={"b|<i>": True}))
    found = replace(table(SURE), settings=settings, sentences=("It is so.",))
    text = rendering.markdown(found)
    assert r"| a\_1 | 0.9000 | 0.0100 | 5 |" in text
    assert r"b\|\<i> - a\_1 | +1.00 | +0.40 to +1.60 | 0.002 | 0.004 | +1.0 | 0.20/0.55 | 40/>1000 |" in text
    assert "| lr | 0.1 | - |\n| x.used | - | true |" in text
    latex = rendering.latex(found)
    assert "40/$>$1000" in latex
    assert r"a\_1 & 0.9000 & 0.0100 & 5 &" in latex
    assert r"20\% & 61.0 s \\" in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 3
    widths = [line.count(" & ") for line in latex.splitlines() if line.endswith(r"\\")]
    assert [len(set(group)) for _, group in itertools.groupby(widths)] == [1, 1, 1]
