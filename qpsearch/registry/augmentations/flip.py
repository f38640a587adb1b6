"""Mirroring."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import ImageChange, ImageForm, OptionValues

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def _flip(images: "Tensor", generator: "torch.Generator", settings: OptionValues, size: int) -> "Tensor":
    """Mirror each image with probability 1/2."""
    import torch

    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.to(images.device).view(-1, 1, 1, 1), images.flip(3), images)


FLIP: Final = ImageChange(doc="mirrors half of the images", form=ImageForm.FRAME, change=_flip)
