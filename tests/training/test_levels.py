"""A run at levels of fidelity: which images, sizes and widths, and that it continues to the bit across borders."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from qpsearch.architecture.candidates import sample
from qpsearch.architecture.levels import at_level, check_levels, macs_shares
from qpsearch.architecture.notes import notes
from qpsearch.errors import Infeasible, SpaceError, TrainingDiverged
from qpsearch.models import build_model
from qpsearch.protocol import EpochReport, RunSettings
from qpsearch.registry.fidelity import Fidelity, FidelityKind
from qpsearch.registry.splits import nested
from qpsearch.runner.rerunning import rerun
from qpsearch.runner.trainer import train as trainer
from qpsearch.space import edited, load_space, parse_space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.training import loop, train
from qpsearch.training.data import at_size, resized, train_and_validation
from qpsearch.training.levels import train_runs
from qpsearch.vocabulary import BlockKind, BranchKind, Fuse
from tests.dispatch.study import run_study
from tests.training.configs import digits
from tests.training.test_loop import curve

IMAGES = Fidelity(kind=FidelityKind.IMAGES, levels=(0.1, 0.3, 1.0), epochs=2)
SIZE = Fidelity(kind=FidelityKind.IMAGE_SIZE, levels=(4, 8), epochs=2)
WIDTH = Fidelity(kind=FidelityKind.WIDTH, levels=(0.5, 1.0), epochs=2)
CONFIG = digits(BlockKind.QUOTIENT, BlockKind.ADDITIVE, epochs=2, held=900)
CPU = torch.device("cpu")


def reports(config: object, run: RunSettings) -> list[EpochReport]:
    return list(train(config, run))  # type: ignore[arg-type]


@pytest.mark.parametrize("fidelity", [IMAGES, SIZE, WIDTH], ids=lambda each: str(each.kind))
def test_a_run_continues_across_borders_to_the_bit(fidelity: Fidelity, tmp_path: Path) -> None:
    settings = RunSettings(seed=5, checkpoint_folder=str(tmp_path), fidelity=fidelity)
    whole = reports(CONFIG, settings)
    assert [report.epoch for report in whole] == list(range(1, fidelity.whole + 1))
    assert [f"-e{report.epoch:03d}-" in report.checkpoint for report in whole] == [True] * fidelity.whole
    for stopped_after in (fidelity.before_last, fidelity.before_last + 1):
        names = tuple(report.checkpoint for report in reversed(whole[:stopped_after]))[:2]
        rest = reports(CONFIG, replace(settings, checkpoint_stem="r0-a2", resume_from=names))
        assert curve(rest) == curve(whole[stopped_after:])
    last = [replace(report, epoch=report.epoch - fidelity.before_last) for report in whole[-2:]]
    assert curve(last) == curve(list(train(CONFIG, RunSettings(seed=5))))  # the last level is the whole training


def test_a_level_whose_checkpoints_are_damaged_begins_anew(tmp_path: Path) -> None:
    settings = RunSettings(seed=5, checkpoint_folder=str(tmp_path), fidelity=IMAGES)
    whole = reports(CONFIG, settings)
    (tmp_path / whole[2].checkpoint).write_bytes(b"")
    again = reports(CONFIG, replace(settings, resume_from=(whole[2].checkpoint, whole[1].checkpoint)))
    assert curve(again) == curve(whole[2:])


def test_further_seeds_are_fused_at_the_last_level_and_go_on_from_its_checkpoints(tmp_path: Path) -> None:
    before = IMAGES.before_last
    runs = [
        RunSettings(
            seed=seed,
            checkpoint_folder=str(tmp_path),
            checkpoint_stem=f"r{seed}-a1",
            fidelity=IMAGES,
            epochs_before=before,
        )
        for seed in (1, 2)
    ]
    whole = list(train_runs(CONFIG, runs, Fuse.ALWAYS))
    told = [(each.run, each.report.epoch) for each in whole]
    assert told == [(0, before + 1), (1, before + 1), (0, before + 2), (1, before + 2)]
    assert {each.together for each in whole} == {(0, 1)}
    first = {each.run: each.report.checkpoint for each in whole[:2] if isinstance(each.report, EpochReport)}
    again = [
        replace(run, checkpoint_stem=f"{run.checkpoint_stem[:-1]}2", resume_from=(first[index],))
        for index, run in enumerate(runs)
    ]
    rest = list(train_runs(CONFIG, again, Fuse.ALWAYS))
    assert [(each.run, each.report.epoch) for each in rest] == told[2:]
    for there, alone in zip(whole[2:], rest, strict=True):
        assert isinstance(there.report, EpochReport)
        assert isinstance(alone.report, EpochReport)
        assert there.report.train_loss == pytest.approx(alone.report.train_loss, rel=1e-5)


def test_a_divergence_names_the_epoch_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EXPLODED", 1e-3)
    with pytest.raises(TrainingDiverged, match="in epoch 5, ") as caught:
        reports(CONFIG, RunSettings(seed=5, fidelity=IMAGES, epochs_before=4))
    assert (caught.value.epoch, caught.value.step) == (5, 1)


def test_parts_of_the_images_are_stratified_nested_and_of_the_data_alone() -> None:
    labels = np.random.default_rng(0).choice(4, 1000, p=[0.5, 0.3, 0.15, 0.05])
    parts = [nested(labels, count, 620) for count in (10, 100, 333, 1000)]
    for smaller, larger in pairwise(parts):
        assert set(smaller) < set(larger)
    for part, count in zip(parts, (10, 100, 333, 1000), strict=True):
        assert len(part) == count
        for label, images in Counter(labels.tolist()).items():
            assert abs((labels[part] == label).sum() - count * images / 1000) <= 1
    assert (nested(labels, 100, 620) == parts[1]).all()


def test_the_validation_images_stay_whole_at_every_level() -> None:
    whole, held = train_and_validation(CONFIG.data, None, CPU)
    tenth, same = train_and_validation(at_level(CONFIG, IMAGES, 0).data, None, CPU)
    assert held is not None
    assert same is not None
    assert torch.equal(same.images, held.images)  # type: ignore[union-attr]
    assert len(tenth.labels) == at_level(CONFIG, IMAGES, 0).data.trained_on == 60
    rows = {image.numpy().tobytes() for image in whole.images}  # type: ignore[union-attr]
    assert all(image.numpy().tobytes() in rows for image in tenth.images)  # type: ignore[union-attr]


def test_images_are_resized_for_training_and_validation() -> None:
    split, held = train_and_validation(CONFIG.data, None, CPU)
    assert held is not None
    for images in (split, held):
        small = at_size(images, CONFIG.data, 4)
        assert (small.side, small.batch(torch.arange(3)).images.shape) == (4, (3, 1, 4, 4))
        assert small.part(0, 9).images.float().mean().item() == pytest.approx(
            images.part(0, 9).images.float().mean().item(), abs=0.5
        )
        assert at_size(images, CONFIG.data, 8) is images
    constant = torch.full((2, 3, 9, 9), 200, dtype=torch.uint8)
    assert torch.equal(resized(constant, 6), torch.full((2, 3, 6, 6), 200, dtype=torch.uint8))


def test_a_narrower_network_keeps_equal_widths_equal() -> None:
    config = digits(BlockKind.ADDITIVE, BlockKind.QUOTIENT, BlockKind.PRODUCT_UNIT, width=12)
    narrow = at_level(config, replace(WIDTH, levels=(0.3, 1.0)), 0).network
    assert [narrow.stem_width, *(stage.width for stage in narrow.stages)] == [4, 4, 8, 16]  # of 12, 12, 24, 48
    tiny = at_level(digits(BlockKind.ADDITIVE, width=3), replace(WIDTH, levels=(0.3, 1.0)), 0).network
    assert [tiny.stem_width, tiny.stages[0].width] == [3, 3]  # never wider
    assert at_level(config, WIDTH, 1) is config


def test_a_level_whose_network_cannot_be_built_is_refused_with_its_reason() -> None:
    config = digits(BlockKind.ADDITIVE, BlockKind.ADDITIVE, BlockKind.ADDITIVE, BlockKind.ADDITIVE)
    with pytest.raises(Infeasible, match=r"at level 2 of search.fidelity, stage 2 has stride 2 on images of 1x1 pix"):
        check_levels(config, replace(SIZE, levels=(2, 8)))
    network = config.network
    stages = tuple(replace(stage, width=10, branch=BranchKind.BASIC) for stage in network.stages)
    check_levels(replace(config, network=replace(network, stages=stages)), WIDTH)
    levels = {"image_size": [1, 8]}
    space = parse_space(edited(load_space("digits").source, {"search.pruner": "asha", "search.fidelity": levels}))
    with pytest.raises(SpaceError, match=r"at level 1 of search\.fidelity, stage \d has a stride larger than its"):
        sample(space, 1)


@pytest.mark.parametrize("level", [{"width": [0.25, 0.5, 1]}, {"image_size": [16, 24, 32]}], ids=str)
def test_an_epoch_counts_its_multiply_accumulates_where_little_is_rounded(level: dict[str, list[float]]) -> None:
    space = parse_space(edited(load_space("cifar").source, {"search.fidelity": level}))
    assert space.search.fidelity is not None
    shares = macs_shares([each.config for each in sample(space, 5)], space.search.fidelity)
    assert shares == pytest.approx(space.search.fidelity.shares, rel=0.05)
    assert notes(space) == []


def test_space_check_says_where_a_narrow_network_costs_more_than_its_epochs_count() -> None:
    """All networks have 8 channels, of which a quarter are 2, and 4 are the fewest that there can be."""
    levels = {"search.fidelity": {"width": [0.25, 1]}, "search.pruner": "asha"}
    (note,) = notes(parse_space(edited(load_space("smoke").source, levels)))
    assert "an epoch at 0.25 counts 0.062 of a whole one. Its multiply-accumulates are 0.26 of a whole one's" in note
    assert note.endswith("since channels are rounded to multiples of 4.")


def test_a_study_promotes_across_levels_and_its_trials_are_repeated_to_the_bit(sqlite_url: str) -> None:
    levels = {"trials": 3, "sampler": "random", "fidelity": {"images": [0.1, 0.4, 1]}}
    text = edited(
        load_space("smoke").source,
        {"study": "scripted", "training.epochs": 1, "search": levels, "network.stages.0.block": "additive"},
    )
    found = run_study("inline", sqlite_url, text, trainer=trainer)
    (best,) = [record for record in found if record.state == "COMPLETE"]
    assert (best.epochs, best.attempts > 1) == (3, True)
    plain = list(train(best.config, RunSettings(seed=best.seeds[0])))
    database = Database.open(sqlite_url)
    (last,) = [row for row in queries.trial_detail(database, "scripted", best.number).epochs if row["epoch"] == 3]
    assert (last["train_loss"], last["val_loss"]) == (plain[0].train_loss, plain[0].val_loss)
    assert rerun(database, "scripted", best.number).matches
    config, path = best.config, queries.kept_runs(database, "scripted", [best.number])[0].path
    assert torch.load(path, weights_only=True)["model"].keys() == build_model(config.network, 0).state_dict().keys()
    database.close()
