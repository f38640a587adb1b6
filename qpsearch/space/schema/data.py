"""What ``data`` of a space file may say: the images, and how training sees them."""

from typing import Final

from qpsearch.registry.augmentations import AUGMENTATIONS, Augmentation, Padding
from qpsearch.registry.datasets import DatasetName, Normalisation
from qpsearch.space.schema.fields import LeafField, ListField, SectionField
from qpsearch.space.schema.value_types import CountOrShare, OneOf


def _options() -> str:
    """Name the options of every augmentation, with their defaults."""
    given = {
        kind: ", ".join(f"{name} {option.default:g}" for name, option in each.options.items())
        for kind, each in AUGMENTATIONS.items()
    }
    return "; ".join(f"{kind} {options}" for kind, options in given.items() if options)


DATA: Final = SectionField(
    doc="The data set and how training sees it.",
    fields={
        "dataset": LeafField(type=OneOf(DatasetName, "data set"), doc="Name of the data set.", fixed=True),
        "validation": LeafField(
            type=CountOrShare(),
            doc="Images held out from the training split, stratified by label, on which trials are scored: how many, "
            "or their share of the split, rounded to the nearest image (halves down). 0 trains on all images; trials "
            "are then scored by their training loss (objective: {minimize: train_loss}).",
            fixed=True,
        ),
        "augment": ListField(
            type=OneOf(Augmentation, "augmentation"),
            doc="Random changes of training images, in whatever order they are listed: "
            f"{'; '.join(f'{kind} {each.doc}' for kind, each in AUGMENTATIONS.items())}. Options stand with their "
            f"augmentation, as in {{mixup: {{alpha: 0.2}}}}: {_options()}.",
            options={kind: each.options for kind, each in AUGMENTATIONS.items()},
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
    },
)
