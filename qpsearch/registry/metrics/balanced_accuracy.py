"""Balanced accuracy."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.metrics.base import on_logits, predicted
from qpsearch.vocabulary import Direction

if TYPE_CHECKING:
    from qpsearch.registry.metrics.base import Labels, Logits


def balanced_accuracy(logits: "Logits", labels: "Labels") -> float:
    """Mean over the classes of the share of a class's images that are classified correctly.

    A class without images does not count. An image whose logits are not finite counts as wrong.
    """
    import numpy as np

    images = np.bincount(labels)
    right = np.bincount(labels[predicted(logits) == labels], minlength=len(images))
    there = images > 0
    return float((right[there] / images[there]).mean())


MEMBERS: Final = (
    on_logits(
        "balanced_accuracy",
        balanced_accuracy,
        direction=Direction.MAXIMIZE,
        needs_finite=False,
        paper="Brodersen et al. 2010",
    ),
)
