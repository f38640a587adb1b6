"""Searches without a model: random configurations, alone and with asynchronous successive halving (arXiv 1810.05934)."""

from typing import Final

import numpy as np

from tests.benchmarks.search.parameters import Config, draw
from tests.benchmarks.search.task import Task

ETA: Final = 3


def rungs(epochs: int, *, first: int = 1, eta: int = ETA) -> list[int]:
    """Return the epochs of the rungs below the last epoch: first, first * eta, ..."""
    found = []
    while first < epochs:
        found.append(first)
        first *= eta
    return found


class RandomSearch:
    """Random configurations, each trained to its end."""

    def __init__(self, task: Task, seed: int) -> None:
        self._task, self._generator = task, np.random.default_rng(seed)
        self._next = 0

    def ask(self) -> tuple[int, Config] | None:
        """Draw a configuration."""
        self._next += 1
        return self._next - 1, draw(self._task.parameters, self._generator)

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Go on."""
        return True

    def fail(self, trial: int, epoch: int) -> None:
        """Nothing is learned from it."""

    def close(self) -> None:
        """Nothing is open."""


class StoppingHalving(RandomSearch):
    """Stops a trial that is at a rung not among the best third of those that reached the rung before it."""

    def __init__(self, task: Task, seed: int) -> None:
        super().__init__(task, seed)
        self._rungs: dict[int, list[float]] = {epoch: [] for epoch in rungs(task.epochs)}

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Compare at a rung."""
        if epoch not in self._rungs:
            return True
        reached = self._rungs[epoch]
        reached.append(loss)
        return len(reached) == 1 or bool(loss <= np.quantile(reached, 1 / ETA))


class PromotingHalving(RandomSearch):
    """Pauses every trial at a rung; a free worker first resumes one that is among the best third of its rung."""

    def __init__(self, task: Task, seed: int) -> None:
        super().__init__(task, seed)
        self._rungs: dict[int, dict[int, float]] = {epoch: {} for epoch in rungs(task.epochs)}
        self._resumed: dict[int, set[int]] = {epoch: set() for epoch in self._rungs}
        self._configs: dict[int, Config] = {}

    def ask(self) -> tuple[int, Config] | None:
        """Promote from the highest rung where possible, else draw."""
        for epoch in reversed(self._rungs):
            losses = self._rungs[epoch]
            for trial in sorted(losses, key=losses.__getitem__)[: len(losses) // ETA]:
                if trial not in self._resumed[epoch]:
                    self._resumed[epoch].add(trial)
                    return trial, self._configs[trial]
        found = super().ask()
        assert found is not None
        self._configs[found[0]] = found[1]
        return found

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Pause at a rung."""
        if epoch not in self._rungs:
            return True
        self._rungs[epoch][trial] = loss
        return False
