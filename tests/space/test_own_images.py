"""Space files that name images of the user's own: what is found, where a problem stands, what is stored."""

from pathlib import Path

import numpy as np
import pytest

from qpsearch.errors import SpaceError
from qpsearch.registry.datasets import Data
from qpsearch.space import diff, edited, load_space, parse_space
from qpsearch.space.space import Space
from tests.registry.images import class_folders, picture
from tests.space.cases import GOOD

LINE = "data: {dataset: digits, validation: 300, augment: [crop]}"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten images of each of two classes."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path / "data"))
    return class_folders(tmp_path / "pets", 10)


def spelled(data: str) -> str:
    assert LINE in GOOD
    return GOOD.replace(LINE, f"data: {data}")


def written(folder: Path, data: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(spelled(data))
    return path


def read(folder: Path, data: str) -> Space:
    return load_space(written(folder, data))


def test_a_relative_path_begins_at_the_file_that_names_it(tmp_path: Path, root: Path) -> None:
    space = read(tmp_path, "{folder: pets, validation: 0.2}")
    assert (space.data.dataset, space.data.validation) == ("pets", 4)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "t.yaml").write_text("extends: ../s.yaml\nstudy: t\ndata: {validation: 6}\n")
    extended = load_space(tmp_path / "below" / "t.yaml")
    assert (extended.data.own, extended.data.validation) == (space.data.own, 6)
    assert parse_space(spelled("{folder: pets, validation: 4}"), folder=tmp_path).data == space.data
    assert read(tmp_path / "below", f"{{folder: {root}, validation: 4}}").data == space.data


def test_what_a_study_stores_needs_neither_the_folder_nor_the_file(tmp_path: Path, root: Path) -> None:
    space = read(tmp_path, "{folder: pets, validation: 4}")
    root.rename(tmp_path / "moved")
    again = parse_space(space.source)
    assert again.data == space.data
    assert diff(again, space) == []
    assert again.fingerprint == space.fingerprint
    assert parse_space(edited(space.source, {"data.validation": 6})).data.validation == 6
    moved = read(tmp_path, "{folder: moved, validation: 4}")
    assert moved.fingerprint == space.fingerprint  # the images count, not their place


def test_a_folder_of_the_command_line_takes_the_place_of_the_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = load_space("smoke", settings=["data.folder=pets", "data.validation=4"]).data
    assert (data.dataset, data.validation) == ("pets", 4)
    (tmp_path / "s.yaml").write_text(read(tmp_path, "{folder: pets, validation: 4}").source)
    assert load_space("s.yaml", settings=["data.dataset=digits", "data.validation=300"]).data.own is None


def test_class_names_of_any_letters_are_stored_as_they_are(tmp_path: Path) -> None:
    names = ["a  b", "it's", '"q"', "x: y #z", "- [1]", "ä漢", "%YAML", "l" * 150]
    class_folders(tmp_path / "odd", 4, names)
    space = read(tmp_path, "{folder: odd, validation: 8}")
    assert space.data.facts.names == tuple(sorted(names))
    assert parse_space(space.source).data == space.data
    assert parse_space(edited(space.source, {"training.epochs": 13})).data == space.data


