"""A space: everything a file said, checked, with every default filled in."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from qpsearch.registry.datasets import Data
from qpsearch.registry.fidelity import Fidelity
from qpsearch.registry.metrics import Metric
from qpsearch.registry.options import Options, defaults
from qpsearch.registry.own.sampler import CustomSampler
from qpsearch.registry.pruners import PRUNER_OPTIONS, PrunerKind
from qpsearch.registry.samplers import SamplerKind, options_of
from qpsearch.space.constraints import Condition, Limit
from qpsearch.space.domains import text_of
from qpsearch.space.leaves import NEVER, Constant, Group, Items, Site, Tree, Variant, sites
from qpsearch.space.schema.value_types import AUTO
from qpsearch.vocabulary import Direction, Fuse, Scalar, ScoreKind, WithWords, coerce_words

# Settings that studies were stored without, with their defaults: such studies keep their fingerprints.
LATER: Final = {
    "data.padding": "mean",
    "data.normalise": "dataset",
    "data.augment_options": "[]",
    "training.optimizer.sgd.nesterov": "False",
    "training.warmup": "0.0",
    "training.label_smoothing": "0.0",
    "training.grad_clip": "none",
    "training.gradient_accumulation": "1",
    "training.ema": "none",
    "training.decay": "all",
    "training.dropout": "0.0",
    "training.drop_path": "0.0",
    "data.own_validation": "False",
    "data.stream": "False",
    "data.share": "1.0",
    "search.sampler.random": "0.0",
    "search.pruner.startup": "5",
    "search.pruner.warmup": "auto",
    "search.pruner.audit": "0.0",
}


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
    sampler: SamplerKind | CustomSampler
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
        return self.sampler is SamplerKind.GRID

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

    def using(self, sampler: SamplerKind | CustomSampler, pruner: PrunerKind) -> "Search":
        """Return the search with another sampler and pruner; options stay where the names do."""
        return replace(
            self,
            sampler=sampler,
            sampler_options=self.sampler_options if sampler is self.sampler else defaults(options_of(sampler)),
            pruner=pruner,
            pruner_options=self.pruner_options if pruner is self.pruner else defaults(PRUNER_OPTIONS[pruner]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources(WithWords):
    """The cores and GPUs of a trial, and how its seeds are trained; None stands for ``auto`` (or no timeout)."""

    gpus: float | None
    cpus: int
    concurrent: int | None
    report_timeout_s: float | None
    fuse: Fuse = Fuse.NEVER  # as every study was trained that does not say it


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedArms:
    """Arms that are compared: each is tuned alike, and its best configurations are trained again on fresh seeds.

    Attributes:
        arms: The space of each arm, by the arm's name, in the order of the file.
        trials: Trials of each arm's own search.
        top: Best configurations of each arm that are trained again.
        seeds: Fresh seeds of each of them.
    """

    arms: "Mapping[str, Space]"
    trials: int
    top: int
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Space:
    """What may be built and trained, and how it is searched.

    Attributes:
        source: The text of the file that the space was read from.
        study: Name of the study.
        data: The data set.
        network: Tree of the network's leaves, in drawing order.
        training: Tree of the recipe's leaves, in drawing order.
        augment: Tree of the augmentations, where some of it is searched; ``data`` then has those that some trial may
            have. None where ``data`` says it all.
        search: Sampler, pruner, budget.
        resources: Cores and GPUs of a trial.
        compare: The arms of a comparison; None for a space that is searched as a whole.

    Example:
        >>> import qpsearch
        >>> space = qpsearch.load_space("smoke")
        >>> space.study, space.data.dataset, space.search.budget.trials
        ('smoke', 'digits', 3)
    """

    source: str
    study: str
    data: Data
    network: Group
    training: Group
    augment: Tree | None = None
    search: Search
    resources: Resources
    compare: TunedArms | None = None

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Every leaf in the order of drawing, with when it is drawn."""
        return tuple(sites(self.network, self.training, self.augment))

    @property
    def searched(self) -> dict[str, str]:
        """The searched parameters and their domains as the file spells them; tied leaves once, under their tie."""
        return {s.parameter: str(s.leaf) for s in self.sites if s.domain is not None and s.when != NEVER}

    @property
    def most_epochs(self) -> int:
        """The largest number of epochs of any configuration."""
        epochs = self.training.get("epochs")
        assert epochs is not None
        assert not isinstance(epochs, Group | Items | Variant)
        return int(epochs.upper)

    @property
    def run_epochs(self) -> int:
        """The largest number of epochs of any run, over all its levels of fidelity; the pruners' maximum resource."""
        return self.search.run_epochs(self.most_epochs)

    @property
    def fewest_epochs(self) -> int | None:
        """The smallest number of epochs of any configuration; None where it is computed in each draw."""
        epochs = self.training.get("epochs")
        assert epochs is not None
        assert not isinstance(epochs, Group | Items | Variant)
        if epochs.domain is None:
            return int(epochs.upper) if isinstance(epochs, Constant) else None
        assert epochs.domain.bounds is not None
        return int(epochs.domain.bounds[0])

    def meaning(self) -> dict[str, str]:
        """Return everything that affects results, as ``path: text`` pairs in drawing order.

        The budget, the machine and the study's name are left out: changing them does not change a trial.
        """
        apart = {"own"} | ({"augment", "augment_options"} if self.augment is not None else set())
        lines = {f"data.{name}": _plain(getattr(self.data, name)) for name in Data.__slots__ if name not in apart}
        if self.data.own is not None:  # whose images count, not where they lie
            own = {"data.dataset": "own images", "data.images": self.data.own.fingerprint}
            lines |= own | {"data.size": str(self.data.own.size)}
        lines |= {site.path: str(site.leaf) for site in self.sites}
        search = self.search
        lines["search.objective"] = ", ".join(f"{each.direction} {each.metric}" for each in search.objectives)
        if search.metrics:
            lines["search.metrics"] = ", ".join(search.metrics)
        lines |= {
            f"search.{name}": _plain(getattr(search, name))
            for name in ("score", "sampler", "pruner", "replicates", "seed")
        }
        for name, options in (("sampler", search.sampler_options), ("pruner", search.pruner_options)):
            lines |= {f"search.{name}.{option}": _option(value) for option, value in options.items()}
        if search.race is not None:
            lines["search.replicates"] = f"race from {search.replicates} to {search.race}"
        if isinstance(search.sampler, CustomSampler):
            lines["search.sampler.version"] = search.sampler.version
        if search.fidelity is not None:
            lines["search.fidelity"] = str(search.fidelity)
        if search.papers:
            lines["search.first.papers"] = "yes"
        for index, point in enumerate(search.first):
            lines |= {f"search.first.{index}.{name}": text_of(value) for name, value in point.items()}
        if search.warm_start:
            lines["search.warm_start"] = ", ".join(search.warm_start)
        lines |= {f"search.limits.{limit.metric}": str(limit) for limit in search.limits}
        lines |= {f"search.{text}": "yes" for text in sorted(map(str, search.conditions))}
        return lines if self.compare is None else lines | self._meaning_of_arms(lines, self.compare)

    def _meaning_of_arms(self, own: Mapping[str, str], compare: TunedArms) -> dict[str, str]:
        """Return what each arm changes, and how many of its configurations are trained again on how many seeds."""
        lines = {"compare.retrain.top": str(compare.top), "compare.retrain.seeds": str(compare.seeds)}
        for name, arm in compare.arms.items():
            meaning = arm.meaning()
            changed = {path: text for path, text in meaning.items() if own.get(path) != text}
            changed |= {path: "(absent)" for path in own if path not in meaning and not path.startswith("compare.")}
            lines |= {f"compare.arms.{name}.{path}": text for path, text in changed.items()} or {
                f"compare.arms.{name}": "as the file"
            }
        return lines

    @property
    def fingerprint(self) -> str:
        """Hash of the meaning: equal for two files exactly when they define the same study."""
        meaning = {path: text for path, text in self.meaning().items() if LATER.get(path) != text}
        text = json.dumps(meaning, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def with_search(
        self, *, study: str | None = None, budget: Budget | None = None, seed: int | None = None
    ) -> "Space":
        """Return the space with some of its search settings replaced, as the command line does."""
        search = replace(
            self.search,
            budget=budget or self.search.budget,
            seed=self.search.seed if seed is None else seed,
        )
        renamed = replace(self, study=study or self.study, search=search)
        return renamed if self.compare is None else replace(renamed, compare=_renamed(self.compare, renamed))


def _renamed(compare: TunedArms, space: Space) -> TunedArms:
    """Return the arms under the name of their comparison, and with its seed."""
    arms = {
        name: arm.with_search(study=f"{space.study}.{name}", seed=space.search.seed)
        for name, arm in compare.arms.items()
    }
    return replace(compare, arms=arms)


def diff(stored: Space, given: Space) -> list[str]:
    """Say what differs in meaning, a line each: ``network.stages.0.width: 16 -> 32``."""
    old, new = stored.meaning(), given.meaning()
    paths = list(dict.fromkeys([*old, *new]))
    return [
        f"{path}: {old.get(path, '(absent)')} -> {new.get(path, '(absent)')}"
        for path in paths
        if old.get(path) != new.get(path)
    ]


def _option(value: float | None) -> str:
    return AUTO if value is None else text_of(value)


def _plain(value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    items = (f"{each[0]}: {each[1]!r}" if isinstance(each, tuple) else str(each) for each in value)
    return str(Constant(tuple(items)))
