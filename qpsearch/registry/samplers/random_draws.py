"""Even draws, each independent of all others."""

from typing import Final

from qpsearch.registry.samplers.base import Sampler

RANDOM: Final = Sampler(name="random", order=40, doc="draws evenly", is_blind=True)
MEMBERS: Final = (RANDOM,)
