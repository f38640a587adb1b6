"""Folders of images: what is found in which layout, and what is a problem; nothing is passed over in silence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qpsearch.registry.own.layout import Subset, pictures_in


def made(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def problems_in(root: Path) -> list[str]:
    return [problem for kind in pictures_in(root)[1].values() for problem in kind]


def test_one_folder_for_each_class(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        "dog/2.PNG",
        "dog/3.JFIF",
        "cat/x.jpeg",
        "cat/deep/er/y.webp",
        "cat/.hidden.png",
        ".git/a/b.png",
        "notes.txt",
    )
    made(root, "cat/Thumbs.db", "__MACOSX/cat/x.png")
    found, problems = pictures_in(root)
    assert problems == {}
    assert [(each.path, each.part, each.label) for each in found] == [
        ("cat/deep/er/y.webp", Subset.TRAIN, "cat"),
        ("cat/x.jpeg", Subset.TRAIN, "cat"),
        ("dog/2.PNG", Subset.TRAIN, "dog"),
        ("dog/3.JFIF", Subset.TRAIN, "dog"),
    ]


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "valid", "TEST"), ("training", "validation", "testing")]
)
def test_splits_by_their_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    made(tmp_path, *(f"{name}/{label}/1.png" for name in names for label in "ab"), "docs/readme.txt")
    found, problems = pictures_in(tmp_path)
    assert problems == {}
    assert [each.part for each in found] == [part for part in Subset for _ in "ab"]
    assert {each.label for each in found} == {"a", "b"}


def test_the_layout_of_tiny_imagenet(tmp_path: Path) -> None:
    """Its validation images are the test split, as papers use them; its test images have no labels."""
    made(tmp_path, "train/n1/images/n1_0.JPEG", "train/n2/images/n2_0.JPEG", "train/n1/n1_boxes.txt", "words.txt")
    made(tmp_path, "val/images/val_0.JPEG", "val/images/val_1.JPEG", "test/images/test_0.JPEG")
    (tmp_path / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn2\t0\t0\t9\t9\nval_1.JPEG\tn1\t0\t0\t9\t9\n")
    found, problems = pictures_in(tmp_path)
    assert problems == {}
    assert [(each.part, each.label) for each in found if each.part is not Subset.TRAIN] == [
        (Subset.TEST, "n1"),
        (Subset.TEST, "n2"),
    ]
    (tmp_path / "val" / "images" / "val_1.JPEG").unlink()
    (problem,) = problems_in(tmp_path)
    assert "val_annotations.txt:2: names 'val_1.JPEG', which is not in" in problem


def test_links_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    made(tmp_path / "elsewhere", "1.png")
    made(tmp_path / "data", "a/1.png")
    (tmp_path / "data" / "b").symlink_to(tmp_path / "elsewhere")
    found, problems = pictures_in(tmp_path / "data")
    assert ([each.path for each in found], problems) == (["a/1.png", "b/1.png"], {})
    (tmp_path / "data" / "a" / "again").symlink_to(tmp_path / "data" / "a")
    (problem,) = problems_in(tmp_path / "data")
    assert "a/again: is a link to a folder that holds it" in problem


PROBLEMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda root: None, "does not have class folders"),
    "images without class folders": (lambda root: made(root, "1.png", "2.png"), "1.png and 1 more: not in a class folder"),
    "an image beside class folders": (lambda root: made(root, "a/1.png", "b/1.png", "c.png"), "c.png: not in a class folder"),
    "an empty class folder": (lambda root: (root / "c").mkdir(), "c: is a class folder without images"),
    "one class": (lambda root: made(root, "images/1.png"), "has only one class, images. Expected two class folders or more"),
    "a file that is not an image": (lambda root: made(root, "a/1.png", "b/1.txt"), "b/1.txt: is not named as an image file. Move it out of the class folder, or, if it is"),
    "an image of another format": (lambda root: made(root, "a/1.png", "b/1.HEIC"), "b/1.HEIC: is an image of a format that is not read. Convert it to PNG, or move"),
    "an image of another format beside class folders": (lambda root: made(root, "a/1.png", "b/1.png", "c.tga"), "c.tga: not in a class folder"),
    "a broken link": (lambda root: (made(root, "a/1.png") / "a" / "2.png").symlink_to("gone"), "2.png: is a link that leads nowhere"),
    "a link to itself": (lambda root: (made(root, "a/1.png") / "a" / "2.png").symlink_to("2.png"), "2.png: is a link that leads nowhere"),
    "a name of other bytes": (lambda root: made(root, "a/1.png", "b/\udcff.png"), "its name is not UTF-8. Rename it."),
    "a class that train lacks": (
        lambda root: made(root, "train/a/1.png", "train/b/1.png", "test/c/1.png"),
        "class c is in the test split, but not in train",
    ),
    "a class that train has in other letters": (
        lambda root: made(root, "train/cat/1.png", "train/b/1.png", "test/Cat/1.png"),
        "class Cat is in the test split, but not in train. In train it is cat: the names differ in capital letters",
    ),
    "a name in two encodings": (lambda root: made(root, "\xe9/1.png", "e\u0301/1.png"), "two class folders of train, whose names differ only in how accents"),
    "no train": (lambda root: made(root, "val/a/1.png", "test/a/1.png"), "has test, val, but no folder train"),
    "a split beside classes": (
        lambda root: made(root, "a/1.png", "b/1.png", "test/a/2.png", "test/b/2.png"),
        "has test beside class folders, but no folder train. Move the class folders into train.",
    ),
    "another split beside classes": (lambda root: made(root, "a/1.png", "b/1.png", "Val/a/2.png"), "has Val beside class folders"),
    "splits in a class": (
        lambda root: made(root, "a/train/1.png", "b/train/1.png", "a/test/2.png", "b/test/2.png"),
        "b/test: is a split inside the class folder b. Expected test/b: the class folders inside the splits.",
    ),
    "a split twice": (lambda root: made(root, "train/a/1.png", "val/a/1.png", "valid/a/1.png"), "is a second validation split"),
    "a folder as an image": (lambda root: made(root, "a/1.png", "a/2.png/3.txt"), "3.txt: is not named as an image file"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_is_named_with_its_place(tmp_path: Path, name: str) -> None:
    make, said = PROBLEMS[name]
    make(tmp_path)
    problems = problems_in(tmp_path)
    assert any(said in problem for problem in problems), problems
    assert all(str(tmp_path) in problem for problem in problems)


def test_all_problems_are_found_at_once(tmp_path: Path) -> None:
    made(tmp_path, "train/a/1.png", "train/b/1.png", "train/b/x.txt", "train/b/y.txt", "test/c/1.png", "test/loose.png")
    (tmp_path / "train" / "c").mkdir()
    (tmp_path / "train" / "a" / "2.png").symlink_to("gone")
    found, faults = pictures_in(tmp_path)
    assert [each.path for each in found] == ["train/a/1.png", "train/b/1.png", "test/c/1.png"]
    counts = {"broken links": 1, "other files": 2, "empty classes": 1, "loose images": 1}
    assert {kind: len(problems) for kind, problems in faults.items()} == counts


def test_classes_that_differ_in_capital_letters_are_two(tmp_path: Path) -> None:
    found, problems = pictures_in(made(tmp_path, "a/1.png", "A/1.png"))
    assert ([each.label for each in found], problems) == (["A", "a"], {})
