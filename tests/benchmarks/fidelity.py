"""Promotion over shares of the images against promotion over epochs: how good the final choice is, at equal seconds.

``python -m tests.benchmarks.fidelity [--points 29] [--seeds 20] [--table FILE] [--quick] [--json]``. Configurations of
a space of small networks are trained on digits for real: at each level of ``images: [0.1, 0.3, 1]``, and on two further
seeds. Searches of that table follow, in simulated time with one worker: the seconds are the CPU time of training. The last
level is the whole training to the bit, so that both methods read the same curves. Ledger, database, sampler and pruner
are the real ones. Regret is how far the mean accuracy over three seeds of what ``best`` would name is from the best
such mean in the table.
"""

import argparse
import contextlib
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from qpsearch.architecture.candidates import sample
from qpsearch.errors import TrainingDiverged
from qpsearch.protocol import Assignment, EpochReport, Failed, Place, Progress, RunSettings
from qpsearch.registry.fidelity import Fidelity, FidelityKind
from qpsearch.runner.curve_tables import CurveTable, KnownTraining
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import opening, queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.benchmarks.report import Row, as_json, as_table, hardware

EPOCHS: Final = 9
LEVELS: Final = Fidelity(kind=FidelityKind.IMAGES, levels=(0.1, 0.3, 1.0), epochs=EPOCHS)
FURTHER_SEEDS: Final = (101, 102)
BUDGETS: Final = (5, 10, 20)  # whole trainings
LEAST: Final = 1e-4  # regret by which ratios are taken: a thirtieth of a validation image
RESAMPLES: Final = 4000
HERE: Final = Place(host="simulated", device="cpu", threads=1, memory_format="contiguous")
MEMORY: Final = Path("/dev/shm")  # a commit to a file there does not wait for a disk
METHODS: Final[dict[str, dict[str, Any]]] = {
    "images": {"pruner": "asha", "fidelity": {"images": [0.1, 0.3, 1]}},
    "epochs": {"pruner": "asha"},
    "none": {"pruner": "none"},
}
SPACE: Final = f"""\
study: fidelity
data: {{dataset: digits, validation: 300, augment: [crop]}}
network:
  stem: {{width: 8}}
  stages:
    - {{width: 8, depth: 1, block: &block {{choice: [additive, quotient]}}}}
    - {{width: {{choice: [8, 16]}}, stride: 2, depth: 1, block: *block}}
training:
  epochs: {EPOCHS}
  batch_size: {{choice: [64, 256]}}
  optimizer: {{sgd: {{lr: {{log: [0.002, 1.0]}}, weight_decay: {{log: [1.0e-6, 1.0e-2]}}}}}}
  schedule: cosine
search: {{sampler: random, trials: 100000}}
"""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A configuration that was trained.

    Attributes:
        params: Its parameters.
        values: Validation accuracy after each epoch at each level; fewer where a training diverged.
        seconds: CPU time of each epoch, which other programs do not change.
        truth: Mean accuracy of whole trainings on three seeds; 0 for one that diverges.
    """

    params: dict[str, Any]
    values: list[float]
    seconds: list[float]
    truth: float


def trained(points: int) -> Iterator[Trained]:
    """Train configurations of the space."""
    from qpsearch.training.levels import train_levels

    for point in sample(parse_space(SPACE), points):
        values, seconds, last = [], [], []
        with contextlib.suppress(TrainingDiverged):
            began = time.process_time()
            for report in train_levels(point.config, RunSettings(seed=100, fidelity=LEVELS)):
                if isinstance(report, EpochReport):
                    values.append(report.val_accuracy or 0.0)
                    seconds.append(time.process_time() - began)
                    began = time.process_time()
        for seed in FURTHER_SEEDS if len(values) == LEVELS.whole else ():
            with contextlib.suppress(TrainingDiverged):
                found = list(train_levels(point.config, RunSettings(seed=seed)))
                last.append(found[-1].val_accuracy or 0.0)  # type: ignore[union-attr]  # no step is told so soon
        whole = len(last) == len(FURTHER_SEEDS)
        truth = statistics.mean([values[-1], *last]) if whole else 0.0
        yield Trained(params=dict(point.draw.params), values=values, seconds=seconds, truth=truth)


def space_of(method: str, sampler: str, seed: int) -> Space:
    """Return the space of a search."""
    own = {f"search.{name}": value for name, value in METHODS[method].items()}
    return parse_space(edited(SPACE, own | {"search.sampler": sampler, "search.seed": seed}))


def table_of(points: Sequence[Trained]) -> CurveTable:
    """Return the curves at all levels, each with its truth as one more epoch."""
    known = [
        KnownTraining(
            params=point.params,
            values=[*point.values, *[point.truth] * (len(point.values) == LEVELS.whole)],
            seconds=[*point.seconds, *[1.0] * (len(point.values) == LEVELS.whole)],
            diverged=len(point.values) < LEVELS.whole,
        )
        for point in points
    ]
    return CurveTable("digits", parse_space(SPACE), known)


def searched(table: CurveTable, space: Space, folder: Path, until_s: float) -> list[tuple[float, float]]:
    """Search for some simulated seconds; return when what ``best`` names changed, with its true accuracy."""
    file = folder / "q.db"
    shutil.copyfile(folder / "empty.db", file)
    skipped = 0 if space.search.fidelity else LEVELS.before_last
    now, best, found = 0.0, 0.0, [(0.0, 0.0)]
    done: dict[int, int] = {}
    try:
        with (
            contextlib.closing(Database.open(f"sqlite:///{file}")) as database,
            Ledger(opening.create(Database.open(f"sqlite:///{file}"), space, source="fidelity")) as ledger,
        ):
            while now <= until_s and (assignment := ledger.ask()) is not None:
                number = assignment.trial
                curve = table.curve(queries.params_of(database, "fidelity", number))
                goes_on = True
                while goes_on and now <= until_s:
                    place = skipped + done.get(number, 0)
                    now += curve.seconds[place]
                    goes_on = _reported(ledger, assignment, done.get(number, 0) + 1, -curve.losses[place])
                    done[number] = done.get(number, 0) + 1
                is_whole = done[number] == assignment.run_epochs
                if is_whole and -curve.losses[LEVELS.whole - 1] > best and now <= until_s:
                    best = -curve.losses[LEVELS.whole - 1]
                    found.append((now, -curve.losses[LEVELS.whole]))
                if goes_on and not is_whole:
                    ledger.interrupt(number, assignment.attempt)
        return found
    finally:
        for each in folder.glob("q.db*"):
            each.unlink(missing_ok=True)


def _reported(ledger: Ledger, assignment: Assignment, epoch: int, accuracy: float) -> bool:
    if not np.isfinite(accuracy):
        failed = Failed(reason=FailReason.DIVERGED, detail=f"in epoch {epoch}")
        ledger.fail(assignment.trial, assignment.attempt, failed)
        return False
    report = EpochReport(epoch=epoch, train_loss=1.0, val_loss=None, val_accuracy=accuracy)
    return ledger.report(assignment.trial, assignment.attempt, Progress(replicate=0, report=report, place=HERE))


def rows(
    points: Sequence[Trained],
    *,
    seeds: int,
    samplers: Sequence[str] = ("random", "gp"),
    budgets: Sequence[int] = BUDGETS,
) -> list[Row]:
    """Compare promotion over images with promotion over epochs, and with none."""
    table, found = table_of(points), []
    top = max(point.truth for point in points)
    sound = [point for point in points if len(point.values) == LEVELS.whole]
    full_s = statistics.mean(sum(point.seconds[LEVELS.before_last :]) for point in sound)
    with tempfile.TemporaryDirectory(prefix="qpsearch-fidelity-", dir=MEMORY if MEMORY.is_dir() else None) as made:
        Database.create(f"sqlite:///{made}/empty.db").close()
        for sampler in samplers:
            runs = {
                method: [
                    searched(table, space_of(method, sampler, seed), Path(made), budgets[-1] * full_s)
                    for seed in range(seeds)
                ]
                for method in METHODS
            }
            for budget in budgets:
                regret = {name: [top - _at(run, budget * full_s) for run in own] for name, own in runs.items()}
                found += [_row(sampler, budget, regret["images"], name, regret[name]) for name in ("epochs", "none")]
    return found


def _at(run: Sequence[tuple[float, float]], time_s: float) -> float:
    return [truth for since, truth in run if since <= time_s][-1]


def _row(sampler: str, budget: int, ours: Sequence[float], name: str, against: Sequence[float]) -> Row:
    """Sum up the searches; the ratio is that of the means, with a 90% interval over searches."""
    pairs = np.maximum(np.array([ours, against]), LEAST)
    chosen = np.random.default_rng(0).integers(len(ours), size=(RESAMPLES, len(ours)))
    means = pairs[:, chosen].mean(axis=2)
    low, high = np.quantile(means[0] / means[1], [0.05, 0.95])
    return Row(
        name=f"fidelity: {sampler}, {budget} trainings, images against {name}",
        alternative="asha over epochs" if name == "epochs" else "no pruning",
        ours=float(pairs[0].mean()),
        against=float(pairs[1].mean()),
        unit="accuracy",
        ratio=float(pairs[0].mean() / pairs[1].mean()),
        n=len(ours),
        spread=(float(low), float(high)),
        target=1.0,
        note="mean regret of the final choice at the same seconds; the spread is a 90% interval of the ratio",
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])  # type: ignore[union-attr]  # it has one
    parser.add_argument("--points", type=int, default=29, help="configurations that are trained")
    parser.add_argument("--seeds", type=int, default=20, help="searches of each method")
    parser.add_argument("--table", type=Path, help="where the trainings are kept, and read from another time")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    points = 12 if given.quick else given.points
    if given.table is not None and given.table.exists():
        found = [Trained(**each) for each in json.loads(given.table.read_text())]
    else:
        found = list(trained(points))
        if given.table is not None:
            given.table.write_text(json.dumps([vars(each) for each in found]))
    told = rows(found, seeds=2 if given.quick else given.seeds)
    print(as_json("fidelity", told, hardware()) if given.json else as_table(told, hardware()))
    if not given.json:
        print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
