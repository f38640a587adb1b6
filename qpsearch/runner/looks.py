"""Reading the test images: trained networks are evaluated, and what was read is recorded in their study."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import StorageError, counted
from qpsearch.registry.datasets import Data
from qpsearch.registry.metrics import Metric
from qpsearch.runner.machine import as_kept, data_folder, has_gpu, prepare_data
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.evaluations import Evaluated


class Trained(Protocol):
    """A run whose weights are kept."""

    @property
    def replicate(self) -> int:
        """The run, from 0."""

    @property
    def folder(self) -> str:
        """Folder or URI of its checkpoints."""

    @property
    def checkpoint(self) -> str:
        """The file of its weights."""


def evaluated(
    run: Trained, config: TrialConfig, data: Path | None, levels: Sequence[float], metrics: Sequence[str] = ()
) -> tuple[Evaluated, ...]:
    """Evaluate a run on the test images, at each level of Poisson noise (0 for none).

    Args:
        run: The run.
        config: The configuration that was trained.
        data: Folder of the data sets.
        levels: The levels of noise.
        metrics: What the study asks for beyond loss and accuracy.

    Raises:
        ArtifactError: The checkpoint is missing or damaged.
        DataError: The data set is missing or damaged.
    """
    import numpy as np
    import torch

    from qpsearch.training.testing import test_run

    device = "cuda" if has_gpu() and torch.cuda.is_available() else "cpu"
    found = test_run(config, run.folder, run.checkpoint, data, levels, device, metrics)
    return tuple(
        Evaluated(
            replicate=run.replicate,
            checkpoint=run.checkpoint,
            noise=level,
            images=each.images,
            accuracy=each.accuracy,
            loss=each.loss,
            nonfinite=each.nonfinite,
            correct=np.packbits(each.correct.cpu().numpy()).tobytes(),
            metrics={Metric(word).on_test: value for word, value in each.metrics.items()},
        )
        for level, each in zip(levels, found, strict=True)
    )


class Log:
    """Records one look at the test images; where the database cannot be written, ``problem`` says why.

    Args:
        storage: URL of the study database.
        study: The study.
    """

    def __init__(self, storage: str, study: str) -> None:
        self.problem: str | None = None
        self._storage, self._study, self._now = storage, study, time.time()
        self._database: Database | None = None

    def write(self, trial: int, found: Sequence[Evaluated]) -> None:
        """Record what a trial gave."""
        from qpsearch.study.manage import record_evaluations

        if self.problem is not None:
            return
        try:
            self._database = self._database or Database.create(self._storage)  # whose tables may be old
            record_evaluations(self._database, self._study, trial, found, self._now)
        except StorageError as error:
            self.problem = str(error)

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()


def read_test_images(
    storage: str,
    study: str,
    numbers: Sequence[int],
    tell: Callable[[str], None],
    reading: Callable[[Data], Data] = as_kept,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Evaluate the runs of some complete trials on the clean test images, and record it, where that was not done.

    Args:
        storage: URL of the study database.
        study: The study.
        numbers: The numbers of the trials.
        tell: Called with what is done, before it begins.
        reading: Gives the study's data as they are read here.
        check: Called before anything is recorded; may raise an error that says why it must not be.

    Raises:
        ArtifactError: Weights are missing or damaged.
        DataError: The data set is missing or damaged.
        StorageError: The database cannot be written.
    """
    with closing(Database.open(storage)) as database, closing(Log(storage, study)) as log:
        wanted, known = set(numbers), queries.run_results(database, study)
        read = {(run.trial, run.replicate): run.checkpoint for run in known if run.correct is not None}
        runs = [
            run
            for run in queries.kept_runs(database, study, wanted)
            if read.get((run.trial, run.replicate)) != run.checkpoint
        ]
        if not runs:
            return
        again = f", in look {len(looks) + 1} of this study at them" if (looks := queries.looks(database, study)) else ""
        tell(f"reading the test images: {counted(len(runs), 'run')}{again}")
        space = queries.space_of(database, study)
        data = reading(space.data)
        folder = data_folder(data)
        prepare_data(data, folder)
        configs = {record.number: record.config for record in queries.trial_records(database, study)}
        for number in dict.fromkeys(run.trial for run in runs):
            own = [run for run in runs if run.trial == number]
            found = [each for run in own for each in evaluated(run, configs[number], folder, [0.0], space.search.extra)]
            check()
            log.write(number, found)
            if log.problem is not None:
                raise StorageError(f"what is read from the test images must be recorded. {log.problem}")
