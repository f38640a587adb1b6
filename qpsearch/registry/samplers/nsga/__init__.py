"""Optuna's NSGA-II and NSGA-III, for several objectives."""

from typing import TYPE_CHECKING, Any, Final

from qpsearch.registry.options import Option
from qpsearch.registry.samplers.base import DrawRequest, Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

POPULATION: Final = Option(
    doc="Complete trials of a generation; those of the first one are even draws.",
    low=2,
    high=10_000,
    default=50,
    is_whole=True,
)


def _nsga2(draw: DrawRequest) -> "BaseSampler":
    from qpsearch.registry.samplers.nsga.lasting import Nsga2

    return Nsga2(**_settings(draw))


def _nsga3(draw: DrawRequest) -> "BaseSampler":
    from qpsearch.registry.samplers.nsga.lasting import Nsga3

    return Nsga3(**_settings(draw))


def _settings(draw: DrawRequest) -> dict[str, Any]:
    return {"seed": draw.seed, "population_size": int(draw.options.get("population") or POPULATION.default or 0)}


MEMBERS: Final = (
    Sampler(
        name="nsga2",
        order=60,
        doc="breeds the best of several objectives",
        options={"population": POPULATION},
        make=_nsga2,
        learns_complete=True,
    ),
    Sampler(
        name="nsga3",
        order=70,
        doc="breeds them in directions that cover the front",
        options={"population": POPULATION},
        make=_nsga3,
        learns_complete=True,
    ),
)
