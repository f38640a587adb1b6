"""Random crops."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import Draws, ImageChange, ImageForm, OptionValues

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def _margin(side: int, size: int) -> int:
    return max(size // 8, 1) if side == size else 0


def _draw(n: int, side: int, generator: "torch.Generator", settings: OptionValues, size: int) -> Draws:
    import torch

    return (torch.randint(0, side + 2 * _margin(side, size) - size + 1, (2, n), generator=generator),)


def _crop(images: "Tensor", draws: Draws, settings: OptionValues, size: int) -> "Tensor":
    """Cut each image at its own random place; images of the network's size are padded by an eighth first."""
    import torch
    import torch.nn.functional as F

    n, channels, side, _ = images.shape
    margin, (offsets,) = _margin(side, size), draws
    rows = offsets[0].view(n, 1, 1, 1) + torch.arange(size, device=images.device).view(1, 1, size, 1)
    columns = offsets[1].view(n, 1, 1, 1) + torch.arange(size, device=images.device).view(1, 1, 1, size)
    padded = F.pad(images, (margin,) * 4) if margin else images
    batch = torch.arange(n, device=images.device).view(n, 1, 1, 1)
    channel = torch.arange(channels, device=images.device).view(1, channels, 1, 1)
    return padded[batch, channel, rows, columns]


CROP: Final = ImageChange(
    name="crop",
    order=20,
    doc="cuts at random places, padded by an eighth",
    form=ImageForm.FRAME,
    draw=_draw,
    change=_crop,
)
MEMBERS: Final = (CROP,)
