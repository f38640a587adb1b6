"""What a recipe can do beside optimiser and schedule; and whatever it does, a continued run repeats the uninterrupted one."""

from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from qpsearch.architecture.candidates import sample
from qpsearch.architecture.config import Recipe, TrialConfig
from qpsearch.errors import Infeasible, SpaceError
from qpsearch.models import build_model
from qpsearch.protocol import EpochReport, RunSettings
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.registry.schedules import SCHEDULES
from qpsearch.seeds import derive_seed
from qpsearch.space import edited, load_space, parse_space
from qpsearch.training import checkpoint, train
from qpsearch.training.averaging import Average
from qpsearch.training.data import normalise, train_and_validation
from qpsearch.training.evaluate import evaluate
from qpsearch.training.loop import TrainingRun
from qpsearch.training.testing import load_trained
from qpsearch.vocabulary import BlockKind, Decay, NormKind
from tests.models.settings import stage
from tests.training.configs import by_default, digits

CPU = torch.device("cpu")
MODERN = {
    "label_smoothing": 0.1,
    "grad_clip": 1.0,
    "gradient_accumulation": 2,
    "ema": 0.9,
    "decay": Decay.WEIGHTS,
    "dropout": 0.2,
    "drop_path": 0.2,
}
KINDS = max(len(OPTIMISERS), len(SCHEDULES), len(AUGMENTATIONS))
RUNS = list(zip(*(islice(cycle(table), KINDS) for table in (OPTIMISERS, SCHEDULES, AUGMENTATIONS)), strict=True))


def tiny(**recipe: object) -> TrialConfig:
    config = digits(BlockKind.ADDITIVE, epochs=2, held=1200)
    return replace(config, recipe=replace(config.recipe, **recipe))


def small(report: EpochReport) -> tuple[object, ...]:
    return report.epoch, report.train_loss, report.val_loss, report.val_accuracy, report.lr


def test_each_optimiser_schedule_and_augmentation_is_among_the_runs() -> None:
    for kinds, table in zip(zip(*RUNS, strict=True), (OPTIMISERS, SCHEDULES, AUGMENTATIONS), strict=True):
        assert set(kinds) == set(table)


@pytest.mark.parametrize(("kind", "schedule", "augmentation"), RUNS)
def test_a_continued_run_repeats_the_uninterrupted_one_to_the_bit(
    tmp_path: Path, kind: str, schedule: str, augmentation: str
) -> None:
    config = tiny(optimizer=by_default(kind), schedule=schedule, warmup=0.75, **MODERN)
    config = replace(config, data=replace(config.data, augment=(augmentation,)))
    run = RunSettings(seed=5, checkpoint_folder=str(tmp_path))
    first, second = train(config, run)
    again = replace(run, checkpoint_stem="r0-a2", resume_from=(str(tmp_path / first.checkpoint),))
    (continued,) = train(config, again)
    assert small(continued) == small(second)
    assert (tmp_path / continued.checkpoint).read_bytes() == (tmp_path / second.checkpoint).read_bytes()


def test_averages_forget_the_first_weights_and_then_keep_to_the_decay() -> None:
    model = torch.nn.BatchNorm1d(1)
    average = Average(model, 0.5)
    expected = {"weight": 1.0, "running_mean": 0.0}
    for step in range(12):
        with torch.no_grad():
            model.weight.fill_(step)
            model.running_mean.fill_(-step)
            model.num_batches_tracked.fill_(step)
        average.begin(step)
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = {
            name: decay * old + (1 - decay) * new
            for (name, old), new in zip(expected.items(), (step, -step), strict=True)
        }
    assert average.module.weight.item() == pytest.approx(expected["weight"])
    assert average.module.running_mean.item() == pytest.approx(expected["running_mean"])
    assert average.module.num_batches_tracked.item() == 11
    assert model.weight.requires_grad


def test_averaged_weights_are_evaluated_and_kept(tmp_path: Path) -> None:
    config = tiny(ema=0.95)
    *_, last = train(config, RunSettings(seed=5, checkpoint_folder=str(tmp_path)))
    kept = load_trained(config, str(tmp_path), last.checkpoint, "cpu")
    _, held = train_and_validation(config.data, None, CPU)
    found = evaluate(kept, held, config.data)
    assert (found.loss, found.accuracy) == (last.val_loss, last.val_accuracy)
    state = checkpoint.newest(str(tmp_path), [last.checkpoint])
    assert state is not None
    assert state.raw.keys() == state.model.keys()
    (*_, plain) = train(tiny(), RunSettings(seed=5))
    assert plain.train_loss == last.train_loss  # the weights that are trained do not know of the averages
    assert plain.val_loss != last.val_loss


