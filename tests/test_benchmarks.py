"""The benchmarks' own machinery, in a size too small to measure: rows that hold what they promise."""

import json
from functools import partial
from pathlib import Path

import optuna
import pytest
import torch

from qpsearch.architecture.candidates import sample
from qpsearch.models.audit import AuditPlan
from qpsearch.protocol import RunSettings
from qpsearch.registry.fidelity import FidelityKind
from qpsearch.space import parse_space
from qpsearch.training.data import Split
from tests.benchmarks import (
    audit,
    driver,
    fidelity,
    fused,
    importance,
    load,
    optuna_import,
    product_unit,
    racing,
    recipes,
    steps,
    streaming,
    sweeps,
    threads,
    train_speed,
    training,
)
from tests.benchmarks.report import Row, alternate, as_json, as_table, row
from tests.training.graphs import RecordedGraph, let_capture

PREFIXES = ("ray:", "optuna-sqlite:", "optuna-memory:", "optuna-fanova:", "driver:", "alone:")
KEYS = {"name", "ours", "against", "ratio", "n", "spread", "hardware"}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def check(rows: list[Row], repetitions: int) -> None:
    entries = json.loads(as_json("dispatch", rows, "here"))["rows"]
    assert len({entry["name"] for entry in entries}) == len(entries) == len(rows)
    for entry in entries:
        assert entry.keys() >= KEYS
        assert entry["name"].startswith(PREFIXES)
        assert min(entry["ours"], entry["against"]) > 0
        assert entry["n"] == repetitions
        low, high = entry["spread"]
        assert 0 < low <= entry["ratio"] <= high
    assert all(found.name in as_table(rows, "here") for found in rows)


def test_steps_are_compared_with_plain_optuna(tmp_path: Path) -> None:
    check(steps.rows(tmp_path, finished=12, batch=1, repetitions=2), 2)


def test_an_import_is_timed_while_others_write(tmp_path: Path) -> None:
    found = optuna_import.measure(tmp_path, 20)
    assert found["whole_s"] > found["longest_transaction_s"] > 0


def test_an_importance_is_compared_with_optunas_evaluator(tmp_path: Path) -> None:
    check(importance.rows(tmp_path, trials=24, repetitions=1), 1)


def test_load_is_compared_with_a_study_alone_and_with_optuna(tmp_path: Path) -> None:
    found = load.of_many_studies(tmp_path / "studies", studies=2, trials=2, repetitions=1)
    check(found + load.of_many_slots(tmp_path / "slots", slots=4, seconds=0.1, optuna_trials=1, repetitions=1), 1)


def test_a_product_unit_is_compared_with_its_parts_and_with_a_convolution() -> None:
    found = product_unit.rows("cpu", repetitions=2, shapes=((8, 8),), batch=4)
    assert {row.name.partition(" 4x")[0] for row in found} == {
        f"{side}: {what}" for side in ("plain", "conv") for what in ("time", "kept", "peak")
    } | {"plain: least time"}
    for row_ in found:
        assert min(row_.ours, row_.against) > 0
        if row_.name.startswith("plain: kept"):
            assert row_.ratio <= product_unit.MEMORY_TARGET


def test_training_is_compared_with_the_same_loop_by_torchs_defaults() -> None:
    (found,) = training.rows(repetitions=1, threads=1, networks=(("resnet8", 4),), within_s=0.1)
    assert found.name == "plain: resnet8, batches of 4"
    assert min(found.ours, found.against) > 0


def test_training_is_compared_with_bare_steps_and_with_an_ordinary_loop() -> None:
    cases = [*train_speed.networks(("resnet8",), RunSettings(seed=0), steps=1, batch=4)]
    found = list(train_speed.rows(cases, 2, is_apart=False))
    assert [each.name for each in found] == ["bare: resnet8", "loop: resnet8"]
    assert all(min(each.ours, each.against) > 0 and each.more_is_better for each in found)
    told = json.loads(as_json("train_speed", found, "here", train_speed.GPU_ROWS))
    assert [entry["name"] for entry in told["rows"]] == ["bare: resnet8", "loop: resnet8"]
    assert set(told["not measured"]) == set(train_speed.GPU_ROWS)
    table = as_table(found, "here", train_speed.GPU_ROWS)
    assert table.count("not measured") == len(train_speed.GPU_ROWS) == 12
    assert table.count(">= ") == 2


def test_a_bare_step_is_captured_and_replayed_on_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    let_capture("cpu", monkeypatch)
    (case,) = train_speed.networks(("resnet8",), RunSettings(seed=0), steps=2, batch=4)
    rates = train_speed.replayed(case, train_speed.ready(case))
    assert min(next(rates), next(rates)) > 0
    assert [(graph.rehearsals, graph.replays) for graph in RecordedGraph.made] == [(3, 4)]


def test_images_on_disk_are_compared_with_a_loader_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path))
    found = list(streaming.rows(tmp_path, 24, 1, RunSettings(seed=0), side=8))
    names = ["loop: streamed", "loop: mapped", "memory: mapped", "late: streamed", "late: mapped"]
    names.append("late: streamed, steps that wait")
    assert [each.name for each in found] == names
    assert all(min(each.ours, each.against) > 0 and each.more_is_better for each in found)


