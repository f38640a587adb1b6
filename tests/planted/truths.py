"""Objectives with known answers over a conditional space: three blocks, four settings for all, two for one block each.

Codes are an index for a word or a whole number and a place in [0, 1] for a number on the scale on which it is drawn.
Every objective has mean 0 and a known share of systematic variance under independent, even draws.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Floats = NDArray[np.float64]
Codes = Mapping[str, Floats]

BLOCKS = ("additive", "quotient", "product_unit")
STAGES = ("stages.0.block", "stages.1.block", "stages.2.block")
SPACE: dict[str, BaseDistribution] = {
    **{stage: CategoricalDistribution(BLOCKS) for stage in STAGES},
    "depth": IntDistribution(1, 9),
    "norm": CategoricalDistribution(("batch", "group")),
    "init": CategoricalDistribution(("framework", "kaiming", "zero")),
    "lr": FloatDistribution(0.01, 0.5, log=True),
    "weight_decay": FloatDistribution(1e-5, 1e-2, log=True),
    "alpha": FloatDistribution(1.3, 2.2),
    "clip": CategoricalDistribution((None, 8.0)),
}
NEEDS = {"alpha": BLOCKS.index("quotient"), "clip": BLOCKS.index("product_unit")}  # the block that has the parameter
MANY = 200_000


def even(rng: np.random.Generator, count: int) -> dict[str, Floats]:
    """Return codes of independent draws, of all parameters whether active or not."""
    found = {}
    for name, distribution in SPACE.items():
        levels = levels_of(distribution)
        found[name] = rng.random(count) if levels is None else rng.integers(0, levels, count).astype(float)
    return found


def levels_of(distribution: BaseDistribution) -> int | None:
    """Return how many values there are; None for a continuous range."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return len(choices)
        case IntDistribution(low=low, high=high):
            return high - low + 1
    return None


def is_active(codes: Codes, name: str) -> NDArray[np.bool_]:
    """Return which draws have a parameter."""
    if name not in NEEDS:
        return np.ones(len(codes[STAGES[0]]), dtype=bool)
    return np.any([codes[stage] == NEEDS[name] for stage in STAGES], axis=0)


def of_block(codes: Codes, stage: int, *gains: float) -> Floats:
    """Return a gain by the block of a stage, with mean 0 and variance 1 over even draws."""
    table = np.array(gains) - np.mean(gains)
    return np.asarray((table / table.std())[codes[STAGES[stage]].astype(int)])


def slope(at: Floats) -> Floats:
    """Return a straight line over [0, 1], standardised."""
    return (at - 0.5) * math.sqrt(12.0)


def hill(at: Floats, top: float) -> Floats:
    """Return a parabola with its top inside, standardised."""
    grid = -((np.linspace(0, 1, 2001) - top) ** 2)
    return (-((at - top) ** 2) - grid.mean()) / grid.std()


def where_active(codes: Codes, name: str, gain: Floats) -> Floats:
    return np.where(is_active(codes, name), gain, 0.0)


def _several(c: Codes) -> Floats:
    return (
        0.77 * of_block(c, 2, 0.0, 1.0, -0.6)
        + 0.45 * hill(c["lr"], 0.6)
        + 0.28 * slope(c["depth"] / 8)
        + 0.25 * of_block(c, 1, 0.2, -1.0, 0.8)
        + 0.20 * slope(c["norm"])
        + 0.17 * where_active(c, "alpha", slope(c["alpha"]))
    )


def _own_optimum(c: Codes) -> Floats:
    top = np.array([0.75, 0.45, 0.1])[c[STAGES[2]].astype(int)]
    return -6.0 * (c["lr"] - top) ** 2 + 0.10 * slope(c["depth"] / 8) + 0.1 * of_block(c, 2, 0.0, 1.0, -0.6)


def _pairs(c: Codes) -> Floats:
    match = np.where(c[STAGES[0]] == c[STAGES[2]], 1.0, -0.5) * math.sqrt(2)
    return 0.8 * match + 0.6 * np.where(c["norm"] == 0, 1.0, -1.0) * slope(c["lr"])


