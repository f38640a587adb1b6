"""What each epoch reports, whether it is asked for or not."""

from typing import Final

from qpsearch.registry.metrics.base import MetricKind, ValuesFrom
from qpsearch.vocabulary import Direction

MEMBERS: Final = (
    MetricKind(
        name="val_accuracy",
        doc="Share of the images that are classified correctly.",
        direction=Direction.MAXIMIZE,
        high=1.0,
        source=ValuesFrom.REPORT,
        field="val_accuracy",
        needs_validation=True,
    ),
    MetricKind(
        name="val_loss",
        doc="Mean cross entropy, in nats.",
        direction=Direction.MINIMIZE,
        source=ValuesFrom.REPORT,
        field="val_loss",
        needs_validation=True,
    ),
    MetricKind(
        name="train_loss",
        doc="Mean cross entropy over the batches of an epoch, as the network is trained, in nats.",
        direction=Direction.MINIMIZE,
        source=ValuesFrom.REPORT,
        field="train_loss",
    ),
    MetricKind(
        name="epoch_seconds",
        doc="Wall time of an epoch: training and evaluation.",
        direction=Direction.MINIMIZE,
        source=ValuesFrom.REPORT,
        unit="s",
        field="seconds",
    ),
)
