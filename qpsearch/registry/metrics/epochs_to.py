"""Epochs to a target accuracy."""

import math
from typing import Final

from qpsearch.registry.metrics.base import MetricKind, ValuesFrom
from qpsearch.vocabulary import Direction

MEMBERS: Final = (
    MetricKind(
        name="epochs_to_",
        doc="Epochs until the accuracy on validation images is first that high, such as epochs_to_0.9; of a run that "
        "does not get there, its epochs, plus one, plus what its best accuracy lacks.",
        direction=Direction.MINIMIZE,
        low=1.0,
        source=ValuesFrom.TARGET,
        unit="epochs",
        needs_validation=True,
    ),
)


def after(epoch: int, accuracy: float | None, target: float, epochs: int, before: float | None) -> float:
    """Return the value after an epoch.

    A run that does not reach the target is worse than any that does, and the better the nearer it came, so that trials
    can be compared before one of them gets there.

    Args:
        epoch: The epoch, from 1.
        accuracy: Its accuracy on validation images; None for none.
        target: The accuracy to reach.
        epochs: Epochs of the whole run.
        before: The value after the epoch before; None for the first one.
    """
    here = epoch if accuracy is not None and accuracy >= target else epochs + 1 + target - (accuracy or 0.0)
    return float(min(here, math.inf if before is None else before))
