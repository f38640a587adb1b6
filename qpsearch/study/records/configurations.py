"""Configurations as records: several trials of one configuration count together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from qpsearch.architecture.config import TrialConfig
from qpsearch.study.records.trials import TrialRecord
from qpsearch.vocabulary import Scalar


def sd_of(scores: Sequence[float]) -> float | None:
    """Return the standard deviation of scores, with n - 1 in the denominator.

    None for fewer than two scores, or where one is not finite.
    """
    from statistics import stdev  # which readers of thousands of trials need not wait for

    return stdev(scores) if len(scores) > 1 and all(map(isfinite, scores)) else None


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
        """The standard deviation of the scores; see ``sd_of``."""
        return sd_of(self.scores)

    @property
    def drop(self) -> float | None:
        """By how much the mean is worse than the value of the search; negative where the mean is better."""
        return None if self.mean is None else self.sign * (self.search - self.mean)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% t interval of ``drop``: drop -+ t(0.975, n - 1) sd / sqrt(n), given the value of the search.

        None where there is no standard deviation, or it is 0: runs that happen to agree do not say how others differ.
        """
        if self.drop is None or not self.sd:
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
        seeds: The seeds of the runs that were trained here.
        scores: The score of each run: first of these, in the order of ``seeds``, then the values of imported trials.
        is_fresh: Whether another study's search chose it, so that these seeds are fresh.
        confirmed: What it gave on fresh seeds; None where it was not trained again.
        level: Of the best by one objective, how many other configurations have the same value.
    """

    first: TrialRecord
    trials: tuple[int, ...]
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    is_fresh: bool = False
    confirmed: Confirmation | None = None
    level: int = 0

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
        """The standard deviation of the scores of its runs; see ``sd_of``."""
        return sd_of(self.scores)

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
        own = {
            name: getattr(self, name) for name in ("value", "values", "trials", "n", "sd", "seeds", "scores", "level")
        }
        return self.first.to_dict() | own | {"confirmed": self.confirmed.to_dict() if self.confirmed else None}
