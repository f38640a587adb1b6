"""Steps that are captured: a replay is the eager step to the bit, whatever changes; and where none is made, it is said why."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qpsearch.architecture.candidates import sample
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.one_point import point_text
from qpsearch.dispatch.worker import WorkerSetup, messages
from qpsearch.errors import OutOfMemory
from qpsearch.protocol import Assignment, EpochReport, Run, RunSettings
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.runner.one_network import begin
from qpsearch.runner.rerunning import rerun
from qpsearch.runner.wanted import wanted
from qpsearch.space import edited, load_space, parse_space
from qpsearch.study.storage.database import Database
from qpsearch.training import captured, timing, train
from qpsearch.training.captured import WARM_UP, CapturedStep, is_captured
from qpsearch.training.fused import FusedRuns
from qpsearch.training.loop import TrainingRun
from qpsearch.training.timing import peak_of_steps
from qpsearch.vocabulary import BlockKind, CudaGraphs, Precision
from tests.helpers import new_ledger, train_all
from tests.training.configs import by_default, digits
from tests.training.graphs import RecordedGraph, let_capture
from tests.training.test_recipe import MODERN

EPOCHS = 2
STEPS = 5  # of an epoch: four of 64 images, then 41


@pytest.fixture(autouse=True)
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[RecordedGraph]:
    """Let a CPU capture; return the graphs that are made."""
    let_capture("cpu", monkeypatch)
    return RecordedGraph.made


CASES: dict[str, dict[str, Any]] = {
    **{f"optimiser {kind}": {"optimizer": by_default(kind)} for kind in OPTIMISERS},
    "nesterov": {"optimizer": by_default("sgd", nesterov=True)},
    "sgd without momentum": {"optimizer": by_default("sgd", momentum=0.0, weight_decay=0.0)},
    "rmsprop without momentum": {"optimizer": by_default("rmsprop", momentum=0.0)},
    "modern": {**MODERN, "optimizer": by_default("adamw"), "augment": ("mixup", "cutmix", "flip")},
    "modern sgd": {**MODERN, "augment": ("mixup",), "schedule": "one_cycle"},
    "bfloat16": {"precision": Precision.BFLOAT16},
    **{f"block {kind}": {"blocks": (kind,), "drop_path": 0.3} for kind in BlockKind},
}


def case_of(name: str) -> TrialConfig:
    changes = {"schedule": "cosine", "warmup": 0.5} | CASES[name]
    config = digits(*changes.pop("blocks", (BlockKind.ADDITIVE,)), epochs=EPOCHS, held=1200)
    data = replace(config.data, augment=changes.pop("augment", ("crop", "flip")))
    return replace(config, data=data, recipe=replace(config.recipe, **changes))


def trained(config: TrialConfig, **where: Any) -> tuple[TrainingRun, list[float]]:
    """Train both epochs; return the run, and the mean loss of each."""
    made = TrainingRun(config, RunSettings(seed=3, steps_every_s=1e9, **where))
    losses = []
    for epoch in (1, 2):
        told = made.train_epoch(epoch)
        with pytest.raises(StopIteration) as ended:
            next(told)
        losses.append(ended.value.value[0])
        made.captured.note()
    return made, losses


def state(run: TrainingRun) -> dict[str, Tensor]:
    """Return all that a step changes: weights, buffers, averages, what the optimiser remembers."""
    found = dict(run.model.state_dict())
    found |= {f"average {name}": value for name, value in run.evaluated.state_dict().items()}
    for index, own in run._optimizer.state_dict()["state"].items():
        found |= {f"{name} {index}": torch.as_tensor(value) for name, value in own.items()}
    return {name: value.clone() for name, value in found.items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def never_captured(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> Any:
    """Do the same by the same code, but step by step: all of them are rehearsals."""
    with monkeypatch.context() as patch:
        patch.setattr(captured, "WARM_UP", 10**6)
        return work()


@pytest.mark.parametrize("name", CASES)
def test_a_replay_is_the_step_to_the_bit(
    name: str, graphs: list[RecordedGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another learning rate, images, masks and shares in each step, and the odd batch in between made eagerly."""
    config = case_of(name)
    found, losses = trained(config)
    (graph,) = graphs
    assert (graph.rehearsals, graph.replays) == (WARM_UP, EPOCHS * (STEPS - 1) - WARM_UP)
    expected, their_losses = never_captured(monkeypatch, lambda: trained(config))
    assert graphs[1].rehearsals == EPOCHS * STEPS
    assert losses == their_losses
    assert_same(state(found), state(expected))


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_steps_for_a_graph_are_the_steps_of_a_cpu_but_for_rounding(kind: str) -> None:
    config = case_of(f"optimiser {kind}")
    config = replace(config, recipe=replace(config.recipe, ema=0.9))
    found, losses = trained(config)
    plain, their_losses = trained(config, cuda_graphs=CudaGraphs.NEVER)
    assert isinstance(found._optimizer.param_groups[0]["lr"], Tensor)
    assert isinstance(plain._optimizer.param_groups[0]["lr"], float)
    assert losses == pytest.approx(their_losses, rel=1e-3)
    ours, theirs = state(found), state(plain)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value.double(), theirs[name].double(), rtol=2e-2, atol=2e-4, msg=name)


