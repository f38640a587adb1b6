"""Data sets: splits, archives, downloads."""

import ast
import hashlib
import os
import pickle
import socket
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from scipy.io import savemat
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torchvision import transforms
from torchvision.transforms import functional

from qpsearch.errors import DataError
from qpsearch.registry.augmentations import Padding, augment, centre
from qpsearch.registry.datasets import DATASETS, Data, Normalisation, galaxy10, imagenet
from qpsearch.registry.datasets.base import IMAGENET_MEAN, IMAGENET_STD, Arrays, DatasetFacts
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.splits import stratified
from qpsearch.space import load_space, parse_space
from qpsearch.training import data, prepare
from qpsearch.training.data import DiskSplit, augmented, load_split, normalise, train_and_validation
from tests.registry.images import class_folders

CPU = torch.device("cpu")
DIGITS = Data(dataset="digits", validation=300)


@pytest.fixture(autouse=True)
def nothing_loaded_before() -> Iterator[None]:
    load_split.cache_clear()
    yield
    load_split.cache_clear()


def whole(name: str, folder: Path | None) -> Arrays:
    """All splits of a prepared data set."""
    data = Data(dataset=name, validation=0)
    return Arrays(*load_split(data, folder, Subset.TRAIN), *load_split(data, folder, Subset.TEST))


def test_the_digits_are_split_by_label_and_always_alike() -> None:
    train, validation = train_and_validation(DIGITS, None, CPU)
    assert (len(train.labels), len(validation.labels)) == (1197, 300)
    assert torch.bincount(validation.labels).tolist() == pytest.approx([30] * 10, abs=1)
    load_split.cache_clear()
    again, held = train_and_validation(DIGITS, None, CPU)
    assert torch.equal(train.images, again.images)
    assert torch.equal(validation.images, held.images)
    images = {image.numpy().tobytes() for image in train.images}
    test = {np.ascontiguousarray(image.transpose(2, 0, 1)).tobytes() for image in whole("digits", None).test_images}
    assert len(test & images) <= 2  # two handwritten digits may be equal pixel by pixel
    assert len(whole("digits", None).test_labels) == DATASETS["digits"].test_images


def test_the_digits_are_those_of_scikit_learn() -> None:
    arrays, theirs = whole("digits", None), load_digits()
    images = np.concatenate((arrays.train_images, arrays.test_images))[..., 0]
    labels = np.concatenate((arrays.train_labels, arrays.test_labels))
    assert images.dtype == labels.dtype == np.uint8
    own, others = (
        np.unique(np.column_stack((rows.reshape(-1, 64), labels)), axis=0, return_counts=True)
        for rows, labels in ((images, labels), (theirs.images, theirs.target))
    )
    assert np.array_equal(own[0], others[0])
    assert np.array_equal(own[1], others[1])


def test_a_stratified_split_is_the_one_of_scikit_learn() -> None:
    """Studies of earlier versions, which called it, go on with their split."""
    rng = np.random.default_rng(0)
    for seed in range(60):
        classes = int(rng.integers(2, 12))
        shares = rng.dirichlet(np.full(classes, rng.choice([1, 100])))  # even, so that remainders tie, and uneven
        others = rng.choice(classes, size=rng.integers(0, 2000), p=shares)
        labels = rng.permutation(np.concatenate((np.repeat(np.arange(classes), 2), others))).astype(np.uint8)
        held = int(rng.integers(classes, len(labels) - classes + 1))
        theirs = train_test_split(np.arange(len(labels)), test_size=held, stratify=labels, random_state=seed)
        for own, expected in zip(stratified(labels, held, seed), theirs, strict=True):
            assert np.array_equal(own, expected)


@pytest.mark.parametrize(("labels", "held"), [([0, 0, 1], 1), ([0, 0, 1, 1], 1), ([0, 0, 1, 1], 3)])
def test_a_split_without_each_label_in_both_parts_is_refused(labels: list[int], held: int) -> None:
    with pytest.raises(ValueError, match="cannot be held out by label"):
        stratified(np.array(labels), held, 0)


