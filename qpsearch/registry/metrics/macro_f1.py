"""Macro-averaged F1 score."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.metrics.base import on_logits, predicted
from qpsearch.vocabulary import Direction

if TYPE_CHECKING:
    from qpsearch.registry.metrics.base import Labels, Logits


def macro_f1(logits: "Logits", labels: "Labels") -> float:
    """Mean over the classes of F1, the harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    A class that neither has an image nor is predicted does not count. An image whose logits are not finite is a false
    negative of its class.
    """
    import numpy as np

    guessed, classes = predicted(logits), logits.shape[1]
    right = np.bincount(labels[guessed == labels], minlength=classes)
    either = np.bincount(labels, minlength=classes) + np.bincount(guessed[guessed >= 0], minlength=classes)
    there = either > 0  # 2 TP + FP + FN
    return float((2 * right[there] / either[there]).mean())


MEMBERS: Final = (on_logits("macro_f1", macro_f1, direction=Direction.MAXIMIZE, needs_finite=False),)
