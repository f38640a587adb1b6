"""What a report says of studies whose answers are known, and what it does with names that would like to be HTML."""

import html
import json
import re
import warnings
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from qpsearch.analysis.figures import importance_bars
from qpsearch.analysis.names import short_names
from qpsearch.analysis.page import Section, tag
from qpsearch.analysis.report import Material, default_path, report_of, words, write_report
from qpsearch.analysis.report.clock import WorkedTime
from qpsearch.analysis.report.groups import groups_of
from qpsearch.analysis.report.thinning import thinned
from qpsearch.analysis.report.volume import volume, volumes
from qpsearch.analysis.report.work import slots
from qpsearch.analysis.subject import Goal, Subject
from qpsearch.architecture.cost import cost, parts
from qpsearch.architecture.named import named_network
from qpsearch.display.shown import scalar as shown_scalar
from qpsearch.protocol import Failed
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import manage
from qpsearch.study.planning import retraining
from qpsearch.study.queries import Span
from qpsearch.study.trials.evaluations import Evaluated
from qpsearch.vocabulary import Direction, FailReason
from tests.helpers import new_ledger, progress, ready_database, resumed_ledger, train_all
from tests.planted.studies import search
from tests.planted.truths import TRUTHS
from tests.scripted import Behaviour, space_text

EVIL = "<script>alert(1)</script>"
MOST_BYTES = 6_000_000


def page_of(url: str, name: str, folder: Path) -> str:
    write_report(url, name, folder / "report.html")
    return (folder / "report.html").read_text()


