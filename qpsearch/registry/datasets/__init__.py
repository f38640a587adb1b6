"""The data sets that a space file may name, and which of their images a network is trained on.

The facts about a data set are fixed, so that a network can be built without loading it. A new data set is a module
here, with its ``MEMBERS``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from qpsearch.registry.augmentations import AUGMENTATIONS, AugmentOptions, Padding
from qpsearch.registry.datasets.base import IMAGENET_MEAN, IMAGENET_STD, DatasetFacts
from qpsearch.registry.members import known, members
from qpsearch.registry.own.record import PEAK, OwnData
from qpsearch.vocabulary import WithWords, coerce_words

DATASETS: Final = members(__name__, DatasetFacts)


class Normalisation(StrEnum):
    """Whose mean and standard deviation images are normalised by: the data set's own, or ImageNet's."""

    DATASET = "dataset"
    IMAGENET = "imagenet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(WithWords):
    """The images that a network is trained on, and those that it is validated on.

    Attributes:
        dataset: The data set; of images of the user's own, the name of their folder or archive.
        validation: Number of images on which trials are scored: held out from the training split, stratified by label,
            or the size of the set's own validation split.
        augment: Random changes of training images.
        padding: What crops bring in at the edges.
        normalise: Whose mean and standard deviation images are normalised by.
        augment_options: Options of the random changes that differ from their defaults.
        own_validation: Whether the validation images are the set's own validation split.
        own: The facts about images of the user's own; None for a data set of the table.
        share: Share of the training images that are trained on, stratified by label; below 1 at levels of fidelity.
        stream: Whether the images of a folder of the user's own are decoded while a network trains; None for where
            arrays of them take too much room. Results are the same.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # the name and form that pydantic looks for

    dataset: str
    validation: int
    augment: tuple[str, ...] = ()
    padding: Padding = Padding.MEAN
    normalise: Normalisation = Normalisation.DATASET
    augment_options: AugmentOptions = ()
    own_validation: bool = False
    own: OwnData | None = None
    share: float = 1.0
    stream: bool | None = None

    def __post_init__(self) -> None:
        coerce_words(self)
        if self.own is None:
            known(DATASETS, self.dataset, "Data.dataset")
        words = tuple(known(AUGMENTATIONS, word, "Data.augment") for word in self.augment)
        object.__setattr__(self, "augment", words)

    @property
    def facts(self) -> DatasetFacts:
        """The facts about the data set, whether it is in the table or the user's own."""
        own = self.own
        if own is None:
            return DATASETS[self.dataset]
        return DatasetFacts(
            name=own.name,
            channels=own.channels,
            size=own.size,
            stored_size=own.stored_size,
            classes=len(own.classes),
            train_images=own.train_images,
            validation_images=own.validation_images,
            test_images=own.test_images,
            peak=PEAK,
            mean=own.mean,
            std=own.std,
            names=own.classes,
        )

    @property
    def trained_on(self) -> int:
        """Number of images that networks are trained on."""
        whole = self.facts.train_images - (0 if self.own_validation else self.validation)
        return round(self.share * whole)

    @property
    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel, after division by the data set's ``peak``."""
        if self.normalise is Normalisation.IMAGENET:
            return IMAGENET_MEAN, IMAGENET_STD
        facts = self.facts
        return facts.mean, facts.std
