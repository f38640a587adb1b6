"""The real trainer, named here so that the driver can pass it on without loading torch."""

import gc
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.plugins import load_everything
from qpsearch.protocol import EpochReport, RunSettings

if TYPE_CHECKING:
    from qpsearch.dispatch.packing import Peak


def train(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    """Train one run in a worker, which imports torch at its first trial."""
    import qpsearch.training

    load_everything()
    _leave_modules_alone()
    yield from qpsearch.training.train(config, run)


def train_here(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    """Train one run in the caller's process, which may be a notebook."""
    import qpsearch.training

    load_everything()
    yield from qpsearch.training.train(config, run)


@cache
def _leave_modules_alone() -> None:
    """Take what is imported out of garbage collections: it stays as long as the worker, and a trial's end would wait.

    Of 190,000 objects a collection takes 0.15 s.
    """
    gc.freeze()


def gpu_fault() -> str | None:
    """Return why torch cannot use the GPU of this process; None if it can."""
    import torch

    try:
        torch.zeros(1, device="cuda").cpu()
    except Exception as error:  # whatever a driver or a card does
        return str(error).strip().splitlines()[0].partition(". ")[0].rstrip(".")
    return None


def measure(config: TrialConfig, run: RunSettings) -> "Peak":
    """Return the GPU memory that a few steps take (``qpsearch.training.loop.peak_of_steps``)."""
    from qpsearch.dispatch.packing import Peak
    from qpsearch.training.loop import peak_of_steps

    load_everything()
    return Peak(*peak_of_steps(config, run))
