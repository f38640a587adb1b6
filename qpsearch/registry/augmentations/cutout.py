"""Cutout (arXiv 1708.04552): a square of each image is the mean."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import ImageChange, ImageForm, OptionValues, filled, inside
from qpsearch.registry.options import Option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SIDE: Final = Option(
    doc="Side of the square, as a share of the image's.", low=0, high=1, default=0.5, is_above=True
)  # 16 of 32 pixels, as on CIFAR-10


def _cutout(images: "Tensor", generator: "torch.Generator", settings: OptionValues, size: int) -> "Tensor":
    """Set a square around a random pixel to 0; what lies outside the image is cut off, as in the authors' code."""
    import torch

    half = max(round(settings["side"] * size / 2), 1)
    rows, columns = torch.randint(0, size, (2, len(images)), generator=generator)
    return filled(images, inside(rows - half, rows + half, size), inside(columns - half, columns + half, size))


CUTOUT: Final = ImageChange(
    doc="sets a square to the mean", form=ImageForm.NORMALISED, change=_cutout, options={"side": SIDE}
)