def shown(page: str) -> str:
    """What a reader reads: the text of a page, without its data and scripts."""
    body = page.split("<body>")[1].split('<script type="application/json"')[0].replace("<wbr>", "")
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def charts(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return {chart["name"]: chart for chart in json.loads(found[1])["charts"]}


def material(trials: list[FrozenTrial], name: str = "planted", goals: tuple[Goal, ...] = ()) -> Material:
    goal = Goal(metric="val_accuracy", direction=Direction.MAXIMIZE)
    return Material(subject=Subject(study=name, objectives=goals or (goal,), trials=trials), own=None, made=1e9)


def run(
    url: str, space: Space, *, until: int | None = None, fails: Callable[[int], bool] = lambda number: False
) -> None:
    """Train a study, or its first trials and a part of the next one."""
    with new_ledger(url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            if assignment.trial == until:
                ledger.report(assignment.trial, 1, progress(1, 0.5))
                return
            if fails(assignment.trial):
                detail = f"Traceback ...\nValueError: {EVIL}"
                ledger.fail(assignment.trial, 1, Failed(reason=FailReason.DIVERGED, detail=detail))
            else:
                train_all(ledger, assignment)


def test_a_planted_study_is_told_with_its_answer(tmp_path: Path) -> None:
    """The block of the third stage decides, and quotient is the best there."""
    page = report_of(material(search(TRUTHS["several"], "random", pruned=False, trials=80, seed=3))).html()
    text = shown(page)
    assert "What decides most of val_accuracy is stages.2.block" in text
    assert re.search(r"quotient at stage 2 is [\d.]+ \([\d.]+ to [\d.]+\) better than additive", text)
    assert "optimistic until it is trained again on fresh seeds" in text
    found = charts(page)
    assert {"history", "importance", "effects", "blocks", "curves", "parallel", "timeline", "slice-0"} <= set(found)
    assert found["slice-0"]["columns"][1][0] == "stages.2.block"
    (cells,) = found["blocks"]["data"]
    effect = {
        (level, stage): cells["z"][row][at]
        for row, level in enumerate(cells["y"])
        for at, stage in enumerate(cells["x"])
    }
    assert effect["quotient", "2"] > 0.5
    assert {effect["additive", stage] for stage in "012"} == {0}
    assert max(effect, key=lambda key: effect[key]) == ("quotient", "2")


def test_the_history_holds_every_trial_and_the_best_so_far() -> None:
    trials = search(TRUTHS["one"], "random", pruned=True, trials=40, seed=0)
    traces = {trace["name"]: trace for trace in charts(report_of(material(trials)).html())["history"]["data"]}
    best = traces.pop("best so far")
    assert sum(len(trace["x"]) for trace in traces.values()) == 40
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    assert best["y"] == sorted(best["y"])
    assert best["y"][-1] == pytest.approx(max(trial.values[0] for trial in complete), abs=1e-4)
    assert len(traces["pruned, last value"]["x"]) == 40 - len(complete) > 0


def test_a_study_of_qpsearch_says_what_it_was_and_whether_it_is_confirmed(sqlite_url: str, tmp_path: Path) -> None:
    space = parse_space(space_text(Behaviour.IMPROVES, trials=14, epochs=3, pruner="none"))
    run(sqlite_url, space, fails=lambda number: number in (2, 5))
    text = shown(page := page_of(sqlite_url, "scripted", tmp_path))
    assert "14 trials so far: 12 complete and 2 failed" in text
    assert "It is not confirmed on fresh seeds yet: qpsearch confirm scripted" in text
    assert space.fingerprint in text
    assert re.search(r"The best configuration trial \d+ val_accuracy [\d.]+ \(n = 1\) seed \d+ how sure", text)
    assert "depth: {int: [1, 3]}" in text  # the space file
    assert re.search(r"Failed? .*|Failures", text)
    assert "diverged" in text
    assert f"ValueError: {EVIL}" in text
    assert (
        "<td>network.<wbr>stages.<wbr>0.<wbr>block</td>" in page
    )  # names break at their dots where columns are narrow
    assert {"spending", "timeline"} <= set(charts(page))
    with closing(ready_database(sqlite_url)) as database:
        retraining.plan_confirmation(database, "scripted", [best_of(sqlite_url)], 2)
    with resumed_ledger(sqlite_url, "scripted.confirm") as ledger:
        for score in (0.40, 0.50):
            assignment = ledger.ask()
            assert assignment is not None
            for epoch in (1, 2, 3):
                ledger.report(assignment.trial, assignment.attempt, progress(epoch, score))
    text = shown(page_of(sqlite_url, "scripted", tmp_path))
    assert "confirmed on 2 fresh seeds" in text
    assert "Trained again on fresh seeds, it has 0.4500 (n = 2, sd 0.0707)" in text
    text = shown(page_of(sqlite_url, "scripted.confirm", tmp_path))
    assert "Its seeds are fresh: a search on other seeds had chosen the configuration." in text
    assert "Trains configurations of another study again, on fresh seeds, on digits (300 of the training images" in text
    assert "The best configuration, trial 0 of scripted.confirm (" in text


def test_the_parameters_of_a_comparison_are_those_of_its_arms(sqlite_url: str, tmp_path: Path) -> None:
    """Those of the space that the arms change were counted, and tables did not have a column for those of an arm."""
    space = parse_space(
        """
data: {dataset: digits, validation: 300}
network: {stem: {width: 4}, stages: [{width: 4, depth: {int: [1, 3]}, block: additive}]}
training: {epochs: 1, batch_size: 8, optimizer: {sgd: {lr: {log: [0.01, 0.5]}}}}
study: arms
compare:
  arms:
    plain:
    other: {network.stages.0.block: quotient, network.rules.quotient.alpha: {float: [1.3, 2.2]}}
  tune: {trials: 2}
  retrain: {top: 2, seeds: 1}
"""
    )
    names = ["network.stages.0.depth", "training.optimizer.sgd.lr", "network.rules.quotient.alpha"]
    assert list(space.searched) == names
    with closing(ready_database(sqlite_url)) as database:
        retraining.begin_comparison(database, space, source="arms.yaml")
        assert list(Subject.of(database, "arms").distributions) == names
    text = shown(page_of(sqlite_url, "arms", tmp_path))
    assert "2 arms, tuned alike with 2 trials each, on digits (300 of the training images for validation)," in text
    assert "each with 2 to 3 searched parameters: proposals by" in text


def test_test_accuracy_is_that_of_all_runs_of_the_configuration(sqlite_url: str, tmp_path: Path) -> None:
    """Its first trial may be the luckiest; and a clean look later takes nothing from a noisy one."""
    run(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, trials=1, epochs=1)))
    with closing(ready_database(sqlite_url)) as database:
        retraining.plan_confirmation(database, "scripted", [0], 2)
    with resumed_ledger(sqlite_url, "scripted.confirm") as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)

    def look(now: float, accuracies: list[float], noise: float = 0.0) -> None:
        with closing(ready_database(sqlite_url)) as database:
            for trial, accuracy in enumerate(accuracies):
                seen = Evaluated(
                    replicate=0, checkpoint="", noise=noise, images=300, accuracy=accuracy, loss=0.1, nonfinite=0,
                    metrics={"test_macro_f1": accuracy / 2, "test_calibration_error": None},
                )  # fmt: skip
                manage.record_evaluations(database, "scripted.confirm", trial, [seen], now)

    for now, accuracies, noise in ((1.0, [0.9, 0.2], 0.0), (2.0, [0.3, 0.2], 0.05), (3.0, [0.6, 0.5], 0.0)):
        look(now, accuracies, noise)
    look(4.0, [0.7])
    text = shown(page_of(sqlite_url, "scripted.confirm", tmp_path))
    assert "Poisson noise accuracy sd test_calibration_error sd test_macro_f1 sd n" in text
    assert "0.0 0.6000 0.1414 0.3000 0.0707 2 0.05 0.2500 0.0707 0.1250 0.0354 2" in text
    assert "the test images were looked at 4 times, the last on 1970-01-01 00:00 UTC" in text


