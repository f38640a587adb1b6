"""A Gaussian process, which learns from all trials whatever rung they reached; the default."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.samplers.base import STARTUP, DrawRequest, Sampler, even, is_random, share_of_random

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _gp(draw: DrawRequest) -> "BaseSampler":
    from qpsearch.registry.samplers.gp.sampler import GPSampler

    return even(draw) if is_random(draw) else GPSampler(draw.columns, draw.seed, STARTUP)


GP: Final = Sampler(
    name="gp",
    order=10,
    doc="learns from a Gaussian process",
    options={"random": share_of_random(0.2)},
    make=_gp,
    compares_rungs=True,
)
MEMBERS: Final = (GP,)
