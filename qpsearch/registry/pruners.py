"""The pruners that a space file may name; a pruner spends few epochs on weak trials."""

import itertools
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from qpsearch.registry.options import Option, Options
from qpsearch.registry.samplers.base import Sampler
from qpsearch.registry.samplers.tpe import TPE


class PrunerKind(StrEnum):
    """Pruners that a space file may name.

    ``asha`` pauses each trial at a rung and continues the best third; ``asha_stop`` stops the others instead. The rest
    are Optuna's; ``wilcoxon`` judges between the seeds of a trial, the others within the first one.
    """

    NONE = "none"
    ASHA = "asha"
    ASHA_STOP = "asha_stop"
    HYPERBAND = "hyperband"
    SUCCESSIVE_HALVING = "successive_halving"
    MEDIAN = "median"
    PERCENTILE = "percentile"
    PATIENT = "patient"
    THRESHOLD = "threshold"
    WILCOXON = "wilcoxon"

    @property
    def has_rungs(self) -> bool:
        """Whether it judges trials at rungs, among those that reached the same rung."""
        return self in (PrunerKind.ASHA, PrunerKind.ASHA_STOP)

    def judges(self, replicate: int) -> bool:
        """Whether what a run of a trial reports may end the trial."""
        return self is PrunerKind.WILCOXON or (self is not PrunerKind.NONE and replicate == 0)

    def note(self, sampler: Sampler) -> str | None:
        """What a user should know before choosing it beside a sampler; None for nothing."""
        if self is PrunerKind.HYPERBAND:
            found = "did no better than random search without pruning"
        elif self is PrunerKind.SUCCESSIVE_HALVING and sampler is TPE:
            found = "did worse with tpe than random search without pruning"
        else:
            return None
        return (
            f"search.pruner {self} {found} in the search benchmark (docs/results); asha, the default, reached the same "
            "in less than half of the budget."
        )


WILCOXON_P: Final = 0.1

FACTOR: Final = Option(
    doc="A rung passes one trial in so many, and the next rung has so many times its epochs.",
    low=2,
    high=100,
    default=3,
    is_whole=True,
)
FIRST: Final = Option(
    doc="Epoch of the first rung; auto is a fifteenth of the epochs, at least 1.",
    low=1,
    high=100_000,
    default=None,
    is_whole=True,
)
AUDIT: Final = Option(
    doc="Share of the trials that run on whatever their rungs say, so that status tells how often rungs are wrong.",
    low=0,
    high=0.5,
    default=0.0,
)
STARTUP: Final = Option(
    doc="Complete trials of the same kind of block before any is pruned.",
    low=0,
    high=10_000_000,
    default=5,
    is_whole=True,
)
WARMUP: Final = Option(
    doc="Epochs of each trial that are never pruned; auto is those before a fifth of all: 3 of 20.",
    low=0,
    high=100_000,
    default=None,
    is_whole=True,
)

PRUNER_OPTIONS: Final[Mapping[PrunerKind, Mapping[str, Option]]] = {
    PrunerKind.NONE: {},
    PrunerKind.ASHA: {
        "factor": FACTOR,
        "first": FIRST,
        "complete": Option(
            doc="Sound trials that are trained to the end at least, of each kind of block that starts at its own pace.",
            low=1,
            high=1_000_000,
            default=1,
            is_whole=True,
        ),
        "paused": Option(
            doc="Trials that wait at rungs, at most, each with one or two checkpoints; "
            "beyond it the least promising is pruned.",
            low=1,
            high=1_000_000,
            default=250,
            is_whole=True,
        ),
        "audit": AUDIT,
    },
    PrunerKind.ASHA_STOP: {"factor": FACTOR, "first": FIRST, "audit": AUDIT},
    PrunerKind.HYPERBAND: {},
    PrunerKind.SUCCESSIVE_HALVING: {},
    PrunerKind.MEDIAN: {"startup": STARTUP, "warmup": WARMUP},
    PrunerKind.PERCENTILE: {
        "percentile": Option(
            doc="How many percent of the trials at an epoch go on, the best ones; the others are pruned.",
            low=0,
            high=100,
            default=25,
        ),
        "startup": STARTUP,
        "warmup": WARMUP,
    },
    PrunerKind.PATIENT: {
        "patience": Option(
            doc="Epochs in a row without a better value of the trial's own.",
            low=0,
            high=100_000,
            default=5,
            is_whole=True,
        )
    },
    PrunerKind.THRESHOLD: {
        "lower": Option(doc="Values below it prune; auto for no bound.", low=-1e12, high=1e12, default=None),
        "upper": Option(doc="Values above it prune; auto for no bound.", low=-1e12, high=1e12, default=None),
        "warmup": WARMUP,
    },
    PrunerKind.WILCOXON: {
        "p": Option(
            doc="Probability of the signed-rank test below which a trial is held to be worse than the best.",
            low=0,
            high=0.5,
            default=WILCOXON_P,
            is_above=True,
        ),
        "seeds": Option(doc="Seeds of each trial that are always trained.", low=2, high=1000, default=2, is_whole=True),
    },
}


def earliest_wilcoxon(options: Options) -> int:
    """Return after how many seeds the signed-rank test can reject at the earliest: if all are worse."""
    p, seeds = options.get("p") or WILCOXON_P, int(options.get("seeds") or 2)
    return next(count for count in itertools.count(seeds) if 0.5**count < p)
