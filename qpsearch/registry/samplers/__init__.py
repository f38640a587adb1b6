"""The samplers that a space file may name; a sampler proposes configurations.

A new sampler is a module here, with its ``MEMBERS``.
"""

from typing import Final

from qpsearch.registry.members import known, members
from qpsearch.registry.samplers.base import Sampler

SAMPLERS: Final[dict[str, Sampler]] = members(__name__, Sampler)
OWN: Final[dict[str, Sampler]] = {}  # samplers of the user's own, by name


def sampler_of(word: str) -> Sampler:
    """Return the sampler that a space file or a study names; raises ValueError where there is none."""
    return OWN[word] if word in OWN else SAMPLERS[known(SAMPLERS, word, "sampler")]
