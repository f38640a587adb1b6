"""Seeds by a race against one seed and five for every trial: how good the final choice really is, at equal epochs.

``python -m tests.benchmarks.racing [--seeds 30] [--quick] [--json]``. A planted search space: the true value of a
configuration is a function of its learning rate, momentum, decay and depth; a run's values have noise of its seed, so
that the best value seen is a lucky one. The ledger, its database, samplers and pruners are the real ones. Regret is how
far the true value of what ``best`` names is from the best there is, in standard deviations of random configurations.
"""

import argparse
import contextlib
import math
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from qpsearch.architecture.candidates import candidate
from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import Assignment, EpochReport, Place, Progress
from qpsearch.space import RandomChooser, Space, parse_space
from qpsearch.study import opening, queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from tests.benchmarks.report import Row, as_json, as_table, hardware

METHODS: Final = {"race": "{race: [1, 5]}", "one seed": "1", "five seeds": "5"}
RUNS: Final = 100  # of the budget: whole runs
DRAWS: Final = 400  # random configurations, of which the true values give the scale
RESAMPLES: Final = 4000
HERE: Final = Place(host="simulated", device="cpu", threads=1, memory_format="contiguous")
MEMORY: Final = Path("/dev/shm")  # a commit to a file there does not wait for a disk


@dataclass(frozen=True, kw_only=True)
class Case:
    """A search.

    Attributes:
        sampler: As a space file spells it.
        pruner: Likewise.
        noise: Standard deviation over seeds, in standard deviations of the true value over random configurations.
        epochs: Of a run.
    """

    sampler: str
    pruner: str
    noise: float
    epochs: int

    @property
    def name(self) -> str:
        """The name in tables."""
        return f"{self.sampler} and {self.pruner}, noise {self.noise:g}"


CASES: Final = (
    *(Case(sampler="random", pruner="none", noise=noise, epochs=1) for noise in (0.1, 0.3, 1.0)),
    *(Case(sampler="gp", pruner="none", noise=noise, epochs=1) for noise in (0.1, 0.3, 1.0)),
    *(Case(sampler="gp", pruner="asha", noise=noise, epochs=9) for noise in (0.3, 1.0)),
)
QUICK: Final = (Case(sampler="random", pruner="none", noise=1.0, epochs=1),)


def space_of(case: Case, replicates: str, seed: int, runs: int) -> Space:
    """Return the space of a search."""
    return parse_space(
        "study: race\n"
        "data: {dataset: digits, validation: 300}\n"
        "network: {stem: {width: 4}, stages: [{width: 4, depth: {int: [1, 9]}, block: additive}]}\n"
        f"training:\n  epochs: {case.epochs}\n"
        "  optimizer: {sgd: {lr: {log: [0.001, 1.0]}, momentum: {float: [0.0, 0.9]}, "
        "weight_decay: {log: [1.0e-6, 0.1]}}}\n"
        f"search: {{objective: {{minimize: val_loss}}, sampler: {case.sampler}, pruner: {case.pruner}, seed: {seed}, "
        f"trials: 100000, budget: {{epochs: {runs * case.epochs}}}, replicates: {replicates}}}\n"
    )


def true_loss(config: TrialConfig) -> float:
    """Return what a configuration is worth, 0 for the best."""
    optimizer, depth = config.recipe.optimizer, config.network.stages[0].depth
    parts = (
        math.log10(optimizer.lr / 0.1) / 2,
        (optimizer.momentum - 0.6) / 0.45,  # type: ignore[union-attr]  # the space has sgd alone
        math.log10(optimizer.weight_decay / 1e-3) / 3,
        (depth - 6) / 4,
    )
    return float(sum(math.tanh(abs(part)) for part in parts))


def scale_of(case: Case) -> float:
    """Return the standard deviation of the true loss over random configurations."""
    space = space_of(case, "1", 0, 1)
    return statistics.stdev(true_loss(candidate(space, RandomChooser(seed)).config) for seed in range(DRAWS))


