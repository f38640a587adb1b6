"""RandAugment (arXiv 1909.13719): some changes of one strength for each image."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import Draws, ImageChange, ImageForm, OptionValues
from qpsearch.registry.augmentations.policies import CHANGES, Strongest, applied, grouped
from qpsearch.registry.options import Option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LEVELS: Final = 30  # of magnitude: torchvision's
SHIFT: Final = 150 / 331  # of the side, at the strongest: torchvision's
OPTIONS: Final = {
    "changes": Option(doc="Changes of each image, one after the other.", low=1, high=14, default=2, is_whole=True),
    "magnitude": Option(doc="Strength of all changes.", low=0, high=LEVELS, default=9, is_whole=True),
}


def _draw(n: int, side: int, generator: "torch.Generator", settings: OptionValues, size: int) -> Draws:
    import torch

    level, found = torch.full((n,), settings["magnitude"] / LEVELS), []
    for _ in range(int(settings["changes"])):
        kinds = torch.randint(len(CHANGES), (n,), generator=generator)
        sign = torch.randint(2, (n,), generator=generator) * 2 - 1
        found.append(grouped(kinds, level, sign))
    return tuple(found)


def _randaugment(images: "Tensor", draws: Draws, settings: OptionValues, size: int) -> "Tensor":
    most = Strongest(shear=0.3, translate=SHIFT * images.shape[-1], degrees=30, colour=0.9, bits=4)
    for groups in draws:
        images = applied(images, groups, most)
    return images


MEMBERS: Final = (
    ImageChange(
        name="randaugment",
        order=40,
        doc="makes some of 14 changes, of one strength",
        form=ImageForm.PIXELS,
        draw=_draw,
        change=_randaugment,
        options=OPTIONS,
    ),
)