def test_all_images_are_trained_on_where_none_are_held_out() -> None:
    train, validation = train_and_validation(replace(DIGITS, validation=0), None, CPU)
    assert validation is None
    labels = whole("digits", None).train_labels
    assert train.labels.tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("dataset", "share", "images"),
    [
        ("digits", 0.1, 150),  # of 1,497
        ("digits", 0.5, 748),
        ("cifar10", 0.1, 5000),
        ("cifar10", 0.29, 14_500),  # in floats 14,499.999999999998
        ("svhn", 0.1, 7326),  # of 73,257
        ("imagenet", 0.5, 640_583),  # of 1,281,167
        ("digits", 300, 300),
        ("digits", 300.0, 300),
    ],
)
def test_a_share_of_images_is_rounded_to_the_nearest_and_halves_down(dataset: str, share: float, images: int) -> None:
    space = parse_space(
        load_space("smoke").source.replace(
            "dataset: digits, validation: 300", f"dataset: {dataset}, validation: {share}"
        )
    )
    assert space.data.validation == images


def test_normalised_digits_have_mean_0_and_deviation_1() -> None:
    images = torch.from_numpy(whole("digits", None).train_images.transpose(0, 3, 1, 2).copy())
    assert images.dtype is torch.uint8
    normalised = normalise(images, DIGITS)
    assert normalised.mean().item() == pytest.approx(0, abs=0.02)
    assert normalised.std().item() == pytest.approx(1, abs=0.02)


