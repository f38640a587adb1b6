"""Promotion over levels of fidelity against promotion over epochs: how good the final choice is, at equal seconds.

``python -m tests.benchmarks.fidelity [--kind images] [--points 29] [--seeds 20] [--table FILE] [--quick] [--json]``.
Configurations of a space of small networks are trained on digits for real: at each level of one kind (``images``,
``image_size`` or ``width``), and on two further seeds. Searches of that table follow, in simulated time with one worker:
the seconds are the CPU time of training. The last level is the whole training to the bit, so that both methods read the
same curves. Ledger, database, sampler and pruner are the real ones. Regret is how far the mean accuracy over three seeds
of what ``best`` would name is from the best such mean in the table.
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
from scipy.stats import spearmanr

from qpsearch.architecture.candidates import sample
from qpsearch.errors import TrainingDiverged
from qpsearch.protocol import Assignment, EpochReport, Failed, Place, Progress, RunSettings
from qpsearch.registry.fidelity import Fidelity, FidelityKind
from qpsearch.runner.curve_tables import CurveTable, KnownTraining
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import opening
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.benchmarks.report import Row, as_json, as_table, hardware

EPOCHS: Final = 9
LEVELS: Final = {
    FidelityKind.IMAGES: (0.1, 0.3, 1.0),
    FidelityKind.IMAGE_SIZE: (4, 6, 8),
    FidelityKind.WIDTH: (0.25, 0.5, 1.0),
}
WHOLE, BEFORE_LAST = 3 * EPOCHS, 2 * EPOCHS  # epochs of all levels, and of those before the last
NARROW: Final = {FidelityKind.WIDTH: 16}  # channels, so that the levels are not rounded to the same; of other kinds 8
FURTHER_SEEDS: Final = (101, 102)
BUDGETS: Final = (5, 10, 20)  # whole trainings
LEAST: Final = 1e-4  # regret by which ratios are taken: a thirtieth of a validation image
RESAMPLES: Final = 4000
HERE: Final = Place(host="simulated", device="cpu", threads=1, memory_format="contiguous")
MEMORY: Final = Path("/dev/shm")  # a commit to a file there does not wait for a disk
METHODS: Final = ("levels", "epochs", "none")


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


def space_text(kind: FidelityKind) -> str:
    """Return the space whose configurations are trained, as a file."""
    narrow = NARROW.get(kind, 8)
    return f"""\
study: fidelity
data: {{dataset: digits, validation: 300, augment: [crop]}}
network:
  stem: {{width: {narrow}}}
  stages:
    - {{width: {narrow}, depth: 1, block: &block {{choice: [additive, quotient]}}}}
    - {{width: {{choice: [{narrow}, {2 * narrow}]}}, stride: 2, depth: 1, block: *block}}
training:
  epochs: {EPOCHS}
  batch_size: {{choice: [64, 256]}}
  optimizer: {{sgd: {{lr: {{log: [0.002, 1.0]}}, weight_decay: {{log: [1.0e-6, 1.0e-2]}}}}}}
  schedule: cosine
