"""The loop: real digits, resumed runs bit for bit, endings."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import OutOfMemory, TrainingDiverged
from qpsearch.protocol import EpochReport, RunSettings, StepCount
from qpsearch.registry.augmentations import Padding
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.training import checkpoint, loop, timing, train
from qpsearch.training.draws import batches_of
from qpsearch.training.evaluate import poisson
from qpsearch.training.loop import train_by_steps
from qpsearch.training.optim import build_optimizer
from qpsearch.vocabulary import BlockKind, Precision, QuotientKind, ShortcutKind
from tests.models.settings import stage
from tests.training.configs import by_default, digits

ROOT = Path(__file__).parents[2]
ALL = tuple(BlockKind)


def curve(reports: list[EpochReport]) -> list[tuple[object, ...]]:
    """What must repeat to the last bit; times and memory need not."""
    return [(r.epoch, r.train_loss, r.val_loss, r.val_accuracy, r.val_nonfinite, r.lr) for r in reports]


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_a_continued_run_repeats_the_uninterrupted_one_to_the_bit(tmp_path: Path, memory_format: str) -> None:
    """With all blocks; with every optimiser, schedule and augmentation: tests/training/test_recipe.py."""
    config = digits(*ALL, epochs=3, held=900)
    settings = RunSettings(seed=5, memory_format=memory_format)
    whole = list(train(config, settings))
    for stopped_after in (1, 2):
        first = replace(settings, checkpoint_folder=str(tmp_path), checkpoint_stem=f"r0-a{2 * stopped_after}")
        begun = []
        for report in train(config, first):
            begun.append(report)
            if report.epoch == stopped_after:
                break
        resume_from = (str(tmp_path / begun[-1].checkpoint),)
        second = replace(first, checkpoint_stem=f"r0-a{2 * stopped_after + 1}", resume_from=resume_from)
        assert curve(begun + list(train(config, second))) == curve(whole)


ALONE = """
import sys
from dataclasses import replace
from qpsearch.protocol import RunSettings
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.training import train
from tests.training.configs import by_default, digits
for kind in OPTIMISERS:
    config = digits("additive", epochs=2, held=1200)
    config = replace(config, data=replace(config.data, augment=tuple(AUGMENTATIONS)))
    config = replace(config, recipe=replace(config.recipe, optimizer=by_default(kind), ema=0.9, grad_clip=1.0))
    run = RunSettings(seed=5, checkpoint_folder=sys.argv[1], checkpoint_stem=f"{kind}-1")
    begun = next(iter(train(config, run)))
    again = replace(run, checkpoint_stem=f"{kind}-2", resume_from=(f"{sys.argv[1]}/{begun.checkpoint}",))
    assert [report.epoch for report in train(config, again)] == [2]
print(*sys.modules)
"""


def test_training_does_not_wait_for_what_it_does_not_need(tmp_path: Path) -> None:
    """torch's compiler and scikit-learn each take a new worker longer than its first epochs of digits.

    Nor does any optimiser or augmentation load torchvision.
    """
    done = subprocess.run([sys.executable, "-c", ALONE, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "torch.optim.sgd" in done.stdout.split()
    assert not {"torch._dynamo", "sklearn", "torchvision", "PIL"} & set(done.stdout.split())


@pytest.mark.parametrize("precision", [Precision.BFLOAT16, Precision.FLOAT16])
def test_half_precision_learns_and_continues_to_the_bit(tmp_path: Path, precision: Precision) -> None:
    """Rule P19; what scales float16's gradients is part of a checkpoint."""
    config = digits(BlockKind.ADDITIVE, BlockKind.PRODUCT_UNIT, epochs=3)
    config = replace(config, recipe=replace(config.recipe, precision=precision))
    settings = RunSettings(seed=5, checkpoint_folder=str(tmp_path))
    whole = list(train(config, settings))
    assert whole[-1].val_accuracy > 0.3
    resumed = replace(settings, checkpoint_stem="r0-a2", resume_from=(str(tmp_path / whole[1].checkpoint),))
    assert curve(whole[:2] + list(train(config, resumed))) == curve(whole)
    full = replace(config, recipe=replace(config.recipe, precision=Precision.FLOAT32))
    assert curve([next(train(full, RunSettings(seed=5)))]) != curve(whole[:1])


def test_noise_has_the_mean_and_variance_of_its_level() -> None:
    """Rule P20: brightness x becomes level * Poisson(x / level), of mean x and variance level * x."""
    images = torch.full((200, 1, 16, 16), 8, dtype=torch.uint8)  # half of white
    noisy = poisson(images, 16, 0.1, torch.Generator().manual_seed(0)) / 16
    assert noisy.mean().item() == pytest.approx(0.5, rel=0.01)
    assert noisy.var().item() == pytest.approx(0.1 * 0.5, rel=0.03)
    again = poisson(images, 16, 0.1, torch.Generator().manual_seed(0)) / 16
    assert torch.equal(noisy, again)


