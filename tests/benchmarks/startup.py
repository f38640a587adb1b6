"""How long a study takes before it trains: ``python -m tests.benchmarks.startup [--quick] [--json] [--against FOLDER]``.

Two times of ``qpsearch run`` with Ray Tune, on digits: from the start of the command to the start of its first epoch, and from
the end of one trial to the start of the next one's first epoch in the same slot. The alternative is the least that any
program must do: one process that loads torch and trains the same networks one after another. With --against it is
another checkout of qpsearch, such as one of an earlier version, run in turn with this one.
"""

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row

ROOT: Final = Path(__file__).parents[2]
TRIALS, EPOCHS = 10, 2
SPACE: Final = f"""
study: startup
data: {{dataset: digits, validation: 300}}
network:
  stem: {{width: 16}}
  stages:
    - {{width: 16, depth: {{int: [1, 2]}}, block: {{choice: [additive, quotient]}}}}
    - {{width: 32, stride: 2, depth: 1, block: additive}}
training: {{epochs: {EPOCHS}, batch_size: 64, optimizer: {{sgd: {{lr: {{log: [0.01, 0.1]}}}}}}}}
search: {{sampler: random, pruner: none, trials: {TRIALS}, seed: 0}}
resources: {{cpus: 1}}
"""
BARE: Final = """
import sys, time
from qpsearch.protocol import RunSettings
from qpsearch.architecture.candidates import sample
from qpsearch.space import load_space
configs = [point.config for point in sample(load_space("startup.yaml"), int(sys.argv[1]))]
from qpsearch.training import train
before = None
for config in configs:
    for report in train(config, RunSettings(seed=0)):
        if report.epoch == 1:
            began = time.time() - report.seconds
            print(began if before is None else began - before, flush=True)
    before = time.time()
"""
FACTS: Final = """
SELECT a.began, a.ended, e.reported - e.seconds FROM qpsearch_attempts a
JOIN qpsearch_epochs e ON e.trial_id = a.trial_id AND e.epoch = 1 AND e.replicate = 0 ORDER BY a.began
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What one study, or one process, took.

    Attributes:
        first_s: From the start of the command to the start of the first epoch.
        next_s: From the end of a trial to the start of the next one's first epoch; the median over the trials.
    """

    first_s: float
    next_s: float


def rows(folder: Path, *, trials: int, repetitions: int, against: Path | None = None) -> list[Row]:
    """Measure both times.

    Args:
        folder: For studies; must be empty.
        trials: Of each study.
        repetitions: See ``Row.n``.
        against: Another checkout; None for the least that any program must do.
    """
    folders = (folder / str(number) for number in count())
    other: Callable[[], Times] = lambda: bare(next(folders), trials)  # noqa: E731  # as short as what it stands for
    name, alternative = "alone", "one process that loads torch and trains the same networks one after another"
    if against is not None:
        other = lambda: of_study(next(folders), trials, against)  # noqa: E731
        name, alternative = "before", f"the same study by the checkout in {against.name}"
    pairs = alternate(repetitions, lambda: of_study(next(folders), trials, ROOT), other)
    note = f"{trials} trials of {EPOCHS} epochs on digits with Ray Tune, {os.cpu_count()} cores"
    return [
        row(
            f"{name}: {words}",
            [(getattr(ours, field), getattr(theirs, field)) for ours, theirs in pairs],
            alternative=alternative,
            unit="s",
            note=note,
        )
        for words, field in (("start to first epoch", "first_s"), ("one trial to the next", "next_s"))
    ]


def of_study(folder: Path, trials: int, checkout: Path) -> Times:
    """Run a study with the qpsearch of a checkout."""
    began, _ = _run(folder, checkout, "-m", "qpsearch", "run", "startup.yaml", "--trials", str(trials))
    with sqlite3.connect(folder / "studies" / "qpsearch.db") as connection:
        facts = connection.execute(FACTS).fetchall()
    slots = max(sum(began < end for began, _, _ in facts) for end in [min(ended for _, ended, _ in facts)])
    ends = sorted(ended for _, ended, _ in facts)
    waits = [first - end for (_, _, first), end in zip(facts[slots:], ends, strict=False)]
    return Times(first_s=min(first for _, _, first in facts) - began, next_s=statistics.median(waits))


def bare(folder: Path, trials: int) -> Times:
    """Train the networks in one process."""
    began, said = _run(folder, ROOT, "-c", BARE, str(trials))
    first, *others = map(float, said.split())
    return Times(first_s=first - began, next_s=statistics.median(others))


def _run(folder: Path, checkout: Path, *words: str) -> tuple[float, str]:
    """Run Python in a new folder with a space file; return when it began, and what it printed."""
    folder.mkdir(parents=True)
    (folder / "startup.yaml").write_text(SPACE)
    own = {key: value for key, value in os.environ.items() if not key.startswith("QPSEARCH_")}
    began = time.time()
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=own | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    return began, done.stdout


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout of qpsearch")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qpsearch-startup-") as folder:
        found = rows(
            Path(folder), trials=TRIALS, repetitions=1 if given.quick else given.repetitions, against=given.against
        )
    where = hardware()
    print(as_json("startup", found, where) if given.json else as_table(found, where))


if __name__ == "__main__":
    main()
