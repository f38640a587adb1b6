"""A run at several levels of fidelity: one training after another, whose epochs are numbered through."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.levels import at_level
from qpsearch.errors import TrainingDiverged, UserError
from qpsearch.protocol import EpochReport, RunSettings, StepCount, Told, epoch_of
from qpsearch.registry.fidelity import Fidelity
from qpsearch.training import fused
from qpsearch.training.loop import train_by_steps
from qpsearch.training.reading import processes_kept
from qpsearch.vocabulary import Fuse


def train(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    """Train one run of a configuration and report each epoch; with ``run.fidelity``, at one level after the other.

    On a CPU, a run continued from a checkpoint repeats the uninterrupted one bit for bit, given the same
    number of threads and the same memory format. Memory is freed when the generator closes.

    Raises:
        TrainingDiverged: The mean training loss of an epoch is not finite, or over 1000 times the loss
            of guessing. Non-finite logits in evaluation do not end a run.
        OutOfMemory: The run needs more than the device's memory, or more than the run's share of that memory, also
            with half as many images at once, which is tried where it is the same recipe.
        ArtifactError: A checkpoint cannot be written.
        DataError: The data set is missing or damaged.
        UserError: ``config`` or ``run`` is something else, or there is no such device here.

    Example:
        >>> import qpsearch
        >>> point = qpsearch.sample(qpsearch.load_space("smoke"), 1)[0]
        >>> [report.epoch for report in qpsearch.train(point.config, qpsearch.RunSettings(seed=0))]
        [1, 2]
    """
    for name, given, kind, such in (
        ("config", config, TrialConfig, "that of a trial, or of a point of qpsearch.sample"),
        ("run", run, RunSettings, "qpsearch.RunSettings(seed=0)"),
    ):
        if not isinstance(given, kind):
            raise UserError(f"{name}: {given!r} is not a {kind.__name__}. Expected {such}.")
    with closing(train_levels(config, run)) as told:
        for report in told:
            if isinstance(report, EpochReport):
                yield report


def train_levels(config: TrialConfig, run: RunSettings) -> Generator[EpochReport | StepCount]:
    """Train a run at each of its levels from fresh weights; without levels, as ``train_by_steps`` does.

    Each level is what ``train_by_steps`` makes of the configuration at that level with the run's seed, so the last one
    is the whole training to the bit. A run continues at the level of its newest checkpoint; where the checkpoints of
    that level are all damaged, the level begins anew.

    Raises:
        TrainingDiverged, OutOfMemory, ArtifactError, DataError: As ``train`` does.
    """
    if run.fidelity is None:
        yield from train_by_steps(config, run)
        return
    reached = max(map(epoch_of, run.resume_from), default=run.epochs_before)
    with processes_kept():
        for level in range(run.fidelity.level_of(reached + 1), len(run.fidelity.levels)):
            yield from _train_level(config, run, run.fidelity, level)


def train_runs(config: TrialConfig, runs: Sequence[RunSettings], fuse: Fuse) -> Generator[Told]:
    """Train several runs at their last level, as one network where that is asked for; see ``fused.train_runs``."""
    before = runs[0].epochs_before
    settings = [replace(run, fidelity=None) for run in runs]
    with _numbered_from(before), closing(fused.train_runs(config, settings, fuse)) as all_told:
        for told in all_told:
            yield replace(told, report=replace(told.report, epoch=before + told.report.epoch))


def _train_level(
    config: TrialConfig, run: RunSettings, fidelity: Fidelity, level: int
) -> Generator[EpochReport | StepCount]:
    before = level * fidelity.epochs
    own = tuple(name for name in run.resume_from if epoch_of(name) > before)
    settings = replace(run, fidelity=None, epochs_before=before, resume_from=own)
    with _numbered_from(before), closing(train_by_steps(at_level(config, fidelity, level), settings)) as told:
        for each in told:
            yield replace(each, epoch=before + each.epoch)


@contextmanager
def _numbered_from(before: int) -> Iterator[None]:
    """Number the epoch of a divergence as that of the whole run."""
    try:
        yield
    except TrainingDiverged as error:
        raise TrainingDiverged(before + error.epoch, error.value, error.step, error.steps, error.loss) from None
