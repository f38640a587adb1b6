"""The benchmark of search: its clock, its scores, its tasks, and our ledger in its hands."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qpsearch.architecture.blocks import BLOCKS
from qpsearch.dispatch.simulated import Timeline
from qpsearch.errors import UserError
from qpsearch.space.schema.network import RULES
from qpsearch.vocabulary import BlockKind
from tests.benchmarks.search import catalogue, fronts, methods, printing, priors, several
from tests.benchmarks.search.baselines import PromotingHalving, rungs
from tests.benchmarks.search.ours import OurSearch, narrowed, scratch
from tests.benchmarks.search.parameters import Config, Kind, Parameter, draw
from tests.benchmarks.search.planted import planted
from tests.benchmarks.search.running import Job, run_job
from tests.benchmarks.search.scores import NEVER, Scores
from tests.benchmarks.search.simulation import POINTS, Run, simulate
from tests.benchmarks.search.task import Curve, Floats, Scale, Task

TABLES = Path(os.environ.get("QPSEARCH_TABLES") or Path(__file__).parents[2] / "shared" / "data" / "tabular")
ALL_KINDS = (
    Parameter(name="block", kind=Kind.CHOICE, options=("swift", "tardy")),
    Parameter(name="lr", kind=Kind.LOG, low=1e-8, high=10.0),
    Parameter(name="depth", kind=Kind.INT, low=1, high=3, block="swift"),
    Parameter(name="width", kind=Kind.LOG_INT, low=4, high=64, block="tardy"),
    Parameter(name="word", kind=Kind.CHOICE, options=("a", "b"), block="tardy"),
    Parameter(name="share", kind=Kind.FLOAT, low=0.0, high=1.0),
)


def task_of(*curves: tuple[float, ...], cost: float = 1.0, trainings: float = 4.0) -> Task:
    """A task whose n-th option has the n-th curve."""
    options = tuple(map(str, range(len(curves))))
    arrays = [np.array(curve) for curve in curves]

    def curve(config: Config, seed: int) -> Curve:
        loss = arrays[int(str(config["which"]))]
        return Curve(seen=loss, true=loss, cost=np.full(len(loss), cost))

    return Task(
        name="tiny",
        family="tiny",
        parameters=(Parameter(name="which", kind=Kind.CHOICE, options=options),),
        epochs=len(curves[0]),
        curve=curve,
        scale=Scale(best=1.0, median=5.0, full=cost * len(curves[0])),
        trainings=trainings,
    )


class Scripted:
    """Hands out what a script says: a trial, or nothing; ``stops`` ends trials after an epoch."""

    def __init__(self, script: list[int | None], stops: dict[int, int] | None = None) -> None:
        self.script, self.stops = script, stops or {}
        self.log: list[tuple[str, int, int]] = []

    def ask(self) -> tuple[int, Config] | None:
        number = self.script.pop(0) if self.script else None
        return None if number is None else (number, {"which": str(number)})

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        self.log.append(("report", trial, epoch))
        return self.stops.pop(trial, None) != epoch

    def fail(self, trial: int, epoch: int) -> None:
        self.log.append(("fail", trial, epoch))

    def close(self) -> None: ...


def test_workers_train_in_the_tables_time_and_idle_where_nothing_is_handed_out() -> None:
    """Two workers, three units an epoch, until 12: trial 0 pauses at 3 and goes on at 6, when trial 1 has diverged."""
    task = task_of((4.0, 2.0), (3.0, float("nan")), cost=3.0)  # four trainings of 6 units by two workers
    search, timeline = Scripted([0, 1, None, None, 0], stops={0: 1}), Timeline()
    run = simulate(task, search, timeline, workers=2, points=4)
    assert search.log == [("report", 0, 1), ("report", 1, 1), ("fail", 1, 2), ("report", 0, 2)]
    assert run.best == (3.0, 3.0, 2.0, 2.0)
    assert (run.trials, run.epochs, run.complete, run.resumed, run.failed, run.asks) == (2, 4, 1, 1, 1, 3)
    assert run.idle == pytest.approx(12 / 24)
    assert timeline.now == 12


def test_an_epoch_after_the_budget_does_not_count() -> None:
    run = simulate(task_of((4.0, 2.0), trainings=0.75), Scripted([0]), Timeline(), workers=1, points=3)
    assert run.best == (None, 4.0, 4.0)  # the budget is 1.5 units
    assert run.epochs == 1


def test_regret_is_cut_at_the_median_and_at_the_best() -> None:
    task = task_of((1.0,))
    assert task.regret(np.array([np.nan, 9.0, 5.0, 2.0, 1.0, 0.5])).tolist() == [1, 1, 1, 0.25, 0, 0]


def test_the_loss_after_a_divergence_does_not_count() -> None:
    losses = np.array([3.0, np.nan, 1.0])
    assert Curve(seen=losses, true=losses, cost=losses).best == 3.0
    assert Curve(seen=losses[1:], true=losses[1:], cost=losses).best == np.inf


def test_halving_promotes_the_best_third_of_a_rung() -> None:
    assert rungs(50) == [1, 3, 9, 27]
    search = PromotingHalving(task_of(*[(0.0,) * 9] * 3), 0)
    asked = [search.ask() for _ in range(3)]
    for trial, loss in ((0, 3.0), (1, 1.0), (2, 2.0)):
        assert not search.report(trial, 1, loss)
    assert search.ask() == asked[1]
    assert search.report(1, 2, 1.0)
    assert search.ask()[0] == 3  # a new one: each is promoted once


def test_parts_of_a_range_are_equal() -> None:
    width = ALL_KINDS[3]
    drawn = [width.at(share) for share in (0.0, 0.5, 0.999999)]
    assert drawn == [4, 15, 64]
    assert [round(each.share(each.at(0.25)), 2) for each in (ALL_KINDS[1], ALL_KINDS[5])] == [0.25, 0.25]


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch() as made:
        yield made


def test_our_ledger_trains_a_budget_to_its_last_epoch(folder: Path) -> None:
    task, timeline = replace(task_of((3.0, 2.0, 1.0), (4.0, 4.0, float("nan"))), trainings=8.0), Timeline()
    search = OurSearch(task, 0, timeline, folder, sampler="random", pruner="none")
    run = simulate(task, search, timeline, workers=2)
    assert (run.epochs, run.idle) == (24, 0)
    assert run.complete + run.failed == 8
    assert min(run.complete, run.failed) > 0
    assert run.best[-1] == 1.0
    assert search.ledger.running == [8, 9]  # begun at the very end
    search.close()
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_our_space_draws_every_kind_of_parameter_under_its_condition(folder: Path) -> None:
    keys = {"swift": {"swift.depth"}, "tardy": {"tardy.width", "tardy.word"}}
    search = OurSearch(replace(task_of((1.0,)), parameters=ALL_KINDS), 0, Timeline(), folder, sampler="random")
    configs = [search.ask()[1] for _ in range(20)]
    assert {"swift", "tardy"} <= set(BLOCKS)
    search.close()
    for config in configs:
        assert config.keys() == {"block", "lr", "share", *keys[str(config["block"])]}
        assert all(0 <= each.share(config[each.key]) <= 1 for each in ALL_KINDS if each.key in config)
    assert {config["block"] for config in configs} == {"swift", "tardy"}
    assert set(BLOCKS) == set(BlockKind)
    assert "swift" not in RULES.fields


def test_words_of_a_space_file_choose_our_sampler_and_pruner() -> None:
    task = task_of((1.0,))
    assert methods.resolved("ours:random+none", task) == "ours:random+none"
    sampler, _, pruner = methods.resolved("ours", task).removeprefix("ours:").partition("+")
    assert methods.resolved(f"ours:{sampler}+", task) == methods.resolved("ours", task)
    assert methods.resolved("ours:random+", task) == f"ours:random+{pruner}"
    with pytest.raises(UserError, match="unknown sampler 'guess'"):
        methods.resolved("ours:guess+none", task)
    with pytest.raises(UserError, match="Did you mean 'random'"):
        methods.chosen(["randon"])


def planted_loss(config: Config, seed: int) -> Curve:
    losses = np.array([abs(float(str(config["lr"])) - 0.1) + 1 / epoch for epoch in range(1, 10)])
    return Curve(seen=losses, true=losses, cost=np.ones(9))


def test_a_study_of_another_space_is_a_start(folder: Path) -> None:
    numbers = tuple(each for each in ALL_KINDS if each.name in ("lr", "share"))
    scale = Scale(best=1 / 9, median=0.5, full=9.0)
    task = Task(name="x", family="x", parameters=numbers, epochs=9, curve=planted_loss, scale=scale, trainings=3)
    other = narrowed(task)
    assert [each.name for each in other.parameters] == ["lr"]
    assert numbers[0].low < other.parameters[0].low < other.parameters[0].high < numbers[0].high
    search = methods.build("ours:++warm-changed", task, 0, Timeline(), folder, earlier=other)
    configs = [search.ask()[1] for _ in range(4)]
    search.close()
    assert all(config.keys() == {"lr", "share"} for config in configs)
    assert [other.parameters[0].low <= config["lr"] <= other.parameters[0].high for config in configs[1:]] == [True] * 3


def test_strata_can_be_left_out_and_a_sampler_of_optunas_takes_our_part(folder: Path) -> None:
    task, found = replace(planted(folder, "own"), trainings=3.0), {}
    for method in ("ours:random+", "ours:random++pooled", "ours:optuna_gp+"):
        timeline = Timeline()
        search = methods.build(method, task, 0, timeline, folder)
        found[method] = simulate(task, search, timeline)
        search.close()
    apart, pooled, theirs = found.values()
    assert apart.best != pooled.best
    assert min(each.epochs for each in found.values()) >= 27
    assert methods.resolved("ours:optuna_gp+", task) == "ours:optuna_gp+asha"
    assert theirs.trials > 10


def runs_of(*curves: list[float]) -> list[Run]:
    """Runs whose losses change at each quarter of the budget."""
    counts = {"trials": 1, "epochs": 1, "complete": 1, "resumed": 0, "failed": 0, "asks": 1}
    return [
        Run(best=tuple(np.repeat(each, POINTS // 4).tolist()), idle=0, ask_s=0.002, report_s=0, **counts)
        for each in curves
    ]


def test_scores_are_ranks_and_shares_of_the_budget() -> None:
    runs = {
        (methods.RANDOM, "tiny"): runs_of([5, 5, 5, 5], [5, 5, 5, 5]),
        (methods.REFERENCE, "tiny"): runs_of([5, 4, 4, 3], [5, 4, 4, 3]),
        ("ours", "tiny"): runs_of([4, 3, 2, 2], [4, 3, 1, 1]),
        ("random+asha", "tiny"): runs_of([9, 9, 9, 9], [9, 9, 5, 4]),
    }
    found = Scores([task_of((1.0,))], runs, {method: method for method, _ in runs})
    rows = {row.method: row for row in found.rows()}
    assert rows["ours"].final.value == pytest.approx(0.125)
    assert (rows["ours"].final.low, rows["ours"].final.high) == (0, 0.25)
    assert rows["ours"].half.value == 0.5
    assert rows["ours"].ranks == (1.0, 1.0, 1.0)
    assert rows["random"].ranks == (3.0, 3.5, 3.75)
    assert (rows["ours"].share.value, found.share("ours", 0)) == (21 / 80, (21 / 80,) * 3)
    assert rows[methods.REFERENCE].share.value == 61 / 80
    assert rows["random"].share.value == NEVER
    assert rows["ours"].ask_ms == pytest.approx(2.0)
    assert [row.worse for row in rows.values()] == [()] * 4  # regret is cut: 9 is as bad as 5
    document = json.loads(printing.as_json({}, [task_of((1.0,))], found.rows(), [], runs, "here"))
    assert len(document["runs"]) == 8
    assert "| ours | 1 x 2 | .125 [.000 .250] | .500 [" in printing.as_table(found.rows(), [], "here")


def test_a_hypervolume_is_the_area_that_points_dominate() -> None:
    points = [[0.75, 0.25], [0.25, 0.75], [0.8, 0.8], [0.25, 0.75], [1.0, 0.0]]
    assert fronts.volume(np.array(points)) == pytest.approx(0.75 * 0.25 + 0.25 * 0.5)
    assert fronts.volume(np.zeros((0, 2))) == 0


FRONT = fronts.FrontTask(  # the second epochs are 0, half and all of the way to the median, at half, a quarter and none
    task=replace(task_of((3.0, 1.0), (4.0, 3.0), (5.0, 5.0)), trainings=30.0),
    cost=lambda config: (9.0, 3.0, 1.0)[int(str(config["which"]))],
    cheapest=1.0,
    dearest=81.0,
    best=0.5 + 0.5 * 0.25,
)


@pytest.mark.parametrize("method", several.METHODS)
def test_every_method_finds_a_small_front(method: str, folder: Path) -> None:
    found = several.run(method, FRONT, 0, folder)
    whole, every = (found[scope].best for scope in (several.COMPLETE, several.ALL))
    assert (whole[0], every[-1]) == (1.0, 0.0)
    assert all(each >= other for each, other in zip(whole, every, strict=True))
    assert any(each > other for each, other in zip(whole, every, strict=True))
    assert whole[-1] == 0.0
    assert (found[several.ALL].resumed > 0) == method.endswith("+asha")


def test_regrets_of_fronts_become_a_table_and_are_kept(tmp_path: Path) -> None:
    first = several.tables({"tiny": FRONT}, ["random", "optuna-tpe"], 2, tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 4
    again = several.tables({"tiny": replace(FRONT, best=99.0)}, ["random", "optuna-tpe"], 2, tmp_path)
    assert again == first
    assert "| random | 1 x 2 | .000 [.000 .000] |" in first[several.COMPLETE]


def test_a_run_is_kept_and_not_run_again(tmp_path: Path) -> None:
    job = Job(method="random", task="planted-own", seeds=1, workers=4, tables=None, kept=tmp_path)
    (first,) = run_job(job)
    (file,) = tmp_path.rglob("*.json")
    assert str(file.relative_to(tmp_path)) == "random/planted-own/0-workers-4.json"
    file.write_text(file.read_text().replace('"trials": ', '"trials": 1'))
    (second,) = run_job(job)
    assert second == replace(first, trials=int(f"1{first.trials}"))


def test_half_of_the_tasks_is_kept_out_and_every_name_is_known() -> None:
    assert not catalogue.CHOICES & catalogue.KEPT_OUT
    for group in ("taskset", "lcbench", "some", "quick"):
        names = catalogue.chosen(group)
        assert len(names) == 2 * len(set(names) & catalogue.CHOICES)
    assert len(catalogue.chosen("lcbench-*")) == 34
    groups = ("planted-own", "hpobench_car", "lcbench-3945", "lcbench-7593")
    assert [catalogue.group_of(name) for name in groups] == ["planted", "one fidelity", "choices", "kept out"]
    assert len(catalogue.chosen("one-fidelity")) == 7
    with pytest.raises(UserError, match=r"there is no task 'tasksets'\. Did you mean 'taskset'"):
        catalogue.chosen("tasksets")
    with pytest.raises(UserError, match="--tables FOLDER, or QPSEARCH_TABLES"):
        catalogue.load("lcbench-3945", None)
    with pytest.raises(UserError, match="there is no such file"):
        catalogue.load("lcbench-3945", Path("/nowhere"))


@pytest.mark.parametrize(
    ("name", "epochs", "best"),
    [
        ("taskset-patch32_GRU64_avg_bs128", 50, 0.4196),
        ("lcbench-34539", 52, 0.8963),
        ("hpolib_protein_structure", 1, 0.2214),
        ("hpobench_car", 1, -1.0),
        ("nasbench201_cifar10", 1, -91.6067),
    ],
)
@pytest.mark.skipif(
    not TABLES.is_dir(), reason="QPSEARCH_TABLES names no folder with tables; CI has one beside the project"
)
def test_a_task_is_read_from_its_table(name: str, epochs: int, best: float) -> None:
    task = catalogue.load(name, TABLES)
    assert task.scale.best == pytest.approx(best, abs=1e-4)
    generator = np.random.default_rng(0)
    curves = [task.curve(draw(task.parameters, generator), 0) for _ in range(40)]
    assert all(len(each.seen) == len(each.cost) == epochs for each in curves)
    assert all(each.cost.min() > 0 for each in curves)
    full = float(np.mean([each.cost.sum() for each in curves]))
    assert full == pytest.approx(task.scale.full, rel=0.5)
    regrets: Floats = task.regret(np.array([each.best for each in curves]))
    assert 0 < np.median(regrets) <= 1
    assert regrets.min() < 0.7


@pytest.mark.skipif(
    not TABLES.is_dir(), reason="QPSEARCH_TABLES names no folder with tables; CI has one beside the project"
)
def test_two_objectives_of_cells_have_the_front_of_all_of_them() -> None:
    front = fronts.load(fronts.CELLS, TABLES)
    cells = fronts.every(front.task)
    losses, costs = [front.task.curve(cell, 0).best for cell in cells], [front.cost(cell) for cell in cells]
    assert len(cells) == 15_625
    assert min(losses) == pytest.approx(5.6267, abs=1e-4)
    assert max(costs) == front.dearest == 73_306 + 6 * 243_040  # 1.53 million, as published
    assert front.regret(losses, costs) == 0
    assert 0.2 < front.regret(losses[::100], costs[::100]) < 1


@pytest.mark.parametrize("name", catalogue.GROUPS["planted"])
def test_the_planted_task_has_the_best_that_was_planted(name: str) -> None:
    task = catalogue.load(name, None)
    block, best_lr = ("quick", 1e-1) if name == "planted-fast" else ("slow", 10**-3.5)
    lr = "lr" if name == "planted-shared" else f"{block}.lr"
    curve = task.curve({"block": block, lr: best_lr, "weight_decay": 1e-3}, 0)
    assert curve.true.min() == task.scale.best
    assert np.abs(curve.seen - curve.true).max() < 0.1
    assert 25 < task.scale.full <= 27


def test_a_guess_is_compared_with_none_by_ratios_of_mean_regrets() -> None:
    found = {guess: np.full((3, 2, 4), regret) for guess, regret in (("none", 0.2), ("good", 0.1), ("bad", 0.3))}
    lines = priors.table(found).splitlines()
    assert lines[2] == f"| none |{' 0.200 | - |' * 4}"
    assert lines[3] == f"| good |{' 0.100 | 0.50 [0.50 0.50] |' * 4}"
    assert lines[4] == f"| bad |{' 0.300 | 1.50 [1.50 1.50] |' * 4}"
