"""Images of the user's own in training: decoded once, split as stated, mapped where they are many."""

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from qpsearch.architecture.config import TrialConfig
from qpsearch.dispatch.cluster import _prepare
from qpsearch.errors import DataError
from qpsearch.protocol import RunSettings
from qpsearch.registry.datasets import Data
from qpsearch.registry.own import decoding
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.places import own_data
from qpsearch.registry.own.record import OwnData, Source
from qpsearch.training import data, train
from qpsearch.training.data import DiskSplit, Split, load_split, train_and_validation
from qpsearch.training.prepare import main, prepare_images
from qpsearch.vocabulary import BlockKind
from tests.registry.images import class_folders, picture
from tests.training.configs import digits

CPU = torch.device("cpu")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the data sets."""
    load_split.cache_clear()
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def data_of(root: Path, size: int | None = None, validation: int = 6, *, own_validation: bool = False) -> Data:
    own = own_data(Source.FOLDER, root, size)
    return Data(dataset=own.name, validation=validation, own=own, own_validation=own_validation)


def originals(root: Path) -> dict[bytes, str]:
    """The images of a folder by their pixels, and their paths."""
    return {np.asarray(Image.open(path)).tobytes(): str(path.relative_to(root)) for path in root.rglob("*.png")}


def paths_of(split: Split | DiskSplit, known: dict[bytes, str]) -> list[str]:
    whole = split.batch(torch.arange(len(split.labels)))
    paths = [known[image.permute(1, 2, 0).numpy().tobytes()] for image in whole.images]
    assert [int("abc".index(Path(path).parent.name)) for path in paths] == whole.labels.tolist()
    return paths


def test_every_image_is_in_exactly_one_split(tmp_path: Path, kept: Path) -> None:
    root = class_folders(tmp_path / "x", 10, "abc")
    given = data_of(root)
    prepare_images(given, kept)
    known = originals(root)
    train_split, validation = train_and_validation(given, kept, CPU)
    assert validation is not None
    splits = [paths_of(each, known) for each in (train_split, validation, data.test_images(given, kept, CPU))]
    assert [len(paths) for paths in splits] == [21, 6, 3]
    assert sorted(path for paths in splits for path in paths) == sorted(known.values())
    assert given.trained_on == 21


def test_a_set_of_three_splits_is_taken_as_it_is(tmp_path: Path, kept: Path) -> None:
    for split, count in (("train", 6), ("val", 3), ("test", 2)):
        class_folders(tmp_path / "x" / split, count, "abc")
    given = data_of(tmp_path / "x", validation=9, own_validation=True)
    prepare_images(given, kept)
    known = originals(tmp_path / "x")
    train_split, validation = train_and_validation(given, kept, CPU)
    assert validation is not None
    for split, found in (("train", train_split), ("val", validation), ("test", data.test_images(given, kept, CPU))):
        assert {path.partition("/")[0] for path in paths_of(found, known)} == {split}
    assert (len(train_split.labels), len(validation.labels), given.trained_on) == (18, 9, 18)


def test_training_does_not_open_the_test_split(tmp_path: Path, kept: Path) -> None:
    given = data_of(class_folders(tmp_path / "x", 10, "abc"))
    prepare_images(given, kept)
    for path in kept.rglob("test_*.npy"):
        path.unlink()
    train_and_validation(given, kept, CPU)
    with pytest.raises(DataError, match=r"test_images.npy: cannot be read .* Delete .* to decode the images again"):
        data.test_images(given, kept, CPU)


def test_images_are_resized_as_stated_and_decoded_once(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "x", 5)
    picture(root / "a" / "0.png", (20, 10))
    given = data_of(root, size=14, validation=2)
    prepare_images(given, kept)
    images, _ = load_split(given, kept, Subset.TRAIN)
    assert images.shape == (8, 16, 16, 3)
    written = {path: path.stat().st_mtime_ns for path in kept.rglob("*.npy")}
    prepare_images(given, kept)
    monkeypatch.setattr(decoding, "_write", lambda *given: pytest.fail("decoded again"))
    root.rename(tmp_path / "moved")  # the images are not needed any more
    prepare_images(given, kept)
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*.npy")} == written
    with pytest.raises(DataError, match=r"x: is not there, and its images were not decoded on this machine"):
        prepare_images(given, tmp_path / "moved")


def test_a_large_split_is_mapped(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = data_of(class_folders(tmp_path / "x", 10, "abc"))
    prepare_images(given, kept)
    small, _ = train_and_validation(given, kept, CPU)
    load_split.cache_clear()
    monkeypatch.setattr(data, "IN_MEMORY", 1000)
    large, _ = train_and_validation(given, kept, CPU)
    load_split.cache_clear()
    assert isinstance(small, Split)
    assert isinstance(large, DiskSplit)
    order = torch.randperm(21)
    assert torch.equal(small.batch(order).images, large.batch(order).images)
    assert torch.equal(small.batch(order).labels, large.batch(order).labels)


def test_many_images_are_decoded_by_several_processes(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = data_of(class_folders(tmp_path / "x", 40, "ab"))
    prepare_images(given, kept)
    alone, labels = load_split(given, kept, Subset.TRAIN)
    load_split.cache_clear()
    monkeypatch.setattr(decoding, "MANY", 10)
    monkeypatch.setattr(decoding, "LOADERS", 2)
    prepare_images(given, tmp_path)
    together = load_split(given, tmp_path, Subset.TRAIN)
    assert np.array_equal(alone, together[0])
    assert np.array_equal(labels, together[1])


def test_images_that_have_changed_are_refused_in_the_drivers_words(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = class_folders(tmp_path / "x", 5)
    own = data_of(root).own
    assert own is not None
    (root / "a" / "1.png").unlink()
    with pytest.raises(DataError, match=r"has changed since the study was made: 1 removed \(a/1\.png\)"):
        decoding.prepare_own(own, kept)
    monkeypatch.setattr("sys.stdin.read", own.to_text)
    try:
        assert main(["own", str(kept)]) == DataError.exit_code
    finally:
        socket.setdefaulttimeout(None)
    assert "x: has changed since" in capsys.readouterr().out
    assert not list(kept.rglob("*.npy"))


def test_a_damaged_image_beyond_the_measured_ones_is_named_before_training(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "x", 5)
    content = (root / "b" / "2.png").read_bytes()
    (root / "b" / "2.png").write_bytes(content[:-30])
    monkeypatch.setattr("qpsearch.registry.own.found.MEASURED", 2)
    given = data_of(root, validation=2)
    with pytest.raises(DataError, match=r"b/2\.png: is truncated or damaged"):
        prepare_images(given, kept)
    assert not list(kept.rglob("*.npy"))


def test_a_configuration_is_complete_without_the_images(tmp_path: Path, kept: Path) -> None:
    given = data_of(class_folders(tmp_path / "x", 10, "abc"))
    prepare_images(given, kept)
    plain = digits(BlockKind.ADDITIVE, epochs=2)
    config = replace(plain, data=given, network=replace(plain.network, channels=3, classes=3))
    again = TrialConfig.from_json(config.to_json())
    assert again == config
    assert isinstance(again.data.own, OwnData)
    assert '"own":{' not in plain.to_json()
    reports = list(train(again, RunSettings(seed=0, data_folder=str(kept))))
    assert [report.epoch for report in reports] == [1, 2]
    assert reports[-1].val_accuracy is not None


def test_a_node_of_a_cluster_decodes_the_images_that_it_can_reach(tmp_path: Path, kept: Path) -> None:
    given = data_of(class_folders(tmp_path / "x", 5, "ab"), validation=2)
    _prepare(given, str(tmp_path / "node"))
    here = load_split(given, tmp_path / "node", Subset.TRAIN)
    prepare_images(given, kept)
    for own, other in zip(here, load_split(given, kept, Subset.TRAIN), strict=True):
        assert np.array_equal(own, other)
