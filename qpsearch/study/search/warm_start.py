"""``search.warm_start``: the best configurations of earlier studies, as far as the space has their parameters."""

from collections.abc import Mapping, Sequence
from typing import Final

from optuna.trial import FrozenTrial

from qpsearch.registry.samplers.trials.order import best_first
from qpsearch.space import Space
from qpsearch.space.file.points import domains_of, member_of
from qpsearch.vocabulary import Direction, Scalar

TOP: Final = 3  # configurations of each earlier study


def warm_points(
    space: Space, earlier: Space, trials: Sequence[FrozenTrial], known: Sequence[Mapping[str, Scalar]] = ()
) -> list[dict[str, Scalar]]:
    """Return the best configurations of a study, without what another space lacks.

    A parameter counts where the space searches one of the same path, and its domain has the value.

    Args:
        space: The space that is going to be searched.
        earlier: The space of the earlier study, by whose objectives its trials are ordered.
        trials: Its trials.
        known: Configurations that are tried anyway.
    """
    domains = domains_of(space)
    maximize = [each.direction is Direction.MAXIMIZE for each in earlier.search.objectives]
    found: list[dict[str, Scalar]] = []
    for trial in best_first(trials, maximize):
        point: dict[str, Scalar] = {}
        for name, value in trial.params.items():
            try:
                point[name] = member_of(name, domains[name], value)
            except (KeyError, ValueError):  # another space, or another range
                continue
        if point and point not in [*known, *found]:
            found.append(point)
        if len(found) == TOP:
            break
    return found
