"""What ``data`` of a space file may say: the images, and how training sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from qpsearch.errors import own_hint
from qpsearch.registry.augmentations import AUGMENTATIONS, Padding
from qpsearch.registry.datasets import DATASETS, Normalisation
from qpsearch.registry.own.record import OwnData
from qpsearch.space.schema.fields import AugmentField, LeafField, SectionField, field_of
from qpsearch.space.schema.value_types import (
    AUTO,
    CountOrShare,
    FilePath,
    Flag,
    Integer,
    OneOf,
    Optional,
    OrLeftOut,
    Words,
)
from qpsearch.vocabulary import Scalar

OWN: Final = "own"  # of ``validation``: the set's own split
USED: Final = "used"  # of an augmentation: whether it is on
PLACES: Final = ("folder", "archive")  # of images of the user's own


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about images of the user's own, as one line of JSON."""

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return "the line that qpsearch has written"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return {"type": "string"}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check a line of facts."""
        try:
            OwnData.from_text(str(value))
        except ValueError:
            raise ValueError(f"is not {self.expected}. Remove it: the facts are found anew.") from None
        return str(value)


DATASET: Final = Words("data set", list(DATASETS), own_hint("data set"))


SWITCH: Final = LeafField(type=Flag(), default=True, doc="Whether the augmentation is used.")


def _options() -> str:
    """Name the options of every augmentation, with their defaults."""
    given = {
        kind: ", ".join(f"{name} {option.default:g}" for name, option in each.options.items())
        for kind, each in AUGMENTATIONS.items()
    }
    return "; ".join(f"{kind} {options}" for kind, options in given.items() if options)


DATA: Final = SectionField(
    doc="The data set and how training sees it.",
    one_of=("dataset", *PLACES),
    fields={
        "dataset": LeafField(
            type=OrLeftOut(DATASET),
            default=None,
            doc="Name of the data set; or folder or archive.",
            fixed=True,
        ),
        "validation": LeafField(
            type=OrLeftOut(CountOrShare(OWN)),
            default=None,
            doc="Images held out from the training split, stratified by label, on which trials are scored: how many, "
            "or their share of the split, rounded to the nearest image (halves down). 0 trains on all images; trials "
            "are then scored by their training loss (objective: {minimize: train_loss}). own is the set's own "
            "validation split, and the default where there is one.",
            fixed=True,
        ),
        "augment": AugmentField(
            branches={
                kind: SectionField(
                    fields={USED: SWITCH, **{name: field_of(option) for name, option in each.options.items()}}
                )
                for kind, each in AUGMENTATIONS.items()
            },
            doc="Random changes of training images, in whatever order they are listed: "
            f"{'; '.join(f'{kind} {each.doc}' for kind, each in AUGMENTATIONS.items())}. Options stand with their "
            f"augmentation, as in {{mixup: {{alpha: 0.2}}}}: {_options()}. All of it may be searched: an "
            "option; whether an augmentation is used, {cutout: {used: {choice: [true, false]}}}; or the whole list, "
            "{choice: {light: [flip], strong: [flip, crop]}}.",
        ),
        "padding": LeafField(
            type=OneOf(Padding),
            default="mean",
            doc="What crops bring in at the edges: mean, by which images are normalised; black, pixels of 0 before "
            "images are normalised, as torchvision's crops do.",
            rule="Q18",
            fixed=True,
        ),
        "normalise": LeafField(
            type=OneOf(Normalisation),
            default="dataset",
            doc="Whose mean and standard deviation images are normalised by: the data set's own, or ImageNet's.",
            rule="Q18",
            fixed=True,
        ),
        "folder": LeafField(
            type=OrLeftOut(FilePath("a folder with one folder of images for each class")),
            default=None,
            doc="In place of dataset: a folder of images of your own, with one folder for each class, or train with "
            "val or test beside it. A relative path begins at the space file.",
            fixed=True,
        ),
        "archive": LeafField(
            type=OrLeftOut(FilePath("an .npz archive of images and labels")),
            default=None,
            doc="In place of dataset: an .npz archive of arrays of your own, such as train_images and train_labels, "
            "x_train and y_train, or images and labels.",
            fixed=True,
        ),
        "size": LeafField(
            type=OrLeftOut(Integer(4, 2048)),
            default=None,
            doc="Height and width in pixels as the network sees an image of your own; the default is that of the "
            "images, where all have the same. Others are resized and cut.",
            fixed=True,
        ),
        "stream": LeafField(
            type=Optional(AUTO, Flag()),
            default=AUTO,
            doc="Whether the images of a folder are decoded anew in each epoch, while networks train, by as many "
            "processes as a trial has CPUs; else they are decoded once and kept as arrays. Results are the same. auto "
            "keeps arrays where they take at most 100 GiB and half of the free disk.",
            fixed=True,
        ),
        "facts": LeafField(
            type=OrLeftOut(Facts()),
            default=None,
            doc="What was found out about images of your own. Written by qpsearch, with each study.",
            fixed=True,
        ),
    },
)


def outdated(given: Mapping[str, Any]) -> set[str]:
    """Return which keys of ``data`` do not hold any more where values take the place of others.

    The facts are those of the images that they were found of, at one size; images of a data set of qpsearch's own are
    not resized; and only a folder is streamed.

    Args:
        given: The values, by key.
    """
    others = {key for key in DATA.one_of if key not in given} if any(key in given for key in DATA.one_of) else set()
    facts = {"facts"} if others or "size" in given else set()
    size = {"size"} if given.get("dataset") in DATASETS else set()
    stream = {"stream"} if "folder" in others else set()
    return (others | facts | size | stream) - set(given)


def add_dataset(name: str) -> None:
    """Let space files use a data set that code of the user's own makes."""
    DATASET.words.append(name)
