"""Fidelity: a run trains at several levels, the cheap ones first, and its last level is the training that is searched.

At each level a run trains anew, from fresh weights, for the epochs of the recipe. Its epochs are numbered through: with
E epochs a level, those of level k, counted from 0, are k * E + 1 to (k + 1) * E. A level is thus a function of an
epoch's number, and so is everything else: what the epoch costs, at which rung it ends, whether it may be the score.
Only the first seed of a trial climbs the levels. Its further seeds train at the last level alone, whose epochs have the
same numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from qpsearch.errors import counted
from qpsearch.vocabulary import WithWords


class FidelityKind(StrEnum):
    """What grows from level to level of a run."""

    IMAGES = "images"
    IMAGE_SIZE = "image_size"
    WIDTH = "width"


COST_POWER: Final = {FidelityKind.IMAGES: 1, FidelityKind.IMAGE_SIZE: 2, FidelityKind.WIDTH: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity(WithWords):
    """The levels at which runs train.

    Attributes:
        kind: What grows from level to level.
        levels: Its values, ascending: shares of the training images, sides of images in pixels, or factors of widths.
            The last one is that of the whole training.
        epochs: Epochs at each level.
    """

    kind: FidelityKind
    levels: tuple[float, ...]
    epochs: int

    @property
    def whole(self) -> int:
        """Epochs of a run at all levels together."""
        return self.epochs * len(self.levels)

    @property
    def before_last(self) -> int:
        """Epochs of a run before its last level."""
        return self.whole - self.epochs

    def before(self, replicate: int) -> int:
        """Return the number of the epoch before the first one of a trial's run, which only in its first run is 0."""
        return 0 if replicate == 0 else self.before_last

    @property
    def rungs(self) -> tuple[int, ...]:
        """The last epochs of all levels but the last one, at which a pruner compares trials."""
        return tuple(range(self.epochs, self.whole, self.epochs))

    @property
    def shares(self) -> tuple[float, ...]:
        """What an epoch costs at each level, in epochs of the last: the share of images; size or width squared."""
        return tuple((level / self.levels[-1]) ** COST_POWER[self.kind] for level in self.levels)

    @property
    def cost(self) -> float:
        """What a trial's first run costs that reaches its end, in epochs of the last level."""
        return round(self.epochs * sum(self.shares), 6)

    def cost_up_to(self, epochs: int) -> float:
        """Return what the first epochs of a trial cost; more than its first run has are those of its further runs."""
        first = min(epochs, self.whole)
        return round(self.cost_of(dict.fromkeys(range(1, first + 1), 1)) + epochs - first, 6)

    def epochs_for(self, cost: float) -> float:
        """Return how many epochs a trial has trained that has cost so much: the inverse of ``cost_up_to``."""
        epochs = 0.0
        for share in self.shares:
            spent = min(cost, self.epochs * share)
            epochs, cost = epochs + spent / share, cost - spent
        return epochs + cost

    def level_of(self, epoch: int) -> int:
        """Return the level of an epoch, counted from 0; of an epoch after the last, the number of levels."""
        return (epoch - 1) // self.epochs

    def value_of(self, epoch: int) -> str:
        """Return the level of an epoch up to the last one, in words: ``images 0.1``."""
        return f"{self.kind} {self.levels[self.level_of(epoch)]:g}"

    def cost_of(self, counts: Mapping[int, int]) -> float:
        """Return what epochs cost, in epochs of the last level, given how many there are by their number in a run."""
        of_level = [0] * len(self.levels)
        for epoch, count in counts.items():
            of_level[self.level_of(epoch)] += count
        return round(sum(count * share for count, share in zip(of_level, self.shares, strict=True)), 6)

    @property
    def spans(self) -> str:
        """The epochs of each level, in words: ``images 0.1 in epochs 1 to 10, 1 in epochs 11 to 20``."""
        ends = range(self.epochs, self.whole + 1, self.epochs)
        parts = [
            f"{level:g} in {f'epoch {end}' if self.epochs == 1 else f'epochs {end - self.epochs + 1} to {end}'}"
            for level, end in zip(self.levels, ends, strict=True)
        ]
        return f"{self.kind} {', '.join(parts)}"

    @property
    def told(self) -> str:
        """The levels in words, and what a run costs: for ``space check`` and the display."""
        return f"{self}: {counted(self.epochs, 'epoch')} at each level, whose cost is that of {self.cost:g} at the last"

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(f'{level:g}' for level in self.levels)}"
