"""The results of ``qpsearch evaluate`` as a table."""

import statistics
from collections.abc import Sequence
from typing import Final

from rich.text import Text

from qpsearch.display.console import Cell, Column, open_console, print_line, table_lines
from qpsearch.display.shown import BlockNames, in_words, numbers_of, scalar
from qpsearch.runner.evaluate_documents import TestedConfiguration
from qpsearch.space.leaves import short_paths

BLOCKS_WIDTH: Final = 24  # width of a column; longer names are shown as initials
NOT_DRAWN: Final = "-"  # None is a value, which a draw chose


def print_table(tested: Sequence[TestedConfiguration], target: float | None, *, is_grid: bool) -> None:
    """Print a line for each configuration, or one for each level of noise where levels do not fit beside each other.

    Args:
        tested: The configurations, in the order of their lines; all were tested at the same levels of noise.
        target: The accuracy to which epochs were counted; None for none.
        is_grid: Whether they are points of a grid, whose lines say what tells them apart.
    """
    console = open_console()
    titles = [each.noise or "clean" for each in tested[0].accuracies]
    names = BlockNames([_stages(each) for each in tested], BLOCKS_WIDTH)
    parameters = _telling(tested) if is_grid else {}
    head = [
        Column(title="trial"),
        Column(title="blocks"),
        *(Column(title=title, spare=spare) for title, spare in parameters.values()),
        Column(title="runs"),
    ]
    ends = [] if target is None else [Column(title=f"epochs to {target:g}")]
    metrics = list(dict.fromkeys(found.metric for each in tested for found in each.metrics))
    further = [Column(title=name, spare=1 + index) for index, name in enumerate(reversed(metrics))][::-1]
    beside: list[list[Cell]] = []
    below: list[list[Cell]] = []
    for each in tested:
        point = [scalar(each.params.get(name, NOT_DRAWN)) for name in parameters]
        front = [numbers_of(each.trials), names.of(_stages(each)), *point, str(len(each.seeds))]
        cells = [_cell(found.mean, found.sd) for found in each.accuracies]
        reached = [_epochs(each)] if ends else []
        values = {(found.metric, found.noise): _cell(found.mean, found.sd) for found in each.metrics}
        others = [[values.get((name, found.noise), "-") for name in metrics] for found in each.accuracies]
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
    if metrics and len(titles) > 1 and columns[len(head)].title != "noise":
        console.print(f"{', '.join(metrics)}: on clean images; under noise: --json")
    if target is not None:
        console.print(f"epochs to {target:g}: until validation accuracy was first that high")


def _stages(tested: TestedConfiguration) -> tuple[str, ...]:
    return tuple(tested.blocks.split())


def _telling(tested: Sequence[TestedConfiguration]) -> dict[str, tuple[str, int]]:
    """Return the parameters in which configurations differ, but for those that say what the column of blocks says.

    Returns:
        By name: the last words of the name, as many as tell it from the others, and in which order columns may be left
            out; the parameter that tells most configurations apart goes last.
    """
    names = list(dict.fromkeys(name for each in tested for name in each.params))
    values = {name: [each.params.get(name, NOT_DRAWN) for each in tested] for name in names}
    blocks = [in_words(_stages(each)) for each in tested]
    found = [name for name in names if len(set(values[name])) > 1 and values[name] != blocks]
    order = sorted(found, key=lambda name: -len(set(values[name])))
    return {name: (ending, order.index(name) + 1) for name, ending in short_paths(found).items()}


def _cell(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.4f} (n = 1)" if sd is None else f"{mean:.4f} ({sd:.4f})"


def _epochs(tested: TestedConfiguration) -> str:
    reached = [epochs for epochs in tested.epochs_to_target if epochs is not None]
    if not reached:
        return "never reached"
    text = f"{statistics.median(reached):g}"
    runs = len(tested.epochs_to_target)
    return text if len(reached) == runs else f"{text} ({len(reached)} of {runs} runs)"
