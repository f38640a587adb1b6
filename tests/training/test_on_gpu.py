"""Training on a GPU itself: what other tests show on a CPU, with torch's own graphs, streams, memory and kernels.

All of them need a GPU that torch finds.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import OutOfMemory
from qpsearch.models.ops import product_unit2d
from qpsearch.protocol import EpochReport, RunSettings
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.training import captured, train
from qpsearch.training.fused import train_runs
from qpsearch.training.loop import TrainingRun
from qpsearch.vocabulary import BlockKind, CudaGraphs, Fuse, NormKind, Precision
from tests.training.configs import digits
from tests.training.test_captured import CASES, case_of, epochs_of, never_captured, spoilt, state, trained

ROUNDED = ("modern",)
"""Cases in which a replay rounds differently; the same one does not without mixed images or without accumulated gradients."""

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch does not find a GPU")


@pytest.fixture(autouse=True)
def repeatable() -> Iterator[None]:
    """Let torch choose the same kernels in each run, and only those that compute the same bits."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=True):
        yield


def on_gpu(config: TrialConfig, **where: Any) -> tuple[TrainingRun, list[float]]:
    return trained(config, device="cuda", **where)


def is_replayed(run: TrainingRun) -> bool:
    return run.captured._result is not None


def assert_alike(first: dict[str, Tensor], second: dict[str, Tensor], rtol: float, atol: float) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        ours, theirs = value.double().cpu(), second[name].double().cpu()
        torch.testing.assert_close(ours, theirs, rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("name", CASES)
def test_a_replayed_graph_makes_the_same_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, losses = on_gpu(case_of(name))
    assert is_replayed(found), found.captured.note()
    expected, their_losses = never_captured(monkeypatch, lambda: on_gpu(case_of(name)))
    assert not is_replayed(expected)
    rel, rtol, atol = (1e-5, 1e-3, 1e-4) if name in ROUNDED else (0.0, 0.0, 0.0)
    assert losses == pytest.approx(their_losses, rel=rel, abs=0)
    assert_alike(state(found), state(expected), rtol, atol)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_every_augmentation_can_be_part_of_captured_runs(augmentation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = case_of("optimiser sgd")
    config = replace(config, data=replace(config.data, augment=(augmentation,)))
    found, losses = on_gpu(config)
    assert is_replayed(found), found.captured.note()
    _, theirs = never_captured(monkeypatch, lambda: on_gpu(config))
    assert losses == theirs


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_a_gpu_computes_what_a_cpu_does_but_for_rounding(kind: str) -> None:
    config = case_of(f"optimiser {kind}")
    _, losses = on_gpu(config)
    _, theirs = trained(config)
    assert losses == pytest.approx(theirs, rel=0.03)


def test_no_step_waits_for_the_gpu() -> None:
    run = TrainingRun(case_of("modern"), RunSettings(seed=3, device="cuda", steps_every_s=1e9))
    next(run.train_epoch(1), None)
    assert is_replayed(run)
    _, steps = run.drawn(2)
    draws = list(steps)
    run.model.train()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for number, each in enumerate(draws):
            run.step(number, each, 0.01)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("first", [CudaGraphs.AUTO, CudaGraphs.NEVER])
def test_a_continued_run_is_the_uninterrupted_one(first: CudaGraphs, tmp_path: Path) -> None:
    config = case_of("modern sgd")
    run = RunSettings(seed=3, device="cuda", checkpoint_folder=str(tmp_path), cuda_graphs=first)
    begun, whole = epochs_of(TrainingRun(config, run))
    (report,) = epochs_of(TrainingRun(config, replace(run, checkpoint_stem="x", resume_from=(begun.checkpoint,))))
    assert (report.train_loss, report.val_loss) == (whole.train_loss, whole.val_loss)


def test_a_step_that_cannot_be_captured_is_said_and_made() -> None:
    """The model asks for a value, which waits for the GPU; later runs of the process capture theirs."""
    config = case_of("optimiser sgd")
    reports = epochs_of(spoilt(TrainingRun(config, RunSettings(seed=3, device="cuda"))))
    assert "not as a CUDA graph: the step waits for the GPU at test_captured.py, line " in reports[0].note
    assert reports[1].note == ""
    found, _ = on_gpu(config)
    assert is_replayed(found)


def test_a_capture_that_fails_leaves_a_gpu_that_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured, "_noticed", lambda: nullcontext([]))
    config = case_of("optimiser sgd")
    reports = epochs_of(spoilt(TrainingRun(config, RunSettings(seed=3, device="cuda"))))
    assert "not as a CUDA graph: " in reports[0].note
    assert all(report.train_loss < 4 for report in reports)
    found, _ = on_gpu(config)
    assert is_replayed(found)
    torch.cuda.empty_cache()


def test_fused_runs_are_captured_and_are_each_run_but_for_rounding() -> None:
    config = replace(case_of("modern"), recipe=replace(case_of("modern").recipe, epochs=4))
    settings = [RunSettings(seed=seed, device="cuda") for seed in (3, 4)]
    told = list(train_runs(config, settings, Fuse.ALWAYS))
    for index, own in enumerate(settings):
        ours = [each.report.train_loss for each in told if each.run == index and isinstance(each.report, EpochReport)]
        theirs = [each.train_loss for each in train(config, own)]
        assert ours == pytest.approx(theirs, rel=0.05)


def test_more_than_a_share_of_the_gpu_is_refused_and_then_tried_in_less() -> None:
    """Without a graph, then with half as many images at once, which layer normalisation allows."""
    config = digits(BlockKind.ADDITIVE, epochs=1, held=300, width=64)
    (stage,) = config.network.stages
    network = replace(config.network, stages=(replace(stage, norm=NormKind.LAYER),))
    config = replace(config, network=network, recipe=replace(config.recipe, batch_size=1024))
    torch.cuda.empty_cache()
    roomy = list(train(config, RunSettings(seed=3, device="cuda")))
    whole = torch.cuda.get_device_properties(0).total_memory
    peak = roomy[-1].peak_memory_bytes
    try:
        share = (0.75 * peak) / whole
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(share)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("qpsearch.training.loop.limit_gpu_memory", lambda device, given: None)
            reports = list(train(config, RunSettings(seed=3, device="cuda")))
        assert reports[-1].train_loss == pytest.approx(roomy[-1].train_loss, rel=0.05)
        assert reports[-1].peak_memory_bytes < peak
        torch.cuda.set_per_process_memory_fraction(share / 20)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(OutOfMemory, match=r"CUDA out of memory"):
            patch.setattr("qpsearch.training.loop.limit_gpu_memory", lambda device, given: None)
            list(train(config, RunSettings(seed=3, device="cuda")))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize("precision", Precision)
def test_each_precision_trains(precision: Precision) -> None:
    config = case_of("optimiser sgd")
    config = replace(config, recipe=replace(config.recipe, precision=precision, epochs=3))
    reports = list(train(config, RunSettings(seed=3, device="cuda")))
    assert reports[-1].train_loss < reports[0].train_loss
    assert ("float16" in reports[0].note) == (precision is Precision.FLOAT16)


def test_a_product_unit_is_computed_in_true_float32() -> None:
    """Whatever torch rounds elsewhere (rule P19): TF32 would be off by a thousandth."""
    generator = torch.Generator().manual_seed(0)
    x, w = torch.rand(8, 64, 16, 16, generator=generator) + 0.1, torch.randn(64, 64, 3, 3, generator=generator) / 24
    found = []
    for dtype, device in ((torch.float32, "cuda"), (torch.float64, "cpu")):
        pixels, exponents, theta = (each.to(device, dtype).requires_grad_() for each in (x, w, torch.zeros(())))
        y = product_unit2d(pixels, exponents, theta, 8.0)
        found.append([y, *torch.autograd.grad(y.square().mean(), (pixels, exponents, theta))])
    for ours, exact in zip(*found, strict=True):
        assert float((ours.cpu().double() - exact).norm() / exact.norm()) < 2e-5


def test_metrics_are_measured_there() -> None:
    metrics = ("val_top5_accuracy", "val_calibration_error", "val_macro_f1", "latency_ms")
    run = RunSettings(seed=3, device="cuda", metrics=metrics)
    reports = list(train(case_of("bfloat16"), run))
    assert set(reports[-1].metrics) >= set(metrics)
    latency = reports[-1].metrics["latency_ms"]
    assert latency is not None
    assert 0 < latency < 1000
    assert reports[-1].peak_memory_bytes > 0


@pytest.mark.parametrize("dispatch", ["inline", "tune"])
def test_a_study_is_searched_confirmed_and_evaluated(dispatch: str, tmp_path: Path) -> None:
    """Two trials share the GPU where Ray dispatches them."""

    def qpsearch(*words: str, ends: tuple[int, ...] = (0,)) -> str:
        call = [sys.executable, "-m", "qpsearch", *words]
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode in ends, done.stdout + done.stderr
        return done.stdout + done.stderr

    small = ("--set", "training.epochs=6", "--set", "search.pruner=none", "--trials", "4", "--gpus", "0.5")
    qpsearch("run", "digits", "--dispatch", dispatch, *small)
    with closing(sqlite3.connect(tmp_path / "studies" / "qpsearch.db")) as database:
        places = {place for (place,) in database.execute("SELECT device FROM qpsearch_attempts")}
    assert places == {"cuda" if dispatch == "inline" else "cuda 0"}
    assert "drop" in qpsearch("confirm", "digits", "--top", "1", "--seeds", "2", "--dispatch", dispatch)
    assert "accuracy on test images" in qpsearch("evaluate", "digits")
    assert "trained again on cuda" in qpsearch("rerun", "digits", "0", ends=(0, 1))  # a GPU does not repeat to the bit
    assert "GPU hours" in qpsearch("status", "digits")


def test_one_network_is_trained(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "qpsearch", "train", "digits", "--set", "training.epochs=2", "--output", "net"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 0, cuda" in done.stdout