def _branch(c: Codes) -> Floats:
    return (
        0.9 * where_active(c, "alpha", slope(c["alpha"]))
        + 0.4 * of_block(c, 2, 0.0, 1.0, -0.6)
        + 0.4 * hill(c["lr"], 0.6)
        + 0.2 * where_active(c, "clip", np.where(c["clip"] == 1, 1.0, -1.0))
    )


def _one(c: Codes) -> Floats:
    return of_block(c, 1, 0.0, 1.0, -0.6)


def _nothing(c: Codes) -> Floats:
    return np.zeros(len(c["lr"]))


def _cliff(c: Codes) -> Floats:
    return 0.85 * np.where(c["lr"] > 0.8, -2.0, 0.5) + 0.5 * np.where(c["weight_decay"] > 0.85, -2.4, 0.42)


def _three(c: Codes) -> Floats:
    signs = [np.where(c[name] == low, 1.0, -1.0) for name, low in (("norm", 0), (STAGES[0], 1), (STAGES[2], 1))]
    return 0.9 * np.prod(signs, axis=0) + 0.4 * hill(c["lr"], 0.6)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A planted objective.

    Attributes:
        name: Its name.
        raw: The systematic part, in any unit.
        explained: Its share of the variance of a trained value over even draws; the rest is the noise of seeds.
        tails: Degrees of freedom of the noise; None for normal noise.
        crosses: Whether curves start in the opposite order of where they end.
        fits: Whether functions of one and of two parameters, normal noise and curves that keep their order hold.
    """

    name: str
    raw: Callable[[Codes], Floats]
    explained: float = 0.8
    tails: float | None = None
    crosses: bool = False
    fits: bool = True

    def gain(self, codes: Codes) -> Floats:
        """Return the systematic part, with mean 0 and variance ``explained``."""
        mean, spread = self._unit
        return (self.raw(codes) - mean) / spread * math.sqrt(self.explained)

    @property
    def noise(self) -> float:
        """Standard deviation of the noise."""
        return math.sqrt(1 - self.explained)

    @property
    def _unit(self) -> tuple[float, float]:
        return _unit_of(self.raw)

    @property
    def shares(self) -> dict[str, tuple[float, float]]:
        """First-order and total share of each parameter in all variance, the noise included."""
        return _shares_of(self)

    def effect(self, stage: int, block: int) -> float:
        """Return the mean difference of a block at a stage to the additive one, over even draws."""
        codes = even(np.random.default_rng(3), MANY)
        one, other = (self.gain(codes | {STAGES[stage]: np.full(MANY, float(each))}) for each in (block, 0))
        return float((one - other).mean())


@cache
def _unit_of(raw: Callable[[Codes], Floats]) -> tuple[float, float]:
    values = raw(even(np.random.default_rng(1), MANY))
    return float(values.mean()), float(values.std()) or 1.0


@cache
def _shares_of(truth: Truth) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(2)
    here, there = even(rng, MANY), even(rng, MANY)
    at_here, at_there = truth.gain(here), truth.gain(there)
    found = {}
    for name in SPACE:
        changed, only = truth.gain(here | {name: there[name]}), truth.gain(there | {name: here[name]})
        found[name] = (
            max(float((at_here * (only - at_there)).mean()), 0.0),
            float(0.5 * ((at_here - changed) ** 2).mean()),
        )
    return found


TRUTHS = {
    truth.name: truth
    for truth in (
        Truth(name="several", raw=_several),
        Truth(name="own optimum", raw=_own_optimum),
        Truth(name="pairs", raw=_pairs),
        Truth(name="branch", raw=_branch),
        Truth(name="one", raw=_one, explained=0.5),
        Truth(name="nothing", raw=_nothing, explained=0.0),
        Truth(name="cliff", raw=_cliff, fits=False),
        Truth(name="three", raw=_three, fits=False),
        Truth(name="tails", raw=_several, tails=1.5, explained=0.6, fits=False),
        Truth(name="crossing", raw=_several, crosses=True, fits=False),
    )
}
