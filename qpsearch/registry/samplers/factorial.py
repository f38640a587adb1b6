"""A factorial design, for effects: the study balances its points over what the space can train."""

from typing import Final

from qpsearch.registry.samplers.base import PointList, Sampler, SearchedSpace


def _points(space: SearchedSpace) -> PointList:
    return space.balanced_points()


MEMBERS: Final = (
    Sampler(
        name="factorial",
        order=90,
        doc="takes all values, and all pairs of values, about equally often, for effects",
        points=_points,
        called="factorial design",
        is_blind=True,
        is_designed=True,
    ),
)
