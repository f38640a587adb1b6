"""Metrics in training: they change nothing else, cost no wait per batch, and survive a resume."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from qpsearch.errors import UserError
from qpsearch.protocol import EpochReport, RunSettings
from qpsearch.registry.metrics import METRICS, words
from qpsearch.registry.metrics.own import custom_metric
from qpsearch.training import evaluate as evaluation
from qpsearch.training import loop, scoring, train
from qpsearch.training.data import train_and_validation
from qpsearch.training.evaluate import evaluate
from qpsearch.training.latency import PASSES, WARM_UP, latency_ms
from qpsearch.vocabulary import BlockKind, Precision
from tests.training.configs import digits

EVERY = tuple(
    word for word in words() if METRICS.get(word) is None or METRICS[word].source not in ("report", "network")
)


def told(reports: list[EpochReport]) -> list[tuple[object, ...]]:
    return [(each.epoch, each.train_loss, each.val_loss, each.val_accuracy, each.lr) for each in reports]


def test_metrics_change_no_bit_of_a_run_and_go_on_with_it(tmp_path: Path) -> None:
    config = digits(BlockKind.ADDITIVE, epochs=3, held=600)
    plain = list(train(config, RunSettings(seed=5)))
    assert all(each.metrics == {} for each in plain)
    settings = RunSettings(seed=5, metrics=EVERY, checkpoint_folder=str(tmp_path))
    whole = list(train(config, settings))
    assert told(whole) == told(plain)
    for each in whole:
        assert set(each.metrics) == set(EVERY)
        assert each.metrics["val_top5_accuracy"] > each.val_accuracy  # type: ignore[operator]  # both are numbers
    assert len({each.metrics["latency_ms"] for each in whole}) == 1  # timed once
    best = 0.0
    for each in whole:  # never reached
        best = max(best, each.val_accuracy or 0.0)
        assert each.metrics["epochs_to_0.9"] == pytest.approx(4 + 0.9 - best) or best >= 0.9
    resumed = replace(settings, checkpoint_stem="r0-a2", resume_from=(whole[0].checkpoint,))
    assert [each.metrics for each in train(config, resumed)] == [each.metrics for each in whole[1:]]
    untold = replace(resumed, checkpoint_stem="r0-a3", metrics=())
    assert told(list(train(config, untold))) == told(whole[1:])  # that checkpoint serves a run that asks for nothing


class Counted(TorchDispatchMode):
    """Counts operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_metrics_wait_for_the_device_once_an_evaluation_not_once_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    config = digits(BlockKind.ADDITIVE, held=600)
    _, split = train_and_validation(config.data, None, torch.device("cpu"))
    assert split is not None
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    seen, found = {}, {}
    for batch in (600, 60):
        monkeypatch.setattr(evaluation, "BATCH", batch)
        for asked in ((), EVERY):
            with Counted() as counted:
                found[batch, asked] = evaluate(model, split, config.data, metrics=asked)
            seen[batch, asked] = counted.seen
    for batch in (600, 60):
        more = seen[batch, EVERY] - seen[batch, ()]
        del more["detach"]
        assert more == {"cat": 1, "_to_copy": more["_to_copy"]}  # of all outputs together, and of float32 to float64
        assert more["_to_copy"] <= 2
        assert not seen[batch, ()] - seen[batch, EVERY]
    assert {each.metrics["val_macro_f1"] for (_, asked), each in found.items() if asked} == {
        found[600, EVERY].metrics["val_macro_f1"]
    }
    assert {(each.loss is None, each.accuracy) for each in found.values()} == {(False, found[600, ()].accuracy)}


def test_the_metrics_are_those_of_the_outputs() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    labels = torch.tensor([0, 1, 1])
    found = scoring.scored(EVERY, [logits[:2], logits[2:]], labels)
    assert found["val_balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["val_macro_f1"] == pytest.approx(2 / 3)
    assert set(found) == {word for word in EVERY if word.startswith("val_")}
    logits[0, 0] = torch.nan
    broken = scoring.scored(EVERY, [logits], labels)
    assert broken["val_calibration_error"] is None
    assert broken["val_balanced_accuracy"] == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda logits, labels: 1.5, r"metric 'val_own': returned 1.5, outside of 0 to 1"),
        (lambda logits, labels: "0.5", r"metric 'val_own': returned str\. Expected a number, or NaN for no value"),
        (lambda logits, labels: None, r"metric 'val_own': returned NoneType\. Expected a number"),
        (lambda logits, labels: math.inf, r"metric 'val_own': returned inf\. Expected a finite number"),
        (lambda logits, labels: logits.fill(0.0), r"metric 'val_own': .*test_scoring.py:\d+: ValueError: .*read-only"),
        (lambda logits, labels: 1 / 0, r"metric 'val_own': .*test_scoring.py:\d+: ZeroDivisionError: division by zero"),
    ],
)
def test_a_metric_of_ones_own_that_fails_is_named(given: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given.__doc__ = "As the test says."
    monkeypatch.setitem(METRICS, "val_own", custom_metric("own", given, direction="maximize", low=0, high=1))
    with pytest.raises(UserError, match=message):
        scoring.scored(["val_own"], [torch.zeros(3, 2)], torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize("given", [math.nan, -math.inf, torch.tensor([math.nan])])
def test_a_metric_of_ones_own_without_a_value_is_none(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def own(logits: Any, labels: Any) -> Any:
        "As the test says."
        return given

    monkeypatch.setitem(METRICS, "val_own", custom_metric("own", own, direction="maximize"))
    assert scoring.scored(["val_own"], [torch.zeros(3, 2)], torch.zeros(3, dtype=torch.long)) == {"val_own": None}


def test_latency_is_that_of_the_precision_of_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def timed(metrics: Any, model: nn.Module, example: torch.Tensor) -> dict[str, float | None]:
        seen.append(torch.is_autocast_enabled("cpu"))
        return {}

    monkeypatch.setattr(loop, "timed", timed)
    for precision in (Precision.FLOAT32, Precision.BFLOAT16):
        monkeypatch.setattr(loop.TrainingRun, "_evaluated_in", precision)  # as on a GPU
        list(train(digits(BlockKind.ADDITIVE, epochs=1, held=1200), RunSettings(seed=5, metrics=("latency_ms",))))
    assert seen == [False, True]


def test_latency_is_the_median_of_many_passes_in_eval_mode() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.modes: list[bool] = []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.modes.append(self.training)
            if len(self.modes) == WARM_UP + 3:
                torch.randn(1000, 1000) @ torch.randn(1000, 1000)  # one slow pass does not count
            return x

    model = Model().train()
    found = latency_ms(model, torch.zeros(1, 1, 2, 2))
    assert 0 < found < 1.0
    assert model.modes == [False] * (WARM_UP + PASSES)
    assert model.training
