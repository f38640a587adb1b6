"""The full fault suite: ``python -m tests.faults [--injections 200] [--seed N] [--output FILE]``.

Prints a table of what was done and what became of it, and writes it as Markdown where a file is named.
"""

import argparse
import multiprocessing
import os
import platform
import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.faults.run import Outcome, run_world
from tests.faults.worlds import WORLDS


def table(outcomes: list[Outcome], seed: int, took_s: float) -> str:
    """Return the outcomes as Markdown."""
    count = sum(len(outcome.injections) for outcome in outcomes)
    total: Counter[str] = sum((outcome.totals for outcome in outcomes), Counter())
    lines = [
        f"{count} injections in {total['studies']} studies of {total['trials']} trials; seed {seed}; {took_s / 60:.0f} min; "
        f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}.",
        "No trial lost, none twice, none left RUNNING, every budget exact, every epoch's row once (asserted).",
        "",
        "| world | injection | n | epochs that may be repeated |",
        "|---|---|---|---|",
    ]
    for outcome in outcomes:
        kinds = Counter(injection.kind for injection in outcome.injections)
        for kind, n in kinds.items():
            allowed = sum(injection.allowed for injection in outcome.injections if injection.kind == kind)
            lines.append(f"| {outcome.world} | {kind} | {n} | {allowed} |")
    lines += ["", "| world | studies | trials | epochs recorded | repeated | allowed |", "|---|---|---|---|---|---|"]
    for outcome in outcomes:
        t = outcome.totals
        lines.append(
            f"| {outcome.world} | {t['studies']} | {t['trials']} | {t['epochs']} | {t['repeated']} | {t['allowed']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--injections", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--at-once", type=int, default=2, help="worlds side by side; most of their time is waiting")
    given = parser.parse_args()
    began = time.monotonic()
    print(f"seed {given.seed}", flush=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.at_once, mp_context=context, max_tasks_per_child=1) as pool:
        futures = [pool.submit(run_world, name, given.injections, given.seed) for name in WORLDS]
        outcomes = [future.result() for future in futures]
    text = table(outcomes, given.seed, time.monotonic() - began)
    print(text)
    if given.output is not None:
        given.output.write_text(text)


if __name__ == "__main__":
    main()
