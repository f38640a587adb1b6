"""Searches in simulated time on curves that are known: of a study, or of tables in files."""

import contextlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qpsearch.architecture import plugins
from qpsearch.architecture.candidates import on_the_grid
from qpsearch.dispatch import meanwhile
from qpsearch.errors import UserError
from qpsearch.registry.samplers import OWN
from qpsearch.runner import curve_tables, simulating
from qpsearch.runner.curve_tables import CurveTable, KnownTraining
from qpsearch.runner.simulating import Simulation, default_method, simulate_searches
from qpsearch.runner.tool_documents import SimulateDocument
from qpsearch.space import Space, edited, parse_space
from qpsearch.space.schema.search import SAMPLERS
from qpsearch.space.search import Budget
from qpsearch.study.planning import retraining
from qpsearch.study.storage.database import Database
from tests.cli.run import documented, qpsearch
from tests.helpers import new_ledger, progress
from tests.scripted import Behaviour, space_text

LR, DEPTH, BLOCK = "training.optimizer.sgd.lr", "network.stages.0.depth", "network.stages.0.block"
ALPHA = "network.rules.quotient.alpha"
SPACE = parse_space(space_text(Behaviour.IMPROVES, epochs=9, sampler="random"))


def params(lr: float, block: str = "additive", depth: int = 1) -> dict[str, Any]:
    return {LR: lr, BLOCK: block, DEPTH: depth} | ({ALPHA: 1.8} if block == "quotient" else {})


def planted(count: int = 40, epochs: int = 9) -> CurveTable:
    """Accuracy grows with the learning rate, and every epoch takes 10 seconds."""
    rates = [0.01 * 50 ** (index / (count - 1)) for index in range(count)]
    points = [
        KnownTraining(
            params=params(lr), values=[lr * epoch / epochs for epoch in range(1, epochs + 1)], seconds=[10.0] * epochs
        )
        for lr in rates
    ]
    return CurveTable("planted", SPACE, points)


def searched(table: CurveTable, *methods: str, **given: Any) -> Simulation:
    return simulate_searches(table, SPACE, methods, **{"seeds": 3, "workers": 2, "trainings": 6, **given})


def test_a_configuration_has_the_curve_of_the_nearest() -> None:
    table = planted()
    assert (len(table), table.epochs, table.whole, table.full_s) == (40, 9, 40, 90.0)
    assert table.curve(params(0.0101)).losses[-1] == pytest.approx(-0.01)
    assert table.curve(params(0.5)).losses[-1] == pytest.approx(-0.5)
    assert table.curve(params(0.5, "quotient", 3)).seconds == [10.0] * 9


def test_a_curve_that_ends_early_goes_on_as_the_others_did_and_one_that_diverged_does_not() -> None:
    whole = [KnownTraining(params=params(0.1), values=[0.1, 0.2, 0.4], seconds=[1.0, 1.0, 1.0])] * 9
    early = KnownTraining(params=params(0.01), values=[0.05, 0.1], seconds=[2.0, 4.0])
    lost = KnownTraining(params=params(0.5), values=[0.3], seconds=[0.0], diverged=True)
    table = CurveTable("mixed", SPACE, [*whole, early, lost])
    assert table.whole == 9
    assert table.curve(params(0.01)).losses == pytest.approx([-0.05, -0.1, -0.3])
    assert table.curve(params(0.01)).seconds == [2.0, 4.0, 3.0]
    found = table.curve(params(0.5))
    assert (found.losses, found.diverges_in) == ([-0.3, math.inf, math.inf], 2)
    assert found.seconds == [1.0, 1.0, 1.0]  # a time of 0 would never end


def test_what_diverges_in_its_first_epoch_is_known_to() -> None:
    whole = [KnownTraining(params=params(0.1), values=[0.1, 0.2], seconds=[3.0, 3.0])] * 9
    lost = KnownTraining(params=params(0.5), values=[], seconds=[], diverged=True)
    table = CurveTable("mixed", SPACE, [*whole, lost])
    assert (len(table), table.diverged) == (10, 1)
    found = table.curve(params(0.5))
    assert (found.losses, found.diverges_in) == ([math.inf, math.inf], 1)
    assert found.seconds == [3.0, 3.0]


def test_a_table_of_nothing_but_trainings_that_diverged_at_once_is_refused() -> None:
    lost = KnownTraining(params=params(0.5), values=[], seconds=[], diverged=True)
    with pytest.raises(UserError, match=r"lost: each training diverged in its first epoch. A simulation needs others"):
        CurveTable("lost", SPACE, [lost] * 10)


