"""The section ``search`` of a space: what is optimised, how, and until when."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from qpsearch.registry.fidelity import Fidelity
from qpsearch.registry.metrics import Metric
from qpsearch.registry.options import Options, defaults
from qpsearch.registry.pruners import PRUNER_OPTIONS, PrunerKind
from qpsearch.registry.samplers.base import Sampler
from qpsearch.space.constraints import Condition, Limit
from qpsearch.vocabulary import Direction, Scalar, ScoreKind, WithWords, coerce_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective(WithWords):
    """What a search optimises."""

    metric: Metric
    direction: Direction

    def __post_init__(self) -> None:
        coerce_words(self)
        object.__setattr__(self, "metric", Metric(self.metric))

    @property
    def sign(self) -> float:
        """+1 where larger is better, -1 where smaller is."""
        return 1.0 if self.direction is Direction.MAXIMIZE else -1.0


DEFAULT_OBJECTIVE: Final = Objective(metric=Metric.VAL_ACCURACY, direction=Direction.MAXIMIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(WithWords):
    """Which epoch of a run counts: its value is the run's score, its weights are those that are evaluated.

    Attributes:
        kind: The last epoch, or the best.
        from_epoch: The first epoch that may be the best, counted from 1; of levels of fidelity, within the last one.
    """

    kind: ScoreKind = ScoreKind.LAST
    from_epoch: int = 1

    def best(self, values: Mapping[int, float], objective: Objective) -> tuple[int, ...]:
        """Return the best epochs, in order; the first one counts, and the others are exactly as good.

        Args:
            values: The metric's value by epoch; a value that is not finite is infinitely bad.
            objective: The metric and its direction.
        """
        gains = {epoch: objective.sign * value for epoch, value in values.items() if epoch >= self.from_epoch}
        top = max(gains.values(), default=None)
        return tuple(sorted(epoch for epoch, gain in gains.items() if gain == top))

    def __str__(self) -> str:
        return str(self.kind) if self.from_epoch == 1 else f"{self.kind} from epoch {self.from_epoch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentBound:
    """A bound of a budget that is reached.

    Attributes:
        name: The field of ``Budget``.
        limit: How much may be spent of it.
        spent: How much was spent, which may be more.
    """

    name: str
    limit: float
    spent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a study may spend, over all its drivers and restarts; the first bound that is reached ends the study.

    Attributes:
        trials: Trials.
        epochs: Epochs recorded, over all trials; those of lower levels of fidelity count by their cost. None, here and
            below, for no bound.
        seconds: Wall time in which at least one driver held the study.
        gpu_seconds: Seconds times GPUs (or shares of one) that attempts held.
    """

    trials: int
    epochs: int | None = None
    seconds: float | None = None
    gpu_seconds: float | None = None

    def updated(
        self,
        *,
        trials: int | None = None,
        epochs: int | None = None,
        seconds: float | None = None,
        gpu_seconds: float | None = None,
    ) -> "Budget":
        """Return the budget with the given bounds replaced; None leaves a bound as it is."""
        return Budget(
            trials=self.trials if trials is None else trials,
            epochs=self.epochs if epochs is None else epochs,
            seconds=self.seconds if seconds is None else seconds,
            gpu_seconds=self.gpu_seconds if gpu_seconds is None else gpu_seconds,
        )

    @property
    def has_others(self) -> bool:
        """Whether there is a bound besides the number of trials."""
        return (self.epochs, self.seconds, self.gpu_seconds) != (None, None, None)

    def reached(self, **spent: float) -> SpentBound | None:
        """Return the first bound that is reached; None if none of them is.

        Args:
            **spent: How much was spent, by field; the bounds of other fields are not looked at.
        """
        limits = {name: getattr(self, name) for name in spent}
        bounds = (
            SpentBound(name=name, limit=limits[name], spent=spent[name]) for name in spent if limits[name] is not None
        )
        return next((bound for bound in bounds if bound.spent >= bound.limit), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """When a study ends before its budget is spent.

    Attributes:
        target: Value of the first objective that a complete trial reaches; None, here and below, for never.
        patience: Trials that end one after another without a better one.
        failures: Trials that fail.
    """

    target: float | None = None
    patience: int | None = None
    failures: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(WithWords):
    """How the space is searched; ``schema.settings.SEARCH`` explains each field.

    Attributes:
        objectives: What is optimised: metrics of training first, costs after them.
        metrics: Further metrics that each epoch records.
        papers: Whether the papers' configurations are tried before all others.
        first: Values of some parameters for the next trials, a mapping for each.
        warm_start: Names of earlier studies, whose best configurations are tried after those.
        conditions: The conditions of ``forbid`` and ``require``.
        replicates: Seeds that each trial trains, at least.
        race: Seeds that a trial trains at most, where some train more than others; None where all train as many.
        fidelity: The levels at which runs train; None for the whole training alone.
    """

    objectives: tuple[Objective, ...]
    metrics: tuple[Metric, ...] = ()
    score: Score
    sampler: Sampler
    sampler_options: Options
    pruner: PrunerKind
    pruner_options: Options
    papers: bool
    first: tuple[Mapping[str, Scalar], ...]
    warm_start: tuple[str, ...]
    budget: Budget
    stop: Stop
    limits: tuple[Limit, ...]
    conditions: tuple[Condition, ...]
    replicates: int
    race: int | None
    seed: int
    fidelity: Fidelity | None = None

    @property
    def objective(self) -> Objective:
        """The metric of training that is optimised; of several, the first one."""
        return self.objectives[0]

    @property
    def most_replicates(self) -> int:
        """Seeds that a trial trains at most."""
        return self.race or self.replicates

    @property
    def seeds_text(self) -> str:
        """How many seeds a trial trains, in words: ``1 to 5``."""
        return str(self.replicates) if self.race is None else f"{self.replicates} to {self.race}"

    @property
    def further(self) -> tuple[Objective, ...]:
        """The other objectives that are metrics of training; the costs come after them."""
        return tuple(each for each in self.objectives[1:] if not each.metric.is_cost)

    @property
    def extra(self) -> tuple[str, ...]:
        """The metrics that each epoch computes because this search asks for them."""
        asked = dict.fromkeys([*(each.metric for each in self.objectives), *self.metrics])
        return tuple(metric.value for metric in asked if metric.is_extra)

    @property
    def is_grid(self) -> bool:
        """Whether every point of the space is tried."""
        return self.sampler.is_exhaustive

    def is_trained_alone(self, replicate: int) -> bool:
        """Whether a seed of a trial is never trained as one network with others.

        What it reports may end the trial, or the study optimises a time, which a fused run does not have by itself.
        """
        return self.pruner.judges(replicate) or any(each.metric.is_timed for each in self.objectives)

    @property
    def most_fused(self) -> int:
        """Seeds of a trial that are trained as one network at most; 1 where none are."""
        return max(1, sum(not self.is_trained_alone(replicate) for replicate in range(self.replicates)))

    def run_epochs(self, epochs: int) -> int:
        """Return the epochs of a run, over all its levels of fidelity, where ``epochs`` are those of the recipe."""
        return epochs if self.fidelity is None else self.fidelity.whole

    def trial_cost(self, epochs: int, seeds: int) -> float:
        """Return what a trial costs that reaches its end, in epochs of the whole training.

        Args:
            epochs: Those of the recipe.
            seeds: How many it trains.
        """
        return self.cost_up_to(self.run_epochs(epochs)) + epochs * (seeds - 1)

    def cost_up_to(self, epochs: int) -> float:
        """Return what the first epochs of a trial cost, in epochs of the whole training."""
        return epochs if self.fidelity is None else self.fidelity.cost_up_to(epochs)

    def epochs_for(self, cost: float) -> float:
        """Return how many epochs a trial has trained that has cost so much: the inverse of ``cost_up_to``."""
        return cost if self.fidelity is None else self.fidelity.epochs_for(cost)

    def best_epochs(self, values: Mapping[int, float]) -> tuple[int, ...]:
        """Return the best epochs of a run, in order, as ``Score.best`` does; with levels of fidelity, of the last one.

        Args:
            values: The first objective's value by epoch.
        """
        before = 0 if self.fidelity is None else self.fidelity.before_last
        last = {epoch - before: value for epoch, value in values.items() if epoch > before}
        return tuple(before + epoch for epoch in self.score.best(last, self.objective))

    def counting_epochs(self, values: Mapping[int, float]) -> tuple[int, ...]:
        """Return the epoch of a run that counts, and after it those that are exactly as good."""
        return (max(values),) if self.score.kind is ScoreKind.LAST else self.best_epochs(values)

    def using(self, sampler: Sampler, pruner: PrunerKind) -> "Search":
        """Return the search with another sampler and pruner; options stay where the names do."""
        return replace(
            self,
            sampler=sampler,
            sampler_options=self.sampler_options if sampler is self.sampler else defaults(sampler.options),
            pruner=pruner,
            pruner_options=self.pruner_options if pruner is self.pruner else defaults(PRUNER_OPTIONS[pruner]),
        )
