"""Whether a recipe of today beats the papers' at the same epochs: ``python -m tests.benchmarks.recipes [--json] ...``.

A small network learns some thousand images of CIFAR-10 by each recipe, as a space file names it, on the same seeds; images
held out for validation score it after the last epoch. The settings of ``modern`` were chosen on seed 0 among three; the
seeds here begin with 1. QPSEARCH_DATA names the folder with CIFAR-10. The test images are
not touched.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from scipy import stats

from qpsearch.architecture.candidates import sample
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import cost
from qpsearch.protocol import RunSettings
from qpsearch.space import build_space
from qpsearch.training.data import Split, train_and_validation
from qpsearch.training.loop import TrainingRun
from tests.benchmarks.report import hardware

RECIPES = ("quotient", "modern")
STAGES = ((16, 1), (32, 2), (48, 2))  # width and stride; about 73,000 parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One recipe on one kind of block.

    Attributes:
        recipe: Its name.
        block: The kind of block.
        accuracies: On the validation images after the last epoch, a value for each seed.
        cpu_s: CPU seconds of all its runs.
    """

    recipe: str
    block: str
    accuracies: tuple[float, ...]
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What the second recipe gains over the first on one kind of block, in accuracy, and its 95% interval over seeds."""

    block: str
    gain: float
    low: float
    high: float
    n: int


def configured(recipe: str, block: str, epochs: int) -> TrialConfig:
    """Return the network with a recipe, as one line of a space file gives it."""
    stages = [{"width": width, "stride": stride, "depth": 1, "block": block} for width, stride in STAGES]
    space = build_space({
        "study": "recipes",
        "data": {"dataset": "cifar10", "validation": 5000, "normalise": "dataset"},
        "network": {"stem": {"width": 16, "stride": 2}, "stages": stages},
        "training": {"recipe": recipe, "epochs": epochs},
    })  # fmt: skip
    return sample(space, 1)[0].config


def part(split: Split, images: int) -> Split:
    """Return the first images of a split; CIFAR-10 mixes its classes."""
    return Split(split.images[:images].clone(), split.labels[:images].clone())


def measure(
    splits: tuple[Split, Split], recipes: Sequence[str], blocks: Sequence[str], epochs: int, seeds: int
) -> list[Measured]:
    """Train each recipe on each kind of block, seed by seed."""
    found = []
    for block in blocks:
        for recipe in recipes:
            config, began, accuracies = configured(recipe, block, epochs), time.process_time(), []
            for seed in range(1, seeds + 1):
                *_, last = TrainingRun(config, RunSettings(seed=seed), splits).epochs()
                assert last.val_accuracy is not None
                accuracies.append(last.val_accuracy)
            cpu_s = time.process_time() - began
            found.append(Measured(recipe=recipe, block=block, accuracies=tuple(accuracies), cpu_s=cpu_s))
    return found


def differences(found: Sequence[Measured]) -> list[Difference]:
    """Compare the last recipe with the first on each kind of block, in pairs of runs of one seed."""
    made = []
    for block in dict.fromkeys(each.block for each in found):
        first, *_, last = (each.accuracies for each in found if each.block == block)
        gains = [after - before for before, after in zip(first, last, strict=True)]
        n, mean = len(gains), statistics.fmean(gains)
        reach = stats.t.ppf(0.975, n - 1) * statistics.stdev(gains) / n**0.5
        made.append(Difference(block=block, gain=mean, low=mean - reach, high=mean + reach, n=n))
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--blocks", nargs="+", default=["additive"])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = configured(given.recipes[0], given.blocks[0], given.epochs)
    train, held = train_and_validation(config.data, Path(os.environ["QPSEARCH_DATA"]), torch.device("cpu"))
    assert isinstance(train, Split)
    assert isinstance(held, Split)
    splits = part(train, given.images), part(held, 2000)
    found = measure(splits, given.recipes, given.blocks, given.epochs, given.seeds)
    gains = differences(found)
    if given.json:
        print(json.dumps({"hardware": hardware(), "rows": [asdict(each) for each in (*found, *gains)]}, indent=1))
        return
    print(
        f"{hardware()}. {cost(config.network).parameters:,} parameters, {given.images:,} images, {given.epochs} epochs."
    )
    for each in found:
        mean, sd = statistics.fmean(each.accuracies), statistics.stdev(each.accuracies)
        print(
            f"{each.block:24} {each.recipe:10} {mean:.2%} +- {sd:.2%} (n={len(each.accuracies)}, {each.cpu_s:.0f} CPU s)"
        )
    for gain in gains:
        print(f"{gain.block:24} {given.recipes[-1]} gains {gain.gain:.2%} (95%: {gain.low:.2%} to {gain.high:.2%})")


if __name__ == "__main__":
    main()
