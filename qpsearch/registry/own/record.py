"""The facts about images of the user's own, found once and stored with the study: enough to build its networks."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from qpsearch.vocabulary import WithWords

OWN: Final = "own"  # what a process that prepares data is told in place of a data set's name; the facts follow
STREAMED: Final = "streamed"  # and that their folder is streamed
SAYS: Final = "qpsearch cannot prepare the data:\n"  # what such a process prints before its message
DECODER: Final = 4  # raised wherever the same contents become other pixels, labels or facts
TOLD: Final = 3  # raised wherever no more than ``converted`` differs: the arrays that were kept stay valid
PEAK: Final = 255  # of a pixel, whatever the files hold: all are read as 8 bits


class Source(StrEnum):
    """Where images of the user's own are: a folder of image files, an archive of arrays, or code that makes them."""

    FOLDER = "folder"
    ARCHIVE = "archive"
    CODE = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData(WithWords):
    """The facts about images of the user's own.

    Attributes:
        source: What kind of place holds the images.
        place: Its absolute path; the name of a data set that code makes.
        fingerprint: Hash of the contents of all images, with their labels and splits; the place itself is not in it.
        channels: Image channels, 1 or 3.
        size: Height and width in pixels, as the network sees an image.
        stored_size: Height and width of the images that are kept, where larger; as in ``DatasetFacts``.
        classes: The names of the classes, by label.
        train_images: Size of the training split, without the images that are held out for the test split.
        validation_images: Size of the validation split that the images come with; 0 where they do not.
        test_images: Size of the test split.
        fewest: Training images of the rarest class.
        mean: Mean of each channel of the training images, after division by 255.
        std: Standard deviation of each channel, likewise.
        converted: What the images lose or gain by being read as 8 bits of grey or colour, and which arrays are not
            read, a sentence each; empty in facts of before this was told.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # the name and form that pydantic looks for

    source: Source
    place: str
    fingerprint: str
    channels: int
    size: int
    stored_size: int
    classes: tuple[str, ...]
    train_images: int
    validation_images: int
    test_images: int
    fewest: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    converted: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What messages and cards call the images: the name of their folder or archive."""
        return Path(self.place).name.removesuffix(".npz")

    @property
    def side(self) -> int:
        """Height and width of the images that are kept."""
        return self.stored_size or self.size

    @property
    def kept_bytes(self) -> int:
        """What all images take as arrays."""
        return (self.train_images + self.validation_images + self.test_images) * self.channels * self.side**2

    @property
    def key(self) -> str:
        """The name under which decoded images are kept: the same for equal images, wherever they lie.

        With ``DECODER``, so that no arrays are used that another version of qpsearch decoded in another way.
        """
        return f"{self.fingerprint[:16]}-{self.side}-{DECODER}"

    def to_text(self) -> str:
        """Return the facts as one line of JSON, for ``data.facts`` of a space file."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> "OwnData":
        """Read what ``to_text`` wrote.

        Raises:
            ValueError: The text is not such a line.
        """
        given = json.loads(text)
        if not isinstance(given, dict):
            raise ValueError("not the facts of images")
        given.setdefault("converted", [])
        if set(given) != set(cls.__slots__) or not _is_sound(given):
            raise ValueError("not the facts of images")
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        return cls(**fields)


def own_folder(data: Path) -> Path:
    """Return where decoded images of the user's own are kept, below the folder of the data sets."""
    return data / "own"


def _is_sound(given: Mapping[str, Any]) -> bool:
    """Whether values have the types and ranges of the fields, so that nothing later fails on them."""
    counts = ("channels", "size", "train_images", "test_images", "fewest")
    names, told, moments = given["classes"], given["converted"], [given["mean"], given["std"]]
    return (
        all(type(given[name]) is int and given[name] > 0 for name in counts)
        and all(type(given[name]) is int and given[name] >= 0 for name in ("stored_size", "validation_images"))
        and all(isinstance(given[name], str) and given[name] for name in ("source", "place", "fingerprint"))
        and all(isinstance(each, list) and all(isinstance(name, str) for name in each) for each in (names, told))
        and len(names) >= 2
        and all(isinstance(values, list) and len(values) == given["channels"] for values in moments)
        and all(isinstance(value, float | int) and math.isfinite(value) for values in moments for value in values)
        and all(value > 0 for value in given["std"])
    )
