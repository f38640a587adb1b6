"""The results of ``qpsearch evaluate``, as a table and as ``--json`` prints them."""

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from qpsearch.display.console import Cell, Column, open_console, print_line, table_lines
from qpsearch.display.shown import BlockNames, in_words, numbers_of, scalar
from qpsearch.runner.evaluate_documents import Accuracies, OnTest, TestedConfiguration
from qpsearch.space.leaves import short_paths
from qpsearch.study.records import TrialRecord

if TYPE_CHECKING:
    from qpsearch.study.trials.evaluations import Evaluated

BLOCKS_WIDTH: Final = 24  # width of a column; longer names are shown as initials
NOT_DRAWN: Final = "-"  # None is a value, which a draw chose


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a trial, or several trials of one configuration, gave on the test split.

    Attributes:
        record: The trial, or the first of them.
        trials: Their numbers.
        value: The score by which it was chosen: the mean over the runs of the search.
        seeds: The seeds of the runs.
        evaluated: What each run gave, at each level of noise.
        to_target: Epochs that each run took to reach the target on validation images; None for never.
    """

    record: TrialRecord
    trials: tuple[int, ...]
    value: float | None
    seeds: tuple[int, ...]
    evaluated: "tuple[Evaluated, ...]"
    to_target: tuple[int | None, ...]

    def accuracies(self, level: float) -> list[float]:
        """Return the accuracy of each run at a level of noise."""
        return [each.accuracy for each in self.evaluated if each.noise == level]

    @property
    def metrics(self) -> list[str]:
        """The names of the metrics that the study asks for beyond accuracy and loss."""
        return list(dict.fromkeys(name for each in self.evaluated for name in each.metrics))

    def values(self, metric: str, level: float) -> list[float | None]:
        """Return the value of such a metric of each run at a level of noise."""
        return [each.metrics.get(metric) for each in self.evaluated if each.noise == level]


def together(parts: list[Tested], value: float | None) -> Tested:
    """Return the results of trials of one configuration as one.

    Args:
        parts: The results of each trial.
        value: The configuration's score; None for the trial's own.
    """
    return Tested(
        record=parts[0].record,
        trials=tuple(number for part in parts for number in part.trials),
        value=parts[0].value if value is None else value,
        seeds=tuple(seed for part in parts for seed in part.seeds),
        evaluated=tuple(each for part in parts for each in part.evaluated),
        to_target=tuple(epochs for part in parts for epochs in part.to_target),
    )


def row(tested: Tested, levels: list[float]) -> TestedConfiguration:
    """Return a trial's results as ``--json`` prints them."""
    return TestedConfiguration(
        trial=tested.record.number,
        trials=tested.trials,
        blocks=" ".join(tested.record.stages),
        params=dict(tested.record.params),
        value=tested.value,
        seeds=tested.seeds,
        accuracies=tuple(
            Accuracies(
                noise=f"poisson:{level:g}" if level else None,
                mean=statistics.mean(tested.accuracies(level)),
                sd=_sd(tested.accuracies(level)),
                runs=tuple(tested.accuracies(level)),
                nonfinite=tuple(each.nonfinite for each in tested.evaluated if each.noise == level),
            )
            for level in levels
        ),
        epochs_to_target=tested.to_target,
        metrics=tuple(_on_test(tested, metric, level) for metric in tested.metrics for level in levels),
    )


def _on_test(tested: Tested, metric: str, level: float) -> OnTest:
    runs = tested.values(metric, level)
    known = [value for value in runs if value is not None]
    whole = known if len(known) == len(runs) else []
    return OnTest(
        metric=metric,
        noise=f"poisson:{level:g}" if level else None,
        mean=statistics.mean(whole) if whole else None,
        sd=_sd(whole),
        runs=tuple(runs),
    )


