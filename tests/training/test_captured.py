"""Steps that are captured: a replay is the eager step to the bit, whatever changes; and where none is made, it is said why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import RunSettings
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.training import captured
from qpsearch.training.captured import WARM_UP
from qpsearch.training.loop import TrainingRun
from qpsearch.vocabulary import BlockKind, CudaGraphs, Precision
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
