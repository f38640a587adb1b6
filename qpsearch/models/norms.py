"""Normalisation layers by name."""

import math

from torch import nn

from qpsearch.vocabulary import NormKind

GROUPS = 8


def build_norm(kind: NormKind, width: int) -> nn.Module:
    """Build a normalisation of ``width`` channels with a learned scale (1) and shift (0).

    Group normalisation takes 8 groups, or the largest divisor of the width that divides 8.
    """
    match kind:
        case NormKind.BATCH:
            return nn.BatchNorm2d(width)
        case NormKind.GROUP:
            return nn.GroupNorm(math.gcd(GROUPS, width), width)
