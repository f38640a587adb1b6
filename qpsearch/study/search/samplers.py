"""Making the samplers that a space file names.

A sampler is made for each draw, from a seed that is a function of the trial's number and the draw alone: after a
restart, a study asks the same.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from qpsearch.registry.options import Options
from qpsearch.registry.own.sampler import CustomSampler
from qpsearch.registry.samplers import STARTUP, Sampler, SamplerKind
from qpsearch.space.leaves import Site
from qpsearch.study.search.encoding import Encoding
from qpsearch.study.search.optuna_logging import experimental_on_purpose

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Samplers:
    """The sampler of a study, draw by draw.

    Args:
        kind: Its name, or a sampler of the user's own.
        options: Its options.
        sites: The leaves of the space.
    """

    def __init__(self, kind: Sampler, options: Options, sites: Sequence[Site]) -> None:
        self._build = partial(_own, kind, options) if isinstance(kind, CustomSampler) else BUILDERS[kind]
        self._random = 0.0 if isinstance(kind, CustomSampler) else options.get("random") or 0.0
        self._encoding = Encoding(sites)

    def of_draw(self, seed: int) -> "BaseSampler":
        """Return the sampler of one draw; some draws are random whatever the sampler."""
        if self._random and np.random.default_rng(seed).random() < self._random:
            return _random(self._encoding, seed)
        return self._build(self._encoding, seed)


def _own(sampler: CustomSampler, options: Options, encoding: Encoding, seed: int) -> "BaseSampler":
    with experimental_on_purpose():
        return sampler.sampler(seed, options)


def _gp(encoding: Encoding, seed: int) -> "BaseSampler":
    from qpsearch.study.search.gp_sampler import GPSampler

    return GPSampler(encoding, seed, STARTUP)


def _tpe(encoding: Encoding, seed: int) -> "BaseSampler":
    from optuna.samplers import TPESampler

    with experimental_on_purpose():  # conditional parameters together
        return TPESampler(seed=seed, multivariate=True, group=True, n_startup_trials=STARTUP)


def _cmaes(encoding: Encoding, seed: int) -> "BaseSampler":
    from qpsearch.study.search.cma_sampler import RankedCmaEs

    return RankedCmaEs(seed)


def _random(encoding: Encoding, seed: int) -> "BaseSampler":
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


def _nsga2(encoding: Encoding, seed: int) -> "BaseSampler":
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=seed)


def _nsga3(encoding: Encoding, seed: int) -> "BaseSampler":
    from optuna.samplers import NSGAIIISampler

    with experimental_on_purpose():
        return NSGAIIISampler(seed=seed)


BUILDERS: Final[dict[SamplerKind, Callable[[Encoding, int], "BaseSampler"]]] = {
    SamplerKind.GP: _gp,
    SamplerKind.TPE: _tpe,
    SamplerKind.CMAES: _cmaes,
    SamplerKind.RANDOM: _random,
    SamplerKind.QUASI_RANDOM: _random,  # draws only where a point of the sequence cannot be trained
    SamplerKind.NSGA2: _nsga2,
    SamplerKind.NSGA3: _nsga3,
    SamplerKind.GRID: _random,  # never draws: the grid sets every parameter
    SamplerKind.FACTORIAL: _random,  # draws only where no point of the design was found
}