def print_table(tested: list[Tested], levels: list[float], target: float | None, *, is_grid: bool) -> None:
    """Print a line for each trial, or one for each level of noise where levels do not fit beside each other.

    Args:
        tested: The trials, in the order of their lines.
        levels: The levels of noise.
        target: The accuracy to which epochs were counted; None for none.
        is_grid: Whether the trials are points of a grid, whose lines say what tells them apart.
    """
    console = open_console()
    titles = [f"poisson:{level:g}" if level else "clean" for level in levels]
    names = BlockNames([each.record.stages for each in tested], BLOCKS_WIDTH)
    parameters = _telling(tested) if is_grid else {}
    head = [
        Column(title="trial"),
        Column(title="blocks"),
        *(Column(title=title, spare=spare) for title, spare in parameters.values()),
        Column(title="runs"),
    ]
    ends = [] if target is None else [Column(title=f"epochs to {target:g}")]
    metrics = list(dict.fromkeys(name for each in tested for name in each.metrics))
    further = [Column(title=name, spare=1 + index) for index, name in enumerate(reversed(metrics))][::-1]
    beside: list[list[Cell]] = []
    below: list[list[Cell]] = []
    for each in tested:
        point = [scalar(each.record.params.get(name, NOT_DRAWN)) for name in parameters]
        front = [numbers_of(each.trials), names.of(each.record.stages), *point, str(len(each.seeds))]
        cells = [f"{statistics.mean(values):.4f} ({_spread(values)})" for values in map(each.accuracies, levels)]
        reached = [_epochs(each)] if ends else []
        others = [[_cell(each.values(name, level)) for name in metrics] for level in levels]
        beside.append([*front, *cells, *others[0], *reached])
        rows = zip(titles, cells, others, strict=True)
        below += [[*front, title, cell, *other, *reached] for title, cell, other in rows]
    columns = [*head, *(Column(title=title) for title in titles), *further, *ends]
    lines, left_out = table_lines(columns, beside, console.width)
    if left_out or max(line.cell_len for line in lines) > console.width:
        columns = [*head, Column(title="noise"), Column(title="accuracy"), *further, *ends]
        lines, left_out = table_lines(columns, below, console.width)
    for line in lines:
        print_line(console, line)
    if names.legend:
        print_line(console, Text(f"blocks: {names.legend}"))
    if left_out:
        console.print(f"not shown: {', '.join(left_out)}; all of it: --json")
    if metrics and len(levels) > 1 and columns[len(head)].title != "noise":
        console.print(f"{', '.join(metrics)}: on clean images; under noise: --json")
    if target is not None:
        console.print(f"epochs to {target:g}: until validation accuracy was first that high")


def _telling(tested: list[Tested]) -> dict[str, tuple[str, int]]:
    """Return the parameters in which trials differ, but for those that say what the column of blocks says.

    Returns:
        By name: the last words of the name, as many as tell it from the others, and in which order columns may be left
            out; the parameter that tells most trials apart goes last.
    """
    names = list(dict.fromkeys(name for each in tested for name in each.record.params))
    values = {name: [each.record.params.get(name, NOT_DRAWN) for each in tested] for name in names}
    blocks = [in_words(each.record.stages) for each in tested]
    found = [name for name in names if len(set(values[name])) > 1 and values[name] != blocks]
    order = sorted(found, key=lambda name: -len(set(values[name])))
    return {name: (ending, order.index(name) + 1) for name, ending in short_paths(found).items()}


def _cell(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.mean(known):.4f} ({_spread(known)})" if known and len(known) == len(values) else "-"


def _sd(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan


def _spread(values: list[float]) -> str:
    return f"{_sd(values):.4f}" if len(values) > 1 else "n = 1"


def _epochs(tested: Tested) -> str:
    reached = [epochs for epochs in tested.to_target if epochs is not None]
    if not reached:
        return "never reached"
    text = f"{statistics.median(reached):g}"
    return text if len(reached) == len(tested.to_target) else f"{text} ({len(reached)} of {len(tested.to_target)} runs)"
