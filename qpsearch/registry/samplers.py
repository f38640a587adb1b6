"""The samplers that a space file may name; a sampler proposes configurations."""

import contextlib
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

_WARNINGS = threading.Lock()


class SamplerKind(StrEnum):
    """Samplers that a space file may name.

    Optuna's; ``grid``, which tries every point of a finite space once; and ``factorial``, a design for effects, which
    takes the values of each parameter equally often, and pairs of values about equally often.
    """

    TPE = "tpe"
    RANDOM = "random"
    GP = "gp"
    GRID = "grid"
    FACTORIAL = "factorial"

    @property
    def is_designed(self) -> bool:
        """Whether all points are known before the first trial, whatever the results."""
        return self in (SamplerKind.GRID, SamplerKind.FACTORIAL)

    @property
    def design(self) -> str:
        """What a study of the sampler has, in words."""
        if self.is_designed:
            return f"designed trials ({self})"
        return "random trials" if self is SamplerKind.RANDOM else f"trials of an adaptive sampler ({self})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """A sampler.

    Attributes:
        build: Makes Optuna's sampler from a seed.
        startup: Number of the first trial that the sampler proposes from results; earlier trials are drawn at random,
            and near the expert's priors.
    """

    build: Callable[[int], "BaseSampler"]
    startup: float


@contextlib.contextmanager
def _experimental_on_purpose() -> Iterator[None]:
    """Silence Optuna's warning about experimental arguments; filters are global, so one thread at a time."""
    from optuna.exceptions import ExperimentalWarning

    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _tpe(seed: int) -> "BaseSampler":
    from optuna.samplers import TPESampler

    with _experimental_on_purpose():
        return TPESampler(seed=seed, multivariate=True, group=True)  # conditional parameters together


def _gp(seed: int) -> "BaseSampler":
    from optuna.samplers import GPSampler

    with _experimental_on_purpose():
        return GPSampler(seed=seed)


def _random(seed: int) -> "BaseSampler":
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


SAMPLERS: Final[dict[SamplerKind, Sampler]] = {
    SamplerKind.TPE: Sampler(build=_tpe, startup=10),
    SamplerKind.RANDOM: Sampler(build=_random, startup=math.inf),
    SamplerKind.GP: Sampler(build=_gp, startup=10),
    SamplerKind.GRID: Sampler(build=_random, startup=0),  # never draws: the grid sets every parameter
    SamplerKind.FACTORIAL: Sampler(build=_random, startup=0),  # draws only where no point of the design was found
}