@pytest.mark.parametrize("activation", [QuotientKind.RELU, QuotientKind.UNBOUNDED])
def test_a_quotient_without_a_bound_diverges_and_does_not_crash(activation: QuotientKind) -> None:
    """Table A1 of 2506.00992: 20 layers with ReLU do not train. The trial ends as diverged, which is a result."""
    stages = tuple(
        stage(
            BlockKind.QUOTIENT,
            width=16 * 2**index,
            stride=1 + (index > 0),
            depth=3,
            shortcut=ShortcutKind.CONV3X3,
            quotient={"activation": activation},
        )
        for index in range(3)
    )
    config = digits(epochs=2, lr=0.1)
    with pytest.raises(TrainingDiverged):
        list(train(replace(config, network=replace(config.network, stem_width=16, stages=stages)), RunSettings(seed=0)))


def test_a_run_goes_on_in_another_memory_format(tmp_path: Path) -> None:
    """Not to the bit, but with its momentum in its place."""
    config = digits(*ALL, epochs=2)
    settings = RunSettings(seed=5, checkpoint_folder=str(tmp_path), memory_format="contiguous")
    whole = list(train(config, settings))
    resumed = replace(settings, resume_from=(str(tmp_path / whole[0].checkpoint),), memory_format="channels_last")
    (last,) = train(config, replace(resumed, checkpoint_stem="r0-a2"))
    assert last.train_loss == pytest.approx(whole[1].train_loss, rel=1e-3)


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_an_optimiser_takes_skipped_steps_and_parameters_without_gradients(kind: str) -> None:
    """The first because float16 overflows now and then, the second because a user's block may skip a branch."""
    recipe = replace(digits(BlockKind.ADDITIVE).recipe, optimizer=by_default(kind))
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    optimizer = build_optimizer(model, recipe)
    scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
    scaler.scale(model[0](torch.full((1, 2), 1e38)).sum()).backward()  # type: ignore[no-untyped-call]
    scaler.step(optimizer)
    assert not optimizer.state  # nothing was begun of gradients that are not finite
    optimizer.zero_grad()
    before = [parameter.clone() for parameter in model.parameters()]
    model[0](torch.ones(1, 2)).sum().backward()
    optimizer.step()
    moved = [not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)]
    assert moved == [True, True, False, False]


def test_a_last_image_on_its_own_joins_the_batch_before() -> None:
    """One image of one pixel has no variance to normalise by."""
    assert [len(batch) for batch in batches_of(torch.arange(9), 4)] == [4, 5]
    assert [len(batch) for batch in batches_of(torch.arange(10), 4)] == [4, 4, 2]
    assert [len(batch) for batch in batches_of(torch.arange(3), 1)] == [1, 1, 1]
    config = digits(*ALL, epochs=1)
    config = replace(config, recipe=replace(config.recipe, batch_size=92))  # of 1,197 images
    assert len(list(train(config, RunSettings(seed=0)))) == 1


