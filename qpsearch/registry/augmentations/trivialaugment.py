"""TrivialAugment (arXiv 2103.10158), wide: one change of random strength for each image."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import Draws, ImageChange, ImageForm, OptionValues
from qpsearch.registry.augmentations.policies import CHANGES, Strongest, applied, grouped

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LEVELS: Final = 31
PIXELS: Final = 32.0  # the authors' largest shift; smaller images are shifted by their own side at most


def _draw(n: int, side: int, generator: "torch.Generator", settings: OptionValues, size: int) -> Draws:
    import torch

    kinds = torch.randint(len(CHANGES), (n,), generator=generator)
    level = torch.randint(LEVELS, (n,), generator=generator) / (LEVELS - 1)
    sign = torch.randint(2, (n,), generator=generator) * 2 - 1
    return grouped(kinds, level, sign)


def _trivialaugment(images: "Tensor", draws: Draws, settings: OptionValues, size: int) -> "Tensor":
    shift = min(PIXELS, images.shape[-1])
    most = Strongest(shear=0.99, translate=shift, degrees=135, colour=0.99, bits=6)
    return applied(images, draws, most)


MEMBERS: Final = (
    ImageChange(
        name="trivialaugment",
        order=50,
        doc="makes one of 14 changes, of random strength",
        form=ImageForm.PIXELS,
        draw=_draw,
        change=_trivialaugment,
    ),
)
