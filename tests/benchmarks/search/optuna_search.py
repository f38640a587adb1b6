"""Optuna as its users call it: by ask and tell, in memory, with its defaults."""

from collections.abc import Callable
from typing import Final

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import Trial, TrialState

from tests.benchmarks.search.parameters import Config, Kind, Parameter, active
from tests.benchmarks.search.task import Task

HYPERBAND: Final = "hyperband"
MEDIAN: Final = "median"
TPE, NSGA2 = "tpe", "nsga2"
POPULATION: Final = 10  # of NSGA-II: with Optuna's default of 50, a budget of 40 trainings would be random draws alone


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
        return trial.number, _suggested_config(trial, self._task)

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


class OptunaFrontSearch:
    """One of Optuna's samplers with two objectives, without a pruner: Optuna does not have one for several.

    Args:
        task: What is searched.
        seed: Of the sampler.
        second: Returns a configuration's second objective.
        sampler: ``tpe`` or ``nsga2``.
    """

    def __init__(self, task: Task, seed: int, second: Callable[[Config], float], sampler: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._task, self._second = task, second
        self._study = optuna.create_study(directions=["minimize", "minimize"], sampler=_sampler(sampler, seed))
        self._open: dict[int, tuple[Trial, float]] = {}

    def ask(self) -> tuple[int, Config] | None:
        """Let the sampler suggest a configuration."""
        trial = self._study.ask()
        config = _suggested_config(trial, self._task)
        self._open[trial.number] = trial, self._second(config)
        return trial.number, config

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Tell both values after the last epoch."""
        if epoch < self._task.epochs:
            return True
        own, second = self._open.pop(trial)
        self._study.tell(own, [loss, second])
        return False

    def fail(self, trial: int, epoch: int) -> None:
        """Tell a failure."""
        self._study.tell(self._open.pop(trial)[0], state=TrialState.FAIL)

    def close(self) -> None:
        """Nothing is open outside memory."""


def _sampler(word: str, seed: int) -> BaseSampler:
    return TPESampler(seed=seed) if word == TPE else NSGAIISampler(seed=seed, population_size=POPULATION)


def _pruner(word: str, epochs: int) -> BasePruner:
    if word == HYPERBAND:
        return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
    return MedianPruner()


def _suggested_config(trial: Trial, task: Task) -> Config:
    config: Config = {}
    for parameter in active(task.parameters, config):
        config[parameter.key] = _suggested(trial, parameter)
    return config


def _suggested(trial: Trial, parameter: Parameter) -> str | int | float:
    if parameter.kind is Kind.CHOICE:
        return str(trial.suggest_categorical(parameter.key, parameter.options))
    if parameter.is_whole:
        return trial.suggest_int(parameter.key, int(parameter.low), int(parameter.high), log=parameter.is_log)
    return trial.suggest_float(parameter.key, parameter.low, parameter.high, log=parameter.is_log)
