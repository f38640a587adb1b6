"""The samplers by name, and how a sampler's trial decides about a space's domains."""

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator

import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from qpsearch.space.domains import Domain
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
        return domain.suggest(name, self._trial)
