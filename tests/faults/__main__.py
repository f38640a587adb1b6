"""The full fault suite: ``python -m tests.faults [--injections 200] [--seed N] [--output FILE]``.

Prints a table of what was done and what became of it, and writes it as Markdown where a file is named.
"""

import argparse
import os
import platform
import random
import time
from collections import Counter
from pathlib import Path

from tests.faults.run import Outcome, torment
from tests.faults.worlds import cluster_world, disk_world, server_world, simple_worlds, small_disk
from tests.postgres import Postgres

OUTAGE_S = 30.0


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
    given = parser.parse_args()
    generator, began, n = random.Random(given.seed), time.monotonic(), given.injections
    print(f"seed {given.seed}", flush=True)
    outcomes = [
        torment(world, count, generator) for world, count in zip(simple_worlds(), (n // 4, n // 5, n // 8), strict=True)
    ]
    with small_disk() as disk:
        outcomes.append(torment(disk_world(disk), max(n // 20, 1), generator))
    server = Postgres()
    server.start()
    try:
        outcomes.append(torment(server_world(server, OUTAGE_S), n // 4, generator))
    finally:
        server.remove()
    left = n - sum(len(outcome.injections) for outcome in outcomes)
    with cluster_world() as world:
        outcomes.append(torment(world, max(left, 2), generator))
    text = table(outcomes, given.seed, time.monotonic() - began)
    print(text)
    if given.output is not None:
        given.output.write_text(text)


if __name__ == "__main__":
    main()