def best_of(url: str) -> int:
    from qpsearch.study import queries

    with closing(ready_database(url)) as database:
        return queries.best_configurations(database, "scripted")[0].number


def test_an_empty_study_one_trial_and_a_running_one(sqlite_url: str, tmp_path: Path) -> None:
    space = parse_space(space_text(Behaviour.IMPROVES, pruner="none"))
    with new_ledger(sqlite_url, space):
        text = shown(page_of(sqlite_url, "scripted", tmp_path))
    assert "It does not have a trial yet." in text
    assert "needs at least 8 trials with a value" in text  # where importances would stand, what they need
    with resumed_ledger(sqlite_url) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        train_all(ledger, assignment, until=2)
        text = shown(page_of(sqlite_url, "scripted", tmp_path))
        assert " running " in text
        assert "No trial is complete yet, so there is no result." in text
        train_all(ledger, assignment, first=3)
        text = shown(page := page_of(sqlite_url, "scripted", tmp_path))
        assert "the best of 1 complete trial" in text
        assert text.count("effects needs at least 8 trials with a value") == 1
        assert {"history", "curves", "parallel", "timeline"} <= set(charts(page))


def test_where_all_failed_the_page_says_why(sqlite_url: str, tmp_path: Path) -> None:
    run(sqlite_url, parse_space(space_text(Behaviour.IMPROVES)), fails=lambda number: True)
    text = shown(page := page_of(sqlite_url, "scripted", tmp_path))
    assert "All its trials failed (6 diverged): nothing can be said about the networks." in text
    assert "100%" in text
    assert "network" not in charts(page)


