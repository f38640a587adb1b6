"""How many points a space has, without drawing them.

Leaves are taken in the order of drawing. The state is what later leaves depend on: each condition under which a later
leaf is drawn, without the tests that are already decided. Ways that lead to the same state are added up; a domain that
no condition tests only multiplies the count.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qpsearch.space.domains import Domain
from qpsearch.space.leaves import ALWAYS, NEVER, Site, Tied, When


@dataclass(frozen=True, slots=True)
class _State:
    """What the number of further possibilities depends on: the conditions of leaves to come, and the ties drawn."""

    open: tuple[When, ...]
    ties: frozenset[str] = frozenset()


def count_points(leaves: Iterable[Site], continuous: float = math.inf) -> float:
    """Return how many points a space has; infinity where it has a continuous domain.

    Args:
        leaves: The leaves of a space, or of its networks alone, in the order of drawing.
        continuous: The number that stands for a continuous domain's values; 1 leaves such domains out of the count.
    """
    every = [site for site in leaves if site.when != NEVER and site.domain is not None]
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


def continuous_leaves(leaves: Iterable[Site]) -> list[str]:
    """Return the paths of the continuous domains."""
    return [
        site.path for site in leaves if site.when != NEVER and site.domain is not None and math.isinf(site.domain.size)
    ]


def _after(site: Site, state: _State, index: int, asked: set[str], continuous: float) -> Iterator[tuple[_State, float]]:
    """Yield the states after a leaf, each with the number of the leaf's values that lead to it."""
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
    """Return a condition without the tests that a parameter's value decides."""
    holding = [tests for tests in when if all(test.parameter != parameter or value in test.values for test in tests)]
    left = dict.fromkeys(tuple(test for test in tests if test.parameter != parameter) for tests in holding)
    return ALWAYS if () in left else tuple(left)


def _size(domain: Domain, continuous: float) -> float:
    return domain.size if math.isfinite(domain.size) else continuous