def test_an_epoch_of_single_images_is_not_timed_as_one_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run of the work takes a second here: an image in training, two in evaluation."""
    clock = iter(range(10_000))
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(clock)))
    config = digits(BlockKind.ADDITIVE)
    config = replace(config, recipe=replace(config.recipe, batch_size=1))
    found = timing.seconds_an_epoch(config, RunSettings(seed=0), within_s=4)
    assert found == pytest.approx((1497 - 300) * 1.0 + 300 * 0.5)


def test_an_error_of_the_machine_is_not_a_damaged_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = digits(BlockKind.ADDITIVE, held=1200)
    first, *_ = train(config, RunSettings(seed=1, checkpoint_folder=str(tmp_path)))
    load, memory = torch.load, iter((True, False))

    def of_machine(*given: Any, map_location: Any, **options: Any) -> Any:
        if str(map_location) != "cpu":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if not next(memory):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes.")
        return load(*given, map_location=map_location, **options)

    monkeypatch.setattr(torch, "load", of_machine)
    found = checkpoint.newest(str(tmp_path), [first.checkpoint])
    assert found is not None
    assert found.epoch == 1
    with pytest.raises(OutOfMemory, match="can't allocate memory"):
        checkpoint.newest(str(tmp_path), [first.checkpoint])


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    config, settings = digits(*ALL, epochs=3, held=900), RunSettings(seed=5, checkpoint_folder=str(tmp_path))
    whole = list(train(config, settings))
    newest, before = tmp_path / whole[1].checkpoint, tmp_path / whole[0].checkpoint
    content = newest.read_bytes()
    flipped = content[:3000] + bytes([content[3000] ^ 1]) + content[3001:]  # one bit, which torch would load
    for damage in (content[:-500], b"", flipped, None):
        newest.unlink() if damage is None else newest.write_bytes(damage)
        resumed = list(
            train(config, replace(settings, checkpoint_stem="r0-a2", resume_from=(str(newest), str(before))))
        )
        assert curve(resumed) == curve(whole[1:])


def test_a_run_without_validation_images_reports_its_training_alone(tmp_path: Path) -> None:
    config = digits(BlockKind.ADDITIVE, epochs=2)
    config = replace(config, data=replace(config.data, validation=0))
    settings = RunSettings(seed=1, checkpoint_folder=str(tmp_path))
    first, second = train(config, settings)
    assert (first.val_loss, first.val_accuracy, first.val_nonfinite) == (None, None, 0)
    assert second.train_loss < first.train_loss
    (again,) = train(config, replace(settings, resume_from=(first.checkpoint,), checkpoint_stem="r0-a2"))
    assert curve([again]) == curve([second])
    assert timing.seconds_an_epoch(config, settings, within_s=0.1) > 0


def test_what_crops_are_padded_with_reaches_training_and_the_stored_configuration() -> None:
    mean = digits(BlockKind.ADDITIVE, epochs=1)
    black = replace(mean, data=replace(mean.data, padding=Padding.BLACK))
    assert "padding" not in mean.to_json()  # as configurations were stored before there was a choice
    assert [TrialConfig.from_json(config.to_json()) for config in (mean, black)] == [mean, black]
    curves = [curve(list(train(config, RunSettings(seed=1)))) for config in (mean, black)]
    assert curves[0] != curves[1]


def test_a_run_is_a_function_of_its_seed() -> None:
    config = digits(BlockKind.ADDITIVE, epochs=1)
    first, again, other = (curve(list(train(config, RunSettings(seed=seed)))) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("block", BlockKind)
def test_each_block_learns_the_digits(block: BlockKind) -> None:
    config = digits(block, block, epochs=12, lr=0.1, width=16)
    config = replace(config, data=replace(config.data, augment=()))  # no mirrored digits
    reports = list(train(config, RunSettings(seed=0)))
    assert [report.epoch for report in reports] == list(range(1, 13))
    assert reports[-1].val_accuracy > 0.95
    for report in reports:
        assert 0 <= report.val_accuracy <= 1
        assert report.seconds > 0
        assert report.images_per_s > 0
        assert report.peak_memory_bytes > 1e7


def test_a_step_schedule_drops_at_a_half_and_at_three_quarters() -> None:
    reports = list(train(digits(BlockKind.ADDITIVE, epochs=4, lr=0.1, schedule="step"), RunSettings(seed=0)))
    assert [report.lr for report in reports] == pytest.approx([0.1, 0.1, 0.01, 0.001])


def test_an_exploding_loss_is_a_divergence_with_epoch_and_value() -> None:
    with pytest.raises(TrainingDiverged) as caught:
        list(train(digits(BlockKind.ADDITIVE, lr=90.0), RunSettings(seed=0)))
    assert caught.value.epoch >= 1
    assert not caught.value.value < 1000


class Blind(nn.Module):
    """Trains like the network inside, but in eval mode the first image of a batch overflows, in one epoch."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.evaluations = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x)
        if not self.training:
            self.evaluations += 1
            if self.evaluations == 2:
                logits = logits.clone()
                logits[0] = float("inf")
        return logits


def test_a_network_whose_evaluation_is_not_finite_for_an_epoch_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """In eval mode product-unit nets give non-finite logits in single epochs."""
    build = loop.build_model
    monkeypatch.setattr(loop, "build_model", lambda network, seed: Blind(build(network, seed)))
    reports = list(train(digits(BlockKind.PRODUCT_UNIT, epochs=3), RunSettings(seed=0)))
    assert [report.val_nonfinite for report in reports] == [0, 1, 0]
    assert [report.val_loss is None for report in reports] == [False, True, False]
    assert all(0 < report.val_accuracy <= 1 for report in reports)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: x"),
    ],
)
def test_every_way_of_running_out_of_memory_has_one_name(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(loop, "evaluate", broken)
    with pytest.raises(OutOfMemory):
        list(train(digits(BlockKind.ADDITIVE), RunSettings(seed=0)))


def test_stopping_means_not_iterating_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    config: TrialConfig = digits(BlockKind.ADDITIVE, epochs=3)
    for _ in train(config, RunSettings(seed=0, checkpoint_folder=str(tmp_path))):
        break
    (left,) = tmp_path.iterdir()
    assert re.fullmatch(r"r0-a1-e001-[0-9a-f]{16}\.pt", left.name)


def test_steps_are_told_between_the_reports_of_the_same_run() -> None:
    config, settings = digits("additive", epochs=2, held=1200), RunSettings(seed=5)
    seen = list(train_by_steps(config, replace(settings, steps_every_s=0)))
    batches = -(-config.data.trained_on // config.recipe.batch_size)
    steps = [(told.epoch, told.done, told.of) for told in seen if isinstance(told, StepCount)]
    assert steps == [(epoch, done, batches) for epoch in (1, 2) for done in range(1, batches + 1)]
    assert isinstance(seen[batches], EpochReport)
    assert curve([told for told in seen if isinstance(told, EpochReport)]) == curve(list(train(config, settings)))
