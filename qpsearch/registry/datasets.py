"""The data sets that a space file may name: the facts about each, and where its images come from.

The facts are fixed, so that a network can be built without loading a data set.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.registry.augmentations import Augmentation, AugmentOptions, Padding
from qpsearch.registry.class_names import (
    CIFAR10_NAMES,
    CIFAR100_NAMES,
    EUROSAT_NAMES,
    FASHION_NAMES,
    GALAXY10_NAMES,
    NUMERALS,
    STL10_NAMES,
)
from qpsearch.registry.large import write_galaxy10, write_imagenet
from qpsearch.registry.own.record import PEAK, OwnData
from qpsearch.registry.splits import SPLIT_SEED, stratified
from qpsearch.vocabulary import WithWords, as_member, coerce_words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class DatasetName(StrEnum):
    """Data sets that qpsearch can prepare and load."""

    DIGITS = "digits"
    CIFAR10 = "cifar10"
    CIFAR100 = "cifar100"
    SVHN = "svhn"
    GALAXY10 = "galaxy10"
    IMAGENET = "imagenet"
    MNIST = "mnist"
    FASHION_MNIST = "fashion_mnist"
    STL10 = "stl10"
    EUROSAT = "eurosat"


class Normalisation(StrEnum):
    """Whose mean and standard deviation images are normalised by: the data set's own, or ImageNet's."""

    DATASET = "dataset"
    IMAGENET = "imagenet"


@dataclass(frozen=True, slots=True)
class Arrays:
    """A whole data set: images (N, H, W, C) uint8, labels (N,)."""

    train_images: "npt.NDArray[np.uint8]"
    train_labels: "npt.NDArray[Any]"
    test_images: "npt.NDArray[np.uint8]"
    test_labels: "npt.NDArray[Any]"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFacts:
    """The fixed facts about a data set, so that a network can be built without loading the images.

    Attributes:
        channels: Image channels.
        size: Height and width in pixels, as the network sees an image.
        stored_size: Height and width of stored images, where larger; training cuts out a random part, else the centre.
        classes: Number of labels.
        train_images: Size of the official training split, from which validation images are taken.
        validation_images: Size of the validation split that the set comes with; 0 where it comes without one.
        test_images: Size of the test split.
        peak: Largest pixel value; images are divided by it before normalisation.
        mean: Per-channel mean of the training images after division by ``peak``; for GALAXY10 the mean of ImageNet.
        std: Per-channel standard deviation after division by ``peak``; for GALAXY10 that of ImageNet.
        names: The names of the classes, by label; empty where they are not known.
        read: Returns the whole set, from downloads in a folder; missing downloads are fetched. None for a set that does
            not fit into memory.
        write: For such a large set, writes an ``.npy`` file for each field of ``Arrays`` into an empty folder, from
            downloads in another folder.
        bundled: Whether the set comes with a package that qpsearch depends on, so that a data folder is not needed.
    """

    channels: int
    size: int
    classes: int
    train_images: int
    test_images: int
    peak: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    stored_size: int = 0
    validation_images: int = 0
    names: tuple[str, ...] = ()
    read: Callable[[Path], Arrays] | None = None
    write: Callable[[Path, Path], None] | None = None
    bundled: bool = False


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
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # the name and form that pydantic looks for

    dataset: DatasetName | str
    validation: int
    augment: tuple[Augmentation, ...] = ()
    padding: Padding = Padding.MEAN
    normalise: Normalisation = Normalisation.DATASET
    augment_options: AugmentOptions = ()
    own_validation: bool = False
    own: OwnData | None = None
    share: float = 1.0

    def __post_init__(self) -> None:
        coerce_words(self)
        if self.own is None:
            object.__setattr__(self, "dataset", as_member(DatasetName, self.dataset, "Data.dataset"))

    @property
    def facts(self) -> DatasetFacts:
        """The facts about the data set, whether it is in the table or the user's own."""
        own = self.own
        if own is None:
            return DATASETS[DatasetName(self.dataset)]
        return DatasetFacts(
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


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _digits(folder: Path) -> Arrays:
    """1,797 handwritten digits, 8x8, 17 grey levels; 300 of them, stratified, are the test split."""
    import numpy as np

    rows = np.loadtxt(_file_of_digits(), np.uint8, delimiter=",")  # 64 grey levels and the label
    images, labels = rows[:, :-1].reshape(-1, 8, 8, 1), rows[:, -1]
    train, test = stratified(labels, DATASETS[DatasetName.DIGITS].test_images, SPLIT_SEED)
    return Arrays(images[train], labels[train], images[test], labels[test])


def _file_of_digits() -> Path:
    """Return scikit-learn's file of digits, without importing scikit-learn: a worker would wait for a second or two."""
    found = find_spec("sklearn")
    assert found is not None  # it is installed with us
    assert found.origin is not None
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"


def _cifar(name: str, folder: Path) -> Arrays:
    import numpy as np
    from torchvision import datasets

    train, test = (getattr(datasets, name)(root=str(folder), train=train, download=True) for train in (True, False))
    labels = [np.asarray(part.targets, np.uint8) for part in (train, test)]
    return Arrays(np.asarray(train.data, np.uint8), labels[0], np.asarray(test.data, np.uint8), labels[1])


def _with_splits(name: str, folder: Path) -> Arrays:
    """SVHN and STL-10: their train split alone, without extra or unlabelled images."""
    import numpy as np
    from torchvision import datasets

    train, test = (getattr(datasets, name)(root=str(folder), split=split, download=True) for split in ("train", "test"))
    images = [np.ascontiguousarray(part.data.transpose(0, 2, 3, 1)) for part in (train, test)]
    labels = [np.asarray(part.labels, np.uint8) for part in (train, test)]
    return Arrays(images[0], labels[0], images[1], labels[1])


def _mnist(name: str, folder: Path) -> Arrays:
    import numpy as np
    from torchvision import datasets

    parts = [getattr(datasets, name)(root=str(folder), train=train, download=True) for train in (True, False)]
    images = [np.asarray(part.data, np.uint8)[..., None] for part in parts]
    labels = [np.asarray(part.targets, np.uint8) for part in parts]
    return Arrays(images[0], labels[0], images[1], labels[1])


def _eurosat(folder: Path) -> Arrays:
    """EuroSAT does not define a test split: we take a tenth, stratified, always the same images."""
    import numpy as np
    from torchvision import datasets

    found = datasets.EuroSAT(root=str(folder), download=True)
    images = np.stack([np.asarray(found.loader(path), np.uint8) for path, _ in found.samples])
    labels = np.asarray(found.targets, np.uint8)
    train, test = map(np.sort, stratified(labels, DATASETS[DatasetName.EUROSAT].test_images, SPLIT_SEED))
    return Arrays(images[train], labels[train], images[test], labels[test])


def _imagenet(folder: Path, place: Path) -> None:
    facts = DATASETS[DatasetName.IMAGENET]
    write_imagenet(folder, place, facts.stored_size, {"train": facts.train_images, "val": facts.test_images})


DATASETS: Final[dict[DatasetName, DatasetFacts]] = {
    DatasetName.DIGITS: DatasetFacts(
        channels=1,
        size=8,
        classes=10,
        train_images=1497,
        test_images=300,
        peak=16,
        mean=(0.3053,),
        std=(0.3760,),
        names=NUMERALS,
        read=_digits,
        bundled=True,  # scikit-learn's
    ),
    DatasetName.CIFAR10: DatasetFacts(
        channels=3,
        size=32,
        classes=10,
        train_images=50_000,
        test_images=10_000,
        peak=255,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        names=CIFAR10_NAMES,
        read=lambda folder: _cifar("CIFAR10", folder),
    ),
    DatasetName.CIFAR100: DatasetFacts(
        channels=3,
        size=32,
        classes=100,
        train_images=50_000,
        test_images=10_000,
        peak=255,
        mean=(0.5071, 0.4865, 0.4409),
        std=(0.2673, 0.2564, 0.2762),
        names=CIFAR100_NAMES,
        read=lambda folder: _cifar("CIFAR100", folder),
    ),
    DatasetName.SVHN: DatasetFacts(
        channels=3,
        size=32,
        classes=10,
        train_images=73_257,
        test_images=26_032,
        peak=255,
        mean=(0.4377, 0.4438, 0.4728),
        std=(0.1980, 0.2010, 0.1970),
        names=NUMERALS,
        read=lambda folder: _with_splits("SVHN", folder),  # as the quotient authors use it
    ),
    DatasetName.GALAXY10: DatasetFacts(
        channels=3,
        size=256,
        classes=10,
        train_images=15_962,
        test_images=1_774,
        peak=255,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        names=GALAXY10_NAMES,
        write=lambda folder, place: write_galaxy10(folder, place, DATASETS[DatasetName.GALAXY10].test_images),
    ),
    DatasetName.IMAGENET: DatasetFacts(
        channels=3,
        size=224,
        stored_size=256,
        classes=1000,
        train_images=1_281_167,
        test_images=50_000,
        peak=255,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        write=_imagenet,
    ),
    DatasetName.MNIST: DatasetFacts(
        channels=1,
        size=28,
        classes=10,
        train_images=60_000,
        test_images=10_000,
        peak=255,
        mean=(0.1307,),
        std=(0.3081,),
        names=NUMERALS,
        read=lambda folder: _mnist("MNIST", folder),
    ),
    DatasetName.FASHION_MNIST: DatasetFacts(
        channels=1,
        size=28,
        classes=10,
        train_images=60_000,
        test_images=10_000,
        peak=255,
        mean=(0.2860,),
        std=(0.3530,),
        names=FASHION_NAMES,
        read=lambda folder: _mnist("FashionMNIST", folder),
    ),
    DatasetName.STL10: DatasetFacts(
        channels=3,
        size=96,
        classes=10,
        train_images=5000,
        test_images=8000,
        peak=255,
        mean=(0.4467, 0.4398, 0.4066),
        std=(0.2603, 0.2566, 0.2713),
        names=STL10_NAMES,
        read=lambda folder: _with_splits("STL10", folder),
    ),
    DatasetName.EUROSAT: DatasetFacts(
        channels=3,
        size=64,
        classes=10,
        train_images=24_300,
        test_images=2700,
        peak=255,
        mean=(0.3444, 0.3803, 0.4078),
        std=(0.2035, 0.1367, 0.1152),
        names=EUROSAT_NAMES,
        read=_eurosat,
    ),
}
