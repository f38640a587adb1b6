"""Top-5 accuracy."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.metrics.base import on_logits
from qpsearch.vocabulary import Direction

if TYPE_CHECKING:
    from qpsearch.registry.metrics.base import Labels, Logits


def top5_accuracy(logits: "Logits", labels: "Labels") -> float:
    """Share of the images whose label is among the five largest logits.

    Of equal logits, those of other classes come first, so that a network whose outputs are all equal does not count as
    right. An image whose logits are not finite counts as wrong.
    """
    import numpy as np

    own = logits[np.arange(len(labels)), labels]
    with np.errstate(invalid="ignore"):
        before = (logits >= own[:, None]).sum(axis=1) - 1
    return float(((before < 5) & np.isfinite(logits).all(axis=1)).mean())


MEMBERS: Final = (
    on_logits("top5_accuracy", top5_accuracy, direction=Direction.MAXIMIZE, needs_finite=False, least_classes=6),
)
