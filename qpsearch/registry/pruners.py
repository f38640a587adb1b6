"""The pruners that a space file may name; a pruner stops weak trials early."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class PrunerKind(StrEnum):
    """Optuna pruners that a space file may name."""

    NONE = "none"
    MEDIAN = "median"
    SUCCESSIVE_HALVING = "successive_halving"
    HYPERBAND = "hyperband"


def _none(epochs: int) -> "BasePruner":
    from optuna.pruners import NopPruner

    return NopPruner()


def _median(epochs: int) -> "BasePruner":
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=5, n_warmup_steps=max(epochs // 5, 1))


def _successive_halving(epochs: int) -> "BasePruner":
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)


def _hyperband(epochs: int) -> "BasePruner":
    from optuna.pruners import HyperbandPruner

    return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)


# Built for the largest number of epochs of the study; Optuna's "auto" would depend on one process's state.
PRUNERS: Final[dict[PrunerKind, Callable[[int], "BasePruner"]]] = {
    PrunerKind.NONE: _none,
    PrunerKind.MEDIAN: _median,
    PrunerKind.SUCCESSIVE_HALVING: _successive_halving,
    PrunerKind.HYPERBAND: _hyperband,
}
