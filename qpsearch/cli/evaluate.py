"""``qpsearch evaluate``: trained networks on the test split, clean and noisy, and how fast they learned."""

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from qpsearch.architecture.config import TrialConfig
from qpsearch.cli.options import (
    Json,
    Storage,
    StudyArgument,
    print_json,
)
from qpsearch.display.console import Cell, Column, open_console, print_line, table_lines
from qpsearch.display.shown import BlockNames
from qpsearch.errors import UserError
from qpsearch.runner.machine import DEFAULT_STORAGE, data_folder, has_gpu, prepare_data

if TYPE_CHECKING:
    from qpsearch.study.queries import KeptRun


BLOCKS_WIDTH: Final = 24  # width of a column; longer names are shown as initials
HEAD: Final = ("trial", "blocks", "runs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A trial's results on the test split.

    Attributes:
        trial: The trial's number.
        stages: The kind of block of each stage.
        seeds: The seeds of its runs.
        accuracies: Accuracy of each run, by level of noise.
        to_target: Epochs that each run took to reach the target on validation images; None for never.
    """

    trial: int
    stages: tuple[str, ...]
    seeds: tuple[int, ...]
    accuracies: dict[float, list[float]]
    to_target: tuple[int | None, ...]


def evaluate(
    study: StudyArgument,
    trial: Annotated[
        list[int] | None,
        typer.Option("--trial", metavar="N", help="Which trial; repeatable; default: the best, by accuracy."),
    ] = None,
    noise: Annotated[
        list[str] | None,
        typer.Option(
            metavar="poisson:LEVEL", help="Noise of variance LEVEL x brightness, such as poisson:0.05; repeatable."
        ),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="ACCURACY", help="Count the epochs to this accuracy on validation images."),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Evaluate trained networks on the test images: for the last word about what is chosen, not for choosing.

    Examples:
        qpsearch evaluate digits
        qpsearch evaluate digits --trial 3 --trial 7 --noise poisson:0.05
        qpsearch evaluate digits --target 0.95
    """
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    levels = list(dict.fromkeys([0.0, *map(_level, noise or [])]))
    database = Database.open(storage)
    space = queries.space_of(database, study)
    if target is not None and space.data.validation == 0:
        raise UserError(f"--target: study {study!r} holds out no validation images, on which epochs are counted.")
    every = queries.trial_records(database, study)
    records = {record.number: record for record in every if record.state == "COMPLETE" and record.epochs > 0}
    best = queries.best(list(records.values()), space.search.objectives)
    numbers = trial or ([] if best is None else [best.number])
    for number in numbers:
        if number not in records:
            raise UserError(
                f"study {study!r} does not have a complete trial {number} that was trained here. "
                f"List its trials: qpsearch trials {study}."
            )
    if not numbers:
        raise UserError(
            f"study {study!r} does not have a complete trial that was trained here. "
            f"Show its progress: qpsearch status {study}."
        )
    folder = data_folder(space.data.dataset)
    prepare_data(space.data.dataset, folder)
    runs = queries.kept_runs(database, study, numbers)
    tested = [
        _tested([run for run in runs if run.trial == number], records[number].config, folder, levels, target)
        for number in numbers
    ]
    if as_json:
        print_json({"study": study, "dataset": space.data.dataset, "target": target, "trials": list(map(_row, tested))})
    else:
        _print(study, tested, levels, target)


def _level(text: str) -> float:
    match = re.fullmatch(r"poisson:(\d*\.?\d+(?:[eE][-+]?\d+)?)", text)
    if match is None or not 1e-9 <= float(match[1]) <= 100:
        raise UserError(
            f"--noise: cannot parse noise {text!r}. Expected poisson:LEVEL with a level from 1e-9 to 100, such as "
            "poisson:0.05."
        )
    return float(match[1])


def _tested(
    runs: Sequence["KeptRun"], config: TrialConfig, folder: Any, levels: list[float], target: float | None
) -> Tested:
    import torch  # after all options were checked

    from qpsearch.training.testing import test_run

    device = "cuda" if has_gpu() and torch.cuda.is_available() else "cpu"
    found: dict[float, list[float]] = {level: [] for level in levels}
    for run in runs:
        evaluations = test_run(config, run.folder, run.checkpoint, folder, levels, device)
        for level, evaluation in zip(levels, evaluations, strict=True):
            found[level].append(evaluation.accuracy)
    reached = [None if target is None else _epochs_to(target, run.accuracies) for run in runs]
    return Tested(
        trial=runs[0].trial,
        stages=tuple(stage.block for stage in config.network.stages),
        seeds=tuple(run.seed for run in runs),
        accuracies=found,
        to_target=tuple(reached),
    )


def _epochs_to(target: float, accuracies: Sequence[float | None]) -> int | None:
    return next((epoch for epoch, value in enumerate(accuracies, 1) if value is not None and value >= target), None)


def _row(tested: Tested) -> dict[str, Any]:
    return {
        "trial": tested.trial,
        "blocks": " ".join(tested.stages),
        "seeds": tested.seeds,
        "accuracies": [
            {
                "noise": f"poisson:{level:g}" if level else None,
                "mean": statistics.mean(values),
                "sd": _sd(values),
                "runs": values,
            }
            for level, values in tested.accuracies.items()
        ],
        "epochs_to_target": tested.to_target,
    }


def _print(study: str, tested: list[Tested], levels: list[float], target: float | None) -> None:
    console = open_console()
    console.print(f"study {study}: accuracy on test images, mean (sd over runs)")
    titles = [f"poisson:{level:g}" if level else "clean" for level in levels]
    names = BlockNames([each.stages for each in tested], BLOCKS_WIDTH)
    lengths = [] if target is None else [f"epochs to {target:g}"]
    beside: list[list[Cell]] = []
    below: list[list[Cell]] = []  # one row per level of noise
    for each in tested:
        front = [str(each.trial), names.of(each.stages), str(len(each.seeds))]
        cells = [f"{statistics.mean(values):.4f} ({_spread(values)})" for values in each.accuracies.values()]
        reached = [_epochs(each)] if lengths else []
        beside.append([*front, *cells, *reached])
        below += [[*front, title, cell, *reached] for title, cell in zip(titles, cells, strict=True)]
    lines, _ = table_lines(_columns(*HEAD, *titles, *lengths), beside, None)
    if max(line.cell_len for line in lines) > console.width:
        lines, _ = table_lines(_columns(*HEAD, "noise", "accuracy", *lengths), below, None)
    for line in lines:
        print_line(console, line)
    if names.legend:
        print_line(console, Text(f"blocks: {names.legend}"))
    if target is not None:
        console.print(f"epochs to {target:g}: until validation accuracy was first that high")
    console.print("Each look at the test images for choosing makes them validation images.")


def _columns(*titles: str) -> list[Column]:
    return [Column(title=title) for title in titles]


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
