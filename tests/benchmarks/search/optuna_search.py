"""Optuna as its users call it: by ask and tell, in memory, with its defaults."""

from typing import Final

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner
from optuna.trial import Trial, TrialState

from tests.benchmarks.search.parameters import Config, Kind, Parameter, active
from tests.benchmarks.search.task import Task

HYPERBAND: Final = "hyperband"
MEDIAN: Final = "median"


class OptunaSearch:
    """Optuna's TPE with one of its pruners.

    Args:
        task: What is searched.
        seed: Of the sampler.
        pruner: ``hyperband`` or ``median``.
    """

    def __init__(self, task: Task, seed: int, pruner: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._task = task
        self._study = optuna.create_study(
            study_name=f"search-{seed}",  # by which Hyperband chooses brackets
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=_pruner(pruner, task.epochs),
        )
        self._open: dict[int, Trial] = {}

    def ask(self) -> tuple[int, Config] | None:
        """Let the sampler suggest a configuration."""
        trial = self._study.ask()
        self._open[trial.number] = trial
        config: Config = {}
        for parameter in active(self._task.parameters, config):
            config[parameter.key] = _suggested(trial, parameter)
        return trial.number, config

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Report, and end the trial where its pruner or its last epoch says so."""
        own = self._open[trial]
        own.report(loss, epoch)
        if epoch == self._task.epochs:
            self._study.tell(self._open.pop(trial), loss)
            return False
        if own.should_prune():
            self._study.tell(self._open.pop(trial), state=TrialState.PRUNED)
            return False
        return True

    def fail(self, trial: int, epoch: int) -> None:
        """Tell a failure, as Optuna does of an objective that is NaN."""
        self._study.tell(self._open.pop(trial), state=TrialState.FAIL)

    def close(self) -> None:
        """Nothing is open outside memory."""


def _pruner(word: str, epochs: int) -> BasePruner:
    if word == HYPERBAND:
        return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
    return MedianPruner()


def _suggested(trial: Trial, parameter: Parameter) -> str | int | float:
    if parameter.kind is Kind.CHOICE:
        return str(trial.suggest_categorical(parameter.key, parameter.options))
    if parameter.is_whole:
        return trial.suggest_int(parameter.key, int(parameter.low), int(parameter.high), log=parameter.is_log)
    return trial.suggest_float(parameter.key, parameter.low, parameter.high, log=parameter.is_log)
