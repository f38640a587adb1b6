"""EpochDraws of an epoch: moved many at once they give the same run, and no step waits for a GPU."""

import contextlib
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import RunSettings
from qpsearch.registry.augmentations import AUGMENTATIONS, Padding
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.training import draws
from qpsearch.training.data import Split
from qpsearch.training.draws import EpochDraws, batches_of
from qpsearch.training.evaluate import evaluate
from qpsearch.training.loop import TrainingRun
from qpsearch.training.uploading import bytes_of, uploaded
from qpsearch.vocabulary import BlockKind, Precision
from tests.training.configs import by_default, digits
from tests.training.graphs import let_capture
from tests.training.test_recipe import MODERN
from tests.training.waits import Waits

META = torch.device("meta")


def test_nested_tensors_are_moved_as_they_are() -> None:
    given = (
        torch.tensor([True, False, True]),
        (torch.arange(5), (torch.rand(3, 1, 2),), torch.empty(0, dtype=torch.int64)),
        torch.tensor(2.5, dtype=torch.float64),
        7,
    )
    found = uploaded(given, torch.device("cpu"))
    assert found[3] == 7
    pairs = [(given[0], found[0]), (given[2], found[2]), *zip(given[1][::2], found[1][::2], strict=True)]
    pairs.append((given[1][1][0], found[1][1][0]))
    for ours, theirs in pairs:
        assert torch.equal(ours, theirs)
        assert ours.dtype is theirs.dtype
    assert len({each.untyped_storage().data_ptr() for _, each in pairs if each.numel()}) == 1
    assert bytes_of(given) == 3 + 40 + 24 + 8


def everything(padding: Padding = Padding.MEAN) -> TrialConfig:
    config = digits(*BlockKind, epochs=1, held=1200)
    return replace(
        config,
        data=replace(config.data, augment=tuple(AUGMENTATIONS), padding=padding),
        recipe=replace(config.recipe, batch_size=59, **MODERN),
    )