def test_a_file_that_extends_another_may_have_other_images(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("extends: smoke\ndata: {folder: pets, validation: 4}\n")
    own = load_space(tmp_path / "s.yaml").data
    assert (own.dataset, own.validation) == ("pets", 4)
    (tmp_path / "t.yaml").write_text("extends: s.yaml\ndata: {dataset: digits, validation: 300}\n")
    assert load_space(tmp_path / "t.yaml").data.own is None


def other_images(folder: Path, data: str, *, is_set: bool) -> Data:
    """What becomes of a stored space of ``pets`` at 16 pixels where a file that extends it or settings say other data."""
    stored = read(folder, "{folder: pets, validation: 4, size: 16}").source
    (folder / "base.yaml").write_text(stored)
    if is_set:
        pairs = (pair.split(": ") for pair in data.strip("{}").split(", "))
        return load_space(folder / "base.yaml", settings=[f"data.{key}={value}" for key, value in pairs]).data
    (folder / "t.yaml").write_text(f"extends: base.yaml\nstudy: t\ndata: {data}\n")
    return load_space(folder / "t.yaml").data


@pytest.mark.parametrize("is_set", [False, True], ids=["extends", "set"])
def test_facts_do_not_outlive_the_images_and_the_size_that_they_are_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_set: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    class_folders(tmp_path / "cars", 20, "abc")
    cars = other_images(tmp_path, "{folder: cars}", is_set=is_set).own
    assert cars is not None
    assert (cars.name, cars.size, len(cars.classes), cars.train_images) == ("cars", 16, 3, 54)
    random = np.random.default_rng(0)
    np.savez("x.npz", images=random.integers(0, 256, (30, 8, 8), dtype=np.uint8), labels=np.arange(30) % 3)
    archive = other_images(tmp_path, "{archive: x.npz}", is_set=is_set).own
    assert archive is not None
    assert (archive.name, archive.channels, archive.train_images) == ("x", 1, 27)
    assert other_images(tmp_path, "{size: 6}", is_set=is_set).facts.size == 6
    named = other_images(tmp_path, "{dataset: digits, validation: 300}", is_set=is_set)
    assert (named.own, named.facts.size) == (None, 8)
    assert not named.stream
    with pytest.raises(SpaceError, match=r"data\.size: only images of your own are resized"):
        other_images(tmp_path, "{size: 6, dataset: digits}", is_set=is_set)


def test_how_images_are_read_is_no_part_of_what_a_study_means(tmp_path: Path) -> None:
    plain, *others = (
        read(tmp_path, f"{{folder: pets, validation: 4{stream}}}")
        for stream in ("", ", stream: auto", ", stream: true", ", stream: false")
    )
    assert [each.data.stream for each in (plain, *others)] == [None, None, True, False]
    for other in others:
        assert (diff(plain, other), other.fingerprint) == ([], plain.fingerprint)
        assert parse_space(other.source).data == other.data


def test_facts_go_with_a_folder_that_has_moved(tmp_path: Path, root: Path) -> None:
    """As in a file that was written by ``best --as-space``; what is there is compared before training."""
    stored = read(tmp_path, "{folder: pets, validation: 4}").source
    root.rename(tmp_path / "moved")
    (tmp_path / "s.yaml").write_text(stored.replace(f"folder: {root}", "folder: moved"))
    own = load_space(tmp_path / "s.yaml").data.own
    assert own is not None
    assert own.place == str(tmp_path / "moved")


def test_other_images_are_another_space(tmp_path: Path, root: Path) -> None:
    space = read(tmp_path, "{folder: pets, validation: 4}")
    picture(root / "a" / "more.png")
    (line,) = diff(space, read(tmp_path, "{folder: pets, validation: 4}"))
    assert line.startswith("data.images: ")
    sized = read(tmp_path, "{folder: pets, validation: 4, size: 7}")
    assert "data.size: 8 -> 7" in diff(space, sized)


def test_the_sets_own_validation_split_is_used_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("val", 4)):
        class_folders(tmp_path / "parts" / split, count)
    for data in ("{folder: parts}", "{folder: parts, validation: own}"):
        space = read(tmp_path, data)
        assert (space.data.validation, space.data.own_validation, space.data.trained_on) == (8, True, 10)
    held = read(tmp_path, "{folder: parts, validation: 2}")
    assert (held.data.validation, held.data.own_validation, held.data.trained_on) == (2, False, 8)
    assert diff(space, held) == ["data.validation: own -> 2"]


MISTAKES = {
    "{folder: gone, validation: 4}": "2:16: data.folder: {here}/gone: no such folder. A relative path begins at the space file.",
    "{folder: pets}": "2:7: data.validation: is missing. Expected a whole number from 0, or a share above 0 and below 1.",
    "{folder: pets, validation: own}": "2:34: data.validation: pets comes without a validation split. Expected a whole",
    "{folder: pets, validation: 12}": "2:34: data.validation: cannot take 12 of the 18 training images of pets. Expected 0",
    "{folder: pets, dataset: digits, validation: 4}": "2:22: data: has folder and dataset. Expected one of them.",
    "{validation: 4}": "2:7: data: expected one of the keys dataset, folder and archive.",
    "{folder: [pets], validation: 4}": "2:16: data.folder: a list cannot stand here. Expected the path of a folder with",
    "{folder: , validation: 4}": "2:8: data.folder: has no value. Expected the path of a folder with one folder of",
    "{foldr: pets, validation: 4}": "2:8: data: unknown key 'foldr'. Did you mean 'folder'?",
    "{dataset: digits, validation: 300, size: 16}": "2:48: data.size: only images of your own are resized. Remove it.",
    "{dataset: digits, validation: 300, stream: true}": "2:50: data.stream: only a folder of images can be streamed. "
    "Remove it, or write data.folder.",
    "{folder: pets, validation: 4, size: 3}": "2:43: data.size: 3 is not a whole number from 4 to 2048.",
    "{archive: pets, validation: 4}": "2:17: data.archive: {here}/pets: is not a file. Write data.folder for it.",
    "{dataset: digits, validation: 300, facts: x}": "2:49: data.facts: is not the line that qpsearch has written.",
}


@pytest.mark.parametrize("data", MISTAKES)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, data: str) -> None:
    path = written(tmp_path, data)
    with pytest.raises(SpaceError) as error:
        load_space(path)
    said = MISTAKES[data].replace("{here}", str(tmp_path))
    assert str(error.value).startswith(f"{path}:{said}")
    assert len(error.value.problems) == 1


def test_every_bad_image_is_a_line(tmp_path: Path, root: Path) -> None:
    (root / "a" / "1.png").write_bytes(b"")
    (root / "b" / "2.png").write_bytes(b"text")
    with pytest.raises(SpaceError) as error:
        read(tmp_path, "{folder: pets, validation: 4}")
    first, second = error.value.problems
    assert first.endswith("s.yaml:2:16: data.folder: " + f"{root}/a/1.png: is an empty file. Replace it, or remove it.")
    assert second.endswith("b/2.png: is not an image of a known format. Replace it, or remove it.")


def test_arms_share_their_images(tmp_path: Path) -> None:
    compare = "compare: {arms: {one: {network.stages.0.block: additive}, two: {network.stages.0.block: quotient}}}\n"
    path = written(tmp_path, "{folder: pets, validation: 4}")
    path.write_text(path.read_text().replace("trials: 40, ", "") + compare)
    space = load_space(path)
    assert space.compare is not None
    assert {arm.data for arm in space.compare.arms.values()} == {space.data}
