"""What commands print with ``--json``: a dataclass for each document, from which its JSON Schema follows.

A number that is not finite is printed as null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from qpsearch.space.search import Objective
from qpsearch.study.records import ConfigurationRecord, Confirmation
from qpsearch.vocabulary import FailReason, Scalar, WithWords

if TYPE_CHECKING:
    from qpsearch.runner.confirming import Confirmed
    from qpsearch.runner.rerunning import Repeated, Rerun


class Document:
    """The base of all documents."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what is printed."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]  # each document is a dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshSeeds:
    """What a configuration gave on fresh seeds; ``study.records.Confirmation`` explains each field."""

    search: float
    mean: float | None
    sd: float | None
    n: int
    drop: float | None
    interval: tuple[float, float] | None
    seeds: tuple[int, ...]
    scores: tuple[float | None, ...]
    failed: int
    open: int

    @classmethod
    def of(cls, found: Confirmation | None) -> Self | None:
        """Return what is printed; None where the configuration was not trained again."""
        return None if found is None else cls(**found.to_dict())


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedValue:
    """The value by which a search chose a configuration: the mean over ``n`` runs, and their standard deviation."""

    value: float
    sd: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedConfiguration:
    """One of the best configurations.

    Attributes:
        trial: The first of its complete trials in the search.
        trials: All of them.
        params: What the sampler chose, by parameter.
        config: The configuration.
        search: What the search saw.
        confirmed: What fresh seeds gave; None where none was trained.
    """

    trial: int
    trials: tuple[int, ...]
    params: Mapping[str, Scalar]
    config: Mapping[str, Any]
    search: SearchedValue
    confirmed: FreshSeeds | None

    @classmethod
    def of(cls, found: ConfigurationRecord) -> Self:
        """Return what is printed of a configuration."""
        return cls(
            trial=found.number,
            trials=found.trials,
            params=dict(found.params),
            config=found.to_dict()["config"],
            search=SearchedValue(value=found.value, sd=found.sd, n=found.n),
            confirmed=FreshSeeds.of(found.confirmed),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmDocument(Document):
    """``qpsearch confirm --json``.

    Attributes:
        study: The study that searched.
        confirmation: The study beside it, which has the trials on fresh seeds.
        finished: Whether all of them ended.
        configurations: The best configurations of the search, best first; those that were named, in that order.
    """

    study: str
    confirmation: str
    finished: bool
    configurations: tuple[ConfirmedConfiguration, ...]

    @classmethod
    def of(cls, study: str, confirmed: "Confirmed") -> Self:
        """Return what is printed after confirming."""
        return cls(
            study=study,
            confirmation=confirmed.study,
            finished=confirmed.outcome.is_finished,
            configurations=tuple(map(ConfirmedConfiguration.of, confirmed.configurations)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedRun(WithWords):
    """A run that was trained again.

    Attributes:
        replicate: The run, from 0.
        seed: Its seed.
        epochs: How many recorded epochs were trained again.
        matches: Whether every recorded value was repeated to the bit, and the run ended alike.
        differs_from_epoch: The first epoch with another value; None where all are equal.
        largest_difference: By value, the largest absolute difference; None where one of the two is not a number.
        failed_then: How the run failed in the record; None where it did not.
        failed_now: How it failed now.
        detail: The message of an error now.
    """

    replicate: int
    seed: int
    epochs: int
    matches: bool
    differs_from_epoch: int | None
    largest_difference: Mapping[str, float | None]
    failed_then: FailReason | None
    failed_now: FailReason | None
    detail: str | None

    @classmethod
    def of(cls, run: "Repeated") -> Self:
        """Return what is printed of a run."""
        return cls(
            replicate=run.replicate,
            seed=run.seed,
            epochs=run.epochs,
            matches=run.matches,
            differs_from_epoch=run.first,
            largest_difference=dict(run.differences),
            failed_then=run.then,
            failed_now=run.now,
            detail=run.detail or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A version, or a fact of the machine, that is not as recorded: ``versions.torch``, then and now."""

    what: str
    then: Scalar
    now: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunDocument(Document):
    """``qpsearch rerun --json``.

    Attributes:
        study: The study.
        trial: The trial.
        matches: Whether every run matches its record to the bit.
        device: ``cpu`` or ``cuda``, on which it was trained again.
        threads: CPU threads, as recorded.
        memory_format: ``channels_last`` or ``contiguous``, as recorded.
        runs: The runs that were trained again.
        environment: What differs from the record.
    """

    study: str
    trial: int
    matches: bool
    device: str
    threads: int
    memory_format: str
    runs: tuple[RepeatedRun, ...]
    environment: tuple[Change, ...]

    @classmethod
    def of(cls, found: "Rerun") -> Self:
        """Return what is printed of a trial that was trained again."""
        return cls(
            study=found.study,
            trial=found.trial,
            matches=found.matches,
            device=found.conditions.device,
            threads=found.conditions.threads,
            memory_format=found.conditions.memory_format,
            runs=tuple(map(RepeatedRun.of, found.runs)),
            environment=tuple(Change(what=name, then=old, now=new) for name, (old, new) in found.changes.items()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BestConfiguration:
    """A best configuration: the record of its first trial (``study.records.TrialRecord``), and what the others add.

    Attributes:
        value: The mean score over the runs of all its trials.
        values: A mean for each objective.
        trials: The numbers of its complete trials.
        n: How many runs it has.
        sd: The standard deviation of their scores; None for a single run.
        seeds: The seeds of the runs that were trained here.
        scores: The score of each run: first of these, in the order of ``seeds``, then the values of imported trials.
        level: Of the best by one objective, how many other configurations have the same value.
        confirmed: What fresh seeds gave; None where none was trained.
        checkpoints: Where the weights of each run lie, of the epoch that counts.
        checkpoints_problem: Why that cannot be said; None where it can.
    """

    number: int
    state: str
    value: float
    reason: str | None
    detail: str | None
    values: tuple[float | None, ...]
    started: float
    seeds: tuple[int, ...]
    params: Mapping[str, Scalar]
    epochs: int
    attempts: int
    duration_s: float
    seconds: float
    is_held: bool
    is_paused: bool
    is_retried: bool
    place: str | None
    config: Mapping[str, Any]
    trials: tuple[int, ...]
    n: int
    sd: float | None
    scores: tuple[float | None, ...]
    level: int
    confirmed: FreshSeeds | None
    checkpoints: Sequence[str]
    checkpoints_problem: str | None

    @classmethod
    def of(cls, found: ConfigurationRecord, checkpoints: Sequence[str], problem: str | None) -> Self:
        """Return what is printed of a configuration whose weights lie somewhere."""
        fields = found.to_dict() | {"confirmed": FreshSeeds.of(found.confirmed)}
        return cls(**fields, checkpoints=checkpoints, checkpoints_problem=problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class BestDocument(Document):
    """``qpsearch best --json``.

    Attributes:
        study: The study.
        objective: The first objective.
        objectives: All of them.
        best: The best configuration by the first objective; None while no trial is complete.
        front: Of several objectives the Pareto front, else empty.
    """

    study: str
    objective: Objective
    objectives: tuple[Objective, ...]
    best: BestConfiguration | None
    front: tuple[BestConfiguration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportDocument(Document):
    """``qpsearch model export --json``.

    Attributes:
        folder: The folder that was written.
        files: The names of its files.
        problems: For each file that could not be written, why.
        study: The study.
        trial: The trial whose network was exported.
        replicate: Which of its runs.
        input: What the network takes, as in ``config.json``: shape, channels, normalisation.
        output: What it gives: shape, classes.
        results: Its numbers: score, mean and standard deviation over seeds, fresh seeds, test images.
        checks: How each file compares with the network.
    """

    folder: str
    files: tuple[str, ...]
    problems: Mapping[str, str]
    study: str
    trial: int
    replicate: int
    input: Mapping[str, Any]
    output: Mapping[str, Any]
    results: Mapping[str, Any]
    checks: tuple[Mapping[str, Any], ...]
