"""The samplers that a space file may name; a sampler proposes configurations."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias, Union

from qpsearch.registry.options import Option

if TYPE_CHECKING:
    from qpsearch.registry.own.sampler import CustomSampler

STARTUP: Final = 10  # draws at random before results are used


class SamplerKind(StrEnum):
    """Samplers that a space file may name.

    ``gp`` learns from a Gaussian process, ``tpe`` from densities of good and bad trials (Optuna's);
    ``cmaes`` moves a normal distribution towards good trials (Optuna's); ``nsga2`` and ``nsga3`` breed the best of
    several objectives (Optuna's). ``random`` draws evenly; ``quasi_random``
    fills the space more evenly than independent draws. ``grid`` tries every point of a finite
    space once; ``factorial`` is a design for effects, which takes the values of each parameter equally often, and pairs
    of values about equally often.
    """

    GP = "gp"
    TPE = "tpe"
    CMAES = "cmaes"
    RANDOM = "random"
    QUASI_RANDOM = "quasi_random"
    NSGA2 = "nsga2"
    NSGA3 = "nsga3"
    GRID = "grid"
    FACTORIAL = "factorial"

    @property
    def is_designed(self) -> bool:
        """Whether all points are known before the first trial, whatever the results."""
        return self in (SamplerKind.GRID, SamplerKind.FACTORIAL)

    @property
    def is_blind(self) -> bool:
        """Whether results do not change what it proposes."""
        return self.is_designed or self in (SamplerKind.RANDOM, SamplerKind.QUASI_RANDOM)

    @property
    def startup(self) -> float:
        """Number of the first trial that is proposed from results; earlier ones lie near the expert's priors."""
        if self.is_designed:
            return 0
        return math.inf if self.is_blind else STARTUP

    @property
    def design(self) -> str:
        """What a study of the sampler has, in words."""
        if self.is_designed:
            return f"designed trials ({self})"
        if self is SamplerKind.QUASI_RANDOM:
            return "quasi-random trials"
        return "random trials" if self is SamplerKind.RANDOM else f"trials of an adaptive sampler ({self})"


def _random(default: float) -> Option:
    return Option(doc="Share of draws that are random all the same.", low=0, high=1, default=default)


SAMPLER_OPTIONS: Final[Mapping[SamplerKind, Mapping[str, Option]]] = {
    SamplerKind.GP: {"random": _random(0.2)},
    SamplerKind.TPE: {"random": _random(0.0)},
    SamplerKind.CMAES: {},
    SamplerKind.RANDOM: {},
    SamplerKind.QUASI_RANDOM: {},
    SamplerKind.NSGA2: {},
    SamplerKind.NSGA3: {},
    SamplerKind.GRID: {},
    SamplerKind.FACTORIAL: {},
}

OWN: Final[dict[str, "CustomSampler"]] = {}  # samplers of the user's own, by name

Sampler: TypeAlias = Union[SamplerKind, "CustomSampler"]


def sampler_of(word: str) -> Sampler:
    """Return the sampler that a space file or a study names; raises ValueError where there is none."""
    return OWN[word] if word in OWN else SamplerKind(word)


def options_of(sampler: Sampler) -> Mapping[str, Option]:
    """Return the options of a sampler."""
    return SAMPLER_OPTIONS[sampler] if isinstance(sampler, SamplerKind) else sampler.options
