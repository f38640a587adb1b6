"""Searches of planted objectives by Optuna's samplers, with learning curves and with or without pruning."""

import math
import zlib

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from tests.planted.truths import NEEDS, SPACE, STAGES, Floats, Truth

EPOCHS = 10


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