@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize("at_once", [1, 2**26])
def test_draws_that_are_moved_at_once_train_the_same_to_the_bit(
    padding: Padding, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights(config: TrialConfig) -> list[Tensor]:
        trainer = TrainingRun(config, RunSettings(seed=3))
        assert list(trainer.train_epoch(1)) == []  # nobody asks how far it is
        return list(trainer.model.parameters())

    by_step = weights(everything(padding))
    monkeypatch.setattr(draws, "AT_ONCE", at_once)
    monkeypatch.setattr(EpochDraws, "steps", lambda self, batches, generator: self._moved(
        self._step(index, generator) for index in batches
    ))  # fmt: skip
    assert all(map(torch.equal, weights(everything(padding)), by_step))


@pytest.mark.parametrize(("at_once", "moves"), [(2**26, [1, 2, 4, 3]), (3 * 59 * 8, [1, 2, 3, 3, 1]), (1, [1] * 10)])
def test_a_gpu_is_given_the_draws_of_twice_as_many_steps_each_time(
    at_once: int, moves: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step begins when its own draws are made; the others are drawn while it computes."""
    monkeypatch.setattr(draws, "AT_ONCE", at_once)
    config = digits(BlockKind.ADDITIVE)
    config = replace(config, data=replace(config.data, augment=()))
    drawn = EpochDraws(config, 8, None, META)
    made: list[int] = []
    step = EpochDraws._step
    monkeypatch.setattr(EpochDraws, "_step", lambda self, *given: made.append(1) or step(self, *given))
    found = [len(made) for _ in drawn.steps([torch.arange(59)] * 10, torch.Generator())]
    assert found == [sum(moves[: number + 1]) for number, count in enumerate(moves) for _ in range(count)]


def on_meta(config: TrialConfig, images: int = 16) -> TrainingRun:
    """Return a trainer whose images and network are on the meta device."""
    facts = config.data.facts
    pixels = torch.zeros((images, facts.channels, facts.size, facts.size), dtype=torch.uint8, device=META)
    split = Split(pixels, torch.zeros(images, dtype=torch.int64, device=META))
    return TrainingRun(config, RunSettings(seed=3, device="meta"), (split, split))


CASES = {
    **{f"optimiser {kind}": {"optimizer": by_default(kind)} for kind in OPTIMISERS},
    **{f"augmentation {kind}": {"augment": (kind,)} for kind in AUGMENTATIONS},
    **{f"block {kind}": {"blocks": (kind, kind)} for kind in BlockKind},
    "black": {"augment": tuple(AUGMENTATIONS), "padding": Padding.BLACK},
    "modern": MODERN,
}


def case_of(name: str) -> TrialConfig:
    changes = dict(CASES[name])
    config = digits(*changes.pop("blocks", (BlockKind.ADDITIVE,)))
    of_data = {key: changes.pop(key) for key in ("augment", "padding") if key in changes}
    recipe = replace(config.recipe, batch_size=8, **changes)
    return replace(config, data=replace(config.data, **of_data), recipe=recipe)


@pytest.mark.parametrize("is_captured", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_no_step_waits_for_a_gpu(name: str, is_captured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.nn.utils.clip_grad._device_has_foreach_support", lambda device: True)  # as a GPU
    if is_captured:
        let_capture("meta", monkeypatch)
    trainer = on_meta(case_of(name))
    assert trainer.captured.is_possible is is_captured
    planned = list(trainer.draws.steps(batches_of(torch.arange(16), 8), torch.Generator().manual_seed(1)))
    trainer.step(0, planned[0], 0.1)  # makes what is made once
    with Waits() as seen:
        loss = trainer.step(1, planned[1], 0.1)
    assert loss.device == META
    assert seen.found == []
    assert 40 < seen.kernels < 1500


def test_what_waits_is_seen() -> None:
    there = torch.zeros(4, device=META)
    for waits in (
        lambda: torch.zeros(4).to(META),
        lambda: there.copy_(torch.zeros(4)),
        lambda: there[there > 0],
        lambda: there.sum().item(),
        lambda: there.cpu(),
    ):
        with contextlib.suppress(NotImplementedError, RuntimeError), Waits() as seen:
            waits()  # which the meta device cannot answer
        assert len(seen.found) == 1
    with Waits() as seen:
        torch.zeros(4).nonzero()
        there.add(1).view(2, 2)
    assert (seen.found, seen.kernels) == ([], 1)


def test_an_evaluation_waits_once_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches it has."""
    monkeypatch.setattr("qpsearch.training.evaluate.BATCH", 4)
    trainer = on_meta(case_of("modern"))
    evaluated = []
    monkeypatch.setattr(Tensor, "tolist", lambda self: evaluated.append(self.device) or [1.0, 2.0, 0.0])
    with Waits() as seen:
        found = trainer._evaluate()
    assert (found.loss, found.accuracy) == (1 / 16, 2 / 16)
    assert evaluated == [META]
    assert seen.found == []


@pytest.mark.parametrize(("precision", "waits"), [(Precision.BFLOAT16, 0), (Precision.FLOAT16, 1)])
def test_of_precisions_float16_alone_asks_whether_gradients_overflowed(precision: Precision, waits: int) -> None:
    """The meta device does not have them, so on a CPU, whose draws are all made before."""
    config = digits(*BlockKind, held=1200)
    trainer = TrainingRun(replace(config, recipe=replace(config.recipe, precision=precision)), RunSettings(seed=3))
    planned = list(trainer.draws.steps(batches_of(torch.arange(24), 8), torch.Generator().manual_seed(1)))
    trainer.step(0, planned[0], 0.1)
    asked: list[str] = []
    item = Tensor.item
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "item", lambda self: asked.append(str(self.dtype)) or item(self))
        for step in (1, 2):
            trainer.step(step, planned[step], 0.1)
    assert len(asked) == 2 * waits


@pytest.mark.parametrize("precision", [Precision.BFLOAT16, Precision.FLOAT32])
def test_a_gpu_is_timed_in_the_precision_in_which_it_evaluates(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = digits(BlockKind.ADDITIVE)
    config = replace(config, recipe=replace(config.recipe, precision=precision))
    seen: list[torch.dtype | None] = []

    def timed(*_: object) -> dict[str, float | None]:
        seen.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None)
        return {}

    monkeypatch.setattr("qpsearch.training.loop.timed", timed)
    trainer = TrainingRun(config, RunSettings(seed=3, metrics=("latency_ms",)))
    monkeypatch.setattr(TrainingRun, "_evaluated_in", precision)  # as on a GPU
    trainer._measure(1, None)
    assert seen == [torch.bfloat16 if precision is Precision.BFLOAT16 else None]


def test_evaluation_in_bfloat16_is_near_that_in_float32() -> None:
    trainer = TrainingRun(digits(*BlockKind, epochs=1), RunSettings(seed=3))
    *_, report = trainer.epochs()
    validation = trainer._validation
    found = evaluate(trainer.model, validation, digits().data, precision=Precision.BFLOAT16)
    assert report.val_loss != found.loss == pytest.approx(report.val_loss, rel=0.02)
    assert found.accuracy == pytest.approx(report.val_accuracy, abs=0.02)