def test_a_grid_with_replicates_counts_its_seeds(sqlite_url: str, tmp_path: Path) -> None:
    text = space_text(Behaviour.IMPROVES, replicates=2, sampler="grid", epochs=2, trials=3, pruner="none")
    grid = {
        "training.optimizer": {"sgd": {"lr": 0.1}},
        "network.rules.quotient": {"alpha": 2.0},
        "network.stages.0.depth": 1,
    }
    space = parse_space(edited(text, grid))
    with new_ledger(sqlite_url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            for replicate in range(2):
                for epoch in (1, 2):
                    value = 0.2 * (assignment.trial + 1) + 0.1 * replicate
                    ledger.report(assignment.trial, 1, progress(epoch, value, replicate))
    said = shown(page_of(sqlite_url, "scripted", tmp_path))
    assert "every point of a grid, each on 2 seeds. 3 trials so far: 3 complete" in said
    assert "0.6500 (sd 0.0707, n = 2 seeds)" in said
    assert "it is the best of 3 complete trials" in said
    assert "Its grid has no more points" in said
    assert "None of the 3 pairs of arms is shown to differ." in said
    assert "Scores are of the training" in said  # no test image is read for a report
    assert "quotient - additive +40.00" in said


FOUR = """
study: four
data: {dataset: digits, validation: 300}
network: {stem: {width: 4}, stages: [{width: 4, depth: {int: [1, 4]}, block: additive}]}
training: {epochs: 1, batch_size: 8, optimizer: {sgd: {lr: 0.1}}}
search: {sampler: grid, replicates: 3}
"""


def test_of_many_pairs_the_page_counts_all_and_tells_those_that_differ(sqlite_url: str, tmp_path: Path) -> None:
    """The sentences of a table with more than three pairs are not one of each pair."""
    with new_ledger(sqlite_url, parse_space(FOUR)) as ledger:
        while (assignment := ledger.ask()) is not None:
            (stage,) = assignment.config.network.stages
            for replicate in range(3):
                value = 0.7 + 0.05 * (stage.depth == 4) + 0.001 * replicate
                ledger.report(assignment.trial, 1, progress(1, value, replicate))
    said = shown(page_of(sqlite_url, "four", tmp_path))
    assert "Of 6 pairs of arms, 3 are shown to differ." in said
    first = said.partition("3 are shown to differ.")[2].strip()
    assert re.match(r"depth 4 is better than depth \d by 5\.00 points of validation accuracy", first)


def test_several_objectives_have_a_front(sqlite_url: str, tmp_path: Path) -> None:
    objectives = {"search.objective": {"maximize": "val_accuracy", "minimize": "parameters"}}
    run(sqlite_url, parse_space(edited(space_text(Behaviour.IMPROVES, trials=12, pruner="none"), objectives)))
    text = shown(page := page_of(sqlite_url, "scripted", tmp_path))
    with closing(ready_database(sqlite_url)) as database:
        from qpsearch.study import queries

        front = queries.best_configurations(database, "scripted")
    assert f"{len(front)} configuration" in text
    (own,) = [trace for trace in charts(page)["pareto"]["data"] if trace["name"] == "Pareto front"]
    drawn = dict(zip(own["customdata"], zip(own["y"], own["x"], strict=True), strict=True))
    assert drawn == {each.number: pytest.approx(each.values, abs=1e-5) for each in front}
    (covered,) = charts(page)["volume"]["data"]
    assert [order for order, _ in covered["customdata"]] == list(range(1, 13))
    assert sorted(trial for _, trial in covered["customdata"]) == list(range(12))
    assert all(before <= after for before, after in pairwise(covered["y"]))


def test_the_hypervolume_is_drawn_over_the_time_that_was_worked() -> None:
    """An hour of four trials, two days of nothing, another hour: the pause takes the width that the timeline gives it."""
    hour, pause = 3600.0, 172_800.0
    ends = [900.0, 1800, 2700, hour, pause + 1.5 * hour, pause + 2 * hour]
    begins = [0.0, *ends[:3], pause + hour, ends[4]]
    values = [(0.5, 9.0), (0.9, 9.0), (0.5, 1.0), (0.8, 3.0), (0.4, 9.5), (0.95, 1.0)]
    trials = []
    for number, (began, ended, value) in enumerate(zip(begins, ends, values, strict=True)):
        trial = create_trial(values=value, params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)})
        trial.number = number
        trial.datetime_start, trial.datetime_complete = map(datetime.fromtimestamp, (began, ended))
        trials.append(trial)
    goals = (Goal(metric="accuracy", direction=Direction.MAXIMIZE), Goal(metric="cost", direction=Direction.MINIMIZE))
    subject = Subject(study="two", objectives=goals, trials=trials, space=None, chosen_by=None)
    chart = volume(Material(subject=subject, own=None, made=pause + 3 * hour))
    assert chart is not None
    (drawn,) = chart.figure.data
    assert list(drawn.x[:4]) == [0.25, 0.5, 0.75, 1.0]
    assert 1.5 < drawn.x[4] < 1.6  # half an hour after the pause
    assert drawn.x[5] - drawn.x[4] == pytest.approx(0.5)
    assert [list(each) for each in drawn.customdata] == [[order + 1, order] for order in range(6)]
    assert chart.figure.layout.xaxis.title.text == "hours since 1970-01-01 00:00 UTC"
    assert [mark.text for mark in chart.figure.layout.annotations] == ["pause 2.0 days"]
    assert chart.note is not None
    assert "Pauses, in which nothing ran, are shortened." in chart.note
    for trial in trials:  # copied, not run: only their order is known
        trial.datetime_start = trial.datetime_complete
    chart = volume(Material(subject=subject, own=None, made=0.0))
    assert chart is not None
    assert list(chart.figure.data[0].x) == [1, 2, 3, 4, 5, 6]
    assert chart.figure.layout.xaxis.title.text == "complete trials, in the order of their ends"


