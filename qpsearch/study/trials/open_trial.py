"""Open trials as the ledger knows them: their runs, recorded epochs and scores."""

from dataclasses import dataclass, field, replace

import optuna
from optuna.trial import FrozenTrial, TrialState

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import cost
from qpsearch.protocol import Assignment, Progress, Run
from qpsearch.registry.fidelity import Fidelity
from qpsearch.registry.pruners import PrunerKind
from qpsearch.space.search import Search
from qpsearch.study.trials.checkpoints import KEEP, Kept
from qpsearch.study.trials.underway import StepsRecord

Rejected = tuple[tuple[FrozenTrial, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A drawn trial that is not in the database yet.

    Attributes:
        number: The trial's number; the draw is a function of it.
        trial: The trial in the replica.
        frozen: The drawn values.
        config: The drawn configuration.
        rejected: Earlier draws that cannot be trained, each with the reason.
    """

    number: int
    trial: optuna.Trial
    frozen: FrozenTrial
    config: TrialConfig
    rejected: Rejected


@dataclass(slots=True, kw_only=True)
class History:
    """One run: its metric, its further metrics that are objectives, and its checkpoints by epoch.

    Attributes:
        run: The run.
        before: Number of the epoch before its first one.
        values: Its metric.
        further: Its further metrics.
        files: Its checkpoints.
    """

    run: Run
    before: int = 0
    values: dict[int, float] = field(default_factory=dict)
    further: dict[int, tuple[float, ...]] = field(default_factory=dict)
    files: dict[int, str] = field(default_factory=dict)

    @property
    def last_epoch(self) -> int:
        """Number of the last epoch that is recorded."""
        return max(self.values, default=self.before)

    def score(self, search: Search) -> float:
        """Return the value of the epoch that counts."""
        return self.values[self._counting(search)]

    def scores(self, search: Search) -> tuple[float, ...]:
        """Return the value of each objective of training at the epoch that counts."""
        epoch = self._counting(search)
        return (self.values[epoch], *self.further[epoch])

    def _counting(self, search: Search) -> int:
        return search.counting_epochs(self.values)[0]

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """The last two checkpoints, from which the run can continue; the newest first."""
        return tuple(self.files[epoch] for epoch in sorted(self.files, reverse=True)[:KEEP])

    def worth_keeping(self, search: Search) -> Kept:
        """Return the checkpoint of the last epoch, and the one of the best."""
        kept = {epoch: self.values[epoch] for epoch in self.files}
        best = tuple(self.files[epoch] for epoch in search.best_epochs(kept))
        return (self.checkpoints[:1], best)

    def record(self, epoch: int, value: float, checkpoint: str, further: tuple[float, ...] = ()) -> bool:
        """Record an epoch and return whether it is new.

        A repeated epoch (its checkpoint was lost) keeps its first value. Later checkpoints were lost too, otherwise
        this epoch would not be trained again.

        Raises:
            ValueError: Epochs between the last recorded epoch and this one are missing.
        """
        last = self.last_epoch
        if epoch > last + 1:
            raise ValueError(f"epoch {epoch} was reported after epoch {last}")
        self.values.setdefault(epoch, value)
        self.further.setdefault(epoch, further)
        self.files = {of: name for of, name in self.files.items() if of < epoch}
        if checkpoint:
            self.files[epoch] = checkpoint
        return epoch > last


def begun(run: Run, search: Search) -> History:
    """Return a run without epochs."""
    return History(run=run, before=0 if search.fidelity is None else search.fidelity.before(run.replicate))


def costs_of(config: TrialConfig, search: Search) -> tuple[float, ...]:
    """Return the configuration's value for each objective that is a cost."""
    return tuple(float(getattr(cost(config.network), each.metric)) for each in search.objectives if each.metric.is_cost)


@dataclass(slots=True, kw_only=True)
class OpenTrial:
    """A trial that has not ended.

    Attributes:
        number: The trial's number in its study.
        trial_id: The trial's id in Optuna's table.
        config: The trial's configuration.
        attempt: Number of the current attempt, or of the last one while the trial waits.
        holder: The lease under which the current attempt runs; None while the trial waits or is paused.
        is_paused: Whether the trial is paused at a rung: it continues only if it is among the best there.
        is_given: Whether somebody has chosen the trial's configuration, which was not drawn.
        is_retried: Whether the trial lacked memory once, and has another recipe since (``second_try``).
        histories: The runs' histories, by replicate.
        fidelity: The levels at which each run trains; None for the whole training alone.
        threads: CPU threads of the first attempt that reported; later attempts use as many.
        memory_format: Memory format of the first attempt that reported; later attempts use the same.
        placed: Whether the current attempt's host and device are recorded.
        fused_in: The last attempt of which it is recorded that runs were trained as one network; 0 for none.
        deaths: Attempts in a row whose worker died before an epoch was recorded.
        began: When the current attempt got its cores, by this driver's monotonic clock; None while it waits for them.
        gpus: GPUs, or the share of one, that the current attempt holds.
        earlier_s: Seconds of earlier attempts, as stored in the database when the current attempt began.
        steps: How far the epoch that goes on is; None until its worker has said so.
    """

    number: int
    trial_id: int
    config: TrialConfig
    attempt: int
    histories: list[History]
    fidelity: Fidelity | None = None
    holder: int | None = None
    is_paused: bool = False
    is_given: bool = False
    is_retried: bool = False
    threads: int | None = None
    memory_format: str | None = None
    placed: bool = False
    fused_in: int = 0
    deaths: int = 0
    began: float | None = None
    gpus: float = 0.0
    earlier_s: float = 0.0
    steps: StepsRecord | None = None

    def held_s(self, now: float) -> float:
        """Return for how many seconds the current attempt has held its cores, given this driver's monotonic clock."""
        return 0.0 if self.began is None else now - self.began

    def results_so_far(self, search: Search) -> tuple[float, ...]:
        """Return a value for each objective of a trial that is pruned; empty before any report.

        Of metrics it is the last value reported for the first replicate, on which pruning is decided; where it is
        decided on the scores of several, it is their mean.
        """
        if search.pruner is PrunerKind.WILCOXON and self.runs_done:
            return (*self._means(search, self.runs_done), *costs_of(self.config, search))
        first, last = self.histories[0], self.histories[0].last_epoch
        return (first.values[last], *first.further[last], *costs_of(self.config, search)) if first.values else ()

    def run_is_done(self, replicate: int) -> bool:
        """Whether a run has all its epochs."""
        return self.histories[replicate].last_epoch >= self.run_epochs

    @property
    def run_epochs(self) -> int:
        """Epochs of a whole run, over all its levels."""
        return self.config.recipe.epochs if self.fidelity is None else self.fidelity.whole

    @property
    def epochs(self) -> int:
        """Epochs of all runs together."""
        return sum(self.run_epochs - history.before for history in self.histories)

    @property
    def epochs_done(self) -> int:
        """How many of these epochs are recorded."""
        return sum(history.last_epoch - history.before for history in self.histories)

    @property
    def epochs_kept(self) -> int:
        """How many of these need not be trained again, as far as the database knows: those up to a checkpoint."""
        whole = [history for history in self.histories if self.run_is_done(history.run.replicate)]
        begun = [history for history in self.histories if history not in whole and history.files]
        kept = [history.last_epoch - history.before for history in whole]
        return sum(kept) + sum(max(history.files) - history.before for history in begun)

    @property
    def runs_done(self) -> int:
        """How many runs, from the first one on, have all their epochs."""
        return sum(self.run_is_done(history.run.replicate) for history in self.histories)

    def is_done(self) -> bool:
        """Whether every run has all its epochs."""
        return all(self.run_is_done(history.run.replicate) for history in self.histories)

    def results(self, search: Search) -> tuple[float, ...]:
        """Return a value for each objective: the means over all runs, and the network's costs."""
        return (*self._means(search, len(self.histories)), *costs_of(self.config, search))

    def _means(self, search: Search, runs: int) -> tuple[float, ...]:
        """Return the mean score of the first runs, for each objective of training."""
        scores = zip(*(history.scores(search) for history in self.histories[:runs]), strict=True)
        return tuple(sum(each) / runs for each in scores)

    def left_as(self, search: Search) -> tuple[TrialState, tuple[float, ...]]:
        """Return how a trial ends that no driver will continue, with a value for each objective."""
        if self.is_paused:
            return TrialState.PRUNED, self.results_so_far(search)
        return TrialState.COMPLETE, self.results(search)

    def take_place(self, progress: Progress) -> None:
        """Remember where and how the current attempt runs, as a report says."""
        place = progress.place
        self.threads, self.memory_format, self.placed = place.threads, place.memory_format, True
        self.fused_in = self.attempt if progress.fused else self.fused_in

    def worth_keeping(self, search: Search) -> Kept:
        """Return the checkpoints that stay when the trial is over: the last and the best of each whole run."""
        whole = [history for history in self.histories if self.run_is_done(history.run.replicate)]
        return tuple(names for history in whole for names in history.worth_keeping(search))

    def assignment(self, search: Search) -> Assignment:
        """Return what is left to do, for a worker."""
        left = [history for history in self.histories if not self.run_is_done(history.run.replicate)]
        return Assignment(
            trial=self.number,
            attempt=self.attempt,
            config=self.config,
            runs=tuple(replace(history.run, resume_from=history.checkpoints) for history in left),
            alone=sum(search.is_trained_alone(history.run.replicate) for history in left),
            threads=self.threads,
            memory_format=self.memory_format,
            metrics=search.extra,
            fidelity=self.fidelity,
        )