@pytest.mark.parametrize("left", ["lr", "own", "decay"])
def test_a_number_that_is_not_a_tensor_would_stay_what_it_was(left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the comparison above notices it."""
    config = case_of("modern sgd")
    config = replace(config, recipe=replace(config.recipe, gradient_accumulation=1))
    if left == "lr":
        monkeypatch.setattr("qpsearch.training.optim.updated", lambda number, value: value)
    elif left == "decay":
        monkeypatch.setattr("qpsearch.training.averaging.updated", lambda number, value: value)
    else:
        monkeypatch.setattr(captured, "_kind", lambda values: str([each[0].shape for each in values]))
        monkeypatch.setattr(captured.CapturedStep, "number", lambda self, value, device: value)
    found, _ = trained(config)
    expected, _ = never_captured(monkeypatch, lambda: trained(config))
    ours, theirs = state(found), state(expected)
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)


class Asks(nn.Module):
    """Asks for a value in each forward pass, as a block of the user's own may."""

    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.detach().sum()) != 1 else x + 1


def spoilt(run: TrainingRun) -> TrainingRun:
    run.model.pool = nn.Sequential(run.model.pool, Asks())  # type: ignore[assignment]  # a network of ours
    return run


def epochs_of(run: TrainingRun) -> list[EpochReport]:
    return [each for each in run.epochs() if isinstance(each, EpochReport)]


class Invalid(RecordedGraph):
    """The end of its capture fails, too."""

    def capture(self, work: Callable[[], Tensor]) -> Tensor:
        try:
            return super().capture(work)
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")


