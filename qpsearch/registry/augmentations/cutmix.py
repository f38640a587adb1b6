"""CutMix (arXiv 1905.04899): a rectangle of each image is that of another."""

import math
from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import Mixture, OptionValues, beta
from qpsearch.registry.options import Option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ALPHA: Final = Option(
    doc="Both parameters of the beta distribution of the shares.", low=0, high=100, default=1.0, is_above=True
)


def _draw(side: int, generator: "torch.Generator", settings: OptionValues) -> tuple[float, ...]:
    """Draw one rectangle for the batch; what lies outside the image is cut off, and the share follows what is left."""
    import torch

    half = int(math.sqrt(1 - beta(settings["alpha"], generator)) / 2 * side)
    row, column = (int(torch.randint(side, (), generator=generator)) for _ in range(2))
    return max(row - half, 0), min(row + half, side), max(column - half, 0), min(column + half, side)


def _cutmix(images: "Tensor", draws: tuple[float, ...]) -> tuple["Tensor", float]:
    *_, height, width = images.shape
    top, bottom, left, right = map(int, draws)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


MEMBERS: Final = (
    Mixture(
        name="cutmix",
        order=90,
        doc="puts a rectangle of another image into each, and its label's share",
        draw=_draw,
        mix=_cutmix,
        options={"alpha": ALPHA},
    ),
)
