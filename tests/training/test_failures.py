"""Failures: out of memory is tried again where that is the same recipe, divergence says its step, and nothing is left."""

import gc
import math
import pickle
import re
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.second_try import at_once, halved, why_not_halved
from qpsearch.dispatch import worker
from qpsearch.dispatch.worker import WorkerMustRestart, WorkerSetup, messages
from qpsearch.errors import DataError, OutOfMemory, TrainingDiverged
from qpsearch.protocol import Assignment, Failed, Run, RunSettings
from qpsearch.training import data, loop, train
from qpsearch.training.draws import BatchDraws
from qpsearch.training.loop import TrainingRun
from qpsearch.vocabulary import BlockKind, NormKind
from tests.models.settings import stage
from tests.training.configs import digits
from tests.training.test_loop import curve


def without_batches(**recipe: object) -> TrialConfig:
    """Return a configuration whose norms see each image alone."""
    config = digits(epochs=2, held=1200)
    network = replace(config.network, stages=(stage(BlockKind.ADDITIVE, norm=NormKind.GROUP, width=8),), stem_width=8)
    return replace(config, network=network, recipe=replace(config.recipe, **recipe))


def limit(monkeypatch: pytest.MonkeyPatch, images: int, *, calls: int = 0) -> None:
    """Let memory suffice for so many images at once, and for any number of them in the first calls."""
    batch, made = TrainingRun.batch, iter(range(10**6))

    def limited(self: TrainingRun, draws: BatchDraws) -> object:
        if next(made) >= calls and len(draws.index) > images:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return batch(self, draws)

    monkeypatch.setattr(TrainingRun, "batch", limited)


def test_out_of_memory_is_tried_again_with_half_the_images_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a configuration with two parts of each batch would have run from the beginning."""
    config = without_batches()
    expected = curve(list(train(halved(config), RunSettings(seed=2))))
    limit(monkeypatch, 32)
    assert curve(list(train(config, RunSettings(seed=2)))) == expected


def test_a_second_try_goes_on_from_the_last_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = without_batches()
    first, _ = train(config, RunSettings(seed=2, checkpoint_folder=str(tmp_path)))
    again = RunSettings(seed=2, checkpoint_folder=str(tmp_path), checkpoint_stem="x", resume_from=(first.checkpoint,))
    (expected,) = train(halved(config), again)
    limit(monkeypatch, 32, calls=5)  # of 297 images in batches of 64: an epoch
    found = list(train(config, RunSettings(seed=2, checkpoint_folder=str(tmp_path), checkpoint_stem="y")))
    assert curve(found) == curve([first, expected])


def test_a_second_try_is_the_last_and_says_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 8)
    with pytest.raises(OutOfMemory, match=r"^CUDA out of memory\. Tried: 64 images at once, then 32\.$"):
        list(train(without_batches(), RunSettings(seed=2)))


def test_epochs_that_are_not_kept_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 32, calls=5)
    seen = []
    with pytest.raises(OutOfMemory, match=r"Fewer images at once were not tried: its epochs were not kept\."):
        seen.extend(train(without_batches(), RunSettings(seed=2)))  # extend takes what came before the error
    assert [report.epoch for report in seen] == [1]


def test_where_half_the_images_at_once_are_another_recipe_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 32)
    said = r"not tried: batch normalisation of 32 images at once is another recipe than of 64\. "
    said += r"That recipe is training\.gradient_accumulation: 2\.$"
    with pytest.raises(OutOfMemory, match=said) as caught:
        list(train(digits(BlockKind.ADDITIVE), RunSettings(seed=2)))
    assert caught.value.in_step
    assert pickle.loads(pickle.dumps(caught.value)).in_step


def test_lack_of_memory_outside_of_steps_is_not_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(self: TrainingRun) -> object:
        raise MemoryError("for the validation images")

    monkeypatch.setattr(TrainingRun, "_evaluate", lacking)
    with pytest.raises(OutOfMemory, match=r"^for the validation images\. Fewer") as caught:
        list(train(digits(BlockKind.ADDITIVE), RunSettings(seed=2)))
    assert not caught.value.in_step


def test_which_recipes_are_the_same_in_more_parts() -> None:
    config = without_batches()
    assert why_not_halved(config) == ""
    assert (at_once(config), at_once(halved(config)), at_once(without_batches(gradient_accumulation=3))) == (64, 32, 22)
    assert why_not_halved(without_batches(gradient_accumulation=16)) == ""
    assert "3 images at once cannot be halved" in why_not_halved(without_batches(batch_size=3))
    mixes = replace(config, data=replace(config.data, augment=("cutmix",)))
    assert "cutmix draws anew" in why_not_halved(mixes)
    (own,) = config.network.stages
    mine = replace(config, network=replace(config.network, stages=(replace(own, block="mine"),)))
    assert "whether the block mine treats" in why_not_halved(mine)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e9])
def test_divergence_says_at_which_step(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first beyond the bound of the second epoch's five, although later ones are, too."""

    def step(self: TrainingRun, number: int, draws: object, lr: float) -> torch.Tensor:
        return torch.tensor(value if number >= 7 else 2.0, dtype=torch.float64)

    monkeypatch.setattr(TrainingRun, "step", step)
    said = rf"training loss \S+ in epoch 2, {re.escape(f'{value:.4g}')} at step 3 of 5"
    with pytest.raises(TrainingDiverged, match=said) as caught:
        list(train(digits(BlockKind.ADDITIVE, held=1200), RunSettings(seed=2)))
    found = pickle.loads(pickle.dumps(caught.value))
    assert (found.epoch, found.step, found.steps, str(found)) == (2, 3, 5, str(caught.value))


