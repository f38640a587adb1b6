"""Metrics from code of the user's own: functions of a network's outputs and the labels.

A space file cannot run code. A metric comes from a module that the user names (``--import``), or from an installed
package (entry points of the group ``qpsearch.metrics``); ``architecture.plugins`` finds and registers it.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

from qpsearch.errors import UserError
from qpsearch.registry.metrics.base import WORD, MetricKind, on_logits
from qpsearch.vocabulary import Direction


def custom_metric(
    name: str,
    compute: Callable[[Any, Any], float],
    *,
    direction: str,
    low: float = -math.inf,
    high: float = math.inf,
    needs_finite: bool = True,
) -> MetricKind:
    """Make a metric that space files can name, as ``val_NAME``.

    Define it at the top level of a module that ``--import`` names, or in an entry point of the group
    ``qpsearch.metrics``. ``compute`` is called once an epoch, with all validation images, and for the test images by
    ``qpsearch evaluate``, in studies that ask for the metric.

    Args:
        name: A word of letters, digits and ``_``.
        compute: Takes the logits, a NumPy array (N, classes) of float64, and the labels, (N,) of int64, neither of
            which it may change, and returns a finite number. NaN, or the infinity that is worst, counts as no value,
            which is worse than any value. The first line of its docstring is shown where the metric is.
        direction: ``maximize`` or ``minimize``.
        low: The smallest number that it returns; another one is an error.
        high: The largest one.
        needs_finite: Whether it is left out, without a value, where some image's logits are not finite.

    Raises:
        UserError: The name is not such a word, ``compute`` is not a function with a docstring, or another argument is
            not as above.

    Example:
        >>> import qpsearch
        >>> def error_rate(logits, labels):
        ...     "Share of the images that are classified wrongly."
        ...     return (logits.argmax(1) != labels).mean()
        >>> qpsearch.custom_metric("error_rate", error_rate, direction="minimize", low=0, high=1).name
        'val_error_rate'
    """
    given: object = compute
    if not isinstance(name, str) or not WORD.fullmatch(name):
        raise UserError(f"a metric cannot be named {name!r}. Expected a word of letters, digits and '_'.")
    if not callable(given):
        raise UserError(f"metric {name!r}: {given!r} is not callable. Expected a function of logits and labels.")
    if not (inspect.getdoc(given) or "").strip():
        raise UserError(f"metric {name!r}: its function needs a docstring, whose first line says what it is.")
    if direction not in list(Direction):
        raise UserError(
            f"metric {name!r}: direction {direction!r}. Expected {' or '.join(map(repr, map(str, Direction)))}."
        )
    if not all(isinstance(each, int | float) for each in (low, high)) or not low < high:
        raise UserError(f"metric {name!r}: low must be below high, got low={low!r}, high={high!r}.")
    return on_logits(
        name,
        compute,
        direction=Direction(direction),
        low=float(low),
        high=float(high),
        needs_finite=needs_finite,
    )
