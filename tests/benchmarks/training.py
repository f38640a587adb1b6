"""What a training step costs: ``python -m tests.benchmarks.training [--quick] [--json] [--threads N]``.

An epoch of a network, its evaluation included, estimated from steps on noise by ``seconds_an_epoch``: as qpsearch trains it,
against the same loop with torch's default memory format and the C library's default use of memory (contiguous tensors, freed
memory given back). A fresh process each, since what a C library does with memory holds for a whole process. CPU only.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from qpsearch.architecture.config import Recipe, TrialConfig
from qpsearch.architecture.named import named_network
from qpsearch.protocol import RunSettings
from qpsearch.registry.datasets import Data
from qpsearch.registry.optimisers.sgd import Sgd
from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row

NETWORKS = (
    ("resnet20", 32),
    ("quotient20", 32),
    ("pure20", 32),
    ("resnet20", 128),
    ("quotient20", 128),
    ("pure20", 128),
)
MEASURED_S = 6.0


def seconds(name: str, batch: int, threads: int, ours: bool, within_s: float) -> float:
    """Return the seconds of an epoch of CIFAR-10, measured in this process."""
    from qpsearch.training import loop, timing

    config = TrialConfig(
        data=Data(dataset="cifar10", validation=5000),
        network=named_network(name),
        recipe=Recipe(
            epochs=1,
            batch_size=batch,
            optimizer=Sgd(lr=0.01, momentum=0.9, weight_decay=1e-4),
            schedule="cosine",
        ),
    )
    if ours:
        return timing.seconds_an_epoch(config, RunSettings(seed=0, threads=threads), within_s)
    loop.reuse_freed_memory = lambda: None
    settings = RunSettings(seed=0, threads=threads, memory_format="contiguous")
    return timing.seconds_an_epoch(config, settings, within_s)


def apart(name: str, batch: int, threads: int, ours: bool, within_s: float) -> float:
    """Return the same, measured in a fresh process."""
    call = f"from tests.benchmarks.training import seconds; print(seconds({name!r}, {batch}, {threads}, {ours}, {within_s}))"
    done = subprocess.run([sys.executable, "-c", call], check=True, capture_output=True, text=True)
    return float(done.stdout)


def rows(
    repetitions: int, threads: int, networks: Sequence[tuple[str, int]] = NETWORKS, within_s: float = MEASURED_S
) -> list[Row]:
    """Measure both sides of each network in turn."""
    return [
        row(
            f"plain: {name}, batches of {batch}",
            alternate(repetitions, *(partial(apart, name, batch, threads, ours, within_s) for ours in (True, False))),
            alternative="the same loop, contiguous, malloc as it comes",
            unit="s/epoch",
            note=f"45,000 images of 32x32 trained and 5,000 evaluated, from steps of noise, {threads} threads, a process each",
        )
        for name, batch in networks
    ]


def main() -> None:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repetition instead of seven")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = rows(1 if asked.quick else 7, asked.threads)
    print(as_json("training", found, hardware()) if asked.json else as_table(found, hardware()))


if __name__ == "__main__":
    main()
