"""The table of metrics: what a search can optimise, and what epochs can record.

A new metric is a module here, with its ``MEMBERS``. Metrics of the user's own join the table when they are registered.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Self

from qpsearch.errors import nearest, own_hint
from qpsearch.registry.members import members
from qpsearch.registry.metrics.base import MetricKind, ValuesFrom
from qpsearch.vocabulary import Direction

TARGET: Final = re.compile(r"(0?\.\d+|1|1\.0+)")
ON_TEST: Final = "test_"  # how names of metrics of the test images begin
HINT: Final = own_hint("metric")


METRICS: Final = members(__name__, MetricKind)
BUILT_IN: Final = tuple(METRICS)


class Metric(str):
    """What a search can optimise, by its word in space files; ``METRICS`` says what is known of it."""

    __slots__ = ()

    VAL_ACCURACY: ClassVar["Metric"]
    VAL_LOSS: ClassVar["Metric"]
    PARAMETERS: ClassVar["Metric"]
    MACS: ClassVar["Metric"]
    ACTIVATION_BYTES: ClassVar["Metric"]

    def __new__(cls, word: str) -> Self:
        """Take a word that is in the table, or one of a target such as ``epochs_to_0.9``, also spelled 0.90.

        Raises:
            ValueError: There is no such metric; the message names the nearest one.
        """
        kind = _kind_of(word)
        is_of_target = kind.source is ValuesFrom.TARGET
        return super().__new__(cls, f"{kind.name}{float(word.removeprefix(kind.name)):.12g}" if is_of_target else word)

    @property
    def kind(self) -> MetricKind:
        """What is known of the metric."""
        return _kind_of(self)

    @property
    def value(self) -> str:
        """The word."""
        return str(self)

    @property
    def is_own(self) -> bool:
        """Whether it comes from code of the user's own."""
        return self.kind.name not in BUILT_IN

    @property
    def target(self) -> float:
        """The accuracy to reach, for a metric of a target."""
        return float(self.removeprefix(self.kind.name))

    @property
    def is_cost(self) -> bool:
        """Whether the metric is computed from the configuration, without training."""
        return self.kind.source is ValuesFrom.NETWORK

    @property
    def is_extra(self) -> bool:
        """Whether it is computed only where a study asks for it."""
        return self.kind.source not in (ValuesFrom.REPORT, ValuesFrom.NETWORK)

    @property
    def is_timed(self) -> bool:
        """Whether it is a time, which depends on the machine and not on images."""
        return self.kind.source is ValuesFrom.CLOCK or self.kind.unit == "s"

    @property
    def needs_validation(self) -> bool:
        """Whether the metric is measured on validation images."""
        return self.kind.needs_validation

    @property
    def measured_on(self) -> str:
        """Where its values come from, in words."""
        if self.is_timed:
            return "the machine that trained it"
        return "the network" if self.is_cost else "validation images" if self.needs_validation else "training images"

    @property
    def on_test(self) -> str:
        """Its name on test images, where it can be computed on them; empty for others."""
        return f"{ON_TEST}{self.removeprefix('val_')}" if self.kind.source is ValuesFrom.LOGITS else ""

    @property
    def direction(self) -> Direction:
        """The direction in which the metric improves."""
        return self.kind.direction

    @property
    def worst(self) -> float:
        """What a missing value counts as."""
        return -math.inf if self.direction is Direction.MAXIMIZE else math.inf

    def of(self, epoch: object, beyond: Mapping[str, float | None]) -> float:
        """Return its value of an epoch; a missing one counts as infinitely bad.

        Args:
            epoch: The epoch's report, or its row in the database.
            beyond: What was measured beyond the fields of every report, by word.
        """
        given = self.kind.field
        value: float | None = getattr(epoch, given) if given else beyond.get(self)
        return self.worst if value is None else value

    def may_be(self, value: float) -> bool:
        """Whether the metric can have a value: it is in its range.

        What a missing value counts as is allowed, and so is NaN, which a loss becomes.
        """
        if math.isnan(value) or value == self.worst:
            return True
        return self.kind.low <= value <= self.kind.high

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let pydantic read and describe it as a text."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


def _kind_of(word: str) -> MetricKind:
    if word in METRICS and METRICS[word].source is not ValuesFrom.TARGET:
        return METRICS[word]
    for name, kind in METRICS.items():
        if kind.source is ValuesFrom.TARGET and word.startswith(name):
            target = word.removeprefix(name)
            if not TARGET.fullmatch(target) or float(target) == 0:
                raise ValueError(f"{str(word)!r}: expected a target above 0 and at most 1, such as {name}0.9.")
            return kind
    raise ValueError(f"unknown metric {str(word)!r}. {nearest(str(word), words())} {HINT}")


def in_order(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """Return metrics by their sources, then as in the table; those of the user's own by their words."""

    def place(metric: Metric) -> tuple[int, int, str]:
        kind = metric.kind
        known = BUILT_IN.index(kind.name) if kind.name in BUILT_IN else len(BUILT_IN)
        return list(ValuesFrom).index(kind.source), known, metric

    return tuple(sorted(metrics, key=place))


def words() -> list[str]:
    """Return the words that space files can use; a word of a target with an example."""
    return [f"{name}0.9" if kind.source is ValuesFrom.TARGET else name for name, kind in METRICS.items()]


for _name in ("val_accuracy", "val_loss", "parameters", "macs", "activation_bytes"):
    setattr(Metric, _name.upper(), Metric(_name))
