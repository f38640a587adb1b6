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


def _cutmix(images: "Tensor", generator: "torch.Generator", settings: OptionValues) -> tuple["Tensor", float]:
    """Take one rectangle for the batch; what lies outside the image is cut off, and the share follows what is left."""
    import torch

    *_, height, width = images.shape
    cut = math.sqrt(1 - beta(settings["alpha"], generator)) / 2
    row = int(torch.randint(height, (), generator=generator))
    column = int(torch.randint(width, (), generator=generator))
    top, bottom = max(row - int(cut * height), 0), min(row + int(cut * height), height)
    left, right = max(column - int(cut * width), 0), min(column + int(cut * width), width)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


CUTMIX: Final = Mixture(
    doc="puts a rectangle of another image into each, and its label's share", mix=_cutmix, options={"alpha": ALPHA}
)
