"""Facts about images of the user's own: found once, kept, and compared with what is there later."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qpsearch.errors import DataError
from qpsearch.registry.own import folder, found, pictures, places, record
from qpsearch.registry.own.decoding import prepare_own
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.places import changes_since, check_unchanged, own_data, scanned
from qpsearch.registry.own.record import OwnData, Source
from tests.registry.images import class_folders, picture


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the data sets."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_facts_of_one_folder_of_class_folders(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets", 10, "cab")
    facts = own_data(Source.FOLDER, root, None)
    assert (facts.name, facts.classes, facts.channels) == ("pets", ("a", "b", "c"), 3)
    assert (facts.size, facts.stored_size, facts.side) == (8, 0, 8)
    assert (facts.train_images, facts.validation_images, facts.test_images) == (27, 0, 3)  # a tenth is held out
    assert facts.fewest == 9
    parts = found.split(scanned(Source.FOLDER, root, None).found())
    rows = parts[Subset.TRAIN][1]
    assert sorted([*rows, *parts[Subset.TEST][1]]) == list(range(30))
    pixels = np.stack([np.asarray(Image.open(root / "abc"[row // 10] / f"{row % 10}.png")) for row in rows]) / 255
    assert facts.mean == pytest.approx(pixels.mean((0, 1, 2)), abs=6e-5)
    assert facts.std == pytest.approx(pixels.std((0, 1, 2)), abs=6e-5)


def test_mean_and_deviation_are_those_of_the_training_images_alone(tmp_path: Path) -> None:
    for split, levels in (("train", (51, 102)), ("val", (255, 255)), ("test", (255, 255))):
        for label, level in zip("ab", levels, strict=True):
            picture(tmp_path / "x" / split / label / "1.png")
            Image.new("L", (8, 8), level).save(tmp_path / "x" / split / label / "1.png")
    facts = own_data(Source.FOLDER, tmp_path / "x", None)
    assert (facts.mean, facts.std) == ((0.3,), (0.1,))
    assert (facts.train_images, facts.validation_images, facts.test_images) == (2, 2, 2)


def test_a_colour_that_images_do_not_use_is_left_alone_and_images_of_equal_pixels_are_refused(tmp_path: Path) -> None:
    for path in class_folders(tmp_path / "x", 3).rglob("*.png"):
        Image.merge("RGB", (*Image.open(path).split()[:2], Image.new("L", (8, 8), 51))).save(path)
    facts = own_data(Source.FOLDER, tmp_path / "x", None)
    assert (facts.mean[2], facts.std[2]) == (0.2, 1.0)
    for path in (tmp_path / "x").rglob("*.png"):
        Image.new("RGB", (8, 8), (7, 7, 7)).save(path)
    with pytest.raises(DataError, match=r"x: read as 8 bits, all pixels of its .* Expected images that differ\.$"):
        own_data(Source.FOLDER, tmp_path / "x", None)


def test_images_of_16_bits_whose_upper_8_are_equal_are_told_what_is_read(tmp_path: Path) -> None:
    for level, path in enumerate(class_folders(tmp_path / "x", 3, mode="L").rglob("*.png"), 1):
        Image.new("I;16", (8, 8), level).save(path)
    with pytest.raises(DataError, match=r"differ\. Of 16 bits the upper 8 count: stretch the values to 0 to 65535"):
        own_data(Source.FOLDER, tmp_path / "x", None)


def test_of_many_images_some_at_even_distances_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = class_folders(tmp_path / "x", 20)
    exact = own_data(Source.FOLDER, root, None)
    monkeypatch.setattr(found, "MEASURED", 18)
    some = found.facts_of(scanned(Source.FOLDER, root, None).found(), Source.FOLDER, root, "f", None)
    assert some.mean != exact.mean
    assert some.mean == pytest.approx(exact.mean, abs=0.05)


def test_grey_stays_grey_unless_one_image_has_colours(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "x", 5, mode="L")
    assert own_data(Source.FOLDER, root, None).channels == 1
    picture(root / "a" / "0.png")
    assert own_data(Source.FOLDER, root, None).channels == 3


def test_a_size_is_needed_where_images_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = class_folders(tmp_path / "x", 5)
    picture(root / "a" / "0.png", (12, 9))
    with monkeypatch.context() as patch:
        patch.setattr(folder, "pixels_of", lambda *given: pytest.fail("decoded, although only a size is missing"))
        with pytest.raises(
            DataError,
            match=r"x: its images have several sizes: 8x8 \(9\), 12x9 \(1\)\. Write data\.size, .* size: 8\.$",
        ):
            own_data(Source.FOLDER, root, None)
    facts = own_data(Source.FOLDER, root, 7)
    assert (facts.size, facts.stored_size) == (7, 8)  # 8/7 of what the network sees, to be cut
    whole = class_folders(tmp_path / "y", 5, size=(10, 6))
    with pytest.raises(DataError, match=r"its images are 10x6 pixels, and a network sees squares\. Write data\.size"):
        own_data(Source.FOLDER, whole, None)
    assert own_data(Source.FOLDER, class_folders(tmp_path / "z", 5), 8).stored_size == 0


def test_every_bad_image_is_named_and_how_many_more_there_are(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "x", 12)
    for index in range(12):
        (root / "b" / f"{index}.png").write_bytes(b"nothing")
    with pytest.raises(DataError) as error:
        own_data(Source.FOLDER, root, None)
    *lines, last = str(error.value).splitlines()
    assert lines[0] == f"{root}/b/0.png: is not an image of a known format. Replace it, or remove it."
    assert (len(lines), last) == (5, "and 7 more problems of this kind: unreadable images.")
    class_folders(root, 12)
    path = root / "a" / "3.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"a/3\.png: is truncated or damaged \(.*\)\. Replace it by a whole copy"):
        own_data(Source.FOLDER, root, None)


@pytest.mark.parametrize("is_kept", [False, True])
def test_all_problems_of_a_folder_are_one_message(tmp_path: Path, data: Path, is_kept: bool) -> None:
    root = class_folders(tmp_path / "x", 5)
    for split in ("train", "test"):
        class_folders(root / split, 8)
    for name in "ab":
        for path in sorted((root / name).iterdir()):
            path.unlink()
        (root / name).rmdir()
    if is_kept:
        own_data(Source.FOLDER, root, None)
    truncated = [root / "train/a/3.png", root / "test/b/4.png"]
    for path in truncated:
        path.write_bytes(path.read_bytes()[:-40])
    check = r"^\S+train/a/3.png: is truncated.*\n\S+test/b/4.png: is truncated[^\n]*$"
    with pytest.raises(DataError, match=check):
        own_data(Source.FOLDER, root, None)
    picture(root / "train/a/2.png", (12, 9))
    (root / "train/b/1.png").write_bytes(b"nothing")
    (root / "test/b/0.png").write_bytes(b"")
    (root / "train/a/notes.txt").touch()
    picture(root / "test/c/1.png")
    with pytest.raises(DataError) as error:
        own_data(Source.FOLDER, root, None)
    expected = (
        "train/a/notes.txt: is not named as an image file",
        "x: class c is in the test split, but not in train",
        "train/b/1.png: is not an image",
        "test/b/0.png: is an empty file",
        "x: its images have several sizes: 8x8 (29), 12x9 (1)",
        "train/a/3.png: is truncated",
        "test/b/4.png: is truncated",
    )
    lines = str(error.value).splitlines()
    assert [said in line for said, line in zip(expected, lines, strict=True)] == [True] * len(expected)
    with pytest.raises(DataError, match=r"notes\.txt"):
        scanned(Source.FOLDER, root, data / "own")


def test_of_many_images_some_are_decoded_to_find_damaged_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = class_folders(tmp_path / "x", 10)
    path = root / "a" / "0.png"
    path.write_bytes(path.read_bytes()[:-40])
    (root / "a" / "notes.txt").touch()
    monkeypatch.setattr(found, "MEASURED", 5)
    with pytest.raises(DataError, match=r"a/0\.png: is truncated.*\n.*x: 5 of 20 images were decoded to find damaged"):
        own_data(Source.FOLDER, root, None)


def test_too_few_images_to_hold_out_a_test_split(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "x", 5)
    class_folders(root, 2, "c")
    with pytest.raises(
        DataError, match=r"x: class c has 2 images\. Expected at least 3, since images of each class are held out"
    ):
        own_data(Source.FOLDER, root, None)


def test_files_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = class_folders(tmp_path / "x", 5)
    first = own_data(Source.FOLDER, root, None)
    read: list[bytes] = []
    monkeypatch.setattr(folder, "header_of", lambda content: read.append(content) or pictures.header_of(content))
    monkeypatch.setattr(folder, "pixels_of", lambda *given: pytest.fail("decoded again"))
    assert own_data(Source.FOLDER, root, None) == first
    assert not read
    os.utime(root / "a" / "1.png", (1, 1))
    assert own_data(Source.FOLDER, root, None) == first  # read again, and found equal
    assert len(read) == 1
    moved = root.rename(tmp_path / "moved")
    assert own_data(Source.FOLDER, moved, None) == replace(first, place=str(moved))


def test_files_of_one_size_and_time_that_change_places_are_noticed(tmp_path: Path) -> None:
    """Bitmaps of one shape have one size, and an archive may give all of them one time."""
    root = class_folders(tmp_path / "x", 5)
    for path in root.rglob("*.png"):
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
        os.utime(path.with_suffix(".bmp"), (1, 1))
    before = own_data(Source.FOLDER, root, None)
    first, second = root / "a" / "0.bmp", root / "b" / "0.bmp"
    assert first.stat().st_size == second.stat().st_size
    first.rename(tmp_path / "kept")
    second.rename(first)
    (tmp_path / "kept").rename(second)
    assert changes_since(before, own_data(Source.FOLDER, root, None)) == "2 changed (a/0.bmp, b/0.bmp)"


def test_what_changed_is_told(tmp_path: Path, data: Path) -> None:
    root = class_folders(tmp_path / "x", 5)
    before = own_data(Source.FOLDER, root, None)
    check_unchanged(before, scanned(Source.FOLDER, root, data / "own"), data / "own")
    (root / "a" / "0.png").unlink()
    picture(root / "b" / "new.png")
    picture(root / "b" / "1.png", mode="L")
    after = own_data(Source.FOLDER, root, None)
    told = "1 added (b/new.png); 1 removed (a/0.png); 1 changed (b/1.png)"
    assert changes_since(before, after) == told
    with pytest.raises(DataError) as error:
        check_unchanged(before, scanned(Source.FOLDER, root, data / "own"), data / "own")
    assert f"x: has changed since the study was made: {told}. Put the images back" in str(error.value)
    (root / "b" / "new.png").rename(root / "a" / "new.png")
    assert own_data(Source.FOLDER, root, None).fingerprint != after.fingerprint  # another label


def test_without_a_folder_for_data_sets_the_facts_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = class_folders(tmp_path / "x", 5)
    kept = own_data(Source.FOLDER, root, None)
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path / "nowhere"))
    assert own_data(Source.FOLDER, root, None) == kept
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("damage", ["", "{}", "[]", "null", '{"a/0.png": 3}'])
def test_a_damaged_note_is_made_anew(tmp_path: Path, data: Path, damage: str) -> None:
    root = class_folders(tmp_path / "x", 5)
    facts = own_data(Source.FOLDER, root, None)
    for path in (data / "own").iterdir():
        path.write_text(damage)
    assert own_data(Source.FOLDER, root, None) == facts


def test_facts_are_one_line_of_text_and_back(tmp_path: Path) -> None:
    facts = own_data(Source.FOLDER, class_folders(tmp_path / "ä 'x'", 5), None)
    assert OwnData.from_text(facts.to_text()) == facts
    given = json.loads(facts.to_text())
    for name, wrong in (("size", "8"), ("channels", True), ("classes", ["a"]), ("std", [0.0, 1.0, 1.0]), ("place", "")):
        with pytest.raises(ValueError, match=r"not the facts|JSON|Expecting"):
            OwnData.from_text(json.dumps(given | {name: wrong}))
    assert (
        OwnData.from_text(json.dumps({key: given[key] for key in given if key != "converted"})) == facts
    )  # an old line
    for text in ("", "[]", "{}", json.dumps(given | {"more": 1}), json.dumps(given | {"converted": "x"})):
        with pytest.raises(ValueError, match=r"not the facts|JSON|Expecting"):
            OwnData.from_text(text)


def deep(path: Path, brightest: int) -> None:
    """Write a grey image of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((np.arange(64, dtype=np.int64).reshape(8, 8) * brightest // 63).astype(np.uint16)).save(path)


def test_what_images_lose_is_told_with_their_names(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "x", 5)
    assert own_data(Source.FOLDER, root, None).converted == ()
    for index in range(3):
        picture(root / "a" / f"{index}.png", mode="L")
    Image.merge("LA", [Image.new("L", (8, 8), level) for level in (7, 0)]).save(root / "b" / "0.png")
    Image.merge("RGBA", [*Image.open(picture(root / "b" / "1.png")).split(), Image.new("L", (8, 8), 254)]).save(
        root / "b" / "1.png"
    )
    picture(root / "b" / "3.png", mode="RGBA")  # opaque everywhere
    deep(root / "b" / "2.png", 65_535)
    told = (
        "5 of 10 images are grey and are read as colour: a/0.png, a/1.png, a/2.png and 2 more",
        "2 of 10 images have a channel of transparency, which is dropped: b/0.png, b/1.png",
        "1 of 10 images has 16 bits, of which the upper 8 count: b/2.png",
    )
    for _ in range(2):  # found, then looked up
        assert own_data(Source.FOLDER, root, None).converted == told


def test_dark_images_of_16_bits_are_counted_one_by_one(tmp_path: Path) -> None:
    values = {"a/0": 4_095, "a/1": 32_767, "a/2": 32_768, "b/0": 65_535, "b/1": 255, "b/2": 900}
    for name, value in values.items():
        deep(tmp_path / "x" / f"{name}.png", value)
    assert own_data(Source.FOLDER, tmp_path / "x", None).converted == (
        "6 of 6 images have 16 bits, of which the upper 8 count: a/0.png, a/1.png, a/2.png and 3 more",
        "Read as 8 bits, 4 of 6 images of 16 bits are dark, their brightest pixels 0 to 127 of 255: "
        "b/1.png, b/2.png, a/0.png and 1 more. Where white is below 65535, stretch the values so that it is 65535",
    )
    for name in ("a/0", "a/1", "b/1"):
        deep(tmp_path / "x" / f"{name}.png", 60_000)
    assert (
        own_data(Source.FOLDER, tmp_path / "x", None)
        .converted[1]
        .startswith("Read as 8 bits, 1 of 6 images of 16 bits is dark, its brightest pixel 3 of 255: b/2.png. Where")
    )


@pytest.mark.parametrize(("source", "said"), [(Source.FOLDER, "no such folder"), (Source.ARCHIVE, "no such file")])
def test_a_place_that_is_not_there(tmp_path: Path, source: Source, said: str) -> None:
    with pytest.raises(DataError, match=rf"gone: {said}\. A relative path begins at the space file\."):
        own_data(source, tmp_path / "gone", None)


def test_a_place_of_the_other_kind(tmp_path: Path) -> None:
    (tmp_path / "x.npz").touch()
    with pytest.raises(DataError, match=r"x\.npz: is not a folder\. Write data\.archive for it\."):
        own_data(Source.FOLDER, tmp_path / "x.npz", None)
    with pytest.raises(DataError, match=r"is not a file\. Write data\.folder for it\."):
        own_data(Source.ARCHIVE, tmp_path, None)


@pytest.mark.parametrize("source", [Source.FOLDER, Source.ARCHIVE])
def test_a_place_that_may_not_be_looked_at(tmp_path: Path, data: Path, source: Source) -> None:
    facts = replace(own_data(Source.FOLDER, class_folders(tmp_path / "x", 5), None), source=source)
    (tmp_path / "circle").symlink_to("circle")
    for name, said in (("n" * 300, "File name too long"), ("circle", "Too many levels of symbolic links")):
        place = tmp_path / name
        with pytest.raises(DataError, match=rf"^{place}: cannot be looked at \({said}\)\.$"):
            own_data(source, place, None)
        with pytest.raises(DataError, match=rf"^{place}: cannot be looked at \({said}\)\.$"):
            prepare_own(replace(facts, place=str(place)), data)
    prepare_own(facts := own_data(Source.FOLDER, tmp_path / "x", None), data)
    prepare_own(replace(facts, source=source, place=str(tmp_path / "circle")), data)  # the arrays are kept


def test_what_another_decoder_left_is_not_used(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = class_folders(tmp_path / "x", 5)
    facts = own_data(Source.FOLDER, root, None)
    prepare_own(facts, data)
    before = {path.name for path in data.rglob("*") if path.is_dir() or path.name.startswith("facts-")}
    for module in (record, places):
        monkeypatch.setattr(module, "DECODER", 0)
    prepare_own(own_data(Source.FOLDER, root, None), data)
    after = {path.name for path in data.rglob("*") if path.is_dir() or path.name.startswith("facts-")}
    assert len(after - before) == 2
    assert {name.rpartition("-")[0] for name in after} == {name.rpartition("-")[0] for name in before}
