"""Tasks with two objectives: the loss, and a cost of the configuration. A set of points is as good as its hypervolume.

Both objectives are scaled to [0, 1]: the loss from the best known to the median of random configurations, as regret is;
the cost in log scale from the smallest to the largest of random configurations. The hypervolume of some points is the
area that they dominate, up to a loss and a cost of 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np

from tests.benchmarks.search.lcbench import lcbench
from tests.benchmarks.search.parameters import Config, Kind, changed, draw
from tests.benchmarks.search.tables import nasbench201_epochs
from tests.benchmarks.search.task import Floats, Task

NAMES: Final = tuple(f"lcbench-{name}" for name in ("34539", "126026", "7593", "126025"))
CELLS: Final = "nasbench201-12-200"
# Parameters of a network of NAS-Bench-201 without convolutions in its cells, and of each convolution in all cells.
BARE: Final = 73_306
CONVOLUTIONS: Final = {"nor_conv_3x3": 243_040, "nor_conv_1x1": 28_000}
SAMPLED, ROUNDS, NEAR = 1000, 6, 200  # of the search for the best known front


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontTask:
    """A task with two objectives.

    Attributes:
        task: The task, whose loss is the first objective.
        cost: Returns a configuration's second objective, smaller is better.
        cheapest: The cost that is scaled to 0.
        dearest: The cost that is scaled to 1.
        best: The largest hypervolume that is known.
    """

    task: Task
    cost: Callable[[Config], float]
    cheapest: float
    dearest: float
    best: float

    def regret(self, losses: Sequence[float], costs: Sequence[float]) -> float:
        """Return which share of the best known hypervolume some points lack."""
        return max(1 - volume(scaled(self.task, losses, costs, self.cheapest, self.dearest)) / self.best, 0.0)


def scaled(task: Task, losses: Sequence[float], costs: Sequence[float], cheapest: float, dearest: float) -> Floats:
    """Return points with both objectives in [0, 1], (points, 2)."""
    shares = np.log(np.array(costs) / cheapest) / np.log(dearest / cheapest)
    return np.column_stack([task.regret(np.array(losses, dtype=float)), np.clip(shares, 0.0, 1.0)])


def volume(points: Floats) -> float:
    """Return the area that points in the unit square, (points, 2), dominate within it; smaller is better."""
    covered, least = 0.0, 1.0
    for loss, cost in points[np.lexsort(points.T[::-1])]:
        if cost < least:
            covered += (1 - loss) * (least - cost)
            least = cost
    return float(covered)


@cache
def load(name: str, folder: Path) -> FrontTask:
    """Load a task: the loss and the time of an epoch of LCBench, or the loss and the parameters of NAS-Bench-201."""
    if name == CELLS:
        task = nasbench201_epochs(folder)
        return _front_task(
            task, lambda config: float(BARE + sum(CONVOLUTIONS.get(str(op), 0) for op in config.values()))
        )
    task = lcbench(folder, name.removeprefix("lcbench-"))
    return _front_task(task, lambda config: float(task.curve(config, 0).cost.mean()))


def _front_task(task: Task, cost: Callable[[Config], float]) -> FrontTask:
    """Look for the best known front: at all points, or random ones and rounds of changed copies of the undominated."""
    is_finite = all(each.kind is Kind.CHOICE for each in task.parameters)
    generator = np.random.default_rng(0)
    configs = every(task) if is_finite else [draw(task.parameters, generator) for _ in range(SAMPLED)]
    losses, costs = [task.curve(each, 0).best for each in configs], [cost(each) for each in configs]
    cheapest, dearest = min(costs), max(costs)
    for turn in range(0 if is_finite else ROUNDS):
        front = _front(scaled(task, losses, costs, cheapest, dearest))
        parents = [configs[front[place]] for place in generator.integers(len(front), size=NEAR)]
        near = [changed(task.parameters, each, generator, 0.2 / (turn + 1)) for each in parents]
        configs, losses = [*configs, *near], [*losses, *(task.curve(each, 0).best for each in near)]
        costs = [*costs, *map(cost, near)]
    best = volume(scaled(task, losses, costs, cheapest, dearest))
    return FrontTask(task=task, cost=cost, cheapest=cheapest, dearest=dearest, best=best)


def every(task: Task) -> list[Config]:
    """Return all configurations of a task whose parameters are choices."""
    keys = [each.key for each in task.parameters]
    return [dict(zip(keys, each, strict=True)) for each in product(*(each.options for each in task.parameters))]


def _front(points: Floats) -> list[int]:
    """Return the indices of the points that no other dominates; of equal ones the first."""
    found, least = [], np.inf
    for index in np.lexsort(points.T[::-1]):
        if points[index, 1] < least:
            least = points[index, 1]
            found.append(int(index))
    return found
