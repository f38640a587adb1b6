"""The fixed facts about the data sets, so that a network can be built without loading one."""

from dataclasses import dataclass
from typing import Final

from qpsearch.vocabulary import Augmentation, DatasetName, WithWords


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFacts:
    """What is fixed about a data set, so that a network can be built without loading it.

    Attributes:
        channels: Image channels.
        size: Height and width in pixels, as the network sees an image.
        stored_size: Height and width as it is kept, where larger; training cuts a random part out, else the centre.
        classes: Number of labels.
        train_images: Size of the official training split, from which validation images are taken.
        test_images: Size of the test split.
        peak: Largest pixel value; images are divided by it before normalisation.
        mean: Per-channel mean of the training images after division by ``peak``; for GALAXY10 that of ImageNet.
        std: Per-channel standard deviation, likewise.
        bundled: Whether it comes with a package that qpsearch depends on, so that no folder is needed.
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
    bundled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(WithWords):
    """Which images a network is trained on, and which of them steer the search.

    Attributes:
        dataset: Which data set.
        validation: Images taken from the training split, stratified by label.
        augment: Random changes of training images.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # the name and form that pydantic looks for

    dataset: DatasetName
    validation: int
    augment: tuple[Augmentation, ...] = ()


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

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
    ),
}
