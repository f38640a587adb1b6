"""Schedules: each as torch has it, and each with a warm-up."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
)

from qpsearch.registry.schedules import SCHEDULES
from qpsearch.training.optim import lr_at
from tests.training.configs import digits

STEPS = 2000
TORCHS = {
    "step": lambda sgd, n: MultiStepLR(sgd, [n // 2, n * 3 // 4]),
    "step_92_136": lambda sgd, n: MultiStepLR(sgd, [math.ceil(n * 92 / 182), math.ceil(n * 136 / 182)]),
    "cosine": CosineAnnealingLR,
    "constant": lambda sgd, n: LinearLR(sgd, 1, 1, n),
    "linear": lambda sgd, n: LinearLR(sgd, 1, 0, n),
    "one_cycle": lambda sgd, n: OneCycleLR(sgd, 1.0, n),
}


def by_torch(make: "object", steps: int, warmup: int = 0) -> list[float]:
    sgd = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    made: LRScheduler = make(sgd, steps - warmup)  # type: ignore[operator]
    if warmup:
        made = SequentialLR(sgd, [LinearLR(sgd, 0.01, 1, warmup), made], [warmup])
    found = []
    for _ in range(steps):
        found.append(sgd.param_groups[0]["lr"])
        sgd.step()
        made.step()
    return found


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_is_torchs(kind: str) -> None:
    ours = [SCHEDULES[kind].factor(step / STEPS, 0.0) for step in range(STEPS)]
    slack = 1e-9 if kind != "one_cycle" else 4 / STEPS  # torch's rise ends a step earlier
    assert ours == pytest.approx(by_torch(TORCHS[kind], STEPS), abs=slack)


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
def test_a_steady_schedule_begins_after_the_warm_up(kind: str) -> None:
    ours = [SCHEDULES[kind].factor(step / STEPS, 0.1) for step in range(STEPS)]
    assert ours == pytest.approx(by_torch(TORCHS[kind], STEPS, warmup=STEPS // 10), abs=1e-9)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_warm_up_ends_at_the_peak_and_drops_stay_where_they_are(kind: str) -> None:
    recipe = replace(digits(epochs=20).recipe, schedule=kind)
    warm = replace(recipe, warmup=5.0)
    assert warm.warmup_share == replace(recipe, warmup=0.25).warmup_share == 0.25
    rise = [lr_at(warm, progress) for progress in (0.0, 0.1, 0.2)]
    assert 0 < rise[0] < recipe.optimizer.lr / 24
    assert sorted(set(rise)) == rise
    assert lr_at(warm, 0.25) == pytest.approx(recipe.optimizer.lr)
    if kind in ("step", "step_92_136"):
        assert [lr_at(warm, part / 100) for part in range(25, 100)] == [
            lr_at(recipe, part / 100) for part in range(25, 100)
        ]
