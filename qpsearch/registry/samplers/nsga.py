"""Optuna's NSGA-II and NSGA-III, for several objectives."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.samplers.base import DrawRequest, Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _nsga2(draw: DrawRequest) -> "BaseSampler":
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=draw.seed)


def _nsga3(draw: DrawRequest) -> "BaseSampler":
    from optuna.samplers import NSGAIIISampler

    return NSGAIIISampler(seed=draw.seed)


MEMBERS: Final = (
    Sampler(name="nsga2", order=60, doc="breeds the best of several objectives", make=_nsga2),
    Sampler(name="nsga3", order=70, doc="breeds them in directions that cover the front", make=_nsga3),
)
