"""What a task is: hyper-parameters, and the curve and the time of each configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qpsearch.errors import UserError
from tests.benchmarks.search.parameters import Config, Parameter, draw

Floats = NDArray[np.float64]

SAMPLED: Final = 1000  # random configurations from which a task's scale is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The training of one configuration.

    Attributes:
        seen: Loss after each epoch, as a search sees it; the training diverges at the first that is not finite.
        true: The loss for which an epoch is scored; the same, but for tasks with noise.
        cost: Time of each epoch, in the task's own unit.
    """

    seen: Floats
    true: Floats
    cost: Floats

    @property
    def diverges_in(self) -> int | None:
        """The epoch, from 1, in which the training diverges; None if it does not."""
        diverged = np.flatnonzero(~np.isfinite(self.seen))
        return int(diverged[0]) + 1 if len(diverged) else None

    @property
    def best(self) -> float:
        """The smallest loss before the training diverges; infinite where its first epoch does."""
        until = None if self.diverges_in is None else self.diverges_in - 1
        return float(self.true[:until].min(initial=np.inf))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What a task's losses are measured against.

    Attributes:
        best: The best loss that is known; regret 0.
        median: The median over random configurations of the best loss of their training; regret 1.
        full: Mean time of a full training of random configurations.
    """

    best: float
    median: float
    full: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to search.

    Attributes:
        name: Its name, unique.
        family: The kind of task: tasks of one family have the same parameters.
        parameters: In the order in which they are drawn; a choice of ``block`` comes before what depends on it.
        epochs: Epochs of a full training.
        curve: Returns the curve of a configuration; noise is drawn by the seed of the search.
        scale: What losses are measured against.
        trainings: The budget, in mean full trainings.
    """

    name: str
    family: str
    parameters: tuple[Parameter, ...]
    epochs: int
    curve: Callable[[Config, int], Curve]
    scale: Scale
    trainings: float = 40.0

    def regret(self, losses: Floats) -> Floats:
        """Return the share of the way from the best known to the median random loss, in [0, 1]; without a loss 1."""
        shares = (np.where(np.isfinite(losses), losses, np.inf) - self.scale.best) / (
            self.scale.median - self.scale.best
        )
        return np.asarray(np.clip(shares, 0.0, 1.0))


def sampled_scale(
    parameters: tuple[Parameter, ...], curve: Callable[[Config, int], Curve], *, best: float | None = None
) -> Scale:
    """Take a scale from random configurations; ``best`` is the best loss where it is known."""
    generator = np.random.default_rng(0)
    curves = [curve(draw(parameters, generator), 0) for _ in range(SAMPLED)]
    losses = [each.best for each in curves]
    return Scale(
        best=min(losses) if best is None else best,
        median=float(np.median(losses)),
        full=float(np.mean([each.cost.sum() for each in curves])),
    )


class NoTables(UserError):
    """The tables, or a package that reads them, cannot be found."""
