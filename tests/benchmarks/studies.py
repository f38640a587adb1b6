"""The study that the benchmarks run, and the same search space as plain Optuna would be told it.

Twelve parameters that every trial has. All blocks are of one kind, so that our pruner looks at as many
rivals as Optuna's own; reported values are the same for every trial up to the last epoch, so that pruners
do their work and stop nothing.
"""

import random
import warnings
from pathlib import Path
from typing import Final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from qpsearch.protocol import Progress
from qpsearch.registry.samplers.base import Sampler
from qpsearch.registry.samplers.random_draws import RANDOM
from qpsearch.space import Space, draw, parse_space
from qpsearch.study import opening
from qpsearch.study.ledger import Ledger
from qpsearch.study.search.chooser import OptunaChooser
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger, progress

NAME: Final = "bench"
PARAMETERS: Final = 12
ENOUGH: Final = 1_000_000  # trials: no benchmark spends the budget by accident


def space_text(*, sampler: str, pruner: str, epochs: int, trials: int = ENOUGH) -> str:
    """Return the space file."""
    return f"""
study: {NAME}
data: {{dataset: digits, validation: 300}}
network:
  stem: {{width: {{int: [4, 16]}}}}
  stages:
    - {{width: {{int: [4, 16]}}, depth: {{int: [1, 4]}}, block: additive}}
    - {{width: {{int: [16, 32]}}, depth: {{int: [1, 4]}}, stride: 2, block: additive}}
  rules:
    norm: {{choice: [batch, group]}}
    norm_placement: {{choice: [post, pre]}}
    init: {{choice: [framework, kaiming_fan_out, zero_last_norm]}}
training:
  epochs: {epochs}
  batch_size: {{choice: [32, 64, 128]}}
  optimizer:
    sgd: {{lr: {{log: [0.01, 0.5]}}, momentum: {{float: [0.5, 0.95]}}, weight_decay: {{log: [1.0e-5, 1.0e-2]}}}}
search: {{sampler: {sampler}, pruner: {pruner}, trials: {trials}, seed: 0}}
"""


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return what Optuna knows the space's parameters as."""
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    trial = study.ask()
    draw(space, OptunaChooser(trial))
    found = dict(study.get_trials(deepcopy=False)[0].distributions)
    assert len(found) == PARAMETERS
    return found


def plain_sampler(kind: Sampler) -> BaseSampler:
    """Return Optuna's own sampler with the settings of ours."""
    if kind is RANDOM:
        return RandomSampler(seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=0, multivariate=True, group=True)


def suggest_all(trial: optuna.Trial, wanted: dict[str, BaseDistribution]) -> None:
    """Draw each parameter as an objective function written for Optuna does."""
    for name, distribution in wanted.items():
        match distribution:
            case FloatDistribution(low=low, high=high, log=log):
                trial.suggest_float(name, low, high, log=log)
            case IntDistribution(low=low, high=high, step=step):
                trial.suggest_int(name, low, high, step=step)
            case CategoricalDistribution(choices=choices):
                trial.suggest_categorical(name, choices)


def value_at(epoch: int, epochs: int, number: int) -> float:
    """Return what trial ``number`` reports: its own value at the last epoch, everybody's before."""
    return epoch / epochs if epoch < epochs else random.Random(number).uniform(0.5, 1.0)


def message(epoch: int, epochs: int, number: int) -> Progress:
    """Return what a worker would send."""
    return progress(epoch, value_at(epoch, epochs, number))


def close_trials(ledger: Ledger, trials: int, epochs: int) -> None:
    """Ask for trials one after the other and report each to its end."""
    for _ in range(trials):
        assignment = ledger.ask()
        assert assignment is not None
        for epoch in range(1, epochs + 1):
            go_on = ledger.report(assignment.trial, assignment.attempt, message(epoch, epochs, assignment.trial))
            assert go_on == (epoch < epochs)


def finished_study(folder: Path, trials: int, epochs: int) -> Path:
    """Make a database with so many finished trials, drawn at random and judged by the median pruner."""
    folder.mkdir(parents=True, exist_ok=True)
    text = space_text(sampler="random", pruner="median", epochs=epochs)
    with new_ledger(url_of(folder / "finished.db"), parse_space(text)) as ledger:
        close_trials(ledger, trials, epochs)
    return folder / "finished.db"


def resumed(path: Path) -> Ledger:
    """Take the study in a database up again."""
    return Ledger(opening.resume(Database.create(url_of(path)), NAME))


def url_of(path: Path) -> str:
    """Return the URL of an SQLite file."""
    return f"sqlite:///{path}"
