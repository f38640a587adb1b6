"""What the ledger knows of a trial while it is open: its runs, how far each got, what they scored."""

from dataclasses import dataclass, field

from qpsearch.architecture import TrialConfig
from qpsearch.records import Assignment, Objective, Run
from qpsearch.vocabulary import BlockKind, ScoreKind

SLOW_STARTERS = (BlockKind.PRODUCT_UNIT, BlockKind.QUOTIENT, BlockKind.ADDITIVE)


def stratum(config: TrialConfig) -> str:
    """Return the kind of block among whose trials this one is judged: the slowest starter that it has.

    Networks with product units learn late (HAZARDS 24); against additive ones a pruner would stop them all.
    """
    kinds = {stage.block for stage in config.network.stages}
    return next(kind for kind in SLOW_STARTERS if kind in kinds).value


@dataclass(slots=True, kw_only=True)
class History:
    """One run: its metric by epoch, and the newest checkpoints, the newest first."""

    run: Run
    values: dict[int, float] = field(default_factory=dict)
    checkpoints: tuple[str, ...] = ()

    @property
    def last_epoch(self) -> int:
        """Epochs recorded."""
        return max(self.values, default=0)

    def score(self, kind: ScoreKind, objective: Objective) -> float:
        """Return the last epoch's value, or the best one's."""
        if kind is ScoreKind.LAST:
            return self.values[self.last_epoch]
        return max(self.values.values(), key=lambda value: objective.sign * value)

    def record(self, epoch: int, value: float, checkpoint: str, keep: int) -> None:
        """Take an epoch in; a repeated one (its checkpoint was lost) keeps its first value."""
        self.values.setdefault(epoch, value)
        if checkpoint:
            self.checkpoints = (checkpoint, *(name for name in self.checkpoints if name != checkpoint))[:keep]


@dataclass(slots=True, kw_only=True)
class OpenTrial:
    """A trial that has not ended.

    Attributes:
        number: In its study.
        trial_id: In Optuna's table.
        config: What it trains.
        attempt: The current attempt; the last one's while it waits for the next.
        histories: By replicate.
        threads: Of the first attempt that reported; later ones repeat them (HAZARDS 37).
        memory_format: Likewise.
        placed: Whether the current attempt's place is recorded.
    """

    number: int
    trial_id: int
    config: TrialConfig
    attempt: int
    histories: list[History]
    threads: int | None = None
    memory_format: str | None = None
    placed: bool = False

    @property
    def stratum(self) -> str:
        """See ``stratum``."""
        return stratum(self.config)

    @property
    def last_value(self) -> float | None:
        """The last value reported for the first replicate, on which pruning is decided."""
        first = self.histories[0]
        return first.values.get(first.last_epoch)

    def run_is_done(self, replicate: int) -> bool:
        """Whether a run has all its epochs."""
        return self.histories[replicate].last_epoch >= self.config.recipe.epochs

    def is_done(self) -> bool:
        """Whether every run has."""
        return all(self.run_is_done(history.run.replicate) for history in self.histories)

    def value(self, kind: ScoreKind, objective: Objective) -> float:
        """Return the mean score over all runs."""
        scores = [history.score(kind, objective) for history in self.histories]
        return sum(scores) / len(scores)

    def assignment(self) -> Assignment:
        """Return what is left to do, for a worker."""
        left = [history for history in self.histories if not self.run_is_done(history.run.replicate)]
        return Assignment(
            trial=self.number,
            attempt=self.attempt,
            config_json=self.config.to_json(),
            runs=tuple(history.run for history in left),
            resume_from=left[0].checkpoints if left else (),
            threads=self.threads,
            memory_format=self.memory_format,
        )
