"""Optuna's TPE: what is more likely among good trials than among bad ones."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.samplers.base import STARTUP, DrawRequest, Sampler, even, is_random, share_of_random

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _tpe(draw: DrawRequest) -> "BaseSampler":
    from optuna.samplers import TPESampler

    if is_random(draw):
        return even(draw)
    return TPESampler(seed=draw.seed, multivariate=True, group=True, n_startup_trials=STARTUP)  # conditional ones too


TPE: Final = Sampler(
    name="tpe",
    order=20,
    doc="learns from densities of good and bad trials",
    options={"random": share_of_random(0.0)},
    make=_tpe,
)
MEMBERS: Final = (TPE,)
