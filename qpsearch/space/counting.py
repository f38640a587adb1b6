"""How many points a space has, without drawing them.

Leaves are taken in the order of drawing. What the rest depends on is kept: for each further condition under which a
leaf is drawn, what is left of it once the decided tests are struck out. Ways that leave the same are added up; a
domain that no condition asks about only multiplies.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from qpsearch.space.domains import Domain
from qpsearch.space.leaves import ALWAYS, NEVER, Group, Site, Tied, When, sites


@dataclass(frozen=True, slots=True)
class _State:
    """What the number of further possibilities depends on: the conditions of leaves to come, and the ties drawn."""

    open: tuple[When, ...]
    ties: frozenset[str] = frozenset()


def count_points(network: Group, training: Group | None, continuous: float = math.inf) -> float:
    """Return how many points there are; infinity where a continuous domain is among them.

    Args:
        network: The network's leaves.
        training: The recipe's leaves; None to count networks alone.
        continuous: What a continuous domain counts for; 1 counts without them.
    """
    every = [site for site in sites(network, training) if site.when != NEVER and site.domain is not None]
    conditions = list(dict.fromkeys(site.when for site in every))
    asked = {test.parameter for when in conditions for tests in when for test in tests}
    last_use = {site.when: place for place, site in enumerate(every)}
    last_of_tie = {site.parameter: place for place, site in enumerate(every)}
    ways: dict[_State, float] = {_State(tuple(conditions)): 1}
    for place, site in enumerate(every):
        index, found = conditions.index(site.when), defaultdict[_State, float](int)
        for state, count in ways.items():
            for after, factor in _after(site, state, index, asked, continuous):
                open_ = tuple(
                    left if last_use[when] > place else NEVER for left, when in zip(after.open, conditions, strict=True)
                )
                ties = frozenset(tie for tie in after.ties if last_of_tie[tie] > place)
                found[_State(open_, ties)] += count * factor
        ways = found
    return float(sum(ways.values()))


def continuous_leaves(network: Group, training: Group) -> list[str]:
    """Return the paths of the domains that have no end of values."""
    return [
        site.path
        for site in sites(network, training)
        if site.when != NEVER and site.domain is not None and math.isinf(site.domain.size)
    ]


def _after(site: Site, state: _State, index: int, asked: set[str], continuous: float) -> Iterator[tuple[_State, float]]:
    """Yield what a leaf leaves, with the number of its values that leave it."""
    domain = site.domain
    assert domain is not None
    if state.open[index] != ALWAYS or site.parameter in state.ties:  # not drawn here, or drawn before
        yield state, 1
        return
    ties = state.ties | {site.parameter} if isinstance(site.leaf, Tied) else state.ties
    if site.parameter not in asked:
        yield _State(state.open, ties), _size(domain, continuous)
        return
    assert domain.values is not None
    for value in domain.values:
        yield _State(tuple(_struck(when, site.parameter, value) for when in state.open), ties), 1


def _struck(when: When, parameter: str, value: object) -> When:
    """Return what is left of a condition once a parameter has a value."""
    holding = [tests for tests in when if all(test.parameter != parameter or value in test.values for test in tests)]
    left = dict.fromkeys(tuple(test for test in tests if test.parameter != parameter) for tests in holding)
    return ALWAYS if () in left else tuple(left)


def _size(domain: Domain, continuous: float) -> float:
    return domain.size if math.isfinite(domain.size) else continuous