def regret(case: Case, replicates: str, seed: int, folder: Path, scale: float, runs: int) -> float:
    """Search, and return the regret of the final choice."""
    file = folder / "q.db"
    shutil.copyfile(folder / "empty.db", file)
    try:
        space = space_of(case, replicates, seed, runs)
        with Ledger(opening.create(Database.open(f"sqlite:///{file}"), space, source="race")) as ledger:
            while (assignment := ledger.ask()) is not None:
                _train(ledger, assignment, case.noise * scale)
        with contextlib.closing(Database.open(f"sqlite:///{file}")) as database:
            (best,) = queries.best_configurations(database, "race")
        return true_loss(best.config) / scale
    finally:
        for each in folder.glob("q.db*"):
            each.unlink(missing_ok=True)


def _train(ledger: Ledger, assignment: Assignment, noise: float) -> None:
    """Report the epochs of an attempt: a curve that ends at the true loss, and the luck of the run's seed."""
    epochs, true = assignment.config.recipe.epochs, true_loss(assignment.config)
    for run in assignment.runs:
        luck = random.Random(run.seed).gauss(0, noise)
        for epoch in range(_DONE.get((id(ledger), assignment.trial, run.replicate), 0) + 1, epochs + 1):
            _DONE[id(ledger), assignment.trial, run.replicate] = epoch
            value = true + luck + (1 - epoch / epochs)
            report = EpochReport(epoch=epoch, train_loss=1.0, val_loss=value, val_accuracy=None)
            progress = Progress(replicate=run.replicate, report=report, place=HERE)
            if not ledger.report(assignment.trial, assignment.attempt, progress):
                return
            if ledger.is_over:
                ledger.interrupt(assignment.trial, assignment.attempt)
                return


_DONE: Final[dict[tuple[int, int, int], int]] = {}  # epochs of each run


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="qpsearch-race-", dir=MEMORY if MEMORY.is_dir() else None) as made:
        Database.create(f"sqlite:///{made}/empty.db").close()
        yield Path(made)


def rows(cases: Sequence[Case], *, seeds: int, runs: int = RUNS) -> list[Row]:
    """Compare the race with one seed and with five, on the same searches."""
    found = []
    with _folder() as folder:
        for case in cases:
            scale = scale_of(case)
            regrets: dict[str, list[float]] = {name: [] for name in METHODS}
            for seed in range(seeds):
                for name, replicates in METHODS.items():
                    _DONE.clear()
                    regrets[name].append(regret(case, replicates, seed, folder, scale, runs))
            found += [_row(case, regrets["race"], name, regrets[name]) for name in METHODS if name != "race"]
    return found


def _row(case: Case, ours: Sequence[float], name: str, against: Sequence[float]) -> Row:
    """Sum up the searches; the ratio is that of the means, with a 90% interval over searches."""
    pairs = np.array([ours, against])
    chosen = np.random.default_rng(0).integers(len(ours), size=(RESAMPLES, len(ours)))
    means = pairs[:, chosen].mean(axis=2)
    low, high = np.quantile(means[0] / means[1], [0.05, 0.95])
    return Row(
        name=f"race: {case.name}, against {name}",
        alternative=f"{name} for every trial",
        ours=float(pairs[0].mean()),
        against=float(pairs[1].mean()),
        unit="sd",
        ratio=float(pairs[0].mean() / pairs[1].mean()),
        n=len(ours),
        spread=(float(low), float(high)),
        target=1.0,
        note="mean regret of the final choice at the same epochs; the spread is a 90% interval of the ratio",
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])  # type: ignore[union-attr]  # it has one
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    found = rows(QUICK if given.quick else CASES, seeds=given.seeds)
    print(as_json("racing", found, hardware()) if given.json else as_table(found, hardware()))
    if not given.json:
        print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
