"""Fused runs against the same runs by themselves: the same draws, steps, reports and checkpoints, but for rounding."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import OutOfMemory, TrainingDiverged
from qpsearch.models import build_model
from qpsearch.protocol import EpochReport, RunSettings, StepCount, Told
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.training import checkpoint, data, fused, loop, train
from qpsearch.training import evaluate as evaluation
from qpsearch.training.data import normalise
from qpsearch.training.fused import FusedRuns, is_fused, train_runs
from qpsearch.training.loop import TrainingRun
from qpsearch.vocabulary import BlockKind, Fuse, NormKind
from tests.models.settings import stage
from tests.training.configs import by_default, digits
from tests.training.test_recipe import MODERN, tiny

CPU = torch.device("cpu")
SEEDS = (3, 1, 4)
TOLD = ("train_loss", "val_loss")


def settings(folder: Path | None = None, attempt: int = 1) -> list[RunSettings]:
    return [
        RunSettings(
            seed=seed,
            checkpoint_folder=None if folder is None else str(folder),
            checkpoint_stem=f"r{replicate}-a{attempt}",
        )
        for replicate, seed in enumerate(SEEDS)
    ]


@pytest.fixture
def float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in float64, in which rounding is far below what a wrong draw or step would change."""
    single = Tensor.float

    def kept(values: Tensor) -> Tensor:
        is_affine = values.shape[1:] == (2, 3)  # of an augmentation, on images of bytes
        return values if values.dtype is torch.float64 and not is_affine else single(values)

    monkeypatch.setattr(Tensor, "float", kept)
    for module in (data, evaluation):
        monkeypatch.setattr(module, "normalise", lambda images, own: normalise(images, own).double())
    monkeypatch.setattr(loop, "build_model", lambda network, seed: build_model(network, seed).double())


def epochs_of(told: Sequence[Told], run: int) -> list[EpochReport]:
    return [each.report for each in told if each.run == run and isinstance(each.report, EpochReport)]


def far(first: nn.Module, second: nn.Module) -> float:
    """Return the norm of the difference of two states, as a share of the first one's."""
    one, other = (torch.cat([each.flatten().double() for each in m.state_dict().values()]) for m in (first, second))
    return float((one - other).norm() / one.norm())


def steps_of(runs: Sequence[TrainingRun], count: int) -> Iterator[tuple[int, list[list[object]]]]:
    yield from islice(enumerate(zip(*(run.drawn(1)[1] for run in runs), strict=True)), count)  # type: ignore[misc]


def after_steps(config: TrialConfig, count: int) -> float:
    """Return how far weights and averages are apart after some steps of runs, fused and not."""
    apart, together = ([TrainingRun(config, each) for each in settings()] for _ in range(2))
    whole = FusedRuns(config, together, settings()[0])
    lr = config.recipe.optimizer.lr
    for step, draws in steps_of(apart, count):
        for run, own in zip(apart, draws, strict=True):
            run.model.train()
            run.step(step, own, lr)  # type: ignore[arg-type]
    for step, draws in steps_of(together, count):
        whole.step(step, draws, lr)  # type: ignore[arg-type]
    pairs = list(zip(apart, together, strict=True))
    return max(max(far(one.model, other.model), far(one.evaluated, other.evaluated)) for one, other in pairs)


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_every_optimiser_makes_the_steps_of_each_run(float64: None, kind: str) -> None:
    """With dropped paths and features, parts of batches, clipped gradients and averages."""
    assert after_steps(tiny(optimizer=by_default(kind), **MODERN), 5) < 1e-12


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_every_run_has_its_own_augmentations(float64: None, augmentation: str) -> None:
    config = tiny()
    assert after_steps(replace(config, data=replace(config.data, augment=(augmentation,))), 5) < 1e-12


def test_a_step_in_float32_differs_by_rounding_alone() -> None:
    assert after_steps(digits(*BlockKind), 1) < 1e-7