def moved(config: TrialConfig, steps: int = 1) -> torch.Tensor:
    """Return how far some steps take all weights, as one vector."""
    trainer = TrainingRun(config, RunSettings(seed=1))
    before = torch.cat([each.detach().flatten() for each in trainer.model.parameters()])
    trainer.steps(steps, evaluates=False)
    return torch.cat([each.detach().flatten() for each in trainer.model.parameters()]) - before


def plain_sgd(config: TrialConfig, **recipe: object) -> TrialConfig:
    sgd = by_default("sgd", lr=1.0, momentum=0.0, weight_decay=0.0)
    return replace(
        config, data=replace(config.data, augment=()), recipe=replace(config.recipe, optimizer=sgd, **recipe)
    )


@pytest.mark.parametrize("parts", [2, 3, 64])
def test_a_batch_in_parts_makes_the_step_of_the_whole(parts: int) -> None:
    """Where no norm sees the parts apart; 64 images in 3 parts are 22, 22 and 20."""
    config = digits(held=1200)
    network = replace(config.network, stages=(stage(BlockKind.ADDITIVE, norm=NormKind.GROUP),), stem_width=8)
    config = plain_sgd(replace(config, network=network))
    whole, in_parts = moved(config), moved(plain_sgd(config, gradient_accumulation=parts))
    torch.testing.assert_close(in_parts, whole, rtol=1e-4, atol=1e-5)


def test_a_batch_of_one_more_is_not_left_with_a_part_of_one_image() -> None:
    """Which batch normalisation could not normalise, where images are one pixel."""
    config = tiny(batch_size=59, gradient_accumulation=2)  # of 297 images: 59 * 5 + 2
    assert len(list(train(config, RunSettings(seed=1)))) == 2


def test_gradients_are_clipped_to_their_bound_together() -> None:
    config = plain_sgd(tiny())
    free = moved(config)
    assert free.norm() > 0.1
    clipped = moved(plain_sgd(config, grad_clip=0.01))
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close(clipped / 0.01, free / free.norm(), rtol=1e-3, atol=1e-5)
    assert torch.equal(moved(plain_sgd(config, grad_clip=1e6)), free)


def test_smoothing_gives_every_class_its_share() -> None:
    config = plain_sgd(tiny(epochs=1, batch_size=1000))
    images, _ = train_and_validation(config.data, None, CPU)
    model = build_model(config.network, derive_seed(1, "weights"))
    logs = F.log_softmax(model(normalise(images.images, config.data)), 1)
    plain, even = F.nll_loss(logs, images.labels).item(), -logs.mean().item()
    for share in (0.0, 0.2, 0.4):
        (report,) = train(replace(config, recipe=replace(config.recipe, label_smoothing=share)), RunSettings(seed=1))
        assert report.train_loss == pytest.approx((1 - share) * plain + share * even, rel=1e-5)


def recipe_of(changes: dict[str, object]) -> Recipe:
    return sample(parse_space(edited(load_space("smoke").source, changes)), 1)[0].config.recipe


def test_a_space_file_says_it_all() -> None:
    changes = {f"training.{name}": value for name, value in MODERN.items()} | {
        "training.warmup": 0.5,
        "training.optimizer": "muon",
    }
    found = recipe_of(changes)
    assert {name: getattr(found, name) for name in MODERN} == MODERN
    assert (found.warmup, found.optimizer) == (0.5, by_default("muon"))


def test_a_configuration_from_before_is_written_as_it_was() -> None:
    config = tiny()
    assert not {*MODERN, "warmup", "nesterov"} & set(config.to_json().replace('"', " ").split())
    for changed in (tiny(**MODERN), tiny(warmup=1.0), tiny(optimizer=by_default("sgd", nesterov=True))):
        assert TrialConfig.from_json(changed.to_json()) == changed
        assert changed.to_json() != config.to_json()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training.warmup": 2}, "warmup does not end before the last epoch"),
        (
            {"training.gradient_accumulation": 65, "training.batch_size": 64},
            "gradient_accumulation leaves less than two images for a part",
        ),
    ],
)
def test_what_no_run_could_do_is_infeasible(changes: dict[str, object], said: str) -> None:
    with pytest.raises((Infeasible, SpaceError), match=said):
        recipe_of(changes)
