"""Which images a folder holds, of which split and class: by the names of folders alone, no file is opened.

Two layouts: one folder for each class; or ``train`` with ``val`` or ``test`` (or both) beside it, each with one folder
for each class. Tiny-ImageNet's ``val_annotations.txt`` is known, too. Nothing is left out in silence: what is neither
an image nor clearly meant to be passed over is a problem; so is a split where it would be taken for a class.
"""

import os
import unicodedata
from collections import defaultdict
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


ENDINGS: Final = (".jpg", ".jpeg", ".jfif", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
OTHERS: Final = (".avif", ".heic", ".heif", ".jp2", ".jxl", ".psd", ".svg", ".tga")  # formats that are not read
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
ACCENTS: Final = "how accents are encoded (Unicode NFC or NFD)"
Faults = dict[str, list[str]]  # what is wrong, a sentence or two each, by its kind


@dataclass(frozen=True, slots=True)
class Picture(WithWords):
    """An image file: its path below the folder, its split, and the name of its class."""

    path: str
    part: Subset
    label: str


def pictures_in(root: Path) -> tuple[list[Picture], Faults]:
    """Return the images of a folder, and all that is wrong with the folder.

    Images are in the order of split, class and path, by the order of their letters.
    """
    faults: Faults = defaultdict(list)
    classes: dict[Subset, set[str]] = defaultdict(set)
    found = sorted(
        _found(root, classes, faults), key=lambda each: (list(Subset).index(each.part), each.label, each.path)
    )
    _check_classes(root, classes, faults)
    return found, dict(faults)


def _found(root: Path, classes: dict[Subset, set[str]], faults: Faults) -> Iterator[Picture]:
    folders = _folders(root, faults)
    splits: dict[Subset, Path] = {}
    for folder in folders:
        part = NAMES.get(folder.name.lower())
        if part in splits:
            text = f"{folder}: is a second {part} split, beside {splits[part].name}. Keep one of them."
            faults["splits"].append(text)
        elif part is not None:
            splits[part] = folder
    if Subset.TRAIN not in splits:
        if splits:
            faults["splits"].append(_without_train(root, [path.name for path in splits.values()], len(folders)))
            return
        splits = {Subset.TRAIN: root}
    annotations = splits.get(Subset.VALIDATION, root) / ANNOTATIONS
    if annotations.is_file():
        for each in _tiny_imagenet(root, annotations, faults):
            classes[each.part].add(each.label)
            yield each
        splits = {Subset.TRAIN: splits[Subset.TRAIN]}  # its test images have no labels
    for part, folder in splits.items():
        yield from _classes(root, folder, part, classes[part], faults)


def _without_train(root: Path, splits: list[str], folders: int) -> str:
    names = ", ".join(splits)
    if len(splits) == folders:
        return f"{root}: has {names}, but no folder train."
    return f"{root}: has {names} beside class folders, but no folder train. Move the class folders into train."


def _classes(root: Path, folder: Path, part: Subset, names: set[str], faults: Faults) -> Iterator[Picture]:
    """Yield the images of a split: one folder for each class."""
    loose = [entry.name for entry in _entries(folder, faults) if entry.name.lower().endswith((*ENDINGS, *OTHERS))]
    if loose:
        more = f" and {len(loose) - 1} more" if len(loose) > 1 else ""
        text = f"{folder / loose[0]}{more}: not in a class folder. Put each image into the folder of its class."
        faults["loose images"].append(text)
    folders = _folders(folder, faults)
    if not folders and not loose:
        text = f"{folder}: does not have class folders. Expected one folder for each class, with its images."
        faults["missing classes"].append(text)
    for own in folders:
        names.add(own.name)
        before, count = _count(faults), 0
        for path in _files(own, faults, (os.path.realpath(own),)):
            yield Picture(path.removeprefix(f"{root}{os.sep}").replace(os.sep, "/"), part, own.name)
            count += 1
        if not count and _count(faults) == before:
            text = f"{own}: is a class folder without images. Put images into it, or remove it."
            faults["empty classes"].append(text)


def _count(faults: Faults) -> int:
    return sum(map(len, faults.values()))


def _files(folder: Path, faults: Faults, above: tuple[str, ...]) -> Iterator[str]:
    """Yield the images of a class, those of folders in it too; links are followed, but not in a circle."""
    for entry in _entries(folder, faults):
        path = entry.path
        if _is(entry.is_dir):
            real = os.path.realpath(path)
            if real in above:
                faults["circular links"].append(f"{path}: is a link to a folder that holds it. Remove the link.")
            elif entry.name.lower() in NAMES:  # else the images of all splits would be trained on
                text = f"is a split inside the class folder {folder.name}. Expected {entry.name}/{folder.name}"
                faults["splits in classes"].append(f"{path}: {text}: the class folders inside the splits.")
            else:
                yield from _files(Path(path), faults, (*above, real))
        elif not _is(entry.is_file):
            what = "is a link that leads nowhere" if entry.is_symlink() else "is not a file"
            faults["broken links"].append(f"{path}: {what}. Remove it, or put the image there.")
        elif entry.name.lower().endswith(ENDINGS):
            yield path
        elif entry.name.lower().endswith(OTHERS):
            text = "is an image of a format that is not read. Convert it to PNG, or move it out of the class folder"
            faults["other formats"].append(f"{path}: {text}.")
        elif entry.name.lower() not in LITTER and not entry.name.endswith(BOXES):
            fix = "Move it out of the class folder, or, if it is an image, name it so (.png)"
            faults["other files"].append(f"{path}: is not named as an image file. {fix}.")


def _tiny_imagenet(root: Path, annotations: Path, faults: Faults) -> Iterator[Picture]:
    """Yield the images of ``val/images``, whose labels a file names: the test split, as papers use it."""
    try:
        lines = annotations.read_text(errors="replace").splitlines()
    except OSError as error:
        faults["unreadable places"].append(f"{annotations}: cannot be read ({error.strerror}).")
        return
    for number, line in enumerate(lines, 1):
        name, *rest = line.split("\t")
        path = annotations.parent / "images" / name
        if not rest or not path.is_file():
            text = f"{annotations}:{number}: names {path.name!r}, which is not in {path.parent}."
            faults["missing images"].append(text)
            continue
        yield Picture(path.relative_to(root).as_posix(), Subset.TEST, rest[0])


def _check_classes(root: Path, classes: dict[Subset, set[str]], faults: Faults) -> None:
    """Note what is wrong with the classes as a whole; without any in train, that is said elsewhere."""
    known = classes.get(Subset.TRAIN, set())
    if len(known) == 1:
        (only,) = known
        faults["one class"].append(
            f"{root}: has only one class, {only}. Expected two class folders or more; if {only} holds the class "
            "folders, name that folder."
        )
    written: dict[str, str] = {}
    for label in sorted(known):
        twin = written.setdefault(unicodedata.normalize("NFC", label), label)
        if twin != label:
            text = f"are two class folders of train, whose names differ only in {ACCENTS}. Put the images into one"
            faults["classes of one name"].append(f"{root}: {twin!a} and {label!a} {text}.")
    spelled = {_plain(label): label for label in known}
    for part, own in classes.items():
        for label in sorted(own - known if known else ()):
            fix = "Add training images, or remove it."
            if _plain(label) in spelled:
                twin = spelled[_plain(label)]
                fix = f"In train it is {twin}: the names differ in capital letters or {ACCENTS}. Rename one."
            faults["unknown classes"].append(f"{root}: class {label} is in the {part} split, but not in train. {fix}")


def _plain(label: str) -> str:
    """Return a name as others would write it too: without capital letters, accents in one form."""
    return unicodedata.normalize("NFC", label).casefold()


def _folders(folder: Path, faults: Faults) -> list[Path]:
    return [folder / entry.name for entry in _entries(folder, faults) if _is(entry.is_dir)]


def _entries(folder: Path, faults: Faults) -> list[os.DirEntry[str]]:
    """Return what is in a folder, by name; hidden files are passed over, such as ``.DS_Store``, and ``__MACOSX``."""
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".") and entry.name != "__MACOSX"]
    except OSError as error:
        _note(faults, "unreadable places", f"{folder}: cannot be read ({error.strerror}).")
        return []
    for entry in seen:
        if not _is_text(entry.name):
            _note(faults, "names of files", f"{entry.path!r}: its name is not UTF-8. Rename it.")
    return sorted((entry for entry in seen if _is_text(entry.name)), key=lambda entry: entry.name)


def _note(faults: Faults, kind: str, text: str) -> None:
    """Note what is wrong, once: the folder of the classes is looked into more than once."""
    if text not in faults[kind]:
        faults[kind].append(text)


def _is(kind: Callable[[], bool]) -> bool:
    """Whether an entry of a folder is of a kind; a link to itself is of none."""
    try:
        return kind()
    except OSError:
        return False


def _is_text(name: str) -> bool:
    return all(not "\ud800" <= letter <= "\udfff" for letter in name)  # what stands for other bytes
