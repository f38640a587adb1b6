"""The samplers by name, and how a sampler's trial decides about a space's domains."""

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from qpsearch.space.domains import Choice, Domain, FloatRange, IntRange, LogRange
from qpsearch.vocabulary import SamplerKind, Scalar

_WARNINGS = threading.Lock()


@contextlib.contextmanager
def _experimental_on_purpose() -> Iterator[None]:
    """Silence what Optuna says of arguments that may change; filters are of the whole process: one thread at a time."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _tpe(seed: int) -> BaseSampler:
    with _experimental_on_purpose():
        return TPESampler(seed=seed, multivariate=True, group=True)  # conditional parameters together (HAZARDS 22)


def _gp(seed: int) -> BaseSampler:
    with _experimental_on_purpose():
        return GPSampler(seed=seed)


SAMPLERS: dict[SamplerKind, Callable[[int], BaseSampler]] = {
    SamplerKind.TPE: _tpe,
    SamplerKind.RANDOM: lambda seed: RandomSampler(seed=seed),
    SamplerKind.GP: _gp,
    SamplerKind.GRID: lambda seed: RandomSampler(seed=seed),  # which the grid leaves nothing to draw
}


class OptunaChooser:
    """Lets an Optuna trial decide about each parameter."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return the sampler's value."""
        match domain:
            case Choice(options=options):
                return self._trial.suggest_categorical(name, options)
            case IntRange(low=low, high=high, step=step):
                return self._trial.suggest_int(name, low, high, step=step)
            case FloatRange(low=low, high=high):
                return self._trial.suggest_float(name, low, high)
            case LogRange(low=low, high=high):
                return self._trial.suggest_float(name, low, high, log=True)


def distribution_of(domain: Domain) -> BaseDistribution:
    """Return a domain as Optuna stores it."""
    match domain:
        case Choice(options=options):
            return CategoricalDistribution(options)
        case IntRange(low=low, high=high, step=step):
            return IntDistribution(low, high, step=step)
        case FloatRange(low=low, high=high):
            return FloatDistribution(low, high)
        case LogRange(low=low, high=high):
            return FloatDistribution(low, high, log=True)
