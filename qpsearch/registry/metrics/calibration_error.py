"""Expected calibration error."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.metrics.base import on_logits
from qpsearch.vocabulary import Direction

if TYPE_CHECKING:
    from qpsearch.registry.metrics.base import Labels, Logits

BINS: Final = 15  # of equal width, as in arXiv 1706.04599


def calibration_error(logits: "Logits", labels: "Labels") -> float:
    """Expected calibration error: how far confidence and accuracy are apart, in 15 bins of equal width.

    ``sum over bins of |B| / N * |accuracy(B) - confidence(B)|``, where the confidence of an image is its largest
    softmax probability, and bin k holds confidences in ((k - 1) / 15, k / 15]. Source: Guo et al., arXiv 1706.04599.
    """
    import numpy as np

    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    confidence = 1.0 / shifted.sum(axis=1)
    gap = (logits.argmax(axis=1) == labels) - confidence
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return float(np.abs(np.bincount(bins, weights=gap, minlength=BINS)).sum() / len(labels))


MEMBERS: Final = (
    on_logits("calibration_error", calibration_error, direction=Direction.MINIMIZE, paper="arXiv 1706.04599"),
)
