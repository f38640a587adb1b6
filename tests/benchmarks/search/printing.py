"""What the benchmark prints: a table for people, or one JSON document."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from tests.benchmarks import report
from tests.benchmarks.search import catalogue, scores
from tests.benchmarks.search.methods import OURS, REFERENCE
from tests.benchmarks.search.scores import Interval, Scores
from tests.benchmarks.search.simulation import Run
from tests.benchmarks.search.task import Task

TARGET: Final = 0.30  # the share of the budget that ours shall need at most, in the median


def against_reference(tasks: Sequence[Task], found: Scores) -> list[report.Row]:
    """Return a row for each task and each of our methods; the ratio is the share of the budget."""
    return [
        _against(found, method, index, task)
        for method in found.methods
        if method.startswith(OURS)
        for index, task in enumerate(tasks)
    ]


def _against(found: Scores, method: str, index: int, task: Task) -> report.Row:
    ratio, low, high = found.share(method, index)
    group = catalogue.group_of(task.name)
    return report.Row(
        name=f"optuna: {task.name} ({method})",
        alternative="its TPE and Hyperband by ask and tell, in memory, both with defaults but min_resource 1",
        ours=found.final(method, index),
        against=found.final(REFERENCE, index),
        unit="regret",
        ratio=ratio,
        n=found.seeds,
        spread=(low, high),
        target=TARGET,
        note=(
            f"{group}; the ratio is the share of {task.trainings:g} full trainings at which our median regret reaches "
            f"that of the other's end ({scores.NEVER} for never); ours and against are median final regrets"
        ),
    )


def as_table(rows: Sequence[scores.Row], per_task: Sequence[report.Row], where: str) -> str:
    """Return the methods by group as Markdown, then the tasks."""
    head = (
        "| method | tasks x seeds | final regret | at half budget | rank at 25/50/100% | share | worse than random "
        "| trials | idle | ms an ask | ms a report |"
    )
    lines = [head, f"|{'---|' * head.count(' | ')}---|"]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append(f"| **{group}** |{' |' * head.count(' | ')}")
        lines.append(_line(row))
    return "\n".join([*lines, "", report.as_table(per_task, where) if per_task else where])


def _line(row: scores.Row) -> str:
    name = row.method if row.method == row.words else f"{row.method} ({row.words.partition(':')[2]})"
    cells = (
        name,
        f"{row.tasks} x {row.seeds}",
        _shown(row.final),
        _shown(row.half),
        " ".join(f"{rank:.1f}" for rank in row.ranks),
        _shown(row.share, 2),
        "-" if row.method == "random" else str(len(row.worse)),
        f"{row.trials:.0f}",
        f"{row.idle:.2f}",
        f"{row.ask_ms:.1f}",
        f"{row.report_ms:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def _shown(interval: Interval, digits: int = 3) -> str:
    value, low, high = (
        f"{each:.{digits}f}".removeprefix("0") for each in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low} {high}]"


def as_json(
    settings: dict[str, Any],
    tasks: Sequence[Task],
    rows: Sequence[scores.Row],
    per_task: Sequence[report.Row],
    runs: dict[tuple[str, str], list[Run]],
    where: str,
) -> str:
    """Return everything as one document; its schema is in the docstring of ``__main__``."""
    document = {
        "benchmark": "search",
        "hardware": where,
        "settings": settings,
        "tasks": [
            {
                "name": task.name,
                "group": catalogue.group_of(task.name),
                "epochs": task.epochs,
                "trainings": task.trainings,
                **asdict(task.scale),
            }
            for task in tasks
        ],
        "methods": [asdict(row) for row in rows],
        "rows": [asdict(row) | {"hardware": where} for row in per_task],
        "runs": [
            {"method": method, "task": task, "seed": seed, **asdict(run)}
            for (method, task), several in runs.items()
            for seed, run in enumerate(several)
        ],
    }
    return json.dumps(document, indent=2, allow_nan=False)
