"""The pruners by name."""

from collections.abc import Callable

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner

from qpsearch.vocabulary import PrunerKind

# Built for the most epochs that a trial of the study can have; "auto" would be state of one process (HAZARDS 24).
PRUNERS: dict[PrunerKind, Callable[[int], BasePruner]] = {
    PrunerKind.NONE: lambda epochs: NopPruner(),
    PrunerKind.MEDIAN: lambda epochs: MedianPruner(n_startup_trials=5, n_warmup_steps=max(epochs // 5, 1)),
    PrunerKind.SUCCESSIVE_HALVING: lambda epochs: SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    PrunerKind.HYPERBAND: lambda epochs: HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3),
}