def test_fused_seeds_are_compared_with_the_same_seeds_by_themselves_and_with_vmap() -> None:
    cases = [*train_speed.networks(("resnet8",), RunSettings(seed=0), steps=1, batch=4)]
    found = list(fused.rows(cases, 2, (2,)))
    assert [each.name for each in found] == ["unfused: resnet8, 2 seeds", "vmap: resnet8, 2 seeds"]
    assert all(min(each.ours, each.against) > 0 for each in found)


def test_an_audit_of_families_is_a_page() -> None:
    quick = AuditPlan(size=8, batch=4, steps=(0,), scales=(1.0,))
    page = "\n".join(audit.report((8,), quick, quick, ("additive8",)))
    assert all(f"| `{family}8` | 4 of 4 |" in page for family in audit.FAMILIES)
    assert "`additive8`: " in page


@pytest.mark.ray
def test_the_driver_alone_is_compared_with_what_tune_delivers(tmp_path: Path) -> None:
    with sweeps.local_ray():
        check(driver.rows(tmp_path, trials=8, ray_trials=6, repetitions=1), 1)


def test_a_ratio_is_taken_repetition_by_repetition() -> None:
    """A machine that slows down tenfold half-way slows both, and leaves the ratio as it is."""
    ours, theirs = iter([1.0, 1.0, 10.0]), iter([4.0, 4.0, 40.0])
    runs = alternate(3, lambda: next(ours), lambda: next(theirs))
    found = row("driver: x", runs, alternative="y", unit="s", note="")
    assert (found.ours, found.against, found.ratio, found.spread, found.n) == (1.0, 4.0, 0.25, (0.25, 0.25), 3)


def test_each_side_runs_at_each_place_in_turn() -> None:
    ran: list[str] = []

    def side(name: str) -> str:
        ran.append(name)
        return name

    assert alternate(3, *(partial(side, name) for name in "abc")) == [("a", "b", "c")] * 3
    assert "".join(ran) == "abcbcacab"


def test_recipes_are_compared_in_pairs_of_seeds() -> None:
    images = torch.randint(0, 256, (96, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = Split(images, torch.arange(96) % 10)
    found = recipes.measure((split, recipes.part(split, 32)), recipes.RECIPES, ["quotient"], epochs=1, seeds=2)
    assert [each.recipe for each in found] == list(recipes.RECIPES)
    assert [len(each.accuracies) for each in found] == [2, 2]
    given = [
        recipes.Measured(recipe=recipe, block="quotient", accuracies=accuracies, cpu_s=1.0)
        for recipe, accuracies in (("quotient", (0.5, 0.6, 0.4)), ("modern", (0.6, 0.7, 0.8)))
    ]
    (gain,) = recipes.differences(given)  # 0.1, 0.1, 0.4: t(0.975, 2) = 4.303
    assert (gain.gain, gain.n) == (pytest.approx(0.2), 3)
    assert (gain.low, gain.high) == (
        pytest.approx(0.2 - 4.303 * 0.1, abs=1e-3),
        pytest.approx(0.2 + 4.303 * 0.1, abs=1e-3),
    )


def test_a_race_is_compared_with_fixed_numbers_of_seeds() -> None:
    one, five = racing.rows(racing.QUICK, seeds=2, runs=10)
    assert one.ours == five.ours > 0
    assert (one.n, five.n) == (2, 2)
    assert one.ratio == pytest.approx(one.ours / one.against)
    assert five.spread[0] <= five.ratio <= five.spread[1]


@pytest.mark.parametrize("kind", FidelityKind)
def test_levels_are_compared_with_epochs_at_equal_seconds(kind: FidelityKind) -> None:
    drawn = [point.draw.params for point in sample(parse_space(fidelity.space_text(kind)), 10)]
    each = fidelity.EPOCHS
    points = [
        fidelity.Trained(
            params=dict(params),
            values=[index / 10] * fidelity.WHOLE,
            seconds=[0.1] * each + [0.3] * each + [1.0] * each,
            truth=index / 10,
        )
        for index, params in enumerate(drawn)
    ]
    epochs, none = fidelity.rows(kind, points, seeds=1, samplers=["random"], budgets=[4])
    assert epochs.ours == none.ours < 0.9  # 0.9 would be the regret of no choice
    assert epochs.ratio == pytest.approx(epochs.ours / epochs.against)
    assert epochs.spread[0] <= epochs.ratio <= epochs.spread[1]
    assert (epochs.n, epochs.unit) == (1, "accuracy")
    cheap, *_, three = fidelity.facts(kind, points).splitlines()[1:]
    assert cheap.endswith("0.900 s of CPU time, rank correlation 1.00 with the mean of three seeds")
    assert three.startswith("3 whole epochs: 3.000 s")


def test_ways_to_wait_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < threads.seconds(side=8, steps=1, how=threads.OURS) < 60
    without_torch = "import sys; print('ready', flush=True); sys.stdin.readline(); print(int(sys.argv[3]) / 4)"
    monkeypatch.setattr(threads, "TRAIN", without_torch)
    monkeypatch.setattr(threads, "LOADS", (0,))
    found = threads.rows(repetitions=1, steps={8: 2})
    assert [each.name for each in found] == ["spinning: 8x8, idle", "at once: 8x8, idle", "side by side: 8x8, idle"]
    assert [(each.ours, each.against) for each in found] == [(0.5, 0.5), (0.5, 0.5), (0.5, 1.0)]
