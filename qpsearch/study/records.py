"""Trials and studies as records, for tables, figures and the command line."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import StorageDamaged
from qpsearch.space.search import Budget, Objective
from qpsearch.vocabulary import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial, for tables and figures.

    Attributes:
        number: Counted from 0 within the study.
        state: ``RUNNING``, ``COMPLETE``, ``PRUNED`` or ``FAIL``.
        value: The objective: mean score over the trial's runs when complete, the last reported value
            of the metric when pruned, None otherwise.
        values: A value for each objective: first the metric of training, then the network's costs.
        reason: Why the trial failed (``FailReason``), else None.
        detail: The failure's message, else None.
        started: When its first attempt began, in Unix seconds.
        seeds: The seed of each run, by replicate.
        params: What the sampler chose, by parameter name; None where it chose ``none``. A parameter that was not drawn,
            since nothing in this network uses it, is not there.
        epochs: Epoch rows recorded, over all runs.
        attempts: How many times the trial was started.
        duration_s: Recorded seconds of training, over all attempts.
        seconds: Total time of the trial's attempts: training, starting and storing.
        is_held: Whether a live driver runs the trial now; a ``RUNNING`` trial without a driver waits for the next one.
        is_paused: Whether the trial is paused at a rung, and goes on if it is among the best there; ``RUNNING``, too.
        place: ``host device`` of the latest attempt, where known.
        config_json: The resolved configuration, as stored.
    """

    number: int
    state: str
    value: float | None
    reason: str | None
    detail: str | None
    values: tuple[float, ...]
    started: float
    seeds: tuple[int, ...]
    params: Mapping[str, Scalar]
    epochs: int
    attempts: int
    duration_s: float
    seconds: float
    is_held: bool
    is_paused: bool
    place: str | None
    config_json: str

    @property
    def config(self) -> TrialConfig:
        """The resolved configuration."""
        with self._readable():
            return TrialConfig.from_json(self.config_json)

    @property
    def stages(self) -> tuple[str, ...]:
        """The kind of block of each stage of its network."""
        with self._readable():
            return tuple(str(stage["block"]) for stage in json.loads(self.config_json)["network"]["stages"])

    @property
    def blocks(self) -> tuple[str, ...]:
        """The kinds of block of its network, each once, in alphabetical order."""
        with self._readable():
            return blocks_of(self.config_json)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as ``--json`` prints it."""
        with self._readable():
            fields = asdict(self) | {"params": dict(self.params), "config": json.loads(self.config_json)}
        del fields["config_json"]
        return fields

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Raise StorageDamaged if the stored configuration cannot be read."""
        try:
            yield
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            why = " ".join(str(error).partition("[type=")[0].split())[:200]  # pydantic says more
            raise StorageDamaged(
                f"trial {self.number}: its config_json in the database cannot be read ({why}). Restore a backup, or "
                "remove its study: qpsearch studies delete STUDY."
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a configuration gave on fresh seeds, after a search had chosen it.

    Attributes:
        search: The value by which the search chose it.
        sign: +1 where larger values are better, -1 where smaller are.
        seeds: The fresh seeds whose training is complete, in the order in which they are given to all configurations.
        scores: The score of each of them.
        failed: How many fresh seeds failed; their scores are not known, so the mean leaves them out.
        open: How many fresh seeds have not ended.
    """

    search: float
    sign: float
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    failed: int
    open: int

    @property
    def n(self) -> int:
        """How many fresh seeds are complete."""
        return len(self.scores)

    @property
    def mean(self) -> float | None:
        """The mean score over the fresh seeds; None while none is complete."""
        return sum(self.scores) / self.n if self.scores else None

    @property
    def sd(self) -> float | None:
        """The standard deviation of the scores, with n - 1 in the denominator; None for fewer than two."""
        from statistics import stdev

        return stdev(self.scores) if self.n > 1 else None

    @property
    def drop(self) -> float | None:
        """By how much the mean is worse than the value of the search; negative where the mean is better."""
        return None if self.mean is None else self.sign * (self.search - self.mean)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% t interval of ``drop``: drop -+ t(0.975, n - 1) sd / sqrt(n), given the value of the search.

        None for fewer than two seeds.
        """
        if self.drop is None or self.sd is None:
            return None
        from scipy.special import stdtrit

        half = float(stdtrit(self.n - 1, 0.975)) * self.sd / self.n**0.5
        return self.drop - half, self.drop + half

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        names = ("search", "mean", "sd", "n", "drop", "interval", "seeds", "scores", "failed", "open")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationRecord:
    """A configuration with what all of its complete trials gave: they differ only in their seeds.

    Attributes:
        first: The first of its complete trials.
        trials: The numbers of its complete trials.
        values: The mean over the runs of all these trials, for each objective.
        seeds: The seeds of the runs.
        scores: The score of each run, in the order of ``seeds``; of an imported trial its value.
        is_fresh: Whether another study's search chose it, so that these seeds are fresh.
        confirmed: What it gave on fresh seeds; None where it was not trained again.
    """

    first: TrialRecord
    trials: tuple[int, ...]
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    is_fresh: bool = False
    confirmed: Confirmation | None = None

    @property
    def number(self) -> int:
        """The number of the first of its complete trials."""
        return self.first.number

    @property
    def value(self) -> float:
        """The mean score over its runs."""
        return self.values[0]

    @property
    def n(self) -> int:
        """How many runs it has."""
        return len(self.scores)

    @property
    def sd(self) -> float | None:
        """The standard deviation of the scores of its runs, with n - 1 in the denominator; None for a single run."""
        from statistics import stdev  # which readers of thousands of trials need not wait for

        return stdev(self.scores) if self.n > 1 else None

    @property
    def params(self) -> Mapping[str, Scalar]:
        """What the sampler chose, by parameter name."""
        return self.first.params

    @property
    def config(self) -> TrialConfig:
        """The configuration."""
        return self.first.config

    @property
    def stages(self) -> tuple[str, ...]:
        """The kind of block of each stage of its network."""
        return self.first.stages

    @property
    def blocks(self) -> tuple[str, ...]:
        """The kinds of block of its network, each once, in alphabetical order."""
        return self.first.blocks

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints: the first trial, with what the others add to it."""
        own = {name: getattr(self, name) for name in ("value", "values", "trials", "n", "sd", "seeds", "scores")}
        return self.first.to_dict() | own | {"confirmed": self.confirmed.to_dict() if self.confirmed else None}


def blocks_of(config_json: str) -> tuple[str, ...]:
    """Return the kinds of block of a configuration's network, each once, in alphabetical order."""
    from pydantic_core import from_json  # a third of the time of json.loads, for thousands of trials

    return tuple(sorted({stage["block"] for stage in from_json(config_json)["network"]["stages"]}))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of a trial.

    Attributes:
        replicate: From 0.
        seed: The run's seed.
        score: The run's score; None until the run is complete.
    """

    replicate: int
    seed: int
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt at a trial.

    Attributes:
        number: From 1.
        place: ``host device``, if the first report has arrived.
        threads: CPU threads, likewise.
        memory_format: ``channels_last`` or ``contiguous``, likewise.
        fused: The runs that were trained as one network; empty where each was trained by itself.
        seconds: How long the attempt ran.
        ending: ``vocabulary.Ending``; None while the attempt runs.
        reason: ``vocabulary.FailReason`` if the attempt failed or lost its worker.
        detail: The message of the failure.
    """

    number: int
    place: str | None
    threads: int | None
    memory_format: str | None
    fused: tuple[int, ...]
    seconds: float
    ending: str | None
    reason: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDetail:
    """Everything that the database holds about one trial.

    Attributes:
        record: The trial's record, as in the list of trials.
        runs: The trial's runs, by replicate.
        attempts: The trial's attempts, in order.
        epochs: Columns of each recorded epoch, by replicate and epoch.
        checkpoints: Path or URI of each run's newest checkpoint, by replicate; empty for a pruned or failed trial.
        evaluations: Columns of each evaluation on the test images, in order.
    """

    record: TrialRecord
    runs: tuple[RunRecord, ...]
    attempts: tuple[AttemptRecord, ...]
    epochs: tuple[Mapping[str, Any], ...]
    checkpoints: tuple[str, ...]
    evaluations: tuple[Mapping[str, Any], ...]

    def fused_with(self, replicate: int) -> tuple[int, ...]:
        """Return the runs that were trained as one network with a run, itself included; itself alone if none were."""
        return next((each.fused for each in self.attempts if replicate in each.fused), (replicate,))

    @property
    def begun(self) -> int:
        """How many runs were begun: of a race, also one that the end of the budget cut short."""
        return max(len(self.runs), 1 + max((row["replicate"] for row in self.epochs), default=0))

    def to_dict(self) -> dict[str, Any]:
        """Return the details as ``--json`` prints them."""
        return self.record.to_dict() | {
            "runs": [asdict(run) for run in self.runs],
            "tries": [asdict(attempt) for attempt in self.attempts],
            "history": [dict(row) for row in self.epochs],
            "checkpoints": list(self.checkpoints),
            "evaluations": [dict(row) for row in self.evaluations],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How the trials with certain blocks spent their time: seconds in which they held their slots.

    Attributes:
        blocks: The kinds of block of their networks, ``additive + quotient``.
        trials: How many such trials there are.
        complete_s: Seconds in complete trials.
        running_s: Seconds in trials that have not ended.
        pruned_s: Seconds in pruned trials.
        failed_s: Seconds in failed trials.
        repeated_s: Seconds of work that was lost with its worker or driver, or repeated after its checkpoint was lost;
            not counted in the other fields.
    """

    blocks: str
    trials: int
    complete_s: float
    running_s: float
    pruned_s: float
    failed_s: float
    repeated_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedKind:
    """What an audit found about the trials of one kind.

    Attributes:
        stratum: Their slowest kind of block.
        audited: Trials that ran on to the end, whatever their rungs said.
        stopped: Those of them that a rung would have stopped.
        wrong: Those of these that ended better than half of the trials that went on by merit.
    """

    stratum: str
    audited: int
    stopped: int
    wrong: int

    def __str__(self) -> str:
        if not self.stopped:
            return f"{self.stratum}: {self.audited} ran on, and no rung would have stopped any"
        share = f"{self.wrong / self.stopped:.0%}"
        return (
            f"{self.stratum}: {self.audited} ran on, a rung would have stopped {self.stopped}, of these {self.wrong} "
            f"wrongly ({share})"
        )


AUDIT_MEANS: Final = (
    "trials that ran on whatever their rungs said; wrongly: it ended better than half of those that went on by merit"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySummary:
    """One line about a study.

    Attributes:
        name: The study's name.
        objectives: The study's objectives, the metric of training first; empty where there is a problem.
        budget: The study's budget.
        counts: Trials by state; paused ones are ``RUNNING``.
        paused: Trials that are paused at a rung.
        failures: Failed trials by reason.
        infeasible: Draws from which a network cannot be built; such draws are not trials.
        best: The best configuration of the complete trials; None while no trial is complete.
        seconds: Seconds of training recorded.
        drivers: The drivers that work on it: ``process N on HOST``.
        sampler: Name of the sampler.
        pruner: Name of the pruner.
        epochs: Epochs recorded, as a budget counts them: those of lower levels of fidelity by their cost.
        wall_s: Wall time in which drivers held the study.
        gpu_s: Seconds times GPUs.
        accounts: How the time was spent, by kinds of block.
        source: Where its space came from: a file, or the name of a shipped space.
        created: When the study was made, in Unix seconds.
        environment: Versions and machine with which the study was made.
        audit: How often the pruner was wrong, by kind of block; empty where no trial was audited.
        problem: Why its space cannot be read here, such as an unknown custom block; else None.
    """

    name: str
    objectives: tuple[Objective, ...]
    budget: Budget
    counts: Mapping[str, int]
    paused: int
    failures: Mapping[str, int]
    infeasible: int
    best: ConfigurationRecord | None
    seconds: float
    drivers: tuple[str, ...]
    sampler: str
    pruner: str
    epochs: float
    wall_s: float
    gpu_s: float
    accounts: tuple[Account, ...]
    source: str
    created: float
    environment: Mapping[str, Any]
    audit: tuple[AuditedKind, ...] = ()
    problem: str | None = None
