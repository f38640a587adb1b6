"""Which images a folder holds, of which split and class: by the names of folders alone, no file is opened.

Two layouts: one folder for each class; or ``train`` with ``val`` or ``test`` (or both) beside it, each with one folder
for each class. Tiny-ImageNet's ``val_annotations.txt`` is known, too. Nothing is left out in silence: what is neither
an image nor clearly meant to be passed over is a problem; so is a split where it would be taken for a class.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from qpsearch.vocabulary import WithWords


class Subset(StrEnum):
    """A split of a data set."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


ENDINGS: Final = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
NAMES: Final = {
    "train": Subset.TRAIN,
    "training": Subset.TRAIN,
    "val": Subset.VALIDATION,
    "valid": Subset.VALIDATION,
    "validation": Subset.VALIDATION,
    "dev": Subset.VALIDATION,
    "test": Subset.TEST,
    "testing": Subset.TEST,
}
LITTER: Final = ("thumbs.db", "desktop.ini")  # what Windows leaves in folders of images
ANNOTATIONS: Final = "val_annotations.txt"  # Tiny-ImageNet's labels of val/images
BOXES: Final = "_boxes.txt"  # Tiny-ImageNet's, beside the images of each class


@dataclass(frozen=True, slots=True)
class Picture(WithWords):
    """An image file: its path below the folder, its split, and the name of its class."""

    path: str
    part: Subset
    label: str


def pictures_in(root: Path) -> tuple[list[Picture], list[str]]:
    """Return the images of a folder, and what is wrong with the folder, a sentence or two each.

    Images are in the order of split, class and path, by the order of their letters.
    """
    problems: list[str] = []
    found = sorted(_found(root, problems), key=lambda each: (list(Subset).index(each.part), each.label, each.path))
    if not problems:
        problems += _misplaced(root, found)
    return found, problems


def _found(root: Path, problems: list[str]) -> Iterator[Picture]:
    folders = _folders(root, problems)
    splits: dict[Subset, Path] = {}
    for folder in folders:
        part = NAMES.get(folder.name.lower())
        if part in splits:
            problems.append(f"{folder}: is a second {part} split, beside {splits[part].name}. Keep one of them.")
        elif part is not None:
            splits[part] = folder
    if Subset.TRAIN not in splits:
        if splits:
            problems.append(_without_train(root, [path.name for path in splits.values()], len(folders)))
            return
        splits = {Subset.TRAIN: root}
    annotations = splits.get(Subset.VALIDATION, root) / ANNOTATIONS
    if annotations.is_file():
        yield from _tiny_imagenet(root, annotations, problems)
        splits = {Subset.TRAIN: splits[Subset.TRAIN]}  # its test images have no labels
    for part, folder in splits.items():
        yield from _classes(root, folder, part, problems)


def _without_train(root: Path, splits: list[str], folders: int) -> str:
    names = ", ".join(splits)
    if len(splits) == folders:
        return f"{root}: has {names}, but no folder train."
    return f"{root}: has {names} beside class folders, but no folder train. Move the class folders into train."


def _classes(root: Path, folder: Path, part: Subset, problems: list[str]) -> Iterator[Picture]:
    """Yield the images of a split: one folder for each class."""
    loose = [entry.name for entry in _entries(folder, problems) if entry.name.lower().endswith(ENDINGS)]
    if loose:
        more = f" and {len(loose) - 1} more" if len(loose) > 1 else ""
        problems.append(
            f"{folder / loose[0]}{more}: not in a class folder. Put each image into the folder of its class."
        )
    folders = _folders(folder, problems)
    if not folders and not loose:
        problems.append(f"{folder}: does not have class folders. Expected one folder for each class, with its images.")
    for own in folders:
        before, count = len(problems), 0
        for path in _files(own, problems, (os.path.realpath(own),)):
            yield Picture(path.removeprefix(f"{root}{os.sep}").replace(os.sep, "/"), part, own.name)
            count += 1
        if not count and len(problems) == before:
            problems.append(f"{own}: is a class folder without images. Put images into it, or remove it.")


def _files(folder: Path, problems: list[str], above: tuple[str, ...]) -> Iterator[str]:
    """Yield the images of a class, those of folders in it too; links are followed, but not in a circle."""
    for entry in _entries(folder, problems):
        path = entry.path
        if _is(entry.is_dir):
            real = os.path.realpath(path)
            if real in above:
                problems.append(f"{path}: is a link to a folder that holds it. Remove the link.")
            elif entry.name.lower() in NAMES:  # else the images of all splits would be trained on
                text = f"is a split inside the class folder {folder.name}. Expected {entry.name}/{folder.name}"
                problems.append(f"{path}: {text}: the class folders inside the splits.")
            else:
                yield from _files(Path(path), problems, (*above, real))
        elif not _is(entry.is_file):
            what = "is a link that leads nowhere" if entry.is_symlink() else "is not a file"
            problems.append(f"{path}: {what}. Remove it, or put the image there.")
        elif entry.name.lower().endswith(ENDINGS):
            yield path
        elif entry.name.lower() not in LITTER and not entry.name.endswith(BOXES):
            problems.append(f"{path}: is not an image file. Move it out of the class folder.")


def _tiny_imagenet(root: Path, annotations: Path, problems: list[str]) -> Iterator[Picture]:
    """Yield the images of ``val/images``, whose labels a file names: the test split, as papers use it."""
    try:
        lines = annotations.read_text(errors="replace").splitlines()
    except OSError as error:
        problems.append(f"{annotations}: cannot be read ({error.strerror}).")
        return
    for number, line in enumerate(lines, 1):
        name, *rest = line.split("\t")
        path = annotations.parent / "images" / name
        if not rest or not path.is_file():
            problems.append(f"{annotations}:{number}: names {path.name!r}, which is not in {path.parent}.")
            continue
        yield Picture(path.relative_to(root).as_posix(), Subset.TEST, rest[0])


def _misplaced(root: Path, found: list[Picture]) -> Iterator[str]:
    """Yield what is wrong with the classes as a whole."""
    classes: dict[Subset, set[str]] = {}
    for each in found:
        classes.setdefault(each.part, set()).add(each.label)
    known = classes.get(Subset.TRAIN, set())
    if len(known) == 1:
        (only,) = known
        yield (
            f"{root}: has only one class, {only}. Expected two class folders or more; if {only} holds the class "
            "folders, name that folder."
        )
    for part, own in classes.items():
        for label in sorted(own - known):
            yield f"{root}: class {label} is in the {part} split, but not in train. Add training images, or remove it."


def _folders(folder: Path, problems: list[str]) -> list[Path]:
    return [folder / entry.name for entry in _entries(folder, problems) if _is(entry.is_dir)]


def _entries(folder: Path, problems: list[str]) -> list[os.DirEntry[str]]:
    """Return what is in a folder, by name; hidden files are passed over, such as ``.DS_Store``, and ``__MACOSX``."""
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".") and entry.name != "__MACOSX"]
    except OSError as error:
        problems.append(f"{folder}: cannot be read ({error.strerror}).")
        return []
    for entry in seen:
        if not _is_text(entry.name):
            problems.append(f"{entry.path!r}: its name is not UTF-8. Rename it.")
    return sorted((entry for entry in seen if _is_text(entry.name)), key=lambda entry: entry.name)


def _is(kind: Callable[[], bool]) -> bool:
    """Whether an entry of a folder is of a kind; a link to itself is of none."""
    try:
        return kind()
    except OSError:
        return False


def _is_text(name: str) -> bool:
    return all(not "\ud800" <= letter <= "\udfff" for letter in name)  # what stands for other bytes
