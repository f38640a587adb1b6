"""What ``enqueue``, ``simulate``, ``train`` and ``doctor`` print with ``--json``; see ``documents``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from qpsearch.runner.documents import Document
from qpsearch.vocabulary import Scalar

if TYPE_CHECKING:
    from qpsearch.protocol import EpochReport
    from qpsearch.runner.doctor import Finding
    from qpsearch.runner.exporting import Export
    from qpsearch.runner.one_network import OneNetwork
    from qpsearch.runner.simulating import Outcomes, Simulation
    from qpsearch.study.planning.enqueueing import Enqueued


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueDocument(Document):
    """``qpsearch enqueue --json``: the trial that was added.

    Attributes:
        study: The study.
        trial: The trial's number.
        params: Its parameters, those that were given and those that were drawn.
        trials: The study's budget of trials.
        is_extra: Whether the budget was used up, so that it was raised.
        has_driver: Whether a driver holds the study.
    """

    study: str
    trial: int
    params: Mapping[str, Scalar]
    trials: int
    is_extra: bool
    has_driver: bool

    @classmethod
    def of(cls, added: "Enqueued") -> Self:
        """Return what is printed."""
        return cls(
            study=added.study,
            trial=added.number,
            params=added.params,
            trials=added.trials,
            is_extra=added.is_extra,
            has_driver=added.has_driver,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedPart:
    """One thing that ``qpsearch doctor`` looked at.

    Attributes:
        subject: What it is about.
        health: ``good``; ``doubtful``, a study would suffer; ``broken``, a study could not run.
        text: What was found.
        fix: What to do; empty where there is nothing to do, or where the text says it.
    """

    subject: str
    health: str
    text: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorDocument(Document):
    """``qpsearch doctor --json``: what the machine has for studies.

    Attributes:
        findings: Each thing that was looked at.
    """

    findings: tuple[ExaminedPart, ...]

    @classmethod
    def of(cls, found: "Sequence[Finding]") -> Self:
        """Return what is printed."""
        parts = (
            ExaminedPart(subject=each.subject, health=each.health.value, text=each.text, fix=each.fix) for each in found
        )
        return cls(findings=tuple(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedMethod:
    """A sampler and pruner on a table of curves; lists have an entry for a quarter, half and all of the budget.

    Attributes:
        method: Sampler and pruner.
        median: Median over seeds of the best value so far; null before the first epoch.
        low: Lower quartile of the same.
        high: Upper quartile.
        share: Share of the budget at which the median is what random search has at the end; null for never.
        trials: Trials of a search, on average.
        epochs: Epochs of a search, on average.
        complete: Trials that were trained to the end, on average.
        idle: Share of the workers' time without work, on average.
    """

    method: str
    median: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    share: float | None
    trials: float
    epochs: float
    complete: float
    idle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTable:
    """A table of curves, and what each method found in it.

    Attributes:
        table: Its name.
        curves: How many curves it has.
        whole: How many of them were known to the end.
        hours: Simulated hours of a search.
        methods: Random search first.
    """

    table: str
    curves: int
    whole: int
    hours: float
    methods: tuple[SimulatedMethod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateDocument(Document):
    """``qpsearch simulate --json``: searches in simulated time.

    Attributes:
        metric: The objective.
        direction: ``maximize`` or ``minimize``.
        workers: How many train at once.
        trainings: The budget, in whole trainings of mean length.
        seeds: Searches of each method.
        tables: What was found in each table.
    """

    metric: str
    direction: str
    workers: int
    trainings: float
    seeds: int
    tables: tuple[SimulatedTable, ...]

    @classmethod
    def of(cls, found: "Sequence[Simulation]") -> Self:
        """Return what is printed."""
        first = found[0]
        objective = first.space.search.objective
        return cls(
            metric=objective.metric.value,
            direction=objective.direction.value,
            workers=first.workers,
            trainings=first.trainings,
            seeds=len(first.outcomes[0].best),
            tables=tuple(
                SimulatedTable(
                    table=each.table,
                    curves=each.curves,
                    whole=each.whole,
                    hours=each.hours,
                    methods=tuple(_method(each, outcomes) for outcomes in each.outcomes),
                )
                for each in found
            ),
        )


def _method(simulation: "Simulation", outcomes: "Outcomes") -> SimulatedMethod:
    from qpsearch.runner.simulating import AT

    at = [outcomes.at(share) or (None, None, None) for share in AT]
    return SimulatedMethod(
        method=outcomes.method,
        median=tuple(middle for middle, _, _ in at),
        low=tuple(low for _, low, _ in at),
        high=tuple(high for _, _, high in at),
        share=simulation.share(outcomes),
        trials=outcomes.trials,
        epochs=outcomes.epochs,
        complete=outcomes.complete,
        idle=outcomes.idle,
    )


def _flat(report: "EpochReport") -> dict[str, Any]:
    """Return the fields of a report, with those metrics beside them that were asked for."""
    told: dict[str, Any] = asdict(report)
    metrics: dict[str, Any] = told.pop("metrics")
    return told | metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainDocument(Document):
    """``qpsearch train --json``: a network that was trained by itself.

    Attributes:
        name: What it is called.
        folder: Where everything is.
        files: The files of the export.
        checkpoint: The file of the weights that count.
        seed: Its seed.
        epoch: The epoch that counts.
        epochs: The report of each epoch; ``protocol.EpochReport`` explains the fields.
        results: The metric by which the epoch counts, its value, and the last look at the test images.
        drawn: The values that were drawn, where its space has several points.
        config: The configuration.
    """

    name: str
    folder: str
    files: tuple[str, ...]
    checkpoint: str
    seed: int
    epoch: int
    epochs: tuple[Mapping[str, float | int | str | None], ...]
    results: Mapping[str, Any]
    drawn: Mapping[str, Scalar]
    config: Mapping[str, Any]

    @classmethod
    def of(cls, network: "OneNetwork", exported: "Export") -> Self:
        """Return what is printed."""
        return cls(
            name=network.record.name,
            folder=str(network.folder),
            files=exported.files,
            checkpoint=exported.info["results"]["checkpoint"],
            seed=network.record.seed,
            epoch=exported.info["epoch"],
            epochs=tuple(_flat(report) for report in network.reports),
            results=exported.info["results"],
            drawn=network.record.drawn,
            config=network.record.config,
        )
