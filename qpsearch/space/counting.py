"""How many points a space has, without drawing them.

Stages are walked one after another with what the rest depends on: the values of ties that steer the structure, and
the shared rules that some stage so far needs. A domain that steers nothing only multiplies.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from qpsearch.space.domains import (
    Choice,
    Constant,
    Domain,
    FloatRange,
    Group,
    IntRange,
    Items,
    Leaf,
    LogRange,
    Tied,
    Tree,
    Variant,
    domain_of,
    leaves,
)
from qpsearch.space.paths import leaf_at
from qpsearch.space.schema.network import SHAPE, rule_paths

_ANY = object()  # the value of a leaf that steers nothing


@dataclass(frozen=True, slots=True)
class _State:
    """What the number of further possibilities depends on."""

    ties: frozenset[tuple[str, object]] = frozenset()
    needs: frozenset[tuple[str, ...]] = frozenset()


_Ways = Counter[_State]


def count_points(network: Group, training: Group | None, continuous: float = math.inf) -> float:
    """Return how many points there are; infinity where a continuous domain is among them.

    Args:
        network: The network's leaves.
        training: The recipe's leaves; None to count networks alone.
        continuous: What a continuous domain counts for; 1 counts without them.
    """
    counter = _Counter(network, training, continuous)
    return float(sum(counter.ways().values()))


def continuous_leaves(network: Group, training: Group) -> list[str]:
    """Return the paths of the domains that have no end of values."""
    found = [*leaves("network", network), *leaves("training", training)]
    return [path for path, leaf in found if isinstance(domain_of(leaf), FloatRange | LogRange)]


def size(domain: Domain, continuous: float = math.inf) -> float:
    """Return how many values a domain has."""
    match domain:
        case Choice(options=options):
            return len(options)
        case IntRange(low=low, high=high, step=step):
            return (high - low) // step + 1
        case _:
            return continuous


class _Counter:
    def __init__(self, network: Group, training: Group | None, continuous: float) -> None:
        self._network, self._training, self._continuous = network, training, continuous
        self._steering = {leaf.name for leaf in _steering_leaves(network, training) if isinstance(leaf, Tied)}

    def ways(self) -> _Ways:
        found: _Ways = Counter({_State(): 1})
        for name in ("stem", "stages"):
            found = self._tree(self._network.get(name), found)
        for rule in rule_paths():
            shared = leaf_at(self._network.get("rules"), rule.path)
            assert shared is not None
            done: _Ways = Counter()
            for state, count in found.items():
                needed = rule.path in state.needs
                done += self._leaf(shared, Counter({state: count})) if needed else Counter({state: count})
            found = done
        return self._tree(self._training, found)

    def _tree(self, tree: Tree | None, ways: _Ways) -> _Ways:
        match tree:
            case None:
                return ways
            case Group() if tree.get("block") is not None:
                return self._stage(tree, ways)
            case Group(children):
                for _, child in children:
                    ways = self._tree(child, ways)
                return ways
            case Items(items):
                for item in items:
                    ways = self._tree(item, ways)
                return ways
            case Variant(pick):
                found: _Ways = Counter()
                for word, state, count in self._picked(pick, ways):
                    found += self._tree(tree.branch(str(word)), Counter({state: count}))
                return found
            case leaf:
                return self._leaf(leaf, ways)

    def _stage(self, stage: Group, ways: _Ways) -> _Ways:
        for name in SHAPE:
            if name != "block":
                ways = self._tree(stage.get(name), ways)
        block = leaf_at(stage, ("block",))
        assert block is not None
        found: _Ways = Counter()
        for word, state, count in self._picked(block, ways):
            part: _Ways = Counter({state: count})
            for rule in rule_paths():
                if not rule.belongs_to(word):
                    continue
                own = leaf_at(stage, rule.path)
                if own is not None:
                    part = self._leaf(own, part)
                else:
                    part = Counter({replace(s, needs=s.needs | {rule.path}): n for s, n in part.items()})
            found += part
        return found

    def _picked(self, leaf: Leaf, ways: _Ways) -> Iterator[tuple[object, _State, int]]:
        """Yield each value that a steering leaf can take, with the state and its ways after that."""
        for state, count in ways.items():
            if isinstance(leaf, Constant):
                yield leaf.value, state, count
                continue
            known = dict(state.ties).get(leaf.name) if isinstance(leaf, Tied) else None
            domain = domain_of(leaf)
            assert isinstance(domain, Choice)
            for value in domain.options if known is None else (known,):
                bound = state.ties | {(leaf.name, value)} if isinstance(leaf, Tied) else state.ties
                yield value, replace(state, ties=bound), count

    def _leaf(self, leaf: Leaf, ways: _Ways) -> _Ways:
        domain = domain_of(leaf)
        if domain is None:
            return ways
        found: _Ways = Counter()
        for state, count in ways.items():
            if not isinstance(leaf, Tied):
                found[state] += self._times(count, domain)
            elif leaf.name in dict(state.ties):
                found[state] += count
            elif leaf.name in self._steering:
                assert isinstance(domain, Choice)
                for value in domain.options:
                    found[replace(state, ties=state.ties | {(leaf.name, value)})] += count
            else:
                found[replace(state, ties=state.ties | {(leaf.name, _ANY)})] += self._times(count, domain)
        return found

    def _times(self, count: int, domain: Domain) -> int:
        many = size(domain, self._continuous)
        return count * int(many) if math.isfinite(many) else many  # type: ignore[return-value]  # infinity stays


def _steering_leaves(network: Group, training: Group | None) -> Iterator[Leaf]:
    """Yield the leaves on whose value it depends what else is drawn."""
    stack: list[Tree | None] = [network, training]
    while stack:
        match stack.pop():
            case Variant(pick, branches):
                yield pick
                stack += [tree for _, tree in branches]
            case Group(children):
                stack += [child for _, child in children]
                block = dict(children).get("block")
                if isinstance(block, Choice | Tied):
                    yield block
            case Items(items):
                stack += items
            case _:
                continue
