"""The augmentations that a space file may name: random changes of a whole batch at once, on its own device."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Augmentation(StrEnum):
    """Random changes of training images."""

    FLIP = "flip"
    CROP = "crop"


class Padding(StrEnum):
    """What crops bring in at the edges of an image: the mean by which images are normalised, or black pixels."""

    MEAN = "mean"
    BLACK = "black"


def augment(images: "Tensor", kinds: tuple[Augmentation, ...], generator: "torch.Generator", size: int) -> "Tensor":
    """Change each image of a batch at random, in the order of the table.

    Args:
        images: (N, C, H, W). ``crop`` pads them with zeros: the mean where images are normalised, else black. Images
            that are stored larger than the network sees them are cut at a random place instead, or, without ``crop``,
            at their centre.
        kinds: The augmentations to apply.
        generator: A generator on the CPU, so that the same seed gives the same images on every device.
        size: Height and width as the network sees an image.

    Returns:
        (N, C, size, size).
    """
    for kind, change in AUGMENTATIONS.items():
        if kind in kinds:
            images = change(images, generator, size)
    return centre(images, size)


def centre(images: "Tensor", size: int) -> "Tensor":
    """Return the middle (N, C, size, size) of images that are stored larger, and other images as they are."""
    margin = (images.shape[-1] - size) // 2
    return images[:, :, margin : margin + size, margin : margin + size] if margin else images


def _flip(images: "Tensor", generator: "torch.Generator", size: int) -> "Tensor":
    """Mirror each image with probability 1/2."""
    import torch

    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.to(images.device).view(-1, 1, 1, 1), images.flip(3), images)


def _crop(images: "Tensor", generator: "torch.Generator", size: int) -> "Tensor":
    """Cut each image at its own random place; images of the network's size are padded by an eighth first."""
    import torch
    import torch.nn.functional as F

    n, channels, side, _ = images.shape
    margin = max(size // 8, 1) if side == size else 0
    offsets = torch.randint(0, side + 2 * margin - size + 1, (2, n), generator=generator).to(images.device)
    rows = offsets[0].view(n, 1, 1, 1) + torch.arange(size, device=images.device).view(1, 1, size, 1)
    columns = offsets[1].view(n, 1, 1, 1) + torch.arange(size, device=images.device).view(1, 1, 1, size)
    padded = F.pad(images, (margin,) * 4) if margin else images
    batch = torch.arange(n, device=images.device).view(n, 1, 1, 1)
    channel = torch.arange(channels, device=images.device).view(1, channels, 1, 1)
    return padded[batch, channel, rows, columns]


AUGMENTATIONS: Final[dict[Augmentation, Callable[["Tensor", "torch.Generator", int], "Tensor"]]] = {
    Augmentation.FLIP: _flip,
    Augmentation.CROP: _crop,
}
