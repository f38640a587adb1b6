"""Mirroring."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import Draws, ImageChange, ImageForm, OptionValues

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def _draw(n: int, side: int, generator: "torch.Generator", settings: OptionValues, size: int) -> Draws:
    import torch

    return (torch.rand(n, generator=generator) < 0.5,)


def _flip(images: "Tensor", draws: Draws, settings: OptionValues, size: int) -> "Tensor":
    """Mirror each image with probability 1/2."""
    import torch

    (mirrored,) = draws
    return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)


MEMBERS: Final = (
    ImageChange(
        name="flip", order=10, doc="mirrors half of the images", form=ImageForm.FRAME, draw=_draw, change=_flip
    ),
)
