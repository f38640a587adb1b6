"""Archives of arrays: the names and shapes that others write, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qpsearch.errors import DataError
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.places import changes_since, own_data, scanned
from qpsearch.registry.own.record import Source

RANDOM = np.random.default_rng(0)
IMAGES, LABELS = RANDOM.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8), np.tile([0, 1, 2], 10)
Arrays = dict[str, Any]


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path))


def with_alpha(images: Any, white: int, *clear: int) -> Any:
    """Return images with a channel of transparency, which is opaque everywhere but in some."""
    alpha = np.full_like(images[..., :1], white)
    alpha[list(clear), 2, 2] = white - 1
    return np.concatenate((images, alpha), 3)


def one_pixel(value: float) -> Any:
    """Return fractions of which one is a value."""
    fractions = IMAGES / 255
    fractions[3, 2, 1, 0] = value
    return fractions


def written(folder: Path, arrays: Arrays) -> Path:
    np.savez(folder / "x.npz", **arrays)
    return folder / "x.npz"


KNOWN: dict[str, tuple[Arrays, tuple[int, int, int]]] = {
    "ours": ({"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES[:9], "test_labels": LABELS[:9]}, (30, 0, 9)),
    "keras": ({"x_train": IMAGES, "y_train": LABELS[:, None], "x_test": IMAGES[:9], "y_test": LABELS[:9, None]}, (30, 0, 9)),
    "medmnist": (
        {f"{part}_{kind}": array[:count] for part, count in (("train", 30), ("val", 12), ("test", 9))
         for kind, array in (("images", IMAGES), ("labels", LABELS[:, None]))},
        (30, 12, 9),
    ),
    "without splits": ({"images": IMAGES, "labels": LABELS}, (27, 0, 3)),
    "one-hot": ({"X": IMAGES, "y": np.eye(3)[LABELS]}, (27, 0, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_names_of_arrays_that_others_write(tmp_path: Path, name: str) -> None:
    arrays, counts = KNOWN[name]
    facts = own_data(Source.ARCHIVE, written(tmp_path, arrays), None)
    assert (facts.train_images, facts.validation_images, facts.test_images) == counts
    assert (facts.name, facts.classes, facts.channels, facts.size) == ("x", ("0", "1", "2"), 3, 8)
    if counts[0] == 30:
        assert facts.mean == pytest.approx(IMAGES.mean((0, 1, 2)) / 255, abs=6e-5)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (IMAGES[..., 0], IMAGES[..., :1]),
        (IMAGES.transpose(0, 3, 1, 2), IMAGES),
        (np.concatenate((IMAGES, IMAGES[..., :1]), 3), IMAGES),
        (IMAGES.astype(np.uint16) * 256 + 77, IMAGES),
        (IMAGES.astype(">u2") * 256, IMAGES),
        (IMAGES.astype(np.int64), IMAGES),
        (IMAGES / 255, IMAGES),
        (IMAGES[..., 0] > 127, (IMAGES[..., :1] > 127) * np.uint8(255)),
    ],
    ids=["grey", "channels first", "alpha", "16 bits", "swapped bytes", "wide", "fractions", "truth values"],
)
def test_arrays_become_8_bits(tmp_path: Path, given: Any, expected: Any) -> None:
    found = scanned(Source.ARCHIVE, written(tmp_path, {"x": given, "y": LABELS}), None).found()
    for row in range(30):
        assert np.array_equal(found.read(Subset.TRAIN, row, found.channels), expected[row])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (IMAGES, ()),
        (
            np.concatenate((IMAGES, IMAGES[..., :1]), 3),
            ("30 of 30 images have a channel of transparency, which is dropped",),
        ),
        (with_alpha(IMAGES, 255), ()),
        (with_alpha(IMAGES / 255, 1), ()),
        (
            with_alpha(IMAGES.astype(np.uint16) * 257, 65_535),
            ("30 of 30 images have 16 bits, of which the upper 8 count",),
        ),
        (with_alpha(IMAGES, 255, 7), ("1 of 30 images has a channel of transparency, which is dropped: x[7]",)),
        (IMAGES.astype(np.uint16) * 256 + 77, ("30 of 30 images have 16 bits, of which the upper 8 count",)),
        (IMAGES.astype(np.uint16) * 16, ("30 of 30 images have 16 bits", "30 of 30 images of 16 bits are dark")),
    ],
    ids=["8 bits", "alpha", "opaque", "opaque fractions", "opaque 16 bits", "one is not opaque", "16 bits", "12 bits"],
)
def test_what_arrays_lose_is_told(tmp_path: Path, given: Any, told: tuple[str, ...]) -> None:
    converted = own_data(Source.ARCHIVE, written(tmp_path, {"x": given, "y": LABELS}), None).converted
    assert len(converted) == len(told)
    assert all(expected in sentence for expected, sentence in zip(told, converted, strict=True))


def test_what_is_wrong_with_arrays_is_said_without_decoding_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qpsearch.registry.own.found.MEASURED", 5)
    labels = np.where(np.arange(30) == 4, 7, LABELS)
    with pytest.raises(DataError, match=r"^\S+ class 7 has 1 image\. [^\n]*\n\S+ its images are 8x4 pixels[^\n]*$"):
        own_data(Source.ARCHIVE, written(tmp_path, {"x": IMAGES[:, :4], "y": labels}), None)


def test_arrays_that_are_not_read_are_told(tmp_path: Path) -> None:
    given = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "ids": LABELS, "names": np.array(["p", "q", "r"])}
    facts = own_data(Source.ARCHIVE, written(tmp_path, given), None)
    assert facts.converted == ("2 arrays are not read: ids, x_test",)


def test_labels_may_be_whole_fractions(tmp_path: Path) -> None:
    facts = own_data(Source.ARCHIVE, written(tmp_path, {"x": IMAGES, "y": LABELS.astype(float)}), None)
    assert facts.classes == ("0", "1", "2")


def test_classes_are_named_by_their_labels_or_by_the_archive(tmp_path: Path) -> None:
    words = np.array(["cat", "ant", "bee"])[LABELS]
    for labels in (words, words.astype(bytes)):
        found = scanned(Source.ARCHIVE, written(tmp_path, {"x": IMAGES, "y": labels}), None).found()
        assert found.classes == ("ant", "bee", "cat")
        assert found.labels[Subset.TRAIN][:3].tolist() == [2, 0, 1]
    for names in (np.array(["p", "q", "r"]), np.array([b"p", b"q", b"r"])):
        named = {"x": IMAGES, "y": LABELS * 5, "class_names": names}
        found = scanned(Source.ARCHIVE, written(tmp_path, named), None).found()
        assert found.classes == ("p", "q", "r")
        assert found.labels[Subset.TRAIN].tolist() == LABELS.tolist()


def test_words_that_are_labels_name_themselves_in_whatever_order_they_are_listed(tmp_path: Path) -> None:
    words = np.array(["cat", "ant", "bee"])[LABELS]
    named = {"x": IMAGES, "y": words, "class_names": np.array(["bee", "cat", "ant"])}
    found = scanned(Source.ARCHIVE, written(tmp_path, named), None).found()
    assert found.classes == ("ant", "bee", "cat")
    assert found.labels[Subset.TRAIN][:3].tolist() == [2, 0, 1]


def test_an_array_that_changed_is_named(tmp_path: Path) -> None:
    before = own_data(Source.ARCHIVE, written(tmp_path, {"x": IMAGES, "y": LABELS}), None)
    after = own_data(Source.ARCHIVE, written(tmp_path, {"x": IMAGES, "y": np.roll(LABELS, 1)}), None)
    assert changes_since(before, after) == "1 changed (y)"
    again = own_data(Source.ARCHIVE, written(tmp_path, {"x": IMAGES, "y": LABELS}), None)
    assert again == before


def named(names: Any) -> Arrays:
    return {"x": IMAGES, "y": LABELS, "class_names": names}


REFUSED: dict[str, tuple[Callable[[], Arrays], str]] = {
    "other names": (lambda: {"pixels": IMAGES, "y": LABELS}, "does not hold training images with labels. .* it has pixels, y"),
    "two channels": (lambda: {"x": IMAGES[..., :2], "y": LABELS}, r"x has shape \(30, 8, 8, 2\)\. Expected \(N, H, W\)"),
    "flat": (lambda: {"x": IMAGES.reshape(30, -1), "y": LABELS}, r"x has shape \(30, 192\)"),
    "counts": (lambda: {"x": IMAGES, "y": LABELS[:9]}, "x has 30 images, but 9 labels"),
    "range": (lambda: {"x": IMAGES * 3.5, "y": LABELS}, "x has values from 0 to .* Expected 0 to 255"),
    "8 bits as 16": (lambda: {"x": IMAGES.astype(np.uint16), "y": LABELS}, "x has values of type uint16, but only up to 255. Save"),
    "black": (lambda: {"x": IMAGES[..., 0] * 0, "y": LABELS}, "read as 8 bits, all pixels of its training images are equal. Expected"),
    "words": (lambda: {"x": IMAGES.astype(str), "y": LABELS}, "x has values of type <U3. Expected numbers"),
    "objects": (lambda: {"x": np.array([1, "a"], object), "y": LABELS}, "x holds Python objects. Expected an array of numbers"),
    "fractions": (lambda: {"x": IMAGES, "y": LABELS + 0.5}, r"y has 0\.5 as a label\. Expected whole numbers below 2\*\*63, or words"),
    "no number": (lambda: {"x": IMAGES, "y": np.where(LABELS == 1, np.nan, LABELS)}, "y has nan as a label"),
    "infinite": (lambda: {"x": IMAGES, "y": np.where(LABELS == 1, np.inf, LABELS)}, "y has inf as a label"),
    "too large": (lambda: {"x": IMAGES, "y": LABELS * 1e300}, r"y has 1e\+300 as a label"),
    "unsigned": (lambda: {"x": IMAGES, "y": LABELS.astype(np.uint64) + 2**63}, "y has 9223372036854775808 as a label"),
    "complex labels": (lambda: {"x": IMAGES, "y": LABELS * 1j}, "y has shape .* of complex128. Expected one whole number an image"),
    "no pixels": (lambda: {"x": IMAGES[:, :0], "y": LABELS}, r"x has shape \(30, 0, 8, 3\)\. Expected"),
    "NaN": (lambda: {"x": one_pixel(np.nan), "y": LABELS}, r"x has pixels that are NaN or infinite, in 1 of 30 images: x\[3\]\. Write a"),
    "infinity": (lambda: {"x": one_pixel(np.inf), "y": LABELS}, r"x has pixels that are NaN or infinite, in 1 of 30 images: x\[3\]"),
    "one class": (lambda: {"x": IMAGES, "y": LABELS * 0}, "has only one class, 0. Expected two or more"),
    "one name": (lambda: named(np.array("p")), r"class_names has shape \(\)\. Expected one name for each class"),
    "two names": (lambda: named(np.array(["p", "q"])), "class_names has 2 names, but the training labels have 3 classes"),
    "names of other bytes": (lambda: named(np.array([b"\xff", b"p", b"q"])), "class_names has words that are not UTF-8"),
    "test class": (
        lambda: {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS + 1},
        "class 3 is in the test split, but not in the training images",
    ),
    "channels": (
        lambda: {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[..., 0], "y_test": LABELS},
        "its images have different numbers of channels: 1, 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_another_archive_is_refused_with_the_array(tmp_path: Path, name: str) -> None:
    make, said = REFUSED[name]
    with pytest.raises(DataError, match=rf"x\.npz: {said}"):
        own_data(Source.ARCHIVE, written(tmp_path, make()), None)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK"])
def test_what_is_not_an_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npz: is not a readable archive \(.*\)\. Expected the \.npz archive"):
        own_data(Source.ARCHIVE, tmp_path / "x.npz", None)


def test_an_archive_whose_bytes_were_damaged_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": IMAGES, "y": LABELS})
    content = bytearray(path.read_bytes())
    content[3000] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npz: x is damaged \(.*CRC.*\)"):
        own_data(Source.ARCHIVE, path, None)


def test_a_compressed_archive_whose_bytes_were_damaged_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=IMAGES, y=LABELS)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[60:3000] = b"\xff" * 2940
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npz: x is damaged \(.*\)\. Write the archive again\."):
        own_data(Source.ARCHIVE, tmp_path / "x.npz", None)


@pytest.mark.parametrize(("at", "value", "said"), [(6, 1, "encrypted"), (8, 99, "compression")])
def test_an_archive_of_another_kind_of_zip_is_refused(tmp_path: Path, at: int, value: int, said: str) -> None:
    """Bit 0 of a member's flags says that it is encrypted; 99 is a compression that is not known."""
    path = written(tmp_path, {"x": IMAGES, "y": LABELS})
    content = bytearray(path.read_bytes())
    for start, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):  # of each member, its own header and the directory's
        position = content.find(start)
        while position >= 0:
            content[position + at + shift] |= value
            position = content.find(start, position + 1)
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=rf"x\.npz: x cannot be read \(.*{said}.*\)\. Write the archive with numpy\.savez"
    ):
        own_data(Source.ARCHIVE, path, None)