def small_cifar(folder: Path, images: int = 20) -> str:
    """Write a CIFAR-10 of the real format, a few images a file; return the archive's md5."""
    generator = np.random.default_rng(0)
    root = folder / "cifar-10-batches-py"
    root.mkdir(parents=True)
    names = [*(f"data_batch_{index}" for index in range(1, 6)), "test_batch"]
    for name in names:
        batch = {
            "data": generator.integers(0, 256, (images, 3072), dtype=np.uint8),
            "labels": list(range(10)) * (images // 10),
        }
        (root / name).write_bytes(pickle.dumps(batch))
    (root / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(root, arcname=root.name)
    return hashlib.md5((folder / "cifar-10-python.tar.gz").read_bytes()).hexdigest()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server of a small CIFAR-10, at which torchvision is pointed; gives the served folder."""
    folder = tmp_path / "server"
    md5 = small_cifar(folder)
    dataset = torchvision.datasets.CIFAR10
    files = [path for path in (folder / "cifar-10-batches-py").iterdir() if path.name != "batches.meta"]
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(dataset, "url", f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz")
    monkeypatch.setattr(dataset, "tgz_md5", md5)
    monkeypatch.setattr(
        dataset, "train_list", [[path.name, sums[path.name]] for path in sorted(files) if path.name != "test_batch"]
    )
    monkeypatch.setattr(dataset, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": sums["batches.meta"]})
    facts = DATASETS["cifar10"]
    small = DatasetFacts(
        **{name: getattr(facts, name) for name in facts.__slots__} | {"train_images": 100, "test_images": 20}
    )
    monkeypatch.setitem(DATASETS, "cifar10", small)
    yield folder
    server.shutdown()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def test_a_download_is_verified_decoded_once_and_kept(served: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    prepare.prepare("cifar10", folder)
    arrays = whole("cifar10", folder)
    assert arrays.train_images.shape == (100, 32, 32, 3)
    original = pickle.loads((served / "cifar-10-batches-py" / "test_batch").read_bytes())
    np.testing.assert_array_equal(arrays.test_images, original["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(arrays.test_labels, original["labels"])
    written = (folder / "cifar10.npz").stat().st_mtime_ns
    for path in served.iterdir():
        path.rename(path.with_suffix(".gone"))
    prepare.prepare("cifar10", folder)  # no server is needed any more
    assert (folder / "cifar10.npz").stat().st_mtime_ns == written
    assert not list(folder.glob("*.partial"))


def test_a_download_with_another_checksum_is_refused(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", "0" * 32)
    with pytest.raises(DataError, match="cannot be downloaded"):
        prepare.prepare("cifar10", tmp_path / "data")
    assert not (tmp_path / "data" / "cifar10.npz").exists()


def test_an_unreachable_server_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    with pytest.raises(DataError, match=r"cifar10: cannot be downloaded into .*put cifar10\.npz there"):
        prepare.prepare("cifar10", tmp_path)


def smaller(monkeypatch: pytest.MonkeyPatch, name: str, **facts: int) -> None:
    known = DATASETS[name]
    values = {field: getattr(known, field) for field in known.__slots__} | facts
    monkeypatch.setitem(DATASETS, name, DatasetFacts(**values))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which it is served."""
    folder = tmp_path / "server"
    folder.mkdir()
    made = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


def test_svhn_is_fetched_and_its_tens_become_zeros(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 40), dtype=np.uint8)
    labels = np.tile(np.arange(1, 11), 4)
    listed = dict(torchvision.datasets.SVHN.split_list)
    for split, count in (("train", 40), ("test", 20)):
        path = folder / f"{split}_32x32.mat"
        savemat(path, {"X": images[..., :count], "y": labels[:count, None].astype(np.uint8)})
        listed[split] = [f"{address}/{path.name}", path.name, hashlib.md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", listed)
    smaller(monkeypatch, "svhn", train_images=40, test_images=20)
    prepare.prepare("svhn", tmp_path / "data")
    arrays = whole("svhn", tmp_path / "data")
    np.testing.assert_array_equal(arrays.train_images, images.transpose(3, 0, 1, 2))
    np.testing.assert_array_equal(arrays.train_labels, labels % 10)


def test_a_server_that_sends_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prepare, "SILENT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(galaxy10, "URL", f"http://127.0.0.1:{silent.getsockname()[1]}/Galaxy10.h5")
        try:
            assert prepare.main(["galaxy10", str(tmp_path)]) == DataError.exit_code
        finally:
            socket.setdefaulttimeout(None)
    assert f"galaxy10: cannot be downloaded into {tmp_path} (" in capsys.readouterr().out


def test_galaxy10_is_fetched_verified_split_and_mapped(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    images = np.random.default_rng(0).integers(0, 256, (100, 16, 16, 3), dtype=np.uint8)
    with h5py.File(folder / "Galaxy10_DECals.h5", "w") as file:
        file["images"], file["ans"] = images, np.tile(np.arange(10), 10)
    smaller(monkeypatch, "galaxy10", size=16, train_images=80, test_images=20)
    monkeypatch.setattr(galaxy10, "URL", f"{address}/Galaxy10_DECals.h5")
    with pytest.raises(DataError, match="cannot be downloaded"):  # another checksum
        prepare.prepare("galaxy10", tmp_path / "data")
    digest = hashlib.sha256((folder / "Galaxy10_DECals.h5").read_bytes()).hexdigest()
    monkeypatch.setattr(galaxy10, "SHA256", digest)
    prepare.prepare("galaxy10", tmp_path / "data")
    data = Data(dataset="galaxy10", validation=20)
    train, validation = train_and_validation(data, tmp_path / "data", CPU)
    assert isinstance(train, DiskSplit)
    assert torch.bincount(validation.labels).tolist() == [2] * 10
    batch = train.batch(torch.tensor([5, 0, 59]))
    known = {image.tobytes(): index % 10 for index, image in enumerate(images)}
    for image, label in zip(batch.images, batch.labels, strict=True):
        assert known[np.ascontiguousarray(image.numpy().transpose(1, 2, 0)).tobytes()] == label
    test = whole("galaxy10", tmp_path / "data").test_images
    assert len({image.tobytes() for image in test} & {image.tobytes() for image in images}) == 20


def test_imagenet_is_read_from_the_users_own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smaller(monkeypatch, "imagenet", size=16, stored_size=20, train_images=8, test_images=4, classes=2)
    monkeypatch.setattr(imagenet, "LOADERS", 0)
    with pytest.raises(DataError, match=r"its terms forbid that\. Put ILSVRC 2012 .*imagenet-jpeg/train and "):
        prepare.prepare("imagenet", tmp_path)
    assert not list(tmp_path.glob("*.partial"))
    for split, count in (("train", 4), ("val", 2)):
        for label, colour in enumerate(("red", "blue")):
            folder = tmp_path / "imagenet-jpeg" / split / f"n{label}"
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (60, 40), colour).save(folder / f"{index}.JPEG")
    prepare.prepare("imagenet", tmp_path)
    train, validation = train_and_validation(Data(dataset="imagenet", validation=2), tmp_path, CPU)
    whole = train.batch(torch.arange(6))
    assert whole.images.shape == (6, 3, 20, 20)
    assert whole.images[whole.labels == 0, 0].min() > 240  # red
    assert whole.images[whole.labels == 1, 2].min() > 240  # blue
    assert len(validation.labels) == 2


def idx(array: np.ndarray) -> bytes:
    """An array of bytes in the format of the MNIST database."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4) for size in array.shape) + array.tobytes()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_mnist_and_fashion_mnist_are_read_in_their_own_format(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller(monkeypatch, name, train_images=40, test_images=20)
    raw = tmp_path / {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}[name] / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    labels = np.tile(np.arange(10, dtype=np.uint8), 4)
    for split, count in (("train", 40), ("t10k", 20)):
        (raw / f"{split}-images-idx3-ubyte").write_bytes(idx(images[:count]))
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(idx(labels[:count]))
    prepare.prepare(name, tmp_path)
    arrays = whole(name, tmp_path)
    assert np.array_equal(arrays.train_images[..., 0], images)
    assert np.array_equal(arrays.train_labels, labels)
    assert np.array_equal(arrays.test_images[..., 0], images[:20])


def test_stl10_is_read_without_its_unlabelled_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smaller(monkeypatch, "stl10", train_images=20, test_images=10)
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 96, 96), dtype=np.uint8)
    labels = np.tile(np.arange(10, dtype=np.uint8), 2)
    (folder / "class_names.txt").write_text("\n".join(DATASETS["stl10"].names))
    for split, count in (("train", 20), ("test", 10)):
        (folder / f"{split}_X.bin").write_bytes(images[:count].transpose(0, 1, 3, 2).tobytes())  # columns come first
        (folder / f"{split}_y.bin").write_bytes((labels[:count] + 1).tobytes())
    monkeypatch.setattr(torchvision.datasets.STL10, "_check_integrity", lambda self: True)
    prepare.prepare("stl10", tmp_path)
    arrays = whole("stl10", tmp_path)
    assert np.array_equal(arrays.train_images, images.transpose(0, 2, 3, 1))
    assert np.array_equal(arrays.train_labels, labels)


def test_a_tenth_of_eurosat_is_its_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smaller(monkeypatch, "eurosat", train_images=90, test_images=10)
    root = tmp_path / "eurosat" / "2750"
    class_folders(root, 10, DATASETS["eurosat"].names, (64, 64))
    prepare.prepare("eurosat", tmp_path)
    arrays = whole("eurosat", tmp_path)
    assert np.bincount(arrays.test_labels).tolist() == [1] * 10
    found = {image.tobytes() for image in (*arrays.train_images, *arrays.test_images)}
    assert found == {np.asarray(Image.open(path)).tobytes() for path in root.rglob("*.png")}


def test_larger_images_are_cut_at_random_in_training_and_at_their_centre_else() -> None:
    images = torch.arange(400.0).view(1, 1, 20, 20).expand(300, 1, 20, 20)
    cut = augment(images, ("crop",), torch.Generator().manual_seed(0), 16)
    assert cut.shape == (300, 1, 16, 16)
    corners = set(cut[:, 0, 0, 0].tolist())
    assert corners == {20.0 * row + column for row in range(5) for column in range(5)}
    assert torch.equal(augment(images, (), torch.Generator(), 16), images[:, :, 2:18, 2:18])
    assert torch.equal(centre(images, 16), images[:, :, 2:18, 2:18])


def test_images_that_are_stored_one_pixel_larger_are_cut_too() -> None:
    """As those of sizes from 4 to 10 are, which are resized to 8/7 of it."""
    images = torch.arange(81.0).view(1, 1, 9, 9)
    assert centre(images, 8).shape == augment(images, (), torch.Generator(), 8).shape == (1, 1, 8, 8)
    assert augment(images, ("cutout",), torch.Generator().manual_seed(0), 8).shape == (1, 1, 8, 8)
    assert centre(images, 9) is images


@pytest.mark.parametrize("content", [b"", b"not a zip", "wrong"])
def test_an_archive_of_something_else_is_refused(tmp_path: Path, content: bytes | str) -> None:
    archive = tmp_path / "cifar10.npz"
    if isinstance(content, bytes):
        archive.write_bytes(content)
    else:
        np.savez(archive, **{key: np.zeros((4, 32, 32, 3), np.uint8) for key in data.KEYS})
    with pytest.raises(DataError, match=r"cifar10\.npz: (is not a readable archive|train_images has shape)"):
        prepare.prepare("cifar10", tmp_path)


@pytest.mark.skipif(
    "QPSEARCH_DATA" not in os.environ, reason="QPSEARCH_DATA names no folder with the real CIFAR-10; CI sets it"
)
def test_the_real_cifar10_loads() -> None:
    folder = Path(os.environ["QPSEARCH_DATA"])
    prepare.prepare("cifar10", folder)
    cifar10 = Data(dataset="cifar10", validation=5000)
    train, validation = train_and_validation(cifar10, folder, CPU)
    assert train.images.shape == (45_000, 3, 32, 32)
    assert torch.bincount(validation.labels).tolist() == [500] * 10
    normalised = normalise(train.images[:10_000], cifar10)
    assert normalised.mean((0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=0.03)
    assert normalised.std((0, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=0.03)


def test_flips_mirror_about_half_of_the_images() -> None:
    images = torch.arange(8.0).view(1, 1, 1, 8).expand(1000, 1, 1, 8)
    changed = augment(images, ("flip",), torch.Generator().manual_seed(0), 8)
    mirrored = (changed[:, 0, 0, 0] == 7).sum().item()
    assert 440 < mirrored < 560
    assert ((changed == images).flatten(1).all(1) | (changed == images.flip(3)).flatten(1).all(1)).all()


def test_crops_shift_each_image_by_its_own_offset_and_bring_in_zeros() -> None:
    images = torch.randn(500, 2, 32, 32) + 10
    changed = augment(images, ("crop",), torch.Generator().manual_seed(0), 32)
    seen = set()
    for before, after in zip(images, changed, strict=True):
        padded = torch.nn.functional.pad(before, (4, 4, 4, 4))
        places = [(y, x) for y in range(9) for x in range(9) if torch.equal(padded[:, y : y + 32, x : x + 32], after)]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) > 70  # of 81


def test_black_padding_and_the_moments_of_imagenet_are_those_of_torchvision() -> None:
    """The quotient authors' transforms: a crop of the padded PIL image, then ToTensor and Normalize."""
    images = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8)
    data = Data(
        dataset="cifar10",
        validation=10,
        augment=("crop",),
        padding=Padding.BLACK,
        normalise=Normalisation.IMAGENET,
    )
    changed = augmented(images, data, torch.Generator().manual_seed(0), 32)
    assert torch.equal(augmented(images, data, torch.Generator().manual_seed(0), 32), changed)
    ends = transforms.Compose([transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)])
    corners = 0
    for image, found in zip(images, changed, strict=True):
        padded = functional.pad(Image.fromarray(image.permute(1, 2, 0).numpy()), [4] * 4)
        places = [
            (top, left)
            for top in range(9)
            for left in range(9)
            if torch.equal(ends(functional.crop(padded, top, left, 32, 32)), found)
        ]
        assert len(places) == 1
        corners += places[0] != (4, 4)
    assert corners > 30
    mean = augmented(images, replace(data, padding=Padding.MEAN), torch.Generator().manual_seed(0), 32)
    assert (mean == 0).any()
    assert torch.equal(mean[mean != 0], changed[mean != 0])


def test_augmentation_is_a_function_of_its_generator() -> None:
    images, kinds = torch.randn(16, 1, 8, 8), ("flip", "crop")
    first, again, other = (augment(images, kinds, torch.Generator().manual_seed(seed), 8) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(augment(images, (), torch.Generator(), 8), images)


def test_only_one_module_reads_test_images_and_none_that_trains_imports_it() -> None:
    """No setting reaches the test split, and no line of what trains does."""
    folder = Path(data.__file__).parent
    for path in folder.glob("*.py"):
        names = {each.id for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Name)}
        imported = {
            alias.name if isinstance(each, ast.Import) else f"{each.module}.{alias.name}"
            for each in ast.walk(ast.parse(path.read_text()))
            if isinstance(each, ast.Import | ast.ImportFrom)
            for alias in each.names
        }
        reads = "test_images" in names or any(name.endswith("data.test_images") for name in imported)
        assert reads == (path.stem == "testing"), path
        assert not any("training.testing" in name for name in imported), path
