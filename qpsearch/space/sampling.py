"""Drawing from a space: one walk that a sampler, a seeded generator and a stored draw all use.

``draw`` goes over the leaves in their order. At each domain it asks the chooser; a domain in a branch that was not
taken, or a rule of a block that no stage uses, is not active, so the flat parameters hold exactly what was decided.
Derived constants are computed when everything is decided.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from qpsearch.errors import Infeasible
from qpsearch.space.domains import Domain, stored
from qpsearch.space.expressions.nodes import Absent, Value, compute, names, unparse
from qpsearch.space.leaves import STAGES, Constant, Derived, PlacedStage, Site, Tied, counts_stages
from qpsearch.space.schema.network import RulePath
from qpsearch.space.space import Space
from qpsearch.vocabulary import Scalar


class Chooser(Protocol):
    """Chooses the values of parameters: a sampler, a seeded generator or a stored draw."""

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return a value of the domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A point of a space.

    Attributes:
        params: What was chosen, by parameter name, in drawing order, as the study database stores it.
        values: Every setting of network and training, and of augmentation where it is searched, chosen or constant,
            nested as in a file, each stage with all its rules; words are members of their enums.
        facts: The same values by dotted path, stages numbered as they are built, for conditions to look up.
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
        return domain.draw(self._random)


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
            raise ValueError(f"no value for {name}")
        value = self._params[name]
        if value not in domain:
            raise ValueError(f"{name} = {value!r} is not in {domain}")
        return domain.member(value)


def draw(space: Space, chooser: Chooser) -> Draw:
    """Walk the space and decide everything; raises what the chooser raises.

    Raises:
        Infeasible: A derived constant has a value that its leaf does not allow, or cannot be computed.
    """
    walk = _Walk(chooser)
    for site in space.sites:
        if site.is_active(walk.drawn):
            walk.take(site)
    stages = list(walk.stages.values())
    facts = walk.facts | _flat(f"{STAGES}.", enumerate(stages))
    values = walk.values | {"network": {**walk.values["network"], "stages": stages}}
    arithmetic = _Arithmetic(facts)
    return Draw(
        params={name: stored(value) for name, value in walk.drawn.items()},
        values=arithmetic.replaced(values),
        facts={path: arithmetic.value(fact) for path, fact in facts.items()},
    )


@dataclass(frozen=True, slots=True)
class _Pending:
    """Placeholder of a derived constant until it is computed."""

    path: str
    derived: Derived


class _Walk:
    """The values decided so far: by parameter, by path, and nested."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self.drawn: dict[str, Scalar] = {}
        self.facts: dict[str, Any] = {}
        self.values: dict[str, Any] = {"network": {}, "training": {}, "augment": {}}
        self.stages: dict[PlacedStage, dict[str, Any]] = {}

    def take(self, site: Site) -> None:
        """Decide about a leaf, and keep its value where it belongs."""
        value = self._decide(site)
        if not counts_stages(site.path):
            self.facts[site.path] = value
        if site.stage is not None:
            _put(self.stages.setdefault(site.stage, {}), site.keys, value)
        elif site.rule is not None:
            self._share(site.rule, value)
        elif site.keys:
            _put(self.values, site.keys, value)

    def _decide(self, site: Site) -> Any:
        match site.leaf:
            case Constant(value):
                return value
            case Derived():
                return _Pending(site.path, site.leaf)
        name, domain = site.parameter, site.domain
        assert domain is not None
        if name not in self.drawn:
            self.drawn[name] = self._chooser.choose(name, domain)
        value = domain.member(self.drawn[name])
        if isinstance(site.leaf, Tied):
            self.facts[name] = value
        return value

    def _share(self, rule: RulePath, value: Any) -> None:
        """Give a shared rule to the stages that need it and do not set it themselves."""
        for stage, values in self.stages.items():
            if stage.group.leaf(rule.path) is None and rule.belongs_to(values["block"]):
                _put(values, rule.path, value)


class _Arithmetic:
    """Gives derived constants their values, each once, in the order in which they need each other."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._done: dict[str, Value] = {}

    def value(self, fact: Any) -> Value:
        if not isinstance(fact, _Pending):
            return fact  # type: ignore[no-any-return]  # a drawn scalar, or a constant's tuple
        waiting = [fact]  # not by recursion: hundreds of stages may each be computed from the next
        while waiting:
            needed = self._needed(waiting[-1])
            if needed:
                waiting += needed
                continue
            pending = waiting.pop()
            if pending.path not in self._done:
                self._done[pending.path] = self._compute(pending)
        return self._done[fact.path]

    def _needed(self, pending: _Pending) -> list[_Pending]:
        """Return what must be computed before a constant; nothing for a constant that is computed already."""
        if pending.path in self._done:
            return []
        found = [self._facts.get(name.path) for name in names(pending.derived.expression)]
        return [fact for fact in found if isinstance(fact, _Pending) and fact.path not in self._done]

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
                raise Infeasible(f"{rule}, but this draw does not have {lacks[0]}", rule)
            assert not isinstance(value, tuple)
            return pending.derived.checked(value)
        except ValueError as error:
            raise Infeasible(f"{rule}: {str(error).rstrip('.')}", rule) from None

    def _look_up(self, path: str) -> Value:
        if path not in self._facts:
            raise Absent(path)
        return self.value(self._facts[path])


def _flat(start: str, items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """Turn nested values into paths."""
    found: dict[str, Any] = {}
    for name, value in items:
        inner = _flat(f"{start}{name}.", value.items()) if isinstance(value, dict) else {f"{start}{name}": value}
        found.update(inner)
    return found


def _put(values: dict[str, Any], keys: tuple[str, ...], value: object) -> None:
    *above, last = keys
    for key in above:
        values = values.setdefault(key, {})
    values[last] = value
