"""Studies as records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from qpsearch.space.search import Budget, Objective, SpentBound
from qpsearch.study.records.configurations import ConfigurationRecord


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
        retried_s: Seconds of attempts that lacked memory, before their trials began again with half as many images at
            once; not counted in the other fields.
        repeated_s: Seconds of work that was lost with its worker or driver, or repeated after its checkpoint was lost;
            likewise.
    """

    blocks: str
    trials: int
    complete_s: float
    running_s: float
    pruned_s: float
    failed_s: float
    retried_s: float
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


RETRIED_MEANS: Final = "half as many images at once, since there was no memory for more"
RETRIED_TIME_MEANS: Final = "attempts that lacked memory; their trials began again with half as many images at once"
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
        retried: Numbers of the trials that lacked memory and have another configuration since, with half as many images
            at once.
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
    retried: tuple[int, ...]
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

    @property
    def begun(self) -> int:
        """How many trials were begun, as a budget counts them."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """How many trials have ended."""
        return sum(count for state, count in self.counts.items() if state != "RUNNING")

    @property
    def reached(self) -> SpentBound | None:
        """The bound of the budget that is reached; None while the study can go on within its budget."""
        return self.budget.reached(trials=self.ended, epochs=self.epochs, seconds=self.wall_s, gpu_seconds=self.gpu_s)
