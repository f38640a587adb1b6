"""The hyper-parameters of a task, as every search is told them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from qpsearch.vocabulary import Scalar

BLOCK: Final = "block"  # the choice on which conditional parameters depend

Config = dict[str, Scalar]


class Kind(StrEnum):
    """How values are drawn; the words of a space file."""

    FLOAT = "float"
    LOG = "log"
    INT = "int"
    LOG_INT = "log_int"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One hyper-parameter.

    Attributes:
        name: Its name.
        kind: How it is drawn.
        low: The smallest value of a range.
        high: The largest.
        options: The words of a choice.
        block: The option of the choice ``block`` that has the parameter; empty where every configuration has it.
    """

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 0.0
    options: tuple[str, ...] = ()
    block: str = ""

    @property
    def key(self) -> str:
        """Its name in a configuration, unique in a task."""
        return f"{self.block}.{self.name}" if self.block else self.name

    @property
    def is_whole(self) -> bool:
        """Whether values are whole numbers."""
        return self.kind in (Kind.INT, Kind.LOG_INT)

    @property
    def is_log(self) -> bool:
        """Whether values are drawn evenly in log scale."""
        return self.kind in (Kind.LOG, Kind.LOG_INT)

    def at(self, share: float) -> Scalar:
        """Return the value at a share of the range in [0, 1); whole numbers and options have equal parts of it."""
        if self.kind is Kind.CHOICE:
            return self.options[min(int(share * len(self.options)), len(self.options) - 1)]
        low, high = self._edges
        value = low + share * (high - low)
        if self.is_log:
            value = math.exp(value)
        return min(max(round(value) if self.is_whole else value, self._bound(self.low)), self._bound(self.high))

    def share(self, value: Scalar) -> float:
        """Return where a number lies in its range, from 0 to 1, or the middle of an option's part."""
        if self.kind is Kind.CHOICE:
            return (self.options.index(str(value)) + 0.5) / len(self.options)
        assert isinstance(value, int | float)
        low, high = self._edges
        return ((math.log(value) if self.is_log else float(value)) - low) / (high - low)

    @property
    def _edges(self) -> tuple[float, float]:
        margin = 0.5 if self.is_whole else 0.0
        low, high = self.low - margin, self.high + margin
        return (math.log(low), math.log(high)) if self.is_log else (low, high)

    def _bound(self, value: float) -> float:
        return int(value) if self.is_whole else value


def active(parameters: Sequence[Parameter], config: Config) -> Iterator[Parameter]:
    """Yield the parameters that a configuration has, in order, while their values are being added to it."""
    for parameter in parameters:
        if not parameter.block or config[BLOCK] == parameter.block:
            yield parameter


def draw(parameters: Sequence[Parameter], generator: np.random.Generator) -> Config:
    """Draw a configuration evenly."""
    config: Config = {}
    for parameter in active(parameters, config):
        config[parameter.key] = parameter.at(generator.random())
    return config


def changed(parameters: Sequence[Parameter], config: Config, generator: np.random.Generator, spread: float) -> Config:
    """Return a neighbour of a configuration: about half of its values are moved.

    Args:
        parameters: Of every configuration.
        config: The configuration.
        generator: Of the moves.
        spread: Standard deviation of a move, as a share of a range.
    """
    moved = dict(config)
    for each in parameters:
        if generator.random() < 0.5:
            place = each.share(config[each.key]) + generator.normal(0, spread)
            moved[each.key] = each.at(min(max(place, 0.0), 1.0))
    return moved
