"""Random changes of a whole batch at once, on its own device."""

import torch
import torch.nn.functional as F
from torch import Tensor

from qpsearch.vocabulary import Augmentation


def augment(images: Tensor, kinds: tuple[Augmentation, ...], generator: torch.Generator) -> Tensor:
    """Change each image of a batch at random: mirrored with probability 1/2, then shifted.

    Args:
        images: (N, C, H, W), normalised. Shifting brings in zeros, as padding after normalisation does.
        kinds: What to do.
        generator: On the CPU; draws N numbers a kind, so that the same generator gives the same images.

    Returns:
        (N, C, H, W).
    """
    if Augmentation.FLIP in kinds:
        mirrored = torch.rand(len(images), generator=generator) < 0.5
        images = torch.where(mirrored.to(images.device).view(-1, 1, 1, 1), images.flip(3), images)
    if Augmentation.CROP in kinds:
        images = _shift(images, generator)
    return images


def _shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pad by an eighth of the side (4 of 32 pixels, 1 of 8) and cut each image out at its own place."""
    n, channels, height, width = images.shape
    margin = max(height // 8, 1)
    offsets = torch.randint(0, 2 * margin + 1, (2, n), generator=generator).to(images.device)
    rows = offsets[0].view(n, 1, 1, 1) + torch.arange(height, device=images.device).view(1, 1, height, 1)
    columns = offsets[1].view(n, 1, 1, 1) + torch.arange(width, device=images.device).view(1, 1, 1, width)
    padded = F.pad(images, (margin,) * 4)
    batch = torch.arange(n, device=images.device).view(n, 1, 1, 1)
    channel = torch.arange(channels, device=images.device).view(1, channels, 1, 1)
    return padded[batch, channel, rows, columns]