def test_the_hypervolume_is_the_share_of_the_box_that_the_front_dominates() -> None:
    """Two ends of a front, a corner that takes a quarter more of the box, and a point that is dominated."""
    losses = np.array([[0.0, 10.0], [2.0, 5.0], [1.0, 5.0], [1.5, 9.0]])
    assert volumes(losses) == [0.0, 0.0, 0.5, 0.5]
    assert volumes(np.array([[3.0, 1.0, 7.0], [1.0, 3.0, 7.0], [2.0, 2.0, 7.0]])) == [
        0.0,
        0.0,
        0.25,
    ]  # one never differs


def evil_study(url: str, name: str = EVIL, count: int = 30) -> None:
    """A study of another program, whose names and choices would like to be HTML."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(study_name=name, storage=url, direction="maximize", load_if_exists=True)
    block, other = CategoricalDistribution([EVIL, "b&<b>c", "</style><img src=x>"]), FloatDistribution(0, 1)
    for number in range(count):
        chosen = block.choices[number % 3]
        study.add_trial(
            create_trial(
                value=(number % 3) + number / 100,
                params={f"{EVIL}.block": chosen, "=cmd(%{x})": number / 30},
                distributions={f"{EVIL}.block": block, "=cmd(%{x})": other},
                intermediate_values={1: 0.0, 2: float(number % 3)},
            )
        )


def test_no_name_becomes_html(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/evil.db"
    evil_study(url)
    page = page_of(url, EVIL, tmp_path)
    head, _, rest = page.partition('<script type="application/json" id="data">')
    assert page.count("<script") - rest.partition("</script>")[2].count("<script") <= 1 + head.count("<script")
    assert "<script>alert" not in head + rest.split("</script>")[0]
    assert "<img src=x" not in page
    assert shown(page).count(EVIL) > 5  # it is text, in the heading first of all
    assert f"<title>{html.escape(EVIL)}</title>" in page
    for chart in charts(page).values():  # plotly has a pseudo-HTML of its own, in labels and in what hovering shows
        said = json.dumps([chart["data"], chart["layout"]])
        assert not re.search(r"<(?!/?(?:b|br|extra)>)", said), said[:300]
        templates = {trace.get("hovertemplate", "") for trace in chart["data"]}
        assert not any("cmd" in template or "script" in template for template in templates)


def test_figures_of_importances_escape_names_too() -> None:
    block = CategoricalDistribution([EVIL, "other"])
    trials = []
    for number in range(12):
        params = {EVIL: block.choices[number % 2]}
        trials.append(create_trial(value=number % 2 + number / 50, params=params, distributions={EVIL: block}))
        trials[-1].number = number
    own = material(trials)
    assert own.importances is not None
    assert "<script" not in json.dumps(importance_bars(own.importances).to_plotly_json(), default=str)


def test_thousands_of_trials_are_thinned_and_the_page_says_so() -> None:
    generated = search(TRUTHS["nothing"], "random", pruned=False, trials=40, seed=1)
    trials = []
    for number in range(2600):
        trial = create_trial(
            value=generated[number % 40].values[0] + number / 1e4,
            params=generated[number % 40].params,
            distributions=generated[number % 40].distributions,
            intermediate_values=generated[number % 40].intermediate_values,
        )
        trial.number = number
        trials.append(trial)
    many = material(trials)
    many.__dict__["analysis"] = "not asked here"
    page = report_of(many).html()
    assert len(page.encode()) < MOST_BYTES - 500_000
    text = shown(page)
    assert "2,000 of 2,600 trials are drawn" in text
    assert "150 of 2,600 curves are drawn" in text
    best = max(trials, key=lambda trial: trial.values[0]).number
    points = [number for trace in charts(page)["history"]["data"] for number in trace["x"]]
    assert best in points
    assert "Not asked here" in text


def test_what_must_stay_stays_when_items_are_thinned() -> None:
    items = [object() for _ in range(1000)]
    kept = thinned(items, 50, first=items[990:])
    assert len(kept) == 50
    assert kept[-10:] == items[990:]
    assert kept == sorted(kept, key=items.index)
    assert thinned(items[:5], 50) == items[:5]


def test_a_comparison_stands_after_the_effects() -> None:
    trials = search(TRUTHS["one"], "random", pruned=False, trials=10, seed=0)
    section = Section(name="comparison", title="Comparison", body=(tag("p", "arms"),))
    page = report_of(material(trials), [section]).html()
    assert page.index('id="effects"') < page.index('id="comparison"') < page.index('id="curves"')


def test_the_page_asks_nobody_and_fits_a_phone() -> None:
    page = report_of(material([])).html()
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert "default-src 'none'" in page
    assert "connect-src 'none'" in page
    assert page.count("plotly.js v") == 1
    assert not re.search(r'<(?:script|img|link|iframe)[^>]+(?:src|href)="(?!data:)', page)
    assert "It has no trials yet" in shown(page) or "does not have" in shown(page)


def test_attempts_that_overlap_have_slots_of_their_own_and_pauses_are_shortened() -> None:
    def span(trial: int, began: float, ended: float | None, host: str = "a") -> Span:
        return Span(
            trial=trial, attempt=1, host=host, device="cpu", began=began, ended=ended, ending="finished", is_held=False
        )

    spans = [span(0, 0, 10), span(1, 5, 12), span(2, 11, 20), span(3, 1, 2, "b"), span(4, 100_000, None)]
    rows = slots(spans, now=100_010)
    assert {label: [each.trial for each in own] for label, own in rows.items()} == {
        "a cpu, slot 0": [0, 2, 4],
        "a cpu, slot 1": [1],
        "b cpu": [3],
    }
    clock = WorkedTime([(each.began, each.ended or 100_010) for each in spans])
    ((_, length),) = clock.pauses
    assert length == 100_000 - 20
    assert clock.at(15) == 15
    assert 20 < clock.at(100_000) < 25
    assert clock.total == pytest.approx(clock.at(100_000) + 10)


def test_values_are_written_as_in_a_space_file() -> None:
    values = (True, None, 0.123456, "batch", 3)
    for scalar in (words.scalar, shown_scalar):
        assert list(map(scalar, values)) == ["true", "none", "0.1235", "batch", "3"]


def test_names_are_as_short_as_they_can_be_told_apart() -> None:
    names = ["network.stages.0.block", "network.stages.1.block", "network.rules.norm", "training.sgd.lr", "x" * 80]
    short = short_names(names)
    assert list(short.values())[:4] == ["stages.0.block", "stages.1.block", "norm", "lr"]
    assert len(short["x" * 80]) <= 33
    assert len(set(short_names(["a." + "x" * 40 + "1" + "x" * 40, "a." + "x" * 40 + "2" + "x" * 40]).values())) == 2


def test_each_kind_of_block_has_one_colour_in_all_studies() -> None:
    two = groups_of({0: ("additive",), 1: ("quotient",)})
    three = groups_of({0: ("quotient",), 1: ("mine",), 2: ("additive", "mine")})
    assert two.looks["quotient"].colour == three.looks["quotient"].colour
    colours = [look.colour for look in three.looks.values()]
    assert len(set(colours)) == 3
    many = groups_of({number: (f"kind{number}",) for number in range(30)})
    assert len(many.looks) == 13
    assert many.counts["other mixtures"] == 18


@pytest.mark.parametrize("name", ["quotient20", "pure20", "resnet50"])
def test_the_parts_of_a_network_add_up(name: str) -> None:
    network = named_network(name)
    found = parts(network)
    assert len(found) == 2 + len(network.stages)
    assert sum(part.cost.macs for part in found) == cost(network).macs
    assert [part.width for part in found[1:-1]] == [stage.width for stage in network.stages]
    assert found[-1].cost.parameters >= (network.stages[-1].width + 1) * network.classes


def test_no_name_leads_out_of_the_folder() -> None:
    assert default_path("digits") == Path("studies/digits.html")
    assert default_path("../../etc/x") == Path("studies/-..-etc-x.html")
    assert default_path(EVIL).parent == Path("studies")
