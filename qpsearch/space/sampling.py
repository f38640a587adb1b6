"""Drawing from a space: one walk that a sampler, a seeded generator and a stored draw all use.

``draw`` visits stages, then rules, then training, in schema order. At each domain it asks the chooser;
a domain in a branch that was not taken, or a rule of a block that no stage uses, is not visited, so the
flat parameters hold exactly what was decided. Derived constants are computed when everything is decided.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from qpsearch.errors import Infeasible
from qpsearch.space.domains import (
    Choice,
    Constant,
    Derived,
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
)
from qpsearch.space.expressions.nodes import Absent, Value, compute, names, unparse
from qpsearch.space.paths import STAGES, counts_stages, leaf_at
from qpsearch.space.schema.network import SHAPE, RulePath, rule_paths
from qpsearch.space.space import Space
from qpsearch.vocabulary import Scalar


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
        facts: The same by dotted path, stages counted as they are built, for conditions to look up.
    """

    params: dict[str, Scalar]
    values: dict[str, Any]
    facts: dict[str, Value]


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


def draw(space: Space, chooser: Chooser) -> Draw:
    """Walk the space and decide everything; raises what the chooser raises.

    Raises:
        Infeasible: A derived constant has no value that its leaf may have.
    """
    walk = _Walk(chooser)
    values = {"network": walk.network(space.network), "training": walk.group("training", space.training)}
    facts = walk.facts | _flat(f"{STAGES}.", enumerate(values["network"]["stages"]))
    settled = _Arithmetic(facts)
    return Draw(
        params=walk.params,
        values=settled.replaced(values),
        facts={path: settled.value(fact) for path, fact in facts.items()},
    )


@dataclass(frozen=True, slots=True)
class _Pending:
    """Stands where a derived constant will."""

    path: str
    derived: Derived


class _Walk:
    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.params: dict[str, Scalar] = {}
        self.facts: dict[str, Any] = {}

    def leaf(self, path: str, leaf: Leaf) -> Any:
        value = self._decide(path, leaf)
        if not counts_stages(path):
            self.facts[path] = value
        return value

    def _decide(self, path: str, leaf: Leaf) -> Any:
        match leaf:
            case Constant(value):
                return value
            case Derived():
                return _Pending(path, leaf)
            case Tied(name, domain):
                if name not in self.params:
                    self.params[name] = self.facts[name] = self._chooser.choose(name, domain)
                return self.params[name]
            case domain:
                self.params[path] = self._chooser.choose(path, domain)
                return self.params[path]

    def tree(self, path: str, tree: Tree) -> Any:
        match tree:
            case Group():
                return self.group(path, tree)
            case Items(items):
                return [self.tree(f"{path}.{index}", item) for index, item in enumerate(items)]
            case Variant(pick):
                word = str(self.leaf(path, pick))
                branch = tree.branch(word)
                assert isinstance(branch, Group)
                return {"kind": word} | self.group(f"{path}.{word}", branch)
            case leaf:
                return self.leaf(path, leaf)

    def group(self, path: str, group: Group) -> dict[str, Any]:
        return {name: self.tree(f"{path}.{name}", child) for name, child in group.children}

    def network(self, network: Group) -> dict[str, Any]:
        """Stem and stages first, then the rules that some stage still needs."""
        stem, stages, rules = network.get("stem"), network.get("stages"), network.get("rules")
        assert isinstance(stem, Group)
        assert isinstance(stages, Items | Variant)
        assert isinstance(rules, Group)
        drawn_stem = self.group("network.stem", stem)
        drawn_stages = list(self._stages(STAGES, stages))
        for rule in rule_paths():
            lacking = [stage for stage in drawn_stages if _applies(rule, stage) and rule.path not in stage["rules"]]
            if lacking:
                shared = leaf_at(rules, rule.path)
                assert shared is not None
                value = self.leaf(".".join(("network.rules", *rule.path)), shared)
                for stage in lacking:
                    stage["rules"][rule.path] = value
        return {"stem": drawn_stem, "stages": [_nest(stage) for stage in drawn_stages]}

    def _stages(self, path: str, tree: Tree) -> Iterator[dict[str, Any]]:
        """Draw a stage, a list of them or a choice of either; yield the stages that come out."""
        match tree:
            case Group():
                yield self._stage(path, tree)
            case Items(children):
                for index, child in enumerate(children):
                    yield from self._stages(f"{path}.{index}", child)
            case Variant(pick):
                word = str(self.leaf(path, pick))
                yield from self._stages(f"{path}.{word}", tree.branch(word))

    def _stage(self, path: str, stage: Group) -> dict[str, Any]:
        drawn = self.group(path, Group(tuple((name, child) for name, child in stage.children if name in SHAPE)))
        drawn["rules"] = {}
        for rule in rule_paths():
            own = leaf_at(stage, rule.path)
            if own is not None and _applies(rule, drawn):
                drawn["rules"][rule.path] = self.leaf(".".join((path, *rule.path)), own)
        return drawn


class _Arithmetic:
    """Gives derived constants their values, each once, in the order in which they need each other."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._done: dict[str, Value] = {}

    def value(self, fact: Any) -> Value:
        if not isinstance(fact, _Pending):
            return fact  # type: ignore[no-any-return]  # a drawn scalar, or a constant's tuple
        if fact.path not in self._done:
            self._done[fact.path] = self._compute(fact)
        return self._done[fact.path]

    def replaced(self, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: self.replaced(value) for name, value in values.items()}
        if isinstance(values, list):
            return [self.replaced(value) for value in values]
        return self.value(values)

    def _compute(self, pending: _Pending) -> Scalar:
        text = unparse(pending.derived.expression)
        rule = f"{pending.path} = {text}"
        try:
            value = compute(pending.derived.expression, self._look_up)
            lacks = [name.path for name in names(pending.derived.expression) if name.path not in self._facts]
            if value is None and lacks:
                raise Infeasible(f"{rule}, but this draw has no {lacks[0]}", rule)
            assert not isinstance(value, tuple)
            return pending.derived.checked(value)
        except ValueError as error:
            raise Infeasible(f"{rule}: {str(error).rstrip('.')}", rule) from None

    def _look_up(self, path: str) -> Value:
        if path not in self._facts:
            raise Absent(path)
        return self.value(self._facts[path])


def _applies(rule: RulePath, stage: Mapping[str, Any]) -> bool:
    return rule.belongs_to(stage["block"])


def _flat(start: str, items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """Turn nested values into paths."""
    found: dict[str, Any] = {}
    for name, value in items:
        inner = _flat(f"{start}{name}.", value.items()) if isinstance(value, dict) else {f"{start}{name}": value}
        found.update(inner)
    return found


def _nest(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Turn ``rules`` (path tuple to value) into nested keys beside width, stride, depth and block."""
    nested = {name: value for name, value in stage.items() if name != "rules"}
    for (first, *rest), value in stage["rules"].items():
        if rest:
            nested.setdefault(first, {})[rest[0]] = value
        else:
            nested[first] = value
    return nested
