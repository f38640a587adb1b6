"""A planted conditional task: three kinds of block, each with its own best learning rate and its own pace.

In ``planted-own`` each block has a learning rate of its own, which only its configurations have; in ``planted-shared``
there is one for all. Both have the same curves, with noise: a search is scored by the loss without it. There the block that
learns slowest is the best; in ``planted-fast`` it is the one that learns fastest, so that comparing slow trials apart from the
others costs what it costs.
"""

import math
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from tests.benchmarks.search.parameters import BLOCK, Config, Kind, Parameter
from tests.benchmarks.search.task import Curve, Task, sampled_scale

EPOCHS: Final = 27
# By block, the fastest first: the best loss, the logarithm (base 10) of the best learning rate, epochs to 1 / e.
Facts = tuple[float, float, float]
BLOCKS: Final[dict[str, Facts]] = {"quick": (0.30, -1.0, 2.0), "steady": (0.25, -2.5, 4.0), "slow": (0.20, -3.5, 8.0)}
FAST: Final[dict[str, Facts]] = {"quick": (0.20, -1.0, 2.0), "steady": (0.25, -2.5, 4.0), "slow": (0.30, -3.5, 8.0)}
START: Final = 1.0  # the loss before training
LOST: Final = 0.08  # by a learning rate a factor of 10 off
DECAY_LOST: Final = 0.02  # by a weight decay a factor of 10 off the best
BEST_DECAY: Final = -3.0
NOISE: Final = 0.01  # sd of a training's final loss, and of each epoch's
LR: Final = {"name": "lr", "kind": Kind.LOG, "low": 1e-5, "high": 1.0}
DECAY: Final = Parameter(name="weight_decay", kind=Kind.LOG, low=1e-6, high=1e-1)
CHOICE: Final = Parameter(name=BLOCK, kind=Kind.CHOICE, options=tuple(BLOCKS))


def planted(folder: Path, name: str) -> Task:
    """Make the task; ``name`` is ``own``, ``shared`` or ``fast``. No tables are read."""
    own = name != "shared"
    blocks = BLOCKS if name != "fast" else FAST
    lrs = [Parameter(**LR, block=block) for block in BLOCKS] if own else [Parameter(**LR)]  # type: ignore[arg-type]
    parameters = (CHOICE, *lrs, DECAY)
    curve = _curve_by(own, blocks)
    best = min(float(_losses(*each, each[1], BEST_DECAY)[-1]) for each in blocks.values())
    return Task(
        name=f"planted-{name}",
        family="planted",
        parameters=parameters,
        epochs=EPOCHS,
        curve=curve,
        scale=sampled_scale(parameters, curve, best=best),
    )


def _curve_by(own: bool, blocks: Mapping[str, Facts]) -> Callable[[Config, int], Curve]:
    cost = np.ones(EPOCHS)

    def curve(config: Config, seed: int) -> Curve:
        block = str(config[BLOCK])
        lr, decay = (math.log10(float(str(config[key]))) for key in (f"{block}.lr" if own else "lr", DECAY.key))
        true = _losses(*blocks[block], lr, decay)
        generator = np.random.default_rng(zlib.crc32(f"{seed} {block} {lr!r} {decay!r}".encode()))
        seen = true + NOISE * (generator.normal() + generator.normal(size=EPOCHS))
        return Curve(seen=seen, true=true, cost=cost)

    return curve


def _losses(
    best: float, best_lr: float, pace: float, lr: float, decay: float
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return the losses of a block without noise; ``lr`` and ``decay`` are logarithms to base 10."""
    final = best + LOST * (lr - best_lr) ** 2 + DECAY_LOST * (decay - BEST_DECAY) ** 2
    final = min(final, START)
    return np.asarray(final + (START - final) * np.exp(-np.arange(1, EPOCHS + 1) / pace))
