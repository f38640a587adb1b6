"""Random erasing (arXiv 1708.04896): a rectangle of some images is the mean."""

import math
from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import Draws, ImageChange, ImageForm, OptionValues, filled, inside
from qpsearch.registry.options import Option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TRIES: Final = 10  # torchvision's, until a rectangle is smaller than the image
AREA: Final = (0.02, 0.33)  # of the image: torchvision's defaults, like those of the ratio
RATIO: Final = (0.3, 3.3)  # of height to width
PROBABILITY: Final = Option(doc="Share of the images that are changed.", low=0, high=1, default=0.5)


def _draw(n: int, side: int, generator: "torch.Generator", settings: OptionValues, size: int) -> Draws:
    import torch

    chosen = torch.rand(n, generator=generator) < settings["probability"]
    area, ratio = torch.rand((2, TRIES, n), generator=generator, dtype=torch.float64)
    area = (AREA[0] + (AREA[1] - AREA[0]) * area) * size**2
    low, high = map(math.log, RATIO)
    ratio = (low + (high - low) * ratio).exp()
    heights, widths = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (heights < size) & (widths < size)
    first = fits.long().argmax(0), torch.arange(n)  # the first that fits
    height, width = heights[first], widths[first]
    places = torch.rand((2, n), generator=generator, dtype=torch.float64)
    top, left = (places[0] * (size - height + 1)).floor(), (places[1] * (size - width + 1)).floor()
    rows = inside(top, top + height, size) & (chosen & fits.any(0)).view(-1, 1)
    return rows, inside(left, left + width, size)


def _erase(images: "Tensor", draws: Draws, settings: OptionValues, size: int) -> "Tensor":
    rows, columns = draws
    return filled(images, rows, columns)


MEMBERS: Final = (
    ImageChange(
        name="erase",
        order=70,
        doc="sets a random rectangle to the mean",
        form=ImageForm.NORMALISED,
        draw=_draw,
        change=_erase,
        options={"probability": PROBABILITY},
    ),
)
