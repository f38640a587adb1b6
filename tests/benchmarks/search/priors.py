"""What an expert's guess gains or costs: ``python -m tests.benchmarks.search.priors [--seeds 20] [--kept FOLDER]``.

The default search without a guess, with a good one (``near``: the best of 1,000 random configurations) and with a bad one
(the worst of 25), each as ``prior`` of every parameter. A ratio is the mean regret over that without a guess, with a 90%
interval of a bootstrap over tasks, and over the seeds of each task. Seeds come one after the other, each on all tasks, so
that what was kept when the command was stopped can be read: with --seeds as many as were begun.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from qpsearch.errors import UserError
from tests.benchmarks.report import hardware
from tests.benchmarks.search import catalogue
from tests.benchmarks.search.__main__ import tables_folder
from tests.benchmarks.search.methods import OURS
from tests.benchmarks.search.running import Job, run_job
from tests.benchmarks.search.scores import LEVELS, RESAMPLED
from tests.benchmarks.search.simulation import POINTS, WORKERS, Run
from tests.benchmarks.search.task import Floats, Task

NONE: Final = "none"
GUESSES: Final = {NONE: OURS, "good": f"{OURS}:++near", "bad": f"{OURS}:++bad"}
AT: Final = {"an eighth": 1 / 8, "a quarter": 1 / 4, "half": 1 / 2, "the end": 1.0}  # of the budget


def regrets(runs: Sequence[Run], task: Task) -> Floats:
    """Return the regret of each run at each point of ``AT``, (runs, points)."""
    at = [round(share * POINTS) - 1 for share in AT.values()]
    return task.regret(np.array([[run.best[index] for index in at] for run in runs], dtype=float))  # None is NaN


def table(found: Mapping[str, Floats]) -> str:
    """Return a row for each guess.

    Args:
        found: For each guess the regrets, (tasks, seeds, points).
    """
    tasks, seeds, _ = found[NONE].shape
    generator = np.random.default_rng(0)
    drawn = [
        (generator.integers(tasks, size=(tasks, 1)), generator.integers(seeds, size=(tasks, seeds)))
        for _ in range(RESAMPLED)
    ]
    again = {guess: np.array([own[draw].mean(axis=(0, 1)) for draw in drawn]) for guess, own in found.items()}
    titles = [title for at in AT for title in (f"at {at}", "ratio")]
    lines = [f"| guess | {' | '.join(titles)} |", f"|{'---|' * (len(titles) + 1)}"]
    for guess, own in found.items():
        means, ratios = own.mean(axis=(0, 1)), own.mean(axis=(0, 1)) / found[NONE].mean(axis=(0, 1))
        low, high = np.percentile(again[guess] / again[NONE], LEVELS, axis=0)
        cells = [
            f"{mean:.3f} | {'-' if guess == NONE else f'{ratio:.2f} [{bottom:.2f} {top:.2f}]'}"
            for mean, ratio, bottom, top in zip(means, ratios, low, high, strict=True)
        ]
        lines.append(f"| {guess} | {' | '.join(cells)} |")
    return "\n".join(lines)


def measured(names: Sequence[str], seeds: int, tables: Path | None, kept: Path | None) -> str:
    """Run what is not kept, and return the table.

    Args:
        names: The tasks.
        seeds: Of each task and guess.
        tables: The folder of tables.
        kept: Where runs are kept; None keeps none.
    """
    runs: dict[tuple[str, str], list[Run]] = {}
    for count in range(1, seeds + 1) if kept else [seeds]:
        for name in names:
            for guess, method in GUESSES.items():
                job = Job(method=method, task=name, seeds=count, workers=WORKERS, tables=tables, kept=kept)
                runs[guess, name] = run_job(job)
        print(f"{count} of {seeds} seeds", file=sys.stderr, flush=True)
    loaded = {name: catalogue.load(name, tables) for name in names}
    found = {guess: np.array([regrets(runs[guess, name], loaded[name]) for name in names]) for guess in GUESSES}
    return f"{table(found)}\n\n{len(names)} tasks, {seeds} seeds"


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="of each task and guess")
    parser.add_argument("--tasks", default="some", help="groups, names or patterns, with commas between")
    parser.add_argument("--tables", type=Path, default=tables_folder(), help="the folder of tables")
    parser.add_argument("--kept", type=Path, help="a folder where runs are kept, and read from")
    given = parser.parse_args()
    try:
        print(measured(catalogue.chosen(given.tasks), given.seeds, given.tables, given.kept))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(hardware())
    return 0


if __name__ == "__main__":
    sys.exit(main())