search: {{sampler: random, trials: 100000}}
"""


def trained(kind: FidelityKind, points: int) -> Iterator[Trained]:
    """Train configurations of the space."""
    from qpsearch.training.levels import train_levels

    levels = Fidelity(kind=kind, levels=LEVELS[kind], epochs=EPOCHS)
    for point in sample(parse_space(space_text(kind)), points):
        values, seconds, last = [], [], []
        with contextlib.suppress(TrainingDiverged):
            began = time.process_time()
            for report in train_levels(point.config, RunSettings(seed=100, fidelity=levels)):
                if isinstance(report, EpochReport):
                    values.append(report.val_accuracy or 0.0)
                    seconds.append(time.process_time() - began)
                    began = time.process_time()
        for seed in FURTHER_SEEDS if len(values) == WHOLE else ():
            with contextlib.suppress(TrainingDiverged):
                found = list(train_levels(point.config, RunSettings(seed=seed)))
                last.append(found[-1].val_accuracy or 0.0)  # type: ignore[union-attr]  # no step is told so soon
        whole = len(last) == len(FURTHER_SEEDS)
        truth = statistics.mean([values[-1], *last]) if whole else 0.0
        yield Trained(params=dict(point.draw.params), values=values, seconds=seconds, truth=truth)


def space_of(kind: FidelityKind, method: str, sampler: str, seed: int) -> Space:
    """Return the space of a search."""
    own: dict[str, Any] = {"search.sampler": sampler, "search.seed": seed}
    own["search.pruner"] = "none" if method == "none" else "asha"
    if method == "levels":
        own["search.fidelity"] = {kind.value: list(LEVELS[kind])}
    return parse_space(edited(space_text(kind), own))


def table_of(kind: FidelityKind, points: Sequence[Trained]) -> CurveTable:
    """Return the curves at all levels, each with its truth as one more epoch."""
    known = [
        KnownTraining(
            params=point.params,
            values=[*point.values, *[point.truth] * (len(point.values) == WHOLE)],
            seconds=[*point.seconds, *[1.0] * (len(point.values) == WHOLE)],
            diverged=len(point.values) < WHOLE,
        )
        for point in points
    ]
    return CurveTable("digits", parse_space(space_text(kind)), known)


def searched(table: CurveTable, space: Space, folder: Path, until_s: float) -> list[tuple[float, float]]:
    """Search for some simulated seconds; return when what ``best`` names changed, with its true accuracy."""
    file = folder / "q.db"
    shutil.copyfile(folder / "empty.db", file)
    skipped = 0 if space.search.fidelity else BEFORE_LAST
    now, best, found = 0.0, 0.0, [(0.0, 0.0)]
    done: dict[int, int] = {}
    try:
        with Ledger(opening.create(Database.open(f"sqlite:///{file}"), space, source="fidelity")) as ledger:
            while now <= until_s and (assignment := ledger.ask()) is not None:
                number = assignment.trial
                curve = table.curve(ledger.params(number))
                goes_on = True
                while goes_on and now <= until_s:
                    place = skipped + done.get(number, 0)
                    now += curve.seconds[place]
                    goes_on = _reported(ledger, assignment, done.get(number, 0) + 1, -curve.losses[place])
                    done[number] = done.get(number, 0) + 1
                is_whole = done[number] == assignment.run_epochs
                if is_whole and -curve.losses[WHOLE - 1] > best and now <= until_s:
                    best = -curve.losses[WHOLE - 1]
                    found.append((now, -curve.losses[WHOLE]))
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
    kind: FidelityKind,
    points: Sequence[Trained],
    *,
    seeds: int,
    samplers: Sequence[str] = ("random", "gp"),
    budgets: Sequence[int] = BUDGETS,
) -> list[Row]:
    """Compare promotion over levels with promotion over epochs, and with none."""
    table, found = table_of(kind, points), []
    top = max(point.truth for point in points)
    full_s = statistics.mean(sum(point.seconds[BEFORE_LAST:]) for point in _sound(points))
    with tempfile.TemporaryDirectory(prefix="qpsearch-fidelity-", dir=MEMORY if MEMORY.is_dir() else None) as made:
        Database.create(f"sqlite:///{made}/empty.db").close()
        for sampler in samplers:
            runs = {
                method: [
                    searched(table, space_of(kind, method, sampler, seed), Path(made), budgets[-1] * full_s)
                    for seed in range(seeds)
                ]
                for method in METHODS
            }
            for budget in budgets:
                regret = {name: [top - _at(run, budget * full_s) for run in own] for name, own in runs.items()}
                named = f"{kind}: {sampler}, {budget} trainings, levels against"
                found += [_row(named, regret["levels"], name, regret[name]) for name in ("epochs", "none")]
    return found


def facts(kind: FidelityKind, points: Sequence[Trained]) -> str:
    """Say what each level costs, and how well it ranks configurations, beside the first epochs of whole trainings."""
    sound = _sound(points)
    truth = [point.truth for point in sound]
    lines = [f"{len(points)} configurations, {len(points) - len(sound)} diverged"]
    places = {f"{kind} {level:g}": (EPOCHS * index, EPOCHS * (index + 1)) for index, level in enumerate(LEVELS[kind])}
    places |= {f"{count} whole epochs": (BEFORE_LAST, BEFORE_LAST + count) for count in (1, 3)}
    for name, (first, end) in places.items():
        seconds = statistics.mean(sum(point.seconds[first:end]) for point in sound)
        alike = spearmanr([point.values[end - 1] for point in sound], truth).statistic
        lines.append(f"{name}: {seconds:.3f} s of CPU time, rank correlation {alike:.2f} with the mean of three seeds")
    return "\n".join(lines)


def _sound(points: Sequence[Trained]) -> list[Trained]:
    return [point for point in points if len(point.values) == WHOLE]


def _at(run: Sequence[tuple[float, float]], time_s: float) -> float:
    return [truth for since, truth in run if since <= time_s][-1]


def _row(named: str, ours: Sequence[float], name: str, against: Sequence[float]) -> Row:
    """Sum up the searches; the ratio is that of the means, with a 90% interval over searches."""
    pairs = np.maximum(np.array([ours, against]), LEAST)
    chosen = np.random.default_rng(0).integers(len(ours), size=(RESAMPLES, len(ours)))
    means = pairs[:, chosen].mean(axis=2)
    low, high = np.quantile(means[0] / means[1], [0.05, 0.95])
    return Row(
        name=f"{named} {name}",
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
    parser.add_argument("--kind", type=FidelityKind, choices=list(FidelityKind), default=FidelityKind.IMAGES)
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
        found = list(trained(given.kind, points))
        if given.table is not None:
            given.table.write_text(json.dumps([vars(each) for each in found]))
    told = rows(given.kind, found, seeds=2 if given.quick else given.seeds)
    print(as_json("fidelity", told, hardware()) if given.json else as_table(told, hardware()))
    if not given.json:
        print(facts(given.kind, found))
        print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
