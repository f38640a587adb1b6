"""Searches of planted objectives, with learning curves: by Optuna's samplers and pruner, or by a study of our own."""

import copy
import math
import zlib
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from qpsearch.analysis.subject import Subject
from qpsearch.space import edited, parse_space
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Scalar
from tests.helpers import new_ledger, progress
from tests.planted.truths import NEEDS, SPACE, STAGES, Floats, Truth

EPOCHS = 10
STUDY = """
study: planted
data: {dataset: digits, validation: 300}
network:
  stem: {width: 8}
  stages:
    - {width: 8, depth: {int: [1, 9], tie: depth}, block: {choice: [additive, quotient, product_unit]}}
    - {width: 8, depth: {int: [1, 9], tie: depth}, block: {choice: [additive, quotient, product_unit]}}
    - {width: 8, depth: {int: [1, 9], tie: depth}, block: {choice: [additive, quotient, product_unit]}}
  rules:
    norm: {choice: [batch, group]}
    init: {choice: [framework, kaiming_fan_out, orthogonal]}
    quotient: {alpha: {float: [1.3, 2.2]}}
    product_unit: {exponent_clip: {choice: [none, 8.0]}}
training:
  epochs: 10
  batch_size: 64
  optimizer: {sgd: {lr: {log: [0.01, 0.5]}, momentum: 0.9, weight_decay: {log: [1.0e-5, 1.0e-2]}}}
"""
OURS = {name: name.removeprefix("network.") for name in (f"network.{stage}" for stage in STAGES)} | {
    "depth": "depth",
    "network.rules.norm": "norm",
    "network.rules.init": "init",
    "network.rules.quotient.alpha": "alpha",
    "network.rules.product_unit.exponent_clip": "clip",
    "training.optimizer.sgd.lr": "lr",
    "training.optimizer.sgd.weight_decay": "weight_decay",
}  # the planted names of our parameters
ORDER = {"init": ("framework", "kaiming_fan_out", "orthogonal")}  # as the planted options stand


def search(truth: Truth, sampler: str, *, pruned: bool, trials: int, seed: int) -> list[FrozenTrial]:
    """Search a planted objective.

    Args:
        truth: What is maximised.
        sampler: ``random`` or ``tpe``.
        pruned: Whether trials worse than the median at their epoch are stopped, from the second epoch on.
        trials: How many trials.
        seed: Of sampler and noise.
    """
    own = zlib.crc32(f"{truth.name} {seed}".encode())
    rng = np.random.default_rng(own)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(own)
        if sampler == "random"
        else optuna.samplers.TPESampler(seed=own, multivariate=True, group=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
        if pruned
        else optuna.pruners.NopPruner(),
    )
    for _ in range(trials):
        trial = study.ask()
        codes = {name: np.array([0.0]) for name in SPACE} | {name: np.array([at]) for name, at in _suggested(trial)}
        state = TrialState.COMPLETE
        curve = _curve(truth, float(truth.gain(codes)[0]), rng)
        for epoch, value in enumerate(curve, 1):
            trial.report(float(value), epoch)
            if epoch < EPOCHS and trial.should_prune():
                state = TrialState.PRUNED
                break
        study.tell(trial, float(curve[-1]) if state is TrialState.COMPLETE else None, state=state)
    return study.get_trials(deepcopy=False)


def search_in_a_study(truth: Truth, folder: Path, *, trials: int, seed: int) -> list[FrozenTrial]:
    """Search a planted objective with a study of our own, by the defaults; its trials have the planted names.

    Args:
        truth: What is maximised.
        folder: For its database.
        trials: How many trials.
        seed: Of sampler and noise.
    """
    own = zlib.crc32(f"{truth.name} {seed}".encode())
    rng = np.random.default_rng(own)
    space = parse_space(edited(STUDY, {"search": {"trials": trials, "seed": own % 1000}}))
    url, curves, done = f"sqlite:///{folder}/{own}.db", dict[int, Floats](), Counter[int]()
    with new_ledger(url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            number = assignment.trial
            if number not in curves:
                codes = {name: np.array([0.0]) for name in SPACE} | _codes(ledger.params(number))
                curves[number] = _curve(truth, float(truth.gain(codes)[0]), rng)
            goes_on = True
            while goes_on:
                done[number] += 1
                value = float(curves[number][done[number] - 1])
                goes_on = ledger.report(number, assignment.attempt, progress(done[number], value))
    with closing(Database.open(url)) as database:
        return [_renamed(trial) for trial in Subject.of(database, "planted").trials]


def _codes(params: Mapping[str, Scalar]) -> dict[str, Floats]:
    found = {}
    for name, value in params.items():
        planted = OURS[name]
        match SPACE[planted]:
            case CategoricalDistribution(choices=choices):
                place = ORDER[planted].index(str(value)) if planted in ORDER else choices.index(value)
                found[planted] = np.array([float(place)])
            case (
                FloatDistribution(low=low, high=high, log=log) | IntDistribution(low=low, high=high, log=log) as domain
            ):
                assert isinstance(value, int | float)
                if isinstance(domain, IntDistribution):
                    code = value - low
                else:
                    code = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
                found[planted] = np.array([float(code)])
    return found


def _renamed(trial: FrozenTrial) -> FrozenTrial:
    renamed = copy.copy(trial)
    distributions = {OURS[name]: each for name, each in trial.distributions.items()}
    renamed._params = {OURS[name]: value for name, value in trial.params.items()}
    renamed._distributions = distributions
    return renamed


def _suggested(trial: Trial) -> list[tuple[str, float]]:
    """Draw what the space has, one after the other, and return it in codes."""
    found: dict[str, float] = {}
    for name, distribution in SPACE.items():
        if name in NEEDS and not any(found[stage] == NEEDS[name] for stage in STAGES):
            continue
        match distribution:
            case CategoricalDistribution(choices=choices):
                found[name] = float(choices.index(trial.suggest_categorical(name, choices)))
            case IntDistribution(low=low, high=high):
                found[name] = float(trial.suggest_int(name, low, high) - low)
            case FloatDistribution(low=low, high=high, log=log):
                value, start, end = trial.suggest_float(name, low, high, log=log), low, high
                found[name] = (
                    math.log(value / start) / math.log(end / start) if log else (value - start) / (end - start)
                )
    return list(found.items())


def _curve(truth: Truth, gain: float, rng: np.random.Generator) -> Floats:
    """Return the values of all epochs: a common rise, a wobble that fades, the systematic part and the seed's noise."""
    epochs = np.arange(1, EPOCHS + 1)
    seed = rng.standard_t(truth.tails) if truth.tails else rng.normal()
    left = 1 - epochs / EPOCHS
    weight = (1 - 2 * left) if truth.crosses else np.ones(EPOCHS)
    rise = -2.0 * (1 + 0.3 * rng.normal()) * (np.exp(-epochs / 3) - math.exp(-EPOCHS / 3))
    wobble = 0.5 * truth.noise * np.sqrt(left) * rng.normal(size=EPOCHS)
    return np.asarray(gain * weight + truth.noise * seed + wobble + rise)
