"""The real trainer, named here so that the driver can hand it on without loading torch."""

from collections.abc import Iterator

from qpsearch.architecture import TrialConfig
from qpsearch.records import EpochReport, RunSettings


def train(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    """Train one run (``qpsearch.training.train``); torch is imported in the worker, at the first trial."""
    from qpsearch.training import train as real

    yield from real(config, run)
