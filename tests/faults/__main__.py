"""The full fault suite: ``python -m tests.faults [--injections 300] [--seed N] [--worlds NAME ...] [--output FILE]``.

Prints tables of what was done and what became of it, and writes them as Markdown where a file is named. What happens in a world depends on
the seed and on the number of injections, not on the other worlds. A world that fails says why at once; the others go on to
their ends. Then the run ends with exit code 1 and the names of the worlds that failed, and writes no file.
"""

import argparse
import multiprocessing
import os
import platform
import random
import re
import sqlite3
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.faults.run import Outcome, Tormented, run_world
from tests.faults.worlds import WORLDS
from tests.postgres import BINARIES

COUNTS = ("trials", "epochs", "repeated", "allowed", "lost", "orphans")
PROMISES = """\
No trial is lost, none is run twice and none is left RUNNING; every budget is exact, and every epoch has one row. Each complete trial has
its last checkpoint, and nothing else lies in the study's folder. Checkpoints of another database's study stay as they are. A driver
that has to stop says why, without a traceback. All of this is asserted for each study at its end.
"""
LEGEND = """\
A row counts the studies that suffered a kind, and what was found in those studies, which suffered other kinds too. `epochs` are recorded
ones; `repeated` were begun once more than they were recorded; `allowed` is one for each trial that ran at an injection (two, where its newest
checkpoint was damaged; all of a trial, where it timed out and was tried again).
"""


def table(outcomes: list[Outcome], arguments: str, took_s: float) -> str:
    """Return the outcomes of a run with these arguments as Markdown."""
    everything = [study for outcome in outcomes for study in outcome.studies]
    injections = sum(len(study.kinds) for study in everything)
    lines = [
        "# The fault suite",
        "",
        f"`python -m tests.faults {arguments}`: {injections} injections in {len(everything)} studies, in "
        f"{took_s / 60:.0f} minutes on {hardware()}; {versions()}.",
        "",
        PROMISES,
        f"| world | injections | studies | {' | '.join(COUNTS)} |",
        f"|---|---|---|{'---|' * len(COUNTS)}",
        *(_row(outcome.world, sum(len(s.kinds) for s in outcome.studies), outcome.studies) for outcome in outcomes),
        _row("all", injections, everything),
        "",
        LEGEND,
        f"| injection | world | injections | studies | {' | '.join(COUNTS)} |",
        f"|---|---|---|---|{'---|' * len(COUNTS)}",
    ]
    kinds = {kind: None for study in everything for kind in study.kinds}  # a set in order
    for kind in sorted(kinds):
        for outcome in outcomes:
            found = [study for study in outcome.studies if kind in study.kinds]
            if found:
                count = sum(study.kinds.count(kind) for study in found)
                lines.append(_row(f"{kind} | {outcome.world}", count, found))
    return "\n".join(lines) + "\n"


def _row(words: str, injections: int, studies: list[Tormented]) -> str:
    total: Counter[str] = sum_of(study.counts for study in studies)
    return f"| {words} | {injections} | {len(studies)} | {' | '.join(str(total[name]) for name in COUNTS)} |"


def sum_of(counts: Iterable[dict[str, int]]) -> Counter[str]:
    """Add up what was counted in each study; zeros stay."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total


def hardware() -> str:
    """Return the machine in words."""
    kind = platform.machine().replace("_", "-")
    return f"{os.cpu_count()} cores {kind}, {psutil.virtual_memory().total / 2**30:.0f} GiB"


def versions() -> str:
    """Return what the worlds are made of."""
    said = subprocess.run([BINARIES[-1] / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    server = next(iter(re.findall(r"\d+", said)), "unknown")
    return (
        f"Python {platform.python_version()}, Ray {version('ray')}, Optuna {version('optuna')}, SQLite {sqlite3.sqlite_version}, "
        f"PostgreSQL {server}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--injections", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument(
        "--worlds", nargs="+", choices=WORLDS, default=[*WORLDS], metavar="NAME", help=f"of {', '.join(WORLDS)}"
    )
    parser.add_argument("--output", type=Path)
    parser.add_argument("--at-once", type=int, default=3, help="worlds side by side; most of their time is waiting")
    given = parser.parse_args()
    began = time.monotonic()
    print(f"seed {given.seed}", flush=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.at_once, mp_context=context, max_tasks_per_child=1) as pool:
        worlds = {pool.submit(run_world, name, given.injections, given.seed): name for name in given.worlds}
        failed = []
        for future in as_completed(worlds):
            if error := future.exception():
                failed.append(worlds[future])
                print(f"world {failed[-1]} failed:", *traceback.format_exception(error), sep="\n", flush=True)
    if failed:
        sys.exit(f"seed {given.seed}: failed: {', '.join(failed)}")
    outcomes = [future.result() for future in worlds]
    arguments = f"--injections {given.injections} --seed {given.seed}"
    if given.worlds != [*WORLDS]:
        arguments += f" --worlds {' '.join(given.worlds)}"
    text = table(outcomes, arguments, time.monotonic() - began)
    print(text)
    if given.output is not None:
        given.output.write_text(text)


if __name__ == "__main__":
    main()