def test_fused_runs_report_what_each_reports_by_itself(float64: None) -> None:
    config = digits(BlockKind.PRODUCT_UNIT, BlockKind.QUOTIENT, epochs=2, held=1200, width=4)
    told = list(train_runs(config, settings(), Fuse.ALWAYS))
    for run, own in enumerate(settings()):
        for fused_report, report in zip_longest(epochs_of(told, run), train(config, own)):
            for name in TOLD:
                assert getattr(fused_report, name) == pytest.approx(getattr(report, name), rel=1e-9)
            assert (fused_report.val_accuracy, fused_report.lr) == (report.val_accuracy, report.lr)
    assert [(each.run, each.together, each.more) for each in told] == 2 * [
        (0, (0, 1, 2), True), (1, (0, 1, 2), True), (2, (0, 1, 2), False)
    ]  # fmt: skip


def test_fused_runs_repeat_to_the_bit() -> None:
    config = digits(BlockKind.PRODUCT_UNIT, epochs=1, held=1200, width=4)
    first, second = (
        [
            each.train_loss
            for run in range(3)
            for each in epochs_of(list(train_runs(config, settings(), Fuse.ALWAYS)), run)
        ]
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("fuse", [Fuse.ALWAYS, Fuse.NEVER])
def test_fused_runs_that_were_cut_short_are_continued(float64: None, tmp_path: Path, fuse: Fuse) -> None:
    """Fused or not; one run stands an epoch behind, as after a kill between two reports, and one does not begin."""
    config = replace(tiny(ema=0.9, grad_clip=1.0), network=digits(BlockKind.PRODUCT_UNIT, width=4).network)
    config = replace(config, recipe=replace(config.recipe, epochs=3))
    whole = list(train_runs(config, settings(), Fuse.ALWAYS))
    began = train_runs(config, settings(tmp_path), Fuse.ALWAYS)
    kept: dict[int, tuple[str, ...]] = {}
    for told in began:
        assert isinstance(told.report, EpochReport)
        kept[told.run] = (told.report.checkpoint, *kept.get(told.run, ()))
        if told.report.epoch == 2 and told.run == 0:
            break
    began.close()
    kept[2] = ()
    again = [replace(each, resume_from=kept[run]) for run, each in enumerate(settings(tmp_path, attempt=2))]
    told_again = list(train_runs(config, again, fuse))
    assert [[each.epoch for each in epochs_of(told_again, run)] for run in range(3)] == [[3], [2, 3], [1, 2, 3]]
    for run in range(3):
        for name in TOLD:
            assert getattr(epochs_of(told_again, run)[-1], name) == pytest.approx(
                getattr(epochs_of(whole, run)[-1], name), rel=1e-9
            )
    assert all(each.together == () or each.report.epoch == 3 for each in told_again)


def test_a_checkpoint_holds_one_run_alone(tmp_path: Path) -> None:
    """A view of the joined weights would take all of them along."""
    config = tiny()
    (_, own, *_) = train_runs(config, settings(tmp_path), Fuse.ALWAYS)
    assert isinstance(own.report, EpochReport)
    (alone, *_) = train(config, replace(settings(tmp_path)[1], checkpoint_stem="alone"))
    sizes = [(tmp_path / name).stat().st_size for name in (own.report.checkpoint, alone.checkpoint)]
    assert sizes[0] == sizes[1]
    found = checkpoint.newest(str(tmp_path), [own.report.checkpoint])
    assert found is not None
    assert found.epoch == 1


def test_a_run_that_diverges_ends_those_behind_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one after the other: the runs before it are whole, and its step is told."""
    config, original = tiny(), TrainingRun.loss

    def loss(self: TrainingRun, logits: Tensor, labels: Tensor, own: float) -> Tensor:
        found = original(self, logits, labels, own)
        lost = self.done == 1 and self._run.seed == SEEDS[1]
        return found * float("nan") if lost else found

    monkeypatch.setattr(TrainingRun, "loss", loss)
    told: list[Told] = []
    with pytest.raises(TrainingDiverged) as together:
        told.extend(each for each in train_runs(config, settings(), Fuse.ALWAYS) if told.append(each))  # type: ignore[func-returns-value]
    assert [(each.run, each.report.epoch, each.more, len(each.together)) for each in told] == [
        (0, 1, True, 3), (1, 1, True, 3), (2, 1, False, 3), (0, 2, False, 3)
    ]  # fmt: skip
    with pytest.raises(TrainingDiverged) as alone:
        list(train(config, settings()[1]))
    assert str(together.value) == str(alone.value)
    (*_, last) = train(config, settings()[0])
    assert epochs_of(told, 0)[-1].train_loss == pytest.approx(last.train_loss, rel=1e-3)


def test_what_is_left_alone_is_trained_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two runs diverges at once, so the other one has nothing to be fused with."""
    config, original = replace(tiny(), recipe=replace(tiny().recipe, epochs=3)), TrainingRun.mean_loss

    def mean_loss(self: TrainingRun, epoch: int, *rest: object) -> float:
        if self._run.seed == SEEDS[1]:
            raise TrainingDiverged(epoch, float("nan"))
        return original(self, epoch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainingRun, "mean_loss", mean_loss)
    told: list[Told] = []
    with pytest.raises(TrainingDiverged):
        told.extend(each for each in train_runs(config, settings()[:2], Fuse.ALWAYS) if told.append(each))  # type: ignore[func-returns-value]
    assert [(each.run, each.report.epoch, each.together) for each in told] == [(0, 1, (0, 1)), (0, 2, ()), (0, 3, ())]


def test_fused_runs_that_need_too_much_memory_go_on_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = FusedRuns.step

    def step(self: FusedRuns, number: int, *rest: object) -> list[Tensor]:
        if number > 6:
            raise torch.OutOfMemoryError("too much")
        return original(self, number, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(FusedRuns, "step", step)
    told = list(train_runs(tiny(), settings(tmp_path), Fuse.ALWAYS))
    assert [(each.run, each.report.epoch, bool(each.together)) for each in told] == [
        (0, 1, True), (1, 1, True), (2, 1, True), (0, 2, False), (1, 2, False), (2, 2, False)
    ]  # fmt: skip
    with pytest.raises(OutOfMemory, match="one by one: its epochs were not kept"):
        list(train_runs(tiny(), settings(), Fuse.ALWAYS))


def test_steps_of_fused_runs_are_told() -> None:
    now = [replace(each, steps_every_s=0.0) for each in settings()]
    told = [each for each in train_runs(tiny(), now, Fuse.ALWAYS) if isinstance(each.report, StepCount)]
    assert {each.run for each in told} == {0}
    assert len(told) == 2 * told[-1].report.of  # type: ignore[union-attr]


def test_auto_measures_once_and_fuses_where_that_takes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    config = tiny(batch_size=17)

    def seconds(config: TrialConfig, count: int, where: RunSettings) -> fused.StepSeconds:
        asked.append(count)
        return fused.StepSeconds(fused=(count - 1.5,), unfused=(1.0,))

    monkeypatch.setattr(fused, "seconds_of_steps", seconds)
    slower = replace(
        config, recipe=replace(config.recipe, optimizer=replace(config.recipe.optimizer, lr=0.3), epochs=7)
    )
    assert [is_fused(each, settings()[:count], Fuse.AUTO) for each in (config, slower) for count in (1, 2, 3)] == 2 * [
        False, True, False
    ]  # fmt: skip
    assert asked == [2, 3]
    assert not is_fused(config, settings(), Fuse.NEVER)
    own = replace(config, network=replace(config.network, stages=(replace(stage(BlockKind.ADDITIVE), block="own"),)))
    assert not is_fused(own, settings(), Fuse.ALWAYS)


def test_the_measurement_times_steps_of_both() -> None:
    config = replace(tiny(), network=replace(tiny().network, stages=(stage(BlockKind.ADDITIVE, norm=NormKind.GROUP),)))
    found = fused.seconds_of_steps(config, 2, settings()[0], timed=2)
    assert [len(found.fused), len(found.unfused)] == [2, 2]
    assert min(found.fused + found.unfused) > 0
