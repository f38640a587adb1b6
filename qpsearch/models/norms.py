"""Normalisation layers by name."""

from torch import nn

from qpsearch.vocabulary import NormKind

FEWEST_IN_GROUP = 8  # with one channel in a group, an image of one pixel would become zero


def build_norm(kind: NormKind, width: int) -> nn.Module:
    """Build a normalisation of ``width`` channels with a learned scale (1) and shift (0).

    Group normalisation takes as many groups as possible with at least 8 channels in each; a narrower layer is one
    group. Layer normalisation is over all channels and pixels of an image. ``none`` is the identity.
    """
    match kind:
        case NormKind.BATCH:
            return nn.BatchNorm2d(width)
        case NormKind.GROUP:
            return nn.GroupNorm(group_count(width), width)
        case NormKind.LAYER:
            return nn.GroupNorm(1, width)
        case NormKind.NONE:
            return nn.Identity()


def group_count(width: int) -> int:
    """Return the largest divisor of the width that leaves at least 8 channels a group, or 1."""
    return next(count for count in range(max(width // FEWEST_IN_GROUP, 1), 0, -1) if width % count == 0)