@pytest.mark.parametrize(("kind", "graph"), [("sgd", RecordedGraph), ("muon", Invalid)])
def test_where_a_capture_fails_the_run_goes_on_and_says_why_once(
    kind: str, graph: type[RecordedGraph], graphs: list[RecordedGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(captured.GRAPHS, "cpu", graph)
    config = case_of(f"optimiser {kind}")
    found = spoilt(TrainingRun(config, RunSettings(seed=3)))
    reports = epochs_of(found)
    said, nothing = (report.note for report in reports)
    assert said.endswith(", not as a CUDA graph: CUDA error: operation not permitted when stream is capturing")
    assert nothing == ""
    assert (graphs[0].rehearsals, graphs[0].replays) == (WARM_UP, 0)
    expected = spoilt(TrainingRun(config, RunSettings(seed=3)))
    theirs = never_captured(monkeypatch, lambda: epochs_of(expected))
    assert [report.train_loss for report in reports] == [report.train_loss for report in theirs]
    assert_same(state(found), state(expected))


def test_what_a_failed_capture_held_is_gone_when_the_step_is_made_without_a_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where memory was lacking, the step would lack it again."""
    left: list[weakref.ref[Tensor]] = []
    there: list[int] = []

    class Lacking(RecordedGraph):
        def capture(self, work: Callable[[], Tensor]) -> Tensor:
            held = torch.ones(3)
            left.append(weakref.ref(held))
            raise torch.OutOfMemoryError("CUDA out of memory.")

    def work(parts: object) -> Tensor:
        there.append(sum(each() is not None for each in left))
        return torch.zeros(())

    monkeypatch.setitem(captured.GRAPHS, "cpu", Lacking)
    step = CapturedStep(case_of("optimiser sgd"), RunSettings(seed=3))
    for _ in range(WARM_UP + 1):
        step(work, ())
    assert len(left) == 1
    assert there == [0] * (WARM_UP + 1)
    assert step.note().endswith("CUDA out of memory")


def test_a_step_that_waits_is_not_captured(graphs: list[RecordedGraph], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the rehearsals the last one counts: the first steps make what is made once."""
    why = iter(["it made something", "", "the step waits for the GPU at block.py, line 7"])
    monkeypatch.setattr(RecordedGraph, "rehearse", lambda self, work: (work(), next(why)))
    reports = epochs_of(TrainingRun(case_of("optimiser sgd"), RunSettings(seed=3)))
    assert reports[0].note.endswith(": the step waits for the GPU at block.py, line 7")
    assert graphs[0].replays == 0


@pytest.mark.parametrize(
    ("changes", "block", "graphs_", "said"),
    [
        ({}, "additive", "auto", ""),
        ({}, "additive", "never", None),
        ({"precision": Precision.FLOAT16}, "additive", "always", "float16 each step asks the GPU whether gradients"),
        ({}, "mine", "auto", "block mine does the same in every step is not known. Where it does, set resources"),
        ({}, "mine", "always", ""),
    ],
)
def test_what_is_captured(changes: dict[str, Any], block: str, graphs_: str, said: str | None) -> None:
    config = case_of("optimiser sgd")
    (stage,) = config.network.stages
    network = replace(config.network, stages=(replace(stage, block=block),))
    run = RunSettings(seed=3, cuda_graphs=graphs_)  # type: ignore[arg-type]  # as from a file
    config = replace(config, network=network, recipe=replace(config.recipe, **changes))
    step = CapturedStep(config, run)
    assert step.is_possible is is_captured(config, run) is (said == "")
    assert (said or "") in step.note()
    assert step.note() == ""
    elsewhere = CapturedStep(config, replace(run, device="meta"))
    assert (elsewhere.is_possible, elsewhere.note()) == (False, "")


@pytest.mark.parametrize(
    ("kind", "first"),
    [*((kind, CudaGraphs.AUTO) for kind in OPTIMISERS), ("adamw", CudaGraphs.NEVER), ("muon", CudaGraphs.NEVER)],
)
def test_a_checkpoint_of_either_kind_of_steps_is_continued_by_both(
    kind: str, first: CudaGraphs, tmp_path: Path
) -> None:
    """As if training had not been interrupted; with the other kind of steps, but for rounding."""
    config = case_of(f"optimiser {kind}")
    config = replace(config, recipe=replace(config.recipe, ema=0.9))
    run = RunSettings(seed=3, checkpoint_folder=str(tmp_path), cuda_graphs=first)
    begun, whole = epochs_of(TrainingRun(config, run))
    saved = torch.load(tmp_path / begun.checkpoint, weights_only=True)["optimizer"]["param_groups"]
    assert {type(group["lr"]) for group in saved} == {float}
    assert not any(group.get("capturable") for group in saved)
    for graphs_ in CudaGraphs.AUTO, CudaGraphs.NEVER:
        again = replace(run, checkpoint_stem="x", resume_from=(begun.checkpoint,), cuda_graphs=graphs_)
        continued = TrainingRun(config, again)
        (report,) = epochs_of(continued)
        assert report.train_loss == pytest.approx(whole.train_loss, rel=0 if graphs_ is first else 1e-3)
        rates = {type(group["lr"]) for group in continued._optimizer.param_groups}
        assert rates == {Tensor if graphs_ is CudaGraphs.AUTO else float}
        counts = [own["step"] for own in continued._optimizer.state.values() if "step" in own]
        assert all(float(count) == EPOCHS * STEPS for count in counts)


def test_without_memory_for_a_graph_a_run_is_tried_again_without_one(
    graphs: list[RecordedGraph], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    evaluate = TrainingRun._evaluate
    tried: list[CudaGraphs] = []

    def short(self: TrainingRun) -> Any:
        tried.append(self._run.cuda_graphs)
        if self.captured._result is not None and self.done == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return evaluate(self)

    def never(self: TrainingRun) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(TrainingRun, "_evaluate", short)
    run = RunSettings(seed=3, checkpoint_folder=str(tmp_path))
    config = case_of("optimiser sgd")  # with batch normalisation, so not with fewer images
    reports = list(train(config, run))
    assert [report.epoch for report in reports] == [1, 2]
    assert tried == [CudaGraphs.AUTO, CudaGraphs.AUTO, CudaGraphs.NEVER]
    monkeypatch.setattr(TrainingRun, "_evaluate", never)
    with pytest.raises(OutOfMemory, match=r"^CUDA out of memory\. Fewer images at once were not tried: batch norm"):
        list(train(config, run))


def fused(config: TrialConfig) -> tuple[list[TrainingRun], list[float]]:
    """Train an epoch of each of two runs, then two fused ones, then one of the first run by itself."""
    settings = [RunSettings(seed=seed) for seed in (3, 4)]
    runs = [TrainingRun(config, each) for each in settings]
    losses = [report.train_loss for run in runs for report in run.epochs(1) if isinstance(report, EpochReport)]
    whole = FusedRuns(config, runs, settings[0])
    for epoch in (2, 3):
        told = whole.train_epoch(epoch)
        with pytest.raises(StopIteration) as ended:
            while True:
                next(told)
        losses += ended.value.value.means
        for run in runs:
            run.done = epoch
    losses += [report.train_loss for report in runs[0].epochs(4) if isinstance(report, EpochReport)]
    return runs, losses


def test_fused_steps_are_captured_and_runs_find_their_weights_where_they_are(
    graphs: list[RecordedGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = case_of("modern")
    config = replace(config, recipe=replace(config.recipe, epochs=4))
    found, losses = fused(config)
    assert [graph.replays for graph in graphs] == [1, 1, 5, 1, 0]  # each run, all of them, the first by itself again
    expected, their_losses = never_captured(monkeypatch, lambda: fused(config))
    assert losses == their_losses
    for ours, theirs in zip(found, expected, strict=True):
        assert_same(state(ours), state(theirs))


def test_a_run_leaves_no_graph_behind(graphs: list[RecordedGraph]) -> None:
    for _ in range(2):
        list(train(case_of("optimiser sgd"), RunSettings(seed=3)))
    assert [graph.replays for graph in graphs] == [EPOCHS * (STEPS - 1) - WARM_UP] * 2
    left = [weakref.ref(graph) for graph in graphs]
    graphs.clear()
    gc.collect()
    assert [each() for each in left] == [None, None]


def test_a_steps_memory_is_measured_with_its_graph(
    graphs: list[RecordedGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 7)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=9))
    assert peak_of_steps(case_of("optimiser sgd"), RunSettings(seed=3)) == (7, 9)
    assert graphs[0].replays > 1


def test_the_word_of_a_space_file_reaches_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = parse_space(edited(load_space("smoke").source, {"resources.cuda_graphs": "always"}))
    assert space.resources.cuda_graphs is CudaGraphs.ALWAYS
    assert parse_space(point_text(sample(space, 1)[0].config, space, "one")).resources.cuda_graphs is CudaGraphs.ALWAYS
    assert load_space("smoke").resources.cuda_graphs is CudaGraphs.AUTO
    seen: list[CudaGraphs] = []

    def trainer(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
        seen.append(run.cuda_graphs)
        yield EpochReport(epoch=config.recipe.epochs, train_loss=1.0, val_loss=1.0, val_accuracy=0.5)

    setup = WorkerSetup(
        trainer=trainer,
        checkpoints=str(tmp_path),
        data_folder=None,
        device="cpu",
        threads=1,
        report_timeout_s=None,
        cuda_graphs=CudaGraphs.NEVER,
    )
    runs = tuple(Run(replicate=replicate, seed=replicate) for replicate in range(2))
    list(messages(Assignment(trial=0, attempt=1, config=case_of("optimiser sgd"), runs=runs), setup, "cpu"))
    monkeypatch.setattr("qpsearch.runner.trainer.train", trainer)
    want = wanted("smoke", ["resources.cuda_graphs=always"], 0)
    list(begin(want, tmp_path / "one", seed=4, threads=1).train())
    assert seen == [CudaGraphs.NEVER, CudaGraphs.NEVER, CudaGraphs.ALWAYS]


def test_a_trial_is_repeated_with_the_steps_of_its_study(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[CudaGraphs] = []

    def trainer(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
        seen.append(run.cuda_graphs)
        yield from (EpochReport(epoch=each, train_loss=1.0, val_loss=1.0, val_accuracy=0.5) for each in (1, 2))

    text = edited(load_space("smoke").source, {"resources.cuda_graphs": "never", "search.pruner": "none"})
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        train_all(ledger, assignment)
    monkeypatch.setattr("qpsearch.runner.trainer.train", trainer)
    with closing(Database.open(sqlite_url)) as database:
        rerun(database, "smoke", 0)
    assert seen == [CudaGraphs.NEVER]


def test_an_epoch_is_estimated_from_steps_of_the_graph_alone(
    graphs: list[RecordedGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that are rehearsed or captured take longer than those of the whole training."""
    clock, taken = [0.0], [*(1.0 for _ in range(WARM_UP)), 0.7, *(0.001 for _ in range(100))]
    made = TrainingRun.steps

    def steps(self: TrainingRun, count: int, *, evaluates: bool = True) -> None:
        made(self, count, evaluates=evaluates)
        clock[0] += taken.pop(0)

    def evaluated(*given: object) -> None:
        clock[0] += 0.002

    monkeypatch.setattr(TrainingRun, "steps", steps)
    monkeypatch.setattr(timing, "evaluate", evaluated)
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    config = digits(BlockKind.ADDITIVE)
    found = timing.seconds_an_epoch(config, RunSettings(seed=0))
    (graph,) = graphs
    assert (graph.rehearsals, graph.replays) == (WARM_UP, timing.TIMED + 1)
    batch, data = config.recipe.batch_size, config.data
    assert found == pytest.approx((data.trained_on * 0.001 + data.validation * 0.002) / batch)
