"""What a metric is: where its values come from, which values it can have, and which of them are better."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from qpsearch.vocabulary import Direction, WithWords, coerce_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Logits = NDArray[np.float64]  # (images, classes)
    Labels = NDArray[np.int64]  # (images,)

WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Compute = Callable[[Any, Any], float]  # of logits and labels


class ValuesFrom(StrEnum):
    """Where a metric's values come from."""

    REPORT = "report"  # each epoch reports it, whether it is asked for or not
    LOGITS = "logits"  # from the network's outputs on a split, only where it is asked for
    TARGET = "target"  # from the accuracies of the epochs so far
    CLOCK = "clock"  # timed once a run
    NETWORK = "network"  # a cost: computed from the configuration, without training


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricKind(WithWords):
    """A metric, or a family of metrics that differ in a target.

    Attributes:
        name: The word in space files; of a target the word before it.
        doc: One sentence of what it is.
        direction: The direction in which it improves.
        low: The smallest value that it can have.
        high: The largest one.
        source: Where its values come from.
        unit: The unit of its values; empty for none.
        field: The field of an epoch's report that holds it, for ``ValuesFrom.REPORT``.
        compute: For ``ValuesFrom.LOGITS``: returns its value from logits (N, classes), float64, and labels (N,).
        needs_finite: Whether it does not have a value where an image's logits are not finite. Otherwise ``compute``
            gets such logits too, and counts the image as wrong.
        needs_validation: Whether it is measured on validation images.
        least_classes: Fewest classes with which it tells networks apart.
        paper: The paper that defines it; empty for none.
    """

    name: str
    doc: str
    direction: Direction
    low: float = 0.0
    high: float = math.inf
    source: ValuesFrom
    unit: str = ""
    field: str = ""
    compute: Compute | None = None
    needs_finite: bool = True
    needs_validation: bool = False
    least_classes: int = 2
    paper: str = ""

    @property
    def order(self) -> int:
        """Its place among all metrics: by their sources."""
        return list(ValuesFrom).index(self.source)

    def __post_init__(self) -> None:
        coerce_words(self)
        assert (self.compute is not None) == (self.source is ValuesFrom.LOGITS)
        assert bool(self.field) == (self.source is ValuesFrom.REPORT)


def on_logits(
    name: str, compute: Compute, *, direction: Direction, low: float = 0.0, high: float = 1.0, **facts: Any
) -> MetricKind:
    """Return a metric of a split's logits and labels; its sentence is the first one of the function's docstring.

    Args:
        name: What it is called on any split; on validation images ``val_`` stands before it.
        compute: Returns its value.
        direction: The direction in which it improves.
        low: The smallest value that it can have.
        high: The largest one.
        facts: Further attributes of ``MetricKind``.
    """
    return MetricKind(
        name=f"val_{name}",
        doc=(compute.__doc__ or "").strip().partition("\n")[0],
        direction=direction,
        low=low,
        high=high,
        source=ValuesFrom.LOGITS,
        compute=compute,
        needs_validation=True,
        **facts,
    )


def predicted(logits: "Logits") -> "NDArray[np.int64]":
    """Return the class of the largest logit of each image, (N,); -1 where an image's logits are not finite."""
    import numpy as np

    finite = np.asarray(np.isfinite(logits).all(axis=1))
    return np.where(finite, logits.argmax(axis=1), -1)
