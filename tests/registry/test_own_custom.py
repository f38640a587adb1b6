"""Data sets from code: what a function may return, when it is called, and what is said where it fails."""

import io
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoints
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import FakeData
from torchvision.transforms import v2

from qpsearch.architecture import plugins
from qpsearch.errors import DataError, SpaceError, UserError
from qpsearch.registry.own.custom import CUSTOM, custom_dataset
from qpsearch.registry.own.decoding import prepare_own
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.places import own_data, scanned
from qpsearch.registry.own.record import OwnData, Source
from qpsearch.space import load_space
from qpsearch.space.schema.data import DATASET
from qpsearch.vocabulary import PluginGroup

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
LABELS = np.tile([0, 1, 2], 10)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave behind neither a note nor a data set that space files can name."""
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path))
    words = list(DATASET.words)
    yield
    CUSTOM.clear()
    DATASET.words[:] = words


def facts_of(returned: Any, version: int = 1) -> OwnData:
    CUSTOM["mine"] = custom_dataset("mine", lambda: returned, version=version)
    return own_data(Source.CODE, Path("mine"), None)


class Pairs:
    """A map-style dataset."""

    classes = ("ant", "bee", "cat")

    def __init__(self, change: Callable[[Any], Any], count: int = 30) -> None:
        self.change, self.count = change, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.change(IMAGES[index]), torch.tensor(LABELS[index])


@pytest.mark.parametrize(
    "returned",
    [
        {"images": IMAGES, "labels": LABELS},
        {"images": IMAGES.tolist(), "labels": LABELS.tolist()},
        Pairs(lambda image: image),
        Pairs(lambda image: image.transpose(2, 0, 1)),
        Pairs(lambda image: np.concatenate((image, image[..., :1]), 2)),
        Pairs(Image.fromarray),
        Pairs(lambda image: torch.from_numpy(image.transpose(2, 0, 1).copy())),
        Pairs(lambda image: v2.functional.to_dtype(v2.functional.to_image(image), torch.float32, scale=True)),
        {"train": Pairs(lambda image: image)},
    ],
    ids=["arrays", "lists", "NumPy", "channels first", "transparency", "PIL", "tensors", "fractions", "splits"],
)
def test_what_a_function_may_return(returned: Any) -> None:
    facts = facts_of(returned)
    assert (facts.train_images, facts.test_images, facts.channels, facts.size) == (27, 3, 3, 8)
    found = scanned(Source.CODE, Path("mine"), None).found()
    for row in range(30):
        assert np.array_equal(found.read(Subset.TRAIN, row, 3), IMAGES[row])
    assert facts.classes == (
        ("0", "1", "2") if "images" in (returned if isinstance(returned, dict) else {}) else Pairs.classes
    )


def test_splits_grey_images_and_several_sizes(tmp_path: Path) -> None:
    grey = Pairs(lambda image: Image.fromarray(image).convert("L"), 9)
    parts = {"train": Pairs(lambda image: image), "val": grey, "test": Pairs(lambda image: image[:6], 12)}
    with pytest.raises(DataError, match=r"mine: its images have several sizes: 8x8 \(39\), 8x6 \(12\)"):
        facts_of(parts)
    facts = own_data(Source.CODE, Path("mine"), 8)
    assert (facts.train_images, facts.validation_images, facts.test_images, facts.channels) == (30, 9, 12, 3)
    grey_ones = "validation 0, validation 1, validation 2 and 6 more"
    assert facts.converted == (f"9 of 51 images are grey and are read as colour: {grey_ones}",)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda image: Image.merge("RGBA", [Image.fromarray(image[..., 0])] * 4),
            ["30 of 30 images have a channel of transparency"],
        ),
        (lambda image: np.concatenate((image, image[..., :1]), 2), ["30 of 30 images have a channel of transparency"]),
        (
            lambda image: torch.from_numpy(image).permute(2, 0, 1)[[0, 1, 2, 0]],
            ["30 of 30 images have a channel of transparency"],
        ),
        (lambda image: Image.fromarray(image[..., 0].astype(np.uint16) * 257), ["30 of 30 images have 16 bits"]),
        (lambda image: Image.fromarray(image).convert("RGBA"), []),
        (lambda image: np.pad(image, ((0, 0), (0, 0), (0, 1)), constant_values=255), []),
        (lambda image: image.astype(np.uint16) * 257, ["30 of 30 images have 16 bits"]),
        (
            lambda image: image.astype(np.uint16) * (256 if np.array_equal(image, IMAGES[0]) else 4),
            [
                "30 of 30 images have 16 bits",
                "29 of 30 images of 16 bits are dark, their brightest pixels 3 of 255: train 1",
            ],
        ),
        (lambda image: Image.open(io.BytesIO(deep_colours(image))), ["30 of 30 images have 16 bits"]),
    ],
    ids=[
        "PIL's",
        "arrays'",
        "tensors'",
        "16 bits of PIL's",
        "PIL's opaque",
        "opaque",
        "16 bits",
        "10 bits",
        "a colour file",
    ],
)
def test_what_images_lose_is_told(change: Callable[[Any], Any], told: list[str]) -> None:
    converted = facts_of(Pairs(change)).converted
    assert len(converted) == len(told)
    assert all(expected in sentence for expected, sentence in zip(told, converted, strict=True))


def deep_colours(image: Any) -> bytes:
    """Return a PPM file of colours of 16 bits."""
    height, width, _ = image.shape
    return f"P6 {width} {height} 65535\n".encode() + (image.astype(">u2") * 257).tobytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda image: image.astype(np.uint16) * 257 if image[0, 0, 0] % 2 else image, "several types: uint16, uint8"),
        (
            lambda image: Image.fromarray(image[..., 0].astype(np.int32) * 1000),
            "^data set 'mine': image 0 of the train split has numbers of 32 bits",
        ),
        (
            lambda image: Image.fromarray(image[..., 0].astype(np.float32)),
            "^data set 'mine': image 0 of the train split has fractions as pixels, whose white is not known. Convert",
        ),
        (lambda image: Image.open(io.BytesIO(deep_colours(image)[:-60])), "image 0 of the train split is truncated"),
    ],
    ids=["types", "32 bits", "fractions", "truncated"],
)
def test_images_that_would_lose_what_they_show_are_refused(change: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        facts_of(Pairs(change))


@pytest.mark.parametrize("label_of", [lambda label: torch.eye(3)[label], lambda label: torch.tensor([label]), float])
def test_labels_may_be_one_hot_or_whole_fractions(label_of: Callable[[int], Any]) -> None:
    facts_of([(image, label_of(label)) for image, label in zip(IMAGES, LABELS.tolist(), strict=True)])
    found = scanned(Source.CODE, Path("mine"), None).found()
    assert found.labels[Subset.TRAIN].tolist() == LABELS.tolist()
    assert found.classes == ("0", "1", "2")


def test_a_dark_image_among_fractions_stays_dark() -> None:
    facts_of(Pairs(lambda image: image / 255 * (0.001 if np.array_equal(image, IMAGES[0]) else 1)))
    found = scanned(Source.CODE, Path("mine"), None).found()
    assert found.read(Subset.TRAIN, 0, 3).max() == 0


def test_a_torchvision_dataset_as_it_is() -> None:
    facts = facts_of(FakeData(40, (3, 16, 16), num_classes=2))
    assert (facts.train_images, facts.test_images, facts.size) == (36, 4, 16)


def test_class_names_that_do_not_fit_the_labels_are_refused() -> None:
    pairs = Pairs(lambda image: image)
    pairs.classes = ("ant", "bee")  # type: ignore[assignment]  # of three classes
    with pytest.raises(
        DataError, match=r"'mine': has 2 class names, but the training labels have 3 classes\. Expected one"
    ):
        facts_of(pairs)


NAMES = ("ant", "bee", "cat")


@pytest.mark.parametrize(
    ("classes", "named"),
    [
        (np.array(NAMES), NAMES),
        (dict(zip(NAMES, range(3), strict=True)), NAMES),
        (3, ("0", "1", "2")),
        ("classes", ("0", "1", "2")),
        (None, ("0", "1", "2")),
    ],
)
def test_an_attribute_classes_names_them_where_it_has_names(classes: Any, named: tuple[str, ...]) -> None:
    pairs = Pairs(lambda image: image)
    usual = facts_of(pairs).fingerprint
    pairs.classes = classes
    assert (facts_of(pairs, version=2).fingerprint == usual) is (named == NAMES)
    assert scanned(Source.CODE, Path("mine"), None).found().classes == named


def test_lists_of_pairs_may_stand_in_a_mapping_of_splits() -> None:
    pairs = list(zip(IMAGES, LABELS.tolist(), strict=True))
    facts = facts_of({"train": pairs[:24], "test": pairs[24:]})
    assert (facts.train_images, facts.test_images) == (24, 6)


def test_what_is_said_of_conversions_is_that_of_the_code_at_hand() -> None:
    """Transparent images have the same pixels as these without their fourth channel."""
    clear = np.concatenate([IMAGES, np.full((30, 8, 8, 1), 128, np.uint8)], axis=3)
    lost = facts_of(list(zip(clear, LABELS.tolist(), strict=True))).converted
    assert "transparen" in "".join(lost)
    assert facts_of(list(zip(IMAGES, LABELS.tolist(), strict=True)), version=2).converted == ()


def test_the_function_is_called_once_for_each_version() -> None:
    calls: list[int] = []

    def load() -> Any:
        calls.append(1)
        return {"images": IMAGES, "labels": LABELS}

    for version, expected in ((1, 1), (1, 1), (2, 2)):
        CUSTOM["mine"] = custom_dataset("mine", load, version=version)
        facts = own_data(Source.CODE, Path("mine"), None)
        assert len(calls) == expected
    assert facts.name == "mine"


def test_data_sets_of_the_same_name_in_two_files_are_told_apart(tmp_path: Path) -> None:
    for folder, count in (("a", 30), ("b", 40), ("a", 30)):
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / "mine.py"
        path.write_text(
            "import qpsearch\nimport numpy as np\n"
            f"def load(): return {{'images': np.eye(8)[None].repeat({count}, 0), 'labels': np.arange({count}) % 2}}\n"
            "mine = qpsearch.custom_dataset('mine', load)\n"
        )
        spec = spec_from_file_location("mine", path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["mine"] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        finally:
            del sys.modules["mine"]
        CUSTOM["mine"] = module.mine
        assert own_data(Source.CODE, Path("mine"), None).train_images == count * 9 // 10


def test_a_function_that_returns_other_images_when_it_is_called_again_is_refused(tmp_path: Path) -> None:
    returned = {"images": IMAGES, "labels": LABELS}
    facts = facts_of(returned)
    returned["images"] = 255 - IMAGES
    with pytest.raises(
        DataError, match=r"^data set 'mine': its function returns other .*: 1 changed \(train images\)\. Make"
    ):
        prepare_own(facts, tmp_path)
    assert not list(tmp_path.rglob("*.npy"))
    returned["images"] = IMAGES
    prepare_own(facts, tmp_path)
    assert len(list(tmp_path.rglob("*.npy"))) == 4


def labelled(label: object) -> Any:
    """Return images with one label for all."""
    return [(image, label) for image in IMAGES]


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "nothing": (lambda: None, r"returns NoneType\. Expected a mapping of arrays"),
    "an unknown split": (lambda: {"trian": Pairs(lambda image: image)}, r"returns the splits trian\. Expected"),
    "no train": (lambda: {"test": Pairs(lambda image: image)}, r"returns the splits test\. Expected"),
    "items of three": (
        lambda: [(image, 0, 1) for image in IMAGES],
        r"item 0 of the train split is a tuple of 3\. Expected a pair \(image, label\)\.",
    ),
    "rows": (
        lambda: {"train": [{"image": image, "label": 0} for image in IMAGES]},
        r"item 0 of the train split is a dict of image, label\. Expected a pair \(image, label\): make pairs",
    ),
    "columns": (
        lambda: {"train": {"image": list(IMAGES), "label": LABELS.tolist()}},
        r"returns dict\. Expected a mapping of arrays",
    ),
    "images alone": (lambda: {"train": IMAGES}, r"item 0 of the train split is a ndarray\. Expected a pair"),
    "no labels": (lambda: {"images": IMAGES}, "does not hold training images with labels"),
    "flat": (lambda: Pairs(lambda image: image.ravel()), r"the train split has an image of shape \(192,\)"),
    "five channels": (lambda: Pairs(lambda image: image.repeat(2, 2)[..., :5]), r"the train split has an image of shape \(8, 8, 5\)\. Expected \(H, W\), or"),
    "a label that is no number": (lambda: labelled(float("nan")), "the label array of the train split has nan as a label"),
    "no pixels": (lambda: Pairs(lambda image: image[:0, :, [0, 1, 2, 0]]), r"the train split has an image of shape \(0, 8, 4\)"),
    "NaN": (lambda: Pairs(lambda image: image / 255 * np.nan), r"the train split has pixels that are NaN or infinite, in 30 of 30 images: 0, 1, 2 and 27 more"),
    "an error": (lambda: 1 / 0, r"test_own_custom\.py:\d+: ZeroDivisionError: division by zero"),
    "an exit": (lambda: exec("raise SystemExit('enough')"), r"SystemExit: enough"),
    "normalised": (lambda: Pairs(lambda image: image / 255 - 0.5), "the train split has values from -0.5 to 0.5. Expected 0 to"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_function_that_fails_is_named(name: str) -> None:
    load, said = BAD[name]
    CUSTOM["mine"] = custom_dataset("mine", load)
    with pytest.raises(DataError, match=rf"^data set 'mine': .*{said}"):
        own_data(Source.CODE, Path("mine"), None)


@pytest.mark.parametrize("name", ["two words", "", "1st", 3])
def test_a_name_must_be_a_word(name: Any) -> None:
    with pytest.raises(UserError, match="a data set cannot be named"):
        custom_dataset(name, dict)
    with pytest.raises(UserError, match="'mine': 3 is not callable"):
        custom_dataset("mine", 3)  # type: ignore[arg-type]


def test_a_space_file_names_it_once_its_module_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.yaml").write_text("extends: smoke\ndata: {dataset: shades, validation: 6}\n")
    with pytest.raises(
        SpaceError, match=r"unknown data set 'shades'\. .*Load a data set of your own with --import MODULE \("
    ):
        load_space(tmp_path / "s.yaml")
    shades = custom_dataset("shades", lambda: {"images": IMAGES, "labels": LABELS})
    point = SimpleNamespace(name="shades", load=lambda: shades, matches=lambda group: group == PluginGroup.DATASETS)
    monkeypatch.setattr(plugins, "entry_points", lambda: EntryPoints([point]))
    plugins.load_installed()
    plugins.load_installed()
    space = load_space(tmp_path / "s.yaml")
    assert (space.data.dataset, space.data.facts.train_images) == ("shades", 27)
    with pytest.raises(UserError, match="there is already a data set of that name"):
        plugins.register_dataset(custom_dataset("shades", dict))
    with pytest.raises(UserError, match="there is already a data set of that name"):
        plugins.register_dataset(custom_dataset("digits", dict))
    point.load = lambda: 3
    with pytest.raises(UserError, match=r"entry point 'shades' of qpsearch\.datasets is not a data set\."):
        plugins.load_installed()
