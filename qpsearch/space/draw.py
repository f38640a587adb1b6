"""Drawing from a space: one walk that a sampler, a seeded generator and a stored draw all use.

``settle`` visits stages, then rules, then training, in schema order. At each domain it asks the chooser;
a domain in a branch that was not taken, or a rule of a block that no stage uses, is not visited, so the
flat parameters hold exactly what was decided.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from qpsearch.records import Scalar
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
    Tree,
    Variant,
)
from qpsearch.space.schema import RulePath, rule_paths
from qpsearch.space.space import Space
from qpsearch.vocabulary import BlockKind


class Chooser(Protocol):
    """Whoever decides about a parameter."""

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return a value of the domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A point of a space.

    Attributes:
        params: What was chosen, by parameter name, in drawing order.
        values: Every setting of network and training, chosen or constant, nested as in a file, each
            stage with all its rules.
    """

    params: dict[str, Scalar]
    values: dict[str, Any]


class RandomChooser:
    """Draws evenly (evenly in log scale for a log range) from a seeded generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return a value of the domain."""
        match domain:
            case Choice(options=options):
                return self._random.choice(options)
            case IntRange(low=low, high=high, step=step):
                return self._random.randrange(low, high + 1, step)
            case FloatRange(low=low, high=high):
                return self._random.uniform(low, high)
            case LogRange(low=low, high=high):
                value: float = low * (high / low) ** self._random.random()
                return min(max(value, low), high)


class StoredChooser:
    """Repeats a stored draw.

    Raises:
        ValueError: From ``choose``, where the stored draw lacks the parameter or has a value that the
            space does not allow.
    """

    def __init__(self, params: Mapping[str, Scalar]) -> None:
        self._params = params

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return the stored value."""
        if name not in self._params:
            raise ValueError(f"the draw has no value for {name}")
        value = self._params[name]
        if value not in domain:
            raise ValueError(f"{name} = {value!r} is not in {domain}")
        return value


def settle(space: Space, chooser: Chooser) -> Draw:
    """Walk the space and decide everything; raises what the chooser raises."""
    walk = _Walk(chooser)
    network = walk.network(space.network)
    training = walk.group("training", space.training)
    return Draw(params=walk.params, values={"network": network, "training": training})


class _Walk:
    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.params: dict[str, Scalar] = {}

    def leaf(self, path: str, leaf: Leaf) -> Any:
        if isinstance(leaf, Constant):
            return leaf.value
        self.params[path] = self._chooser.choose(path, leaf)
        return self.params[path]

    def tree(self, path: str, tree: Tree) -> Any:
        match tree:
            case Group():
                return self.group(path, tree)
            case Items(items):
                return [self.tree(f"{path}.{index}", item) for index, item in enumerate(items)]
            case Variant(pick, branches):
                word = str(self.leaf(path, pick))
                return {"kind": word} | self.group(f"{path}.{word}", dict(branches)[word])
            case leaf:
                return self.leaf(path, leaf)

    def group(self, path: str, group: Group) -> dict[str, Any]:
        return {name: self.tree(f"{path}.{name}", child) for name, child in group.children}

    def network(self, network: Group) -> dict[str, Any]:
        """Stem and stages first, then the rules that some stage still needs."""
        stem, stages, rules = network.get("stem"), network.get("stages"), network.get("rules")
        assert isinstance(stem, Group)
        assert isinstance(stages, Items)
        assert isinstance(rules, Group)
        drawn_stem = self.group("network.stem", stem)
        drawn_stages = [self._stage(f"network.stages.{index}", stage) for index, stage in enumerate(stages.children)]
        for rule in rule_paths():
            lacking = [stage for stage in drawn_stages if _applies(rule, stage) and rule.path not in stage["rules"]]
            if lacking:
                value = self.leaf(".".join(("network.rules", *rule.path)), _leaf_at(rules, rule.path))
                for stage in lacking:
                    stage["rules"][rule.path] = value
        return {"stem": drawn_stem, "stages": [_nest(stage) for stage in drawn_stages]}

    def _stage(self, path: str, stage: Tree) -> dict[str, Any]:
        assert isinstance(stage, Group)
        shape = Group(
            tuple((name, child) for name, child in stage.children if name in ("width", "stride", "depth", "block"))
        )
        drawn = self.group(path, shape)
        drawn["rules"] = {}
        for rule in rule_paths():
            own = _leaf_at(stage, rule.path, missing_is_fine=True)
            if own is not None and _applies(rule, drawn):
                drawn["rules"][rule.path] = self.leaf(".".join((path, *rule.path)), own)
        return drawn


def _applies(rule: RulePath, stage: Mapping[str, Any]) -> bool:
    return rule.block is None or stage["block"] == BlockKind(rule.block)


def _leaf_at(group: Group, path: tuple[str, ...], missing_is_fine: bool = False) -> Any:
    tree: Tree | None = group
    for name in path:
        tree = tree.get(name) if isinstance(tree, Group) else None
    assert missing_is_fine or tree is not None
    return tree


def _nest(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Turn ``rules`` (path tuple to value) into nested keys beside width, stride, depth and block."""
    nested = {name: value for name, value in stage.items() if name != "rules"}
    for (first, *rest), value in stage["rules"].items():
        if rest:
            nested.setdefault(first, {})[rest[0]] = value
        else:
            nested[first] = value
    return nested
