"""Cutout (arXiv 1708.04552): a square of each image is the mean."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import Draws, ImageChange, ImageForm, OptionValues, filled, inside
from qpsearch.registry.options import Option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SIDE: Final = Option(
    doc="Side of the square, as a share of the image's.", low=0, high=1, default=0.5, is_above=True
)  # 16 of 32 pixels, as on CIFAR-10


def _draw(n: int, side: int, generator: "torch.Generator", settings: OptionValues, size: int) -> Draws:
    """Draw a square around a random pixel; what lies outside the image is cut off, as in the authors' code."""
    import torch

    half = max(round(settings["side"] * size / 2), 1)
    rows, columns = torch.randint(0, size, (2, n), generator=generator)
    return inside(rows - half, rows + half, size), inside(columns - half, columns + half, size)


def _cutout(images: "Tensor", draws: Draws, settings: OptionValues, size: int) -> "Tensor":
    rows, columns = draws
    return filled(images, rows, columns)


MEMBERS: Final = (
    ImageChange(
        name="cutout",
        order=60,
        doc="sets a square to the mean",
        form=ImageForm.NORMALISED,
        draw=_draw,
        change=_cutout,
        options={"side": SIDE},
    ),
)
