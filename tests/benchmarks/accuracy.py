"""How well the papers' 20-layer networks learn CIFAR-10: ``python -m tests.benchmarks.accuracy [--quick] [--json] ...``.

Each run is one seed of one network, trained by qpsearch's own loop on 45,000 images and validated on 5,000, with the
learning rate, momentum and weight decay of its paper, batches of 128, flips, crops and a cosine schedule. Its last epoch is
measured once on the test images, clean and under Poisson noise. Runs share one GPU, a process each; QPSEARCH_DATA names the
folder with CIFAR-10.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from qpsearch.architecture.config import Recipe, TrialConfig
from qpsearch.architecture.named import named_network
from qpsearch.errors import TrainingDiverged
from qpsearch.protocol import EpochReport, RunSettings
from qpsearch.registry.datasets import Data
from qpsearch.registry.optimisers.sgd import Sgd
from qpsearch.training.levels import train
from qpsearch.training.testing import test_run
from qpsearch.vocabulary import Precision
from tests.benchmarks.report import hardware

QUOTIENT, PURE = Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4), Sgd(lr=0.01, momentum=0.9, weight_decay=1e-3)
NETWORKS = {"resnet20": QUOTIENT, "quotient20": QUOTIENT, "pure20": PURE, "pure_norelu20": PURE}
NOISE = (0.05, 0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run."""

    network: str
    precision: Precision
    seed: int
    epochs: int
    folder: Path
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to.

    Attributes:
        network: Its name.
        precision: The number format in which it computed.
        seed: Of weights, order and augmentation.
        epochs: That it was asked for.
        validation: Accuracy after each epoch.
        nonfinite: Validation images with non-finite logits after each epoch.
        test: Accuracy of the last epoch on the test images: clean, and at each level of ``NOISE``; empty if it diverged.
        diverged: The epoch in which training diverged; None where it did not.
        epoch_s: Median seconds of an epoch, evaluation included, beside the other runs.
    """

    network: str
    precision: str
    seed: int
    epochs: int
    validation: tuple[float, ...]
    nonfinite: tuple[int, ...]
    test: tuple[float, ...]
    diverged: int | None
    epoch_s: float


def configured(job: Job) -> TrialConfig:
    """Return a network with its paper's recipe, for as many epochs as asked."""
    return TrialConfig(
        data=Data(dataset="cifar10", validation=5000, augment=("flip", "crop")),
        network=named_network(job.network),
        recipe=Recipe(
            epochs=job.epochs,
            batch_size=128,
            optimizer=NETWORKS[job.network],
            schedule="cosine",
            precision=job.precision,
        ),
    )


def learn(job: Job) -> Outcome:
    """Train one run and read the test images once."""
    config, reports, diverged = configured(job), list[EpochReport](), None
    test: tuple[float, ...] = ()
    with tempfile.TemporaryDirectory() as kept:
        run = RunSettings(seed=job.seed, device=job.device, data_folder=str(job.folder), checkpoint_folder=kept)
        try:
            for report in train(config, run):
                reports.append(report)
            found = test_run(config, kept, reports[-1].checkpoint, job.folder, (0.0, *NOISE), job.device, ())
            test = tuple(each.accuracy for each in found)
        except TrainingDiverged as error:
            diverged = error.epoch
    return Outcome(
        network=job.network,
        precision=str(job.precision),
        seed=job.seed,
        epochs=job.epochs,
        validation=tuple(report.val_accuracy or 0.0 for report in reports),
        nonfinite=tuple(report.val_nonfinite for report in reports),
        test=test,
        diverged=diverged,
        epoch_s=statistics.median(report.seconds for report in reports) if reports else 0.0,
    )


def outcomes(jobs: Iterable[Job], processes: int) -> Iterator[Outcome]:
    """Train all runs, as many at once as there are processes, and yield each as it ends."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(learn, job) for job in jobs]):
            yield done.result()


def as_table(found: Iterable[Outcome]) -> str:
    """Return mean (sd) of each network over its seeds."""
    groups: dict[tuple[str, str, int], list[Outcome]] = {}
    for each in sorted(found, key=lambda each: (each.precision, list(NETWORKS).index(each.network))):
        groups.setdefault((each.network, each.precision, each.epochs), []).append(each)
    heads = ("validation", "test", *(f"noise {level}" for level in NOISE))
    lines = [f"{'':<26} {'epochs':>6} {'n':>2} {'div':>3}" + "".join(f"  {head:<15}" for head in heads) + "  s/epoch"]
    for (network, precision, epochs), runs in groups.items():
        ended = [each for each in runs if each.diverged is None]
        columns = zip(*((each.validation[-1], *each.test) for each in ended), strict=True)
        cells = "".join(f"  {_spread(column):<15}" for column in columns) if ended else ""
        shared = statistics.median(each.epoch_s for each in runs)
        lines.append(
            f"{network + ' ' + precision:<26} {epochs:>6} {len(ended):>2} {len(runs) - len(ended):>3}{cells}  {shared:.3g}"
        )
    return "\n".join(lines)


def _spread(values: tuple[float, ...]) -> str:
    return f"{statistics.mean(values):.4f} ({statistics.stdev(values) if len(values) > 1 else 0:.4f})"


def main() -> None:
    """Print the table, or one JSON document; each run goes to standard error as soon as it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one epoch of one seed")
    parser.add_argument("--epochs", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--precision", type=Precision, default=Precision.FLOAT32, help="default: %(default)s")
    parser.add_argument("--processes", type=int, default=12, help="runs at once (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This benchmark needs a GPU: on a CPU, its runs take hours.")
    if not (folder := os.environ.get("QPSEARCH_DATA")):
        sys.exit("This benchmark needs CIFAR-10: set QPSEARCH_DATA to the folder with cifar10.npz.")
    jobs = [
        Job(
            network=network,
            precision=asked.precision,
            seed=seed,
            epochs=1 if asked.quick else asked.epochs,
            folder=Path(folder),
            device="cuda",
        )
        for seed in (asked.seeds[:1] if asked.quick else asked.seeds)
        for network in asked.networks
    ]
    found, began = [], time.perf_counter()
    for each in outcomes(jobs, asked.processes):
        found.append(each)
        print(f"{time.perf_counter() - began:.0f} s {json.dumps(asdict(each))}", file=sys.stderr, flush=True)
    where = f"{torch.cuda.get_device_name()}; {hardware()}"
    document = {"benchmark": "accuracy", "hardware": where, "runs": [asdict(each) for each in found]}
    print(json.dumps(document, indent=2) if asked.json else f"{as_table(found)}\n\n{where}")


if __name__ == "__main__":
    main()
