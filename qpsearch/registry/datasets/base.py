"""What is known of a data set before its images are loaded, and how they are had."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.registry.members import LAST

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NUMERALS: Final = tuple("0123456789")


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
        name: The word in space files.
        order: Its place in lists.
        channels: Image channels.
        size: Height and width in pixels, as the network sees an image.
        stored_size: Height and width of stored images, where larger; training cuts out a random part, else the centre.
        classes: Number of labels.
        train_images: Size of the official training split, from which validation images are taken.
        validation_images: Size of the validation split that the set comes with; 0 where it comes without one.
        test_images: Size of the test split.
        peak: Largest pixel value; images are divided by it before normalisation.
        mean: Per-channel mean of the training images after division by ``peak``; for ``galaxy10`` the mean of ImageNet.
        std: Per-channel standard deviation after division by ``peak``; for ``galaxy10`` that of ImageNet.
        names: The names of the classes, by label; empty where they are not known.
        read: Returns the whole set, from downloads in a folder and these facts; missing downloads are fetched. None for
            a set that does not fit into memory.
        write: For such a large set, writes an ``.npy`` file for each field of ``Arrays`` into an empty folder, from
            downloads in another folder, which comes first.
        bundled: Whether the set comes with a package that qpsearch depends on, so that a data folder is not needed.
    """

    name: str
    order: int = LAST
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
    read: "Callable[[Path, DatasetFacts], Arrays] | None" = None
    write: "Callable[[Path, Path, DatasetFacts], None] | None" = None
    bundled: bool = False


def with_splits(name: str, folder: Path) -> Arrays:
    """Return SVHN or STL-10 as torchvision has them: the train split alone, without extra or unlabelled images."""
    import numpy as np
    from torchvision import datasets

    train, test = (getattr(datasets, name)(root=str(folder), split=split, download=True) for split in ("train", "test"))
    images = [np.ascontiguousarray(part.data.transpose(0, 2, 3, 1)) for part in (train, test)]
    labels = [np.asarray(part.labels, np.uint8) for part in (train, test)]
    return Arrays(images[0], labels[0], images[1], labels[1])
