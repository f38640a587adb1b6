"""What dispatch and the ledger cost, as ratios: ``python -m tests.benchmarks.dispatch [--quick] [--json] [--only a,b]``.

a: sweeps against stock Ray Tune. b: a trial's steps against plain Optuna. c: reading a large study against
Optuna's command. d: our driver alone against what Tune delivers. e: many studies in one database. f: many slots
that report at a steady pace. g: draws of the next trial under promotion, in large studies. All of it takes about 25
minutes on two cores, ``--quick`` a few minutes.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import optuna

from qpsearch.registry.samplers.base import Sampler
from qpsearch.registry.samplers.tpe import TPE
from tests.benchmarks import asks, driver, load, status, steps, sweeps
from tests.benchmarks.report import Row, as_json, as_table, hardware


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured.

    Attributes:
        repetitions: Of whole sweeps and of the driver's.
        samplers: With which sweeps run.
        sweep_trials: Trials of a sweep.
        finished: Trials that a study has before its steps are timed.
        batch: Trials a repetition of the steps.
        batches: Repetitions of the steps.
        status_trials: Trials of the study that is read.
        readings: Repetitions of reading it.
        open_trials: Trials that the driver alone has open.
        ray_trials: Trials of which Tune alone delivers the results.
        studies: Studies in one database.
        slots: Slots that report at a steady pace.
        paced_s: How long they report.
        asked_at: Trials that studies have before draws are timed.
    """

    repetitions: int
    samplers: tuple[Sampler, ...]
    sweep_trials: int
    finished: int
    batch: int
    batches: int
    status_trials: int
    readings: int
    open_trials: int
    ray_trials: int
    studies: int
    slots: int
    paced_s: float
    asked_at: tuple[int, ...]


FULL: Final = Sizes(
    repetitions=5,
    samplers=(TPE,),
    sweep_trials=200,
    finished=1000,
    batch=4,
    batches=20,
    status_trials=5000,
    readings=5,
    open_trials=1000,
    ray_trials=40,
    studies=100,
    slots=500,
    paced_s=20.0,
    asked_at=(1000, 5000),
)
QUICK: Final = Sizes(
    repetitions=2,
    samplers=(TPE,),
    sweep_trials=60,
    finished=1000,
    batch=3,
    batches=5,
    status_trials=5000,
    readings=2,
    open_trials=200,
    ray_trials=20,
    studies=100,
    slots=500,
    paced_s=4.0,
    asked_at=(1000,),
)

GROUPS: Final[dict[str, Callable[[Path, Sizes], list[Row]]]] = {
    "a": lambda folder, sizes: sweeps.rows(
        folder, trials=sizes.sweep_trials, repetitions=sizes.repetitions, samplers=sizes.samplers
    ),
    "b": lambda folder, sizes: steps.rows(
        folder, finished=sizes.finished, batch=sizes.batch, repetitions=sizes.batches
    ),
    "c": lambda folder, sizes: status.rows(folder, trials=sizes.status_trials, repetitions=sizes.readings),
    "d": lambda folder, sizes: driver.rows(
        folder, trials=sizes.open_trials, ray_trials=sizes.ray_trials, repetitions=sizes.repetitions
    ),
    "e": lambda folder, sizes: load.of_many_studies(
        folder, studies=sizes.studies, trials=50, repetitions=sizes.readings
    ),
    "f": lambda folder, sizes: load.of_many_slots(
        folder, slots=sizes.slots, seconds=sizes.paced_s, optuna_trials=20, repetitions=sizes.repetitions
    ),
    "g": lambda folder, sizes: asks.rows(folder, sizes=sizes.asked_at, repetitions=sizes.batches),
}
ON_RAY: Final = frozenset("ad")


def measure(groups: list[str], sizes: Sizes) -> list[Row]:
    """Run groups of rows, one Ray for all of them."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="qpsearch-benchmark-") as folder, contextlib.ExitStack() as stack:
        for group in sorted(groups, key=lambda group: group in ON_RAY):
            if group in ON_RAY and not sweeps.is_running():
                stack.enter_context(sweeps.local_ray())
            own = Path(folder) / group
            own.mkdir()
            found += GROUPS[group](own, sizes)
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.dispatch", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions of smaller sizes; n is in the rows")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", type=_groups, default=sorted(GROUPS), metavar="a,b,...", help="these groups alone")
    given = parser.parse_args()
    rows = measure(given.only, QUICK if given.quick else FULL)
    print(as_json("dispatch", rows, hardware()) if given.json else as_table(rows, hardware()))


def _groups(text: str) -> list[str]:
    given = text.split(",")
    if unknown := set(given) - set(GROUPS):
        raise argparse.ArgumentTypeError(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    return sorted(set(given))


if __name__ == "__main__":
    main()
