"""What an augmentation is: random changes of a whole batch at once, on its own device.

All draws come from a generator on the CPU, so that the same seed gives the same images on every device. What is drawn
does not depend on the images, so that a GPU can be given the draws of many batches at once: an augmentation draws
first, and changes images by its draws later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qpsearch.registry.members import LAST
from qpsearch.registry.options import Option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

OptionValues = Mapping[str, float]
"""The value of each option of an augmentation, by name."""
Draws = tuple[Any, ...]
"""What is drawn for a batch: tensors on the CPU, in tuples of tuples; when images are changed, on their device."""
DrawChanges = Callable[[int, int, "torch.Generator", OptionValues, int], Draws]
"""Draws for a number of images, given their side, the generator, the options, and the side as the network sees it."""
ChangeImages = Callable[["Tensor", Draws, OptionValues, int], "Tensor"]
"""Changes images (N, C, H, W), given the draws, the options, and height and width as the network sees an image."""
DrawMixture = Callable[[int, "torch.Generator", OptionValues], tuple[float, ...]]
"""Draws for a batch, given the side of its images, the generator and the options: numbers, not tensors."""
MixImages = Callable[["Tensor", tuple[float, ...]], tuple["Tensor", float]]
"""Mixes each image with the one before it in the batch; returns the images, and the share of each one's own label."""


class ImageForm(Enum):
    """What images are when an augmentation changes them."""

    FRAME = "normalised, or uint8 where crops are padded with black"
    PIXELS = "uint8, from 0 to 255"
    NORMALISED = "normalised, of the network's size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What all augmentations have.

    Attributes:
        name: The word in space files.
        order: Its place among all augmentations, in which draws are made and images changed.
        doc: What it does, for users.
        options: What a user may set.
    """

    name: str
    order: int = LAST
    doc: str
    options: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange(Augmentation):
    """An augmentation that changes each image for itself.

    Attributes:
        form: What images are when it changes them.
        draw: What it draws; the images do not matter.
        change: How it changes them.
    """

    form: ImageForm
    draw: DrawChanges
    change: ChangeImages


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture(Augmentation):
    """An augmentation that mixes images and their labels; of several, each batch takes one at random.

    Attributes:
        draw: What it draws.
        mix: How it mixes them.
    """

    draw: DrawMixture
    mix: MixImages


@lru_cache(maxsize=64)
def constant(values: tuple[float, ...], device: "torch.device") -> "Tensor":
    """Return numbers as a tensor, which is moved to its device once; it must not be changed."""
    import torch

    return torch.tensor(values, device=device)


def beta(alpha: float, generator: "torch.Generator") -> float:
    """Draw from the distribution Beta(alpha, alpha)."""
    import random

    import torch

    return random.Random(int(torch.randint(2**62, (), generator=generator))).betavariate(alpha, alpha)


def inside(first: "Tensor", last: "Tensor", length: int) -> "Tensor":
    """Return a mask (N, length) of the places from ``first`` (N,) up to, but not including, ``last`` (N,)."""
    import torch

    places = torch.arange(length).view(1, -1)
    return (places >= first.view(-1, 1)) & (places < last.view(-1, 1))


def filled(images: "Tensor", rows: "Tensor", columns: "Tensor") -> "Tensor":
    """Set a rectangle of each image to 0, given masks of its rows (N, H) and columns (N, W)."""
    return images.masked_fill((rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1), 0)
