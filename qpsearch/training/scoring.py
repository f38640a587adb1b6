"""Metrics of a network's outputs on a split, and those that come from a clock or from earlier epochs."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import UserError, blamed
from qpsearch.registry.metrics import Metric
from qpsearch.registry.metrics.base import MetricKind, ValuesFrom
from qpsearch.registry.metrics.epochs_to import after
from qpsearch.training.latency import latency_ms
from qpsearch.vocabulary import Direction

if TYPE_CHECKING:
    from qpsearch.registry.metrics.base import Labels, Logits

Measured = dict[str, float | None]


def scored(metrics: Sequence[str], outputs: Sequence[Tensor], labels: Tensor) -> Measured:
    """Return those metrics that are computed from logits; None for one that does not have a value.

    The outputs cross from the device to the CPU once, after the last batch.

    Args:
        metrics: Words of metrics; those from other sources are left out.
        outputs: Logits of each batch, (n, classes), on any device.
        labels: Labels of all of them, (N,).

    Raises:
        UserError: A metric of the user's own raises an error, or returns something else than it should.
    """
    kinds = {word: Metric(word).kind for word in metrics if Metric(word).kind.source is ValuesFrom.LOGITS}
    if not kinds:
        return {}
    logits = torch.cat(tuple(outputs)).cpu().double().numpy()
    known = labels.cpu().long().numpy()
    for array in (logits, known):
        array.flags.writeable = False  # a metric of the user's own must not change what the next one sees
    is_finite = bool(np.isfinite(logits).all())
    return {
        word: None if kind.needs_finite and not is_finite else _value(kind, logits, known)
        for word, kind in kinds.items()
    }


def _value(kind: MetricKind, logits: "Logits", labels: "Labels") -> float | None:
    """Return a metric's value, checked."""
    assert kind.compute is not None
    with blamed("metric", kind.name):
        given: object = kind.compute(logits, labels)
    value = _number(kind, given)
    if math.isnan(value) or value == (-math.inf if kind.direction is Direction.MAXIMIZE else math.inf):
        return None
    if math.isinf(value):  # such a trial would be the best, and yet not have a result
        raise UserError(f"metric {kind.name!r}: returned {value:g}. Expected a finite number, or NaN for no value.")
    if not kind.low <= value <= kind.high:
        raise UserError(f"metric {kind.name!r}: returned {value:g}, outside of {kind.low:g} to {kind.high:g}.")
    return value


def _number(kind: MetricKind, given: object) -> float:
    """Return a number that code of the user's own gave, of whatever library; a text is none."""
    try:
        if isinstance(given, str | bytes):
            raise TypeError
        return float(given)  # type: ignore[arg-type]  # may be anything
    except (TypeError, ValueError):
        text = f"metric {kind.name!r}: returned {type(given).__name__}. Expected a number, or NaN for no value."
        raise UserError(text) from None


def carried(
    metrics: Sequence[str], config: TrialConfig, epoch: int, accuracy: float | None, before: Mapping[str, float | None]
) -> Measured:
    """Return the metrics of targets after an epoch, and those values of the epochs before that do not change.

    Args:
        metrics: Words of metrics.
        config: What is trained.
        epoch: The epoch, from 1.
        accuracy: Its accuracy on validation images.
        before: What this function and ``timed`` returned after the epoch before; empty for the first one.
    """
    found: Measured = {}
    for metric in map(Metric, metrics):
        if metric.kind.source is ValuesFrom.TARGET:
            past = before.get(metric)
            found[metric.value] = after(epoch, accuracy, metric.target, config.recipe.epochs, past)
        elif metric.kind.source is ValuesFrom.CLOCK and metric in before:
            found[metric.value] = before[metric]
    return found


def timed(metrics: Sequence[str], model: nn.Module, example: Tensor) -> Measured:
    """Return the metrics of a clock: the latency of a network for an image, (1, C, H, W)."""
    wanted = [word for word in metrics if Metric(word).kind.source is ValuesFrom.CLOCK]
    return dict.fromkeys(wanted, latency_ms(model, example)) if wanted else {}
