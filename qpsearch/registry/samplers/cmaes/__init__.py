"""Optuna's CMA-ES, over the numbers of a space."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.samplers.base import DrawRequest, Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _cmaes(draw: DrawRequest) -> "BaseSampler":
    from qpsearch.registry.samplers.cmaes.ranked import RankedCmaEs

    return RankedCmaEs(draw.seed, draw.columns.always)


MEMBERS: Final = (
    Sampler(
        name="cmaes",
        order=30,
        doc="moves a normal distribution over the numbers of the space",
        make=_cmaes,
        has_one_objective=True,
        learns_numbers=True,
    ),
)
