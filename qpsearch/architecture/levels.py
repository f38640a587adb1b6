"""The training of a configuration at a level of fidelity, as a configuration of its own."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from qpsearch.architecture.config import Network, TrialConfig
from qpsearch.architecture.cost import cost
from qpsearch.architecture.layout import BOTTLENECK
from qpsearch.architecture.resolve import check_batches, check_shapes
from qpsearch.errors import Infeasible
from qpsearch.registry.fidelity import Fidelity, FidelityKind

MULTIPLE: Final = BOTTLENECK  # of channels, as the narrowest part of a branch needs
APART: Final = 1.25  # ratio of what a level costs and what it counts, from which on that is said


def at_level(config: TrialConfig, fidelity: Fidelity, level: int) -> TrialConfig:
    """Return what is trained at a level, counted from 0; at the last one, the configuration itself.

    Of fewer images, a stratified part is trained on; smaller images are resized; and of a narrower network every stage
    and the stem have the factor's share of their channels, rounded to a multiple of 4.
    """
    value = fidelity.levels[level]
    if level + 1 == len(fidelity.levels):
        return config
    match fidelity.kind:
        case FidelityKind.IMAGES:
            return replace(config, data=replace(config.data, share=value))
        case FidelityKind.IMAGE_SIZE:
            return replace(config, network=replace(config.network, size=int(value)))
        case FidelityKind.WIDTH:
            return replace(config, network=_narrowed(config.network, value))


def check_levels(config: TrialConfig, fidelity: Fidelity | None) -> None:
    """Check that the network of each level, if there are any, can be built and trained.

    Raises:
        Infeasible: At some level, its parts do not fit together.
    """
    for level, each in lower_levels(config, fidelity):
        try:
            check_shapes(each.network)
            check_batches(each)
        except Infeasible as refused:
            where = f"at level {level:g} of search.fidelity, "
            raise Infeasible(f"{where}{refused}", f"{where}{refused.rule}") from None


def lower_levels(config: TrialConfig, fidelity: Fidelity | None) -> Iterator[tuple[float, TrialConfig]]:
    """Yield the value of each level but the last, with what is trained there; nothing without levels."""
    if fidelity is not None:
        for level, value in enumerate(fidelity.levels[:-1]):
            yield value, at_level(config, fidelity, level)


def rounded_levels(configs: Sequence[TrialConfig], fidelity: Fidelity) -> list[str]:
    """Say which levels cost other multiply-accumulates than an epoch of theirs counts, since sizes are rounded.

    Args:
        configs: Some configurations, over which the mean is taken.
        fidelity: The levels.
    """
    if fidelity.kind is FidelityKind.IMAGES or not configs:
        return []
    apart = [
        (f"{value:g}", f"{counted:.2g}", f"{share:.2g}")
        for value, counted, share in zip(fidelity.levels, fidelity.shares, macs_shares(configs, fidelity), strict=True)
        if not 1 / APART < share / counted < APART
    ]
    if not apart:
        return []
    values, counted, taken = map(" and ".join, zip(*apart, strict=True))
    is_width = fidelity.kind is FidelityKind.WIDTH
    why = f"channels are rounded to multiples of {MULTIPLE}" if is_width else "sides are rounded up at each stride"
    return [
        f"search.fidelity.{fidelity.kind}: in budgets, an epoch at {values} counts {counted} of a whole one. Its "
        f"multiply-accumulates are {taken} of a whole one's (mean of {len(configs)} draws), since {why}."
    ]


def macs_shares(configs: Sequence[TrialConfig], fidelity: Fidelity) -> list[float]:
    """Return the multiply-accumulates of an image at each level, as a share of those at the last one; means.

    Args:
        configs: Over which the mean is taken; one at least.
        fidelity: The levels.
    """
    macs = [
        [cost(at_level(config, fidelity, level).network).macs for level in range(len(fidelity.levels))]
        for config in configs
    ]
    return [statistics.mean(own[level] / own[-1] for own in macs) for level in range(len(fidelity.levels))]


def _narrowed(network: Network, factor: float) -> Network:
    """Return a network with a share of the channels; equal widths stay equal, and none becomes wider."""
    stages = tuple(replace(stage, width=_width(stage.width, factor)) for stage in network.stages)
    return replace(network, stem_width=_width(network.stem_width, factor), stages=stages)


def _width(width: int, factor: float) -> int:
    rounded = MULTIPLE * math.floor(width * factor / MULTIPLE + 0.5)
    return min(width, max(rounded, MULTIPLE))