def test_an_evaluation_without_a_value_is_reported_and_does_not_end_a_training(sqlite_url: str) -> None:
    """A trial whose loss overflowed in an epoch of validation goes on, in a simulation too."""
    changes = {"search.objective": {"minimize": "val_loss"}}
    space = parse_space(
        edited(space_text(Behaviour.IMPROVES, epochs=4, trials=12, sampler="random", pruner="none"), changes)
    )
    with new_ledger(sqlite_url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            for epoch in (1, 2, 3, 4):
                said = progress(epoch, 0.5)
                loss = None if epoch in (2, 3) else 1 / epoch
                said = replace(said, report=replace(said.report, val_loss=loss, seconds=10.0))
                ledger.report(assignment.trial, assignment.attempt, said)
    with contextlib.closing(Database.open(sqlite_url)) as database:
        table = curve_tables.of_study(database, "scripted", space)
    assert table.curve(params(0.1)).losses == [1.0, math.inf, math.inf, 0.25]
    (random,) = simulate_searches(table, space, [], seeds=1, workers=1, trainings=6).outcomes
    assert (random.complete, random.epochs) == (6, 24)
    assert random.at(1.0) == (0.25, 0.25, 0.25)


def test_a_curve_that_ends_without_a_value_goes_on_from_its_last_one() -> None:
    whole = [KnownTraining(params=params(0.1), values=[0.1, 0.2, 0.4], seconds=[1.0] * 3)] * 9
    early = KnownTraining(params=params(0.01), values=[0.05, -math.inf], seconds=[1.0] * 2)
    table = CurveTable("mixed", SPACE, [*whole, early])
    assert table.curve(params(0.01)).losses == pytest.approx([-0.05, math.inf, -0.35])


def test_searched_epochs_are_refused() -> None:
    space = parse_space(edited(SPACE.source, {"training.epochs": {"int": [3, 9]}}))
    with pytest.raises(UserError, match=r"training.epochs is searched. A simulation needs trainings of one length"):
        simulate_searches(planted(), space, [], seeds=1, workers=2, trainings=6)


def test_curves_that_begin_anew_at_levels_are_refused(sqlite_url: str) -> None:
    space = parse_space(edited(SPACE.source, {"search.fidelity.width": [0.5, 1], "search.pruner": "asha"}))
    with new_ledger(sqlite_url, space):
        database = Database.open(sqlite_url)
    with pytest.raises(UserError, match=r"anew at each level of search.fidelity \(width 0.5, 1\), and a simulation"):
        curve_tables.of_study(database, space.study, space)
    database.close()


ARMS = "compare: {arms: {one: {network.stages.0.block: additive}, two: {network.stages.0.block: quotient}}}\n"


def test_curves_of_what_searches_have_chosen_are_refused_and_the_searches_named(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Those of a comparison are of all its arms, which differ in more than their parameters."""
    compared = parse_space(SPACE.source.replace(f"trials: {SPACE.search.budget.trials}, ", "") + ARMS)
    with contextlib.closing(Database.create(sqlite_url)) as database:
        retraining.begin_comparison(database, compared, source="", artifacts=None)
        with pytest.raises(UserError, match=r"one: qpsearch simulate scripted.one; qpsearch simulate scripted.two\.$"):
            curve_tables.of_study(database, "scripted", compared)
    with pytest.raises(UserError, match=r"scripted: compares arms.*Give a file without 'compare'\.$"):
        curve_tables.of_folder(tmp_path, compared)


@pytest.mark.parametrize("pruner", ["wilcoxon", "{wilcoxon: {p: 0.2}}"])
def test_a_pruner_that_compares_seeds_is_refused_and_left_out_of_the_studys_own_method(pruner: str) -> None:
    space = parse_space(edited(SPACE.source, {"search.replicates": 6, "search.pruner": "wilcoxon"}))
    assert default_method(space) == "random+none"
    with pytest.raises(UserError, match=r"wilcoxon compares the seeds of a trial, of which a simulation has only one"):
        simulate_searches(planted(), space, [f"gp+{pruner}"], seeds=1, workers=2, trainings=6)


def test_the_studys_own_method_has_the_options_of_its_file() -> None:
    own = {"search.sampler": {"gp": {"random": 0.9}}, "search.pruner": {"asha": {"first": 3}}}
    space = parse_space(edited(SPACE.source, own))
    assert default_method(space) == "{gp: {random: 0.9}}+{asha: {first: 3}}"
    outcomes = searched(planted(), default_method(space)).outcomes
    assert outcomes[1].method == default_method(space)
    assert (
        default_method(parse_space(edited(SPACE.source, {"search.sampler": "gp", "search.pruner": "asha"})))
        == "gp+asha"
    )


def test_random_search_trains_as_many_as_the_budget_holds_and_promotion_begins_more() -> None:
    """Six trainings of 90 s by two workers are 270 s, 54 epochs."""
    simulation = searched(planted(), "random+asha")
    random, asha = simulation.outcomes
    assert (random.method, random.trials, random.epochs, random.complete) == ("random+none", 6, 54, 6)
    assert (asha.epochs, asha.idle) == (54, 0.0)
    assert asha.trials > 15
    assert simulation.hours == pytest.approx(270 / 3600)
    assert asha.at(1.0)[0] > random.at(1.0)[0]  # type: ignore[index]
    share = simulation.share(asha)
    assert share is not None
    assert share < 0.8
    assert all(len(run) == 40 for run in asha.best)
    assert asha.best[0][0] is None or asha.best[0][0] < asha.best[0][-1]  # type: ignore[operator]


def test_a_simulation_is_repeated_to_the_bit() -> None:
    table = planted()
    first, second = (searched(table, "gp+asha", seeds=1, trainings=3).outcomes for _ in range(2))
    assert first == second
    assert first[1].trials > 10  # the first that learn from results, too


def test_a_design_is_compared_in_a_space_with_guesses() -> None:
    guessed = {LR: {"log": [0.01, 0.5], "prior": 0.1, "confidence": "high"}}
    space = parse_space(edited(SPACE.source, guessed))
    (_, found) = simulate_searches(planted(), space, ["factorial+none"], seeds=1, workers=2, trainings=6).outcomes
    assert found.complete == 6


def test_what_needs_longer_trainings_than_the_curves_is_told_with_their_length() -> None:
    space = parse_space(edited(SPACE.source, {"search.score": {"best": {"from_epoch": 5}}}))
    said = (
        r"^random\+none with training.epochs: 4, the length of the longest curve: search.score.best.from_epoch: a run"
    )
    with pytest.raises(UserError, match=said):
        simulate_searches(planted(epochs=4), space, [], seeds=1, workers=2, trainings=6)


def test_a_grid_ends_with_its_last_point() -> None:
    rates = [0.05 * place for place in range(1, 11)]
    space = parse_space(edited(SPACE.source, {LR: {"choice": rates}, ALPHA: 1.8}))
    points = [KnownTraining(params=params(lr), values=[lr] * 9, seconds=[10.0] * 9) for lr in rates]
    table, grid = CurveTable("grid", space, points), parse_space(edited(space.source, {"search.sampler": "grid"}))
    size = on_the_grid(grid, Budget(trials=1000)).trials
    (_, found) = simulate_searches(table, space, ["grid+none"], seeds=1, workers=2, trainings=2 * size).outcomes
    assert (found.trials, found.complete) == (size, size)


@pytest.mark.parametrize("method", ["{gp: {random: 2}}+asha", "gp+{asha: {factr: 2}}"])
def test_a_mistake_in_a_method_is_said_without_a_place_that_nobody_sees(method: str) -> None:
    with pytest.raises(UserError) as refused:
        searched(planted(), method)
    assert str(refused.value).startswith(f"{method}: search.")
    assert "method:" not in str(refused.value)


def test_what_would_end_or_begin_a_study_otherwise_is_left_out() -> None:
    changes = {"search.first": [{LR: 0.5}], "search.warm_start": "gone", "search.stop": {"failures": 1}}
    space = parse_space(edited(SPACE.source, {**changes, "search.budget": {"epochs": 3}}))
    found = simulate_searches(planted(), space, [], seeds=1, workers=2, trainings=6)
    assert found.outcomes[0].epochs == 54


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("gp", r"gp: is not SAMPLER\+PRUNER, such as gp\+asha"),
        ("gpp+asha", "gpp.asha: .*'gpp'"),
        ("gp+{asha: {factor: 1}}", "factor"),
    ],
)
def test_a_method_that_cannot_be(method: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        searched(planted(), method)


HEAD = f"{LR},{DEPTH},{BLOCK},{ALPHA},epoch,value,seconds"


def table_file(folder: Path, text: str) -> Path:
    (folder / "curves.csv").write_text(text)
    return folder


def test_a_table_is_read_from_a_file(tmp_path: Path) -> None:
    lines = [f"{0.01 * n},{n % 3 + 1},quotient,1.{n + 2},{e},{n * e / 100},{n}" for n in range(2, 8) for e in (1, 2)]
    lines += [f"{0.05 * n},1,additive,,{e},{'nan' if e == 2 else 0.1},7" for n in range(1, 6) for e in (1, 2)]
    (table,) = curve_tables.of_folder(table_file(tmp_path, "\n".join([HEAD, *lines])), SPACE)
    assert (len(table), table.epochs, table.whole) == (11, 2, 6)
    found = table.curve({LR: 0.05, DEPTH: 3, BLOCK: "quotient", ALPHA: 1.7})
    assert (found.losses, found.seconds) == ([-0.05, -0.1], [5.0, 5.0])
    found = table.curve(params(0.1))
    assert (found.losses, found.diverges_in) == ([-0.1, math.inf], 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}\n0.1,1,additive,,1,0.5,1", "has 1 learning curves. A simulation needs 10"),
        (f"{HEAD},colour\n", "column 'colour' is not a parameter of the space"),
        (f"{LR},epoch,value\n", f"does not have a column '{DEPTH}'"),
        (f"{HEAD}\n0.1,1,additive,,1,x,1", "curves.csv:2: value is 'x', which is not a number"),
        (f"{HEAD}\n0.1,9,additive,,1,0.5,1", r"depth: 9 is not in \{int: \[1, 3\]\}"),
        (f"{HEAD}\n0.1,1,additive,,2,0.5,1", "the epochs of a configuration are not 1, 2, 3"),
        (f"{HEAD}\n0.1,1,additive,,0,0.5,1", r"curves.csv:2: epoch is 0. Expected 1, 2, 3, ..."),
        (f"{HEAD}\n0.1,1,additive,,nan,0.5,1", r"curves.csv:2: epoch is nan. Expected 1, 2, 3, ..."),
        (f"{HEAD}\n0.1,1,additive,,1,0.5,1\n0.1,1,additive,,1,0.6,1", "curves.csv:3: epoch 1 of this configuration is"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        curve_tables.of_folder(table_file(tmp_path, text), SPACE)


def test_a_folder_without_tables(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not hold a table. Expected files NAME.csv"):
        curve_tables.of_folder(tmp_path, SPACE)


def finished(url: str, trials: int) -> Space:
    space = parse_space(space_text(Behaviour.IMPROVES, epochs=3, sampler="random", trials=trials, pruner="none"))
    with new_ledger(url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            for epoch in (1, 2, 3):
                value = assignment.config.recipe.optimizer.lr * epoch
                message = progress(epoch, value)
                timed = replace(message, report=replace(message.report, seconds=2.0))
                ledger.report(assignment.trial, assignment.attempt, timed)
    return space


def test_a_finished_study_is_replayed(sqlite_url: str, tmp_path: Path) -> None:
    space = finished(sqlite_url, 12)
    with contextlib.closing(Database.open(sqlite_url)) as database:
        table = curve_tables.of_study(database, "scripted", space)
    assert (len(table), table.whole, table.full_s) == (12, 12, 6.0)
    words = ("simulate", "scripted", "--storage", sqlite_url, "--seeds", "2", "--trainings", "4", "--method")
    document = SimulateDocument.of([searched(table, "random+asha", seeds=2, workers=4, trainings=4)]).to_dict()
    documented(SimulateDocument, json.loads(json.dumps(document)))
    assert [each["method"] for each in document["tables"][0]["methods"]] == ["random+none", "random+asha"]
    assert document["tables"][0]["methods"][0]["trials"] == 4
    shown = qpsearch(tmp_path, *words, "random+asha").stdout
    assert "12 curves, 12 of them to the end; searches of 4 trainings by 4 workers" in shown
    assert "random+asha" in shown


OWN_SAMPLER = """
import optuna
import qpsearch

wide = qpsearch.custom_sampler("wide", lambda seed: optuna.samplers.TPESampler(seed=seed), version="1")
"""


def test_another_process_searches_alike_with_samplers_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_to_simulate.py").write_text(OWN_SAMPLER)
    monkeypatch.setenv("QPSEARCH_IMPORT", str(tmp_path / "mine_to_simulate.py"))
    plugins.load_everything()
    called, here = meanwhile._called, []
    monkeypatch.setattr(meanwhile, "_called", lambda *task: here.append(task) or called(*task))
    try:
        found = {}
        for cores in (1, 2):
            monkeypatch.setattr(simulating, "own_cores", lambda cores=cores: cores)
            found[cores] = searched(planted(), "wide+none", "gp+asha")
    finally:
        del OWN["wide"], SAMPLERS["wide"]
    assert found[1].outcomes == found[2].outcomes
    assert len(here) == 9 + 4  # of nine searches each, the other process did five
