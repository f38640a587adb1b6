"""Making the pruners that a space file names, for the largest number of epochs of a study."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from qpsearch.registry.fidelity import Fidelity
from qpsearch.registry.options import Options
from qpsearch.registry.pruners import WILCOXON_P, PrunerKind
from qpsearch.study.search.halving import Halving, rungs_of
from qpsearch.study.search.optuna_logging import experimental_on_purpose
from qpsearch.study.search.optuna_pruning import OptunaPruning
from qpsearch.study.search.pruning import Pruning
from qpsearch.study.search.run_pruning import RunPruning
from qpsearch.vocabulary import Direction

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


def pruning(
    kind: PrunerKind,
    options: Options,
    epochs: int,
    direction: Direction,
    name: str,
    *,
    seed: int = 0,
    fidelity: Fidelity | None = None,
) -> Pruning:
    """Return what judges the trials of a study.

    Args:
        kind: The pruner's name.
        options: Its options.
        epochs: The largest number of epochs of a trial; Optuna's "auto" would depend on one process's state.
        direction: Whether larger values are better.
        name: Name of the study, which Hyperband hashes.
        seed: Of the search, which chooses the trials that are audited.
        fidelity: The levels at which runs train; None for the whole training alone.
    """
    if kind is PrunerKind.WILCOXON:
        return RunPruning(direction, _wilcoxon(options))
    if kind.has_rungs:
        rungs = rungs_of(options, epochs, fidelity)
        return Halving(rungs, direction, options, pauses=kind is PrunerKind.ASHA, seed=seed)
    return OptunaPruning(name, direction, OPTUNAS[kind](epochs, options))


def _wilcoxon(options: Options) -> "BasePruner":
    from optuna.pruners import WilcoxonPruner

    with experimental_on_purpose():
        return WilcoxonPruner(p_threshold=options.get("p") or WILCOXON_P, n_startup_steps=_whole(options, "seeds", 2))


def _none(epochs: int, options: Options) -> "BasePruner":
    from optuna.pruners import NopPruner

    return NopPruner()


def _median(epochs: int, options: Options) -> "BasePruner":
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=_whole(options, "startup", 5), n_warmup_steps=_warmup(options, epochs))


def _percentile(epochs: int, options: Options) -> "BasePruner":
    from optuna.pruners import PercentilePruner

    percentile = options.get("percentile")
    return PercentilePruner(
        25.0 if percentile is None else percentile,
        n_startup_trials=_whole(options, "startup", 5),
        n_warmup_steps=_warmup(options, epochs),
    )


def _successive_halving(epochs: int, options: Options) -> "BasePruner":
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)


def _hyperband(epochs: int, options: Options) -> "BasePruner":
    from optuna.pruners import HyperbandPruner

    return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)


def _patient(epochs: int, options: Options) -> "BasePruner":
    from optuna.pruners import PatientPruner

    with experimental_on_purpose():
        return PatientPruner(None, patience=_whole(options, "patience", 5))


def _threshold(epochs: int, options: Options) -> "BasePruner":
    from optuna.pruners import ThresholdPruner

    lower, upper = options.get("lower"), options.get("upper")
    return ThresholdPruner(
        lower=-math.inf if lower is None else lower,
        upper=math.inf if upper is None else upper,
        n_warmup_steps=_warmup(options, epochs),
    )


def _whole(options: Options, name: str, default: int) -> int:
    value = options.get(name)
    return default if value is None else int(value)


def _warmup(options: Options, epochs: int) -> int:
    """Return the first epoch that Optuna may prune at: behind the ``warmup``; by default the last of the first fifth.

    So ``auto`` of 20 epochs is what ``warmup: 3`` is, as in the studies that there are.
    """
    warmup = options.get("warmup")
    return max(epochs // 5, 1) if warmup is None else int(warmup) + 1


OPTUNAS: Final[Mapping[PrunerKind, Callable[[int, Options], "BasePruner"]]] = {
    PrunerKind.NONE: _none,
    PrunerKind.HYPERBAND: _hyperband,
    PrunerKind.SUCCESSIVE_HALVING: _successive_halving,
    PrunerKind.MEDIAN: _median,
    PrunerKind.PERCENTILE: _percentile,
    PrunerKind.PATIENT: _patient,
    PrunerKind.THRESHOLD: _threshold,
}