def diverging(config: TrialConfig, run: RunSettings) -> Iterator[object]:
    yield from train(replace(config, recipe=replace(config.recipe, optimizer=digits(lr=1e8).recipe.optimizer)), run)


@pytest.mark.parametrize(
    ("trainer", "error", "reason"),
    [
        (diverging, None, "diverged"),
        (train, ZeroDivisionError("as the test says"), "error"),
        (train, torch.OutOfMemoryError("CUDA out of memory."), "out_of_memory"),
    ],
)
@pytest.mark.parametrize("norm", [NormKind.GROUP, NormKind.BATCH])
def test_a_failure_leaves_nothing_in_its_worker(
    trainer: worker.Trainer,
    error: Exception | None,
    reason: str,
    norm: NormKind,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the network nor its optimiser nor the images, nor those of a second try."""
    left: list[weakref.ref[object]] = []

    class Watched(TrainingRun):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)
            left.extend(map(weakref.ref, (self, self.model, self._optimizer, self._train.images)))

        def _evaluate(self) -> object:
            if error is None:
                return super()._evaluate()
            raise error

    monkeypatch.setattr(loop, "TrainingRun", Watched)
    monkeypatch.setattr(worker.gc, "freeze", lambda: None)
    config = without_batches() if norm is NormKind.GROUP else digits(BlockKind.ADDITIVE, epochs=2, held=1200)
    setup = WorkerSetup(
        trainer=trainer, checkpoints=str(tmp_path), data_folder=None, device="cpu", threads=1, report_timeout_s=None
    )
    assignment = Assignment(trial=0, attempt=1, config=config, runs=(Run(replicate=0, seed=3),))
    found = None
    try:
        *_, found = messages(assignment, setup, "cpu")
    except WorkerMustRestart as restart:
        found = restart.failed
    if error is not None:
        error.__traceback__ = error.__context__ = error.__cause__ = None  # the test's own hold on it
    assert isinstance(found, Failed)
    assert found.reason == reason
    gc.collect()
    assert len(left) == 4 * (2 if reason == "out_of_memory" and norm is NormKind.GROUP else 1)
    assert [each() for each in left] == [None] * len(left)


def test_a_data_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    keys = ["train_images", "train_labels"]
    np.save(tmp_path / "train_images.npy", np.zeros((6, 4, 4, 1), np.uint8))
    np.save(tmp_path / "train_labels.npy", np.zeros(5, np.int64))
    with pytest.raises(DataError, match=r"train_labels\.npy: has 5 labels, but there are 6 images\. Again\."):
        data._pair(tmp_path, keys, "Again.")
    images = tmp_path / "train_images.npy"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"train_images\.npy: cannot be read \(.*\)\. Again\."):
        data._pair(tmp_path, keys, "Again.")
