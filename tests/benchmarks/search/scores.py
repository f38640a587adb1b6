"""From runs to numbers with intervals: regrets, ranks, and the share of the budget that a method needs.

Intervals are from the 5th to the 95th percentile of a bootstrap over tasks, and over the seeds of each task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tests.benchmarks.search.catalogue import group_of
from tests.benchmarks.search.methods import RANDOM, REFERENCE
from tests.benchmarks.search.simulation import POINTS, Run
from tests.benchmarks.search.task import Floats, Task

RESAMPLED: Final = 1000
LEVELS: Final = (5, 95)
QUARTILES: Final = (25, 75)
NEVER: Final = 1.25  # the share of a method that does not get there
CLOSE: Final = 1e-12
AT: Final = (0.25, 0.5, 1.0)  # shares of the budget at which methods are ranked

GROUPS: Final = ("choices", "kept out", "one fidelity", "planted")

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value, and its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A method on a group of tasks.

    Attributes:
        method: Its name.
        words: Its name with defaults resolved.
        group: The tasks: one of ``GROUPS``, or ``all`` for both halves of the tasks with curves.
        tasks: How many.
        seeds: Of each task.
        final: Mean regret at the end of the budget.
        half: Mean regret at half of it.
        ranks: Mean rank among all methods at a quarter, at half and at the end of the budget; 1 is best.
        share: Median over tasks of the share of the budget at which the method's median regret reaches that of the
            reference's end; ``NEVER`` where it does not.
        worse: Tasks on which the interval of the mean final regret's difference to random search lies above 0.
        idle: Share of the workers' time without work.
        trials: Trials of a run, on average.
        ask_ms: CPU time of handing out a trial, on average.
        report_ms: CPU time of a report, on average.
    """

    method: str
    words: str
    group: str
    tasks: int
    seeds: int
    final: Interval
    half: Interval
    ranks: tuple[float, ...]
    share: Interval
    worse: tuple[str, ...]
    idle: float
    trials: float
    ask_ms: float
    report_ms: float


class Scores:
    """The regrets of methods on tasks.

    Args:
        tasks: The tasks.
        runs: By method and task, a run for each seed; every method has as many.
        words: By method, its name with defaults resolved.
        reference: The method by whose final regret shares of the budget are taken.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        runs: dict[tuple[str, str], list[Run]],
        words: dict[str, str],
        reference: str = REFERENCE,
    ) -> None:
        self._tasks, self._runs, self._words, self._reference = tasks, runs, words, reference
        self.methods = tuple(words)
        self._regrets = {
            method: np.array([[_regret(task, run) for run in runs[method, task.name]] for task in tasks])
            for method in self.methods
        }  # (tasks, seeds, points)

    def rows(self) -> list[Row]:
        """Return a row for each method and group."""
        groups = {group: np.flatnonzero(self._are(group)) for group in GROUPS}
        groups = {group: members for group, members in groups.items() if len(members)}
        if "choices" in groups and "kept out" in groups:
            groups["all"] = np.concatenate([groups["choices"], groups["kept out"]])
        return [self._row(method, name, members) for name, members in groups.items() for method in self.methods]

    def share(self, method: str, task: int) -> tuple[float, float, float]:
        """Return a method's share of the budget on one task, with its quartiles over resampled seeds."""
        members = np.array([task])
        value, drawn = self._shares(method, members)
        low, high = np.percentile(drawn, QUARTILES)
        return value, float(low), float(high)

    def _are(self, group: str) -> list[bool]:
        return [group_of(task.name) == group for task in self._tasks]

    @property
    def seeds(self) -> int:
        """How many seeds each task has."""
        return int(self._regrets[RANDOM].shape[1])

    def final(self, method: str, task: int) -> float:
        """Return the median final regret on one task."""
        return float(np.median(self._regrets[method][task, :, -1]))

    def _row(self, method: str, group: str, members: Indices) -> Row:
        regrets = self._regrets[method][members]
        runs = [run for task in members for run in self._runs[method, self._tasks[task].name]]
        share, drawn = self._shares(method, members)
        worse = [self._tasks[task].name for task in members if method != RANDOM and self._is_worse(method, task)]
        return Row(
            method=method,
            words=self._words[method],
            group=group,
            tasks=len(members),
            seeds=regrets.shape[1],
            final=_mean(regrets[:, :, -1]),
            half=_mean(regrets[:, :, POINTS // 2 - 1]),
            ranks=tuple(float(self._ranks[self.methods.index(method), members, :, each].mean()) for each in range(3)),
            share=_interval(share, drawn),
            worse=tuple(worse),
            idle=float(np.mean([run.idle for run in runs])),
            trials=float(np.mean([run.trials for run in runs])),
            ask_ms=1000 * sum(run.ask_s for run in runs) / sum(run.asks for run in runs),
            report_ms=1000 * sum(run.report_s for run in runs) / sum(run.epochs for run in runs),
        )

    @cached_property
    def _ranks(self) -> Floats:
        """Ranks by method, task, seed and place in ``AT``; equally good methods share the mean of their ranks."""
        at = [round(share * POINTS) - 1 for share in AT]
        return np.asarray(rankdata([self._regrets[method][:, :, at] for method in self.methods], axis=0))

    def _is_worse(self, method: str, task: int) -> bool:
        generator = np.random.default_rng(0)
        own, other = (_resampled(self._regrets[each][task, :, -1], generator) for each in (method, RANDOM))
        return bool(np.percentile(own.mean(axis=1) - other.mean(axis=1), LEVELS[0]) > 0)

    def _shares(self, method: str, members: Indices) -> tuple[float, Floats]:
        """Return the median share over tasks, and the medians of resampled tasks and seeds."""
        own, goal = self._regrets[method][members], self._regrets[self._reference][members][:, :, -1]
        value = np.median(_first(np.median(own, axis=1), np.median(goal, axis=1)))
        generator = np.random.default_rng(0)
        by_task = []
        for _ in members:
            task = generator.integers(len(members), size=RESAMPLED)
            seeds, others = (generator.integers(own.shape[1], size=(RESAMPLED, own.shape[1])) for _ in range(2))
            by_task.append(
                _first(np.median(own[task[:, None], seeds], axis=1), np.median(goal[task[:, None], others], axis=1))
            )
        return float(value), np.asarray(np.median(by_task, axis=0))


def _regret(task: Task, run: Run) -> Floats:
    return task.regret(np.array([np.nan if loss is None else loss for loss in run.best]))


def _first(curves: Floats, goals: Floats) -> Floats:
    """Return at which share of the budget each curve (last axis) first reaches its goal."""
    reached = curves <= goals[..., None] + CLOSE
    return np.where(reached.any(axis=-1), (reached.argmax(axis=-1) + 1) / curves.shape[-1], NEVER)


def _mean(values: Floats) -> Interval:
    """Return the mean of (tasks, seeds)."""
    generator = np.random.default_rng(0)
    tasks, seeds = values.shape
    means = []
    for _ in range(tasks):
        task = generator.integers(tasks, size=RESAMPLED)
        means.append(values[task[:, None], generator.integers(seeds, size=(RESAMPLED, seeds))].mean(axis=1))
    return _interval(float(values.mean()), np.mean(means, axis=0))


def _resampled(values: Floats, generator: np.random.Generator) -> Floats:
    return np.asarray(values[generator.integers(len(values), size=(RESAMPLED, len(values)))])


def _interval(value: float, drawn: Floats) -> Interval:
    low, high = np.percentile(drawn, LEVELS)
    return Interval(value=value, low=float(low), high=float(high))
