"""The real trainer, named here so that the driver can pass it on without loading torch."""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.plugins import load_everything
from qpsearch.protocol import EpochReport, RunSettings, StepCount, Told
from qpsearch.vocabulary import Fuse

if TYPE_CHECKING:
    from qpsearch.dispatch.packing import Peak


def train(config: TrialConfig, run: RunSettings) -> Generator[EpochReport | StepCount]:
    """Train one run (``train_levels``); torch is imported in the worker, at the first trial."""
    from qpsearch.training.levels import train_levels

    yield from train_levels(config, run)


def train_runs(config: TrialConfig, runs: Sequence[RunSettings], fuse: Fuse) -> Generator[Told]:
    """Train several runs, as one network where that is asked for (``qpsearch.training.levels.train_runs``)."""
    from qpsearch.training import levels

    yield from levels.train_runs(config, runs, fuse)


def gpu_fault() -> str | None:
    """Return why torch cannot use the GPU of this process; None if it can."""
    import torch

    try:
        torch.zeros(1, device="cuda").cpu()
    except Exception as error:  # whatever a driver or a card does
        return str(error).strip().splitlines()[0].partition(". ")[0].rstrip(".")
    return None


def measure(config: TrialConfig, run: RunSettings) -> "Peak":
    """Return the GPU memory that a few steps take (``qpsearch.training.timing.peak_of_steps``)."""
    from qpsearch.dispatch.packing import Peak
    from qpsearch.training.timing import peak_of_steps

    load_everything()
    return Peak(*peak_of_steps(config, run))
