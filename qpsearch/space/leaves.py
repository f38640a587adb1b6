"""The leaves of a space: what a leaf may be, how leaves form a tree, and when each is drawn.

A ``Space`` is made of these alone: after reading a file there are no dicts, no defaults to look up and no unknown keys.
``sites`` is the only walk over the leaves: it yields each leaf with its place and with the condition under which it is
drawn. Drawing, counting, planning, priors, exported tables and the names in conditions all use it.

A stage's number is its place in the network that is built. Where stages are chosen, a leaf has a second path through
the branch of the file: ``network.stages.1.wide.width`` beside ``network.stages.1.width``.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from qpsearch.space.domains import Choice, Domain, text_of
from qpsearch.space.expressions.nodes import Expression, unparse
from qpsearch.space.schema.data import USED
from qpsearch.space.schema.network import SHAPE, STAGE, RulePath, rule_paths
from qpsearch.space.schema.value_types import ValueType
from qpsearch.vocabulary import Scalar

STAGES: Final = "network.stages"
AUGMENT: Final = "data.augment"


@dataclass(frozen=True, slots=True)
class Constant:
    """A leaf that is not searched. ``value`` may be a tuple of scalars (a list in the file)."""

    value: Scalar | tuple[Scalar, ...]

    @property
    def domain(self) -> None:
        """Nothing is drawn."""
        return None

    @property
    def options(self) -> tuple[object, ...]:
        """The possible values."""
        return (self.value,)

    @property
    def upper(self) -> float:
        """The largest possible value."""
        assert isinstance(self.value, int | float)
        return float(self.value)

    def __str__(self) -> str:
        return text_of(self.value)


@dataclass(frozen=True, slots=True)
class Tied:
    """A leaf that shares one parameter with all others of the same ``name``: ``{int: [1, 9], tie: depth}``."""

    name: str
    domain: Domain

    @property
    def options(self) -> tuple[object, ...] | None:
        """The possible values if they can be listed, else None."""
        return self.domain.options

    @property
    def upper(self) -> float:
        """The largest possible value."""
        return self.domain.upper

    def __str__(self) -> str:
        return f"{str(self.domain)[:-1]}, tie: {self.name}}}"


@dataclass(frozen=True, slots=True)
class Derived:
    """A constant computed from other leaves: ``"2 * network.stem.width"``; ``type`` says which results are allowed."""

    expression: Expression
    type: ValueType

    @property
    def domain(self) -> None:
        """Nothing is drawn."""
        return None

    @property
    def options(self) -> None:
        """Not known before a draw."""
        return None

    @property
    def upper(self) -> float:
        """The largest value that its leaf may have."""
        return float(getattr(self.type, "high", math.inf))

    def checked(self, value: Scalar) -> Scalar:
        """Return a result in the form in which its leaf holds it.

        Raises:
            ValueError: The leaf does not allow that value.
        """
        try:
            return self.type.parse(value, "")
        except ValueError as error:
            is_fraction = isinstance(value, float) and not value.is_integer()
            hint = (
                " Use round(...) or // to get a whole number." if is_fraction and "whole" in self.type.expected else ""
            )
            raise ValueError(f"{error}{hint}") from None

    def __str__(self) -> str:
        return f"= {unparse(self.expression)}"


Leaf = Constant | Domain | Tied | Derived


@dataclass(frozen=True, slots=True)
class Group:
    """Named children, in schema order."""

    children: tuple[tuple[str, "Tree"], ...]

    def get(self, name: str) -> "Tree | None":
        """Return the child of a name; None where the group does not have it."""
        return next((child for key, child in self.children if key == name), None)

    def leaf(self, path: tuple[str, ...]) -> Leaf | None:
        """Return the leaf at a path below the group; None where the path does not lead to a leaf."""
        place: Tree | None = self
        for name in path:
            place = place.get(name) if isinstance(place, Group) else None
        return None if isinstance(place, Group | Items | Variant) else place

    def with_child(self, name: str, tree: "Tree") -> "Group":
        """Return the group with the child of a name replaced."""
        return Group(tuple((key, tree if key == name else child) for key, child in self.children))


@dataclass(frozen=True, slots=True)
class Items:
    """Numbered children: the stages; one of them may itself be a choice of a stage or of lists of stages."""

    children: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A choice with a subtree for each branch; only the subtree of the chosen branch is drawn."""

    pick: Constant | Choice | Tied
    branches: tuple[tuple[str, "Tree"], ...]


Tree = Leaf | Group | Items | Variant


@dataclass(frozen=True, slots=True)
class Requirement:
    """A parameter must have one of some values: a branch of a choice is taken, or a stage's block is of some kind."""

    parameter: str
    values: frozenset[object]


When = tuple[tuple[Requirement, ...], ...]
"""When a leaf is drawn: all requirements of one of the alternatives hold.

``((block of stage 0 is quotient,), (stage 1 is wide, block of stage 1 is quotient))`` is a rule that two stages share.
"""
ALWAYS: Final[When] = ((),)
NEVER: Final[When] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PlacedStage:
    """A stage of the file.

    Attributes:
        path: Its path in the file.
        group: Its leaves.
        places: The places that it may take in a network, from 0.
        when: When a draw has this stage.
    """

    path: str
    group: Group
    places: frozenset[int]
    when: When = ALWAYS

    def may_have(self, rule: RulePath) -> bool:
        """Whether the stage's block may be of a kind that has a rule; True where the block could not be read."""
        return self.when_it_has(rule) != NEVER

    def needs_shared(self, rule: RulePath) -> bool:
        """Whether the stage may need a rule that it does not set itself, and so takes the shared value."""
        return self.may_have(rule) and self.group.leaf(rule.path) is None

    def when_it_has(self, rule: RulePath) -> When:
        """When a draw has this stage with a block of a kind that has a rule."""
        block = self.group.leaf(("block",))
        if block is None or block == Constant(None):
            return self.when
        options = block.options or ()
        values = frozenset(value for value in options if rule.belongs_to(value))
        if len(values) == len(options):
            return self.when
        return _and(self.when, Requirement(_parameter(f"{self.path}.block", block), values)) if values else NEVER


@dataclass(frozen=True, slots=True)
class Site:
    """A leaf at its place.

    Attributes:
        path: Its path in the file: ``network.stages.1.wide.quotient.alpha``.
        leaf: The leaf.
        keys: Where a draw keeps the leaf's value: from the top for network, training and augment, within the stage for
            a stage's leaf; empty for a choice of stages or of augmentations.
        when: When the leaf is drawn.
        stage: The stage that the leaf belongs to; None outside stages, and for rules that stages share.
        rule: The design rule that the leaf sets; None where it is not a design rule.
    """

    path: str
    leaf: Leaf
    keys: tuple[str, ...]
    when: When
    stage: PlacedStage | None = None
    rule: RulePath | None = None

    @property
    def parameter(self) -> str:
        """The name under which the leaf's value is drawn: the name of its tie, or its path."""
        return _parameter(self.path, self.leaf)

    @property
    def domain(self) -> Domain | None:
        """What the leaf is drawn from; None for a constant."""
        return self.leaf.domain

    def is_active(self, drawn: Mapping[str, object]) -> bool:
        """Whether a draw has this leaf, given the parameters drawn before it."""
        return any(
            all(test.parameter in drawn and drawn[test.parameter] in test.values for test in tests)
            for tests in self.when
        )

    def condition(self) -> str:
        """Say when the leaf is drawn: ``network.stages.1 is wide``; empty for always."""
        if self.rule is not None and self.stage is None:
            return f"a stage is {self.rule.owners}" if self.rule.blocks else ""
        return " or ".join(
            ", ".join(f"{test.parameter} is {' or '.join(sorted(map(text_of, test.values)))}" for test in tests)
            for tests in self.when
        )


def sites(network: Group, training: Group | None = None, augment: Tree | None = None) -> Iterator[Site]:
    """Yield every leaf in the order of drawing, also those that no draw has (``NEVER``).

    Stem and stages come first, then the rules that stages share, then the recipe, and augmentations where they are
    searched; a choice comes before its branches.
    """
    if (stem := network.get("stem")) is not None:
        yield from _plain_sites("network.stem", stem, ("network", "stem"), ALWAYS)
    stages: list[PlacedStage] = []
    for entry in _stage_sites(STAGES, _stages(network), frozenset({0}), ALWAYS)[0]:
        if isinstance(entry, Site):
            yield entry
        else:
            stages.append(entry)
            yield from _own_sites(entry)
    rules = network.get("rules")
    for rule in rule_paths():
        shared = rules.leaf(rule.path) if isinstance(rules, Group) else None
        if shared is not None:
            users = [stage.when_it_has(rule) for stage in stages if stage.needs_shared(rule)]
            path = ".".join(("network.rules", *rule.path))
            yield Site(path, shared, ("network", "rules", *rule.path), _or(users), rule=rule)
    if training is not None:
        yield from _plain_sites("training", training, ("training",), ALWAYS)
    if augment is not None:
        yield from _augment_sites(AUGMENT, augment, ALWAYS)


def short_paths(names: Collection[str]) -> dict[str, str]:
    """Return the shortest ending of each dotted name that tells it from the others: ``cutout.used``, ``alpha``."""
    found: dict[str, str] = {}
    for name in names:
        parts = name.split(".")
        for size in range(1, len(parts) + 1):
            ending = ".".join(parts[-size:])
            alone = sum(other == ending or other.endswith(f".{ending}") for other in names) == 1
            if (alone and not parts[-size].isdigit()) or size == len(parts):
                found[name] = ending
                break
    return found


def placed_stages(network: Group) -> list[PlacedStage]:
    """Return every stage of a file, in its order, with the places that it may take."""
    found, _ = _stage_sites(STAGES, _stages(network), frozenset({0}), ALWAYS)
    return [entry for entry in found if isinstance(entry, PlacedStage)]


def counts_stages(path: str) -> bool:
    """Whether a path leads into a stage by its number alone, without the name of a branch."""
    parts = path.split(".")
    return path.startswith(f"{STAGES}.") and len(parts) > 3 and parts[2].isdigit() and parts[3] in STAGE.fields


def _stages(network: Group) -> Tree:
    stages = network.get("stages")
    assert stages is not None
    return stages


def _plain_sites(path: str, tree: Tree, keys: tuple[str, ...], when: When) -> Iterator[Site]:
    """Walk a part of a space without stages; the branches of a choice share its place."""
    match tree:
        case Group(children):
            for name, child in children:
                yield from _plain_sites(f"{path}.{name}", child, (*keys, name), when)
        case Variant(pick, branches):
            yield Site(path, pick, (*keys, "kind"), when)
            for name, branch in branches:
                yield from _plain_sites(f"{path}.{name}", branch, keys, _taken(path, pick, name, when))
        case Items():
            raise AssertionError("only stages are numbered")
        case leaf:
            yield Site(path, leaf, keys, when)


def _augment_sites(path: str, tree: Tree, when: When) -> Iterator[Site]:
    """Walk a list of augmentations, or a choice of lists; options are drawn where their augmentation is used."""
    match tree:
        case Variant(pick, branches):
            yield Site(path, pick, (), when)
            for name, branch in branches:
                yield from _augment_sites(f"{path}.{name}", branch, _taken(path, pick, name, when))
        case Group(children):
            for word, own in children:
                place, is_used = f"{path}.{word}", when
                assert isinstance(own, Group)
                for name, leaf in own.children:
                    assert not isinstance(leaf, Group | Items | Variant)
                    yield Site(f"{place}.{name}", leaf, ("augment", word, name), is_used)
                    if name == USED:
                        assert isinstance(leaf, Constant | Choice | Tied)
                        is_used = _taken(f"{place}.{USED}", leaf, True, when)


def _stage_sites(
    path: str, tree: Tree, starts: frozenset[int], when: When
) -> tuple[list[Site | PlacedStage], frozenset[int]]:
    """Walk a stage, a list or a choice that begins at one of ``starts``; return also where what follows begins."""
    match tree:
        case Group():
            return [PlacedStage(path, tree, starts, when)], frozenset(start + 1 for start in starts)
        case Items(children):
            found: list[Site | PlacedStage] = []
            for index, child in enumerate(children):
                inner, starts = _stage_sites(f"{path}.{index}", child, starts, when)
                found += inner
            return found, starts
        case Variant(pick, branches):
            found, ends = [Site(path, pick, (), when)], frozenset[int]()
            for name, branch in branches:
                inner, after = _stage_sites(f"{path}.{name}", branch, starts, _taken(path, pick, name, when))
                found, ends = [*found, *inner], ends | after
            return found, ends
        case _:
            return [], starts


def _own_sites(stage: PlacedStage) -> Iterator[Site]:
    """Yield a stage's shape, then the rules that it names itself."""
    for name, child in stage.group.children:
        if name in SHAPE and not isinstance(child, Group | Items | Variant):
            yield Site(f"{stage.path}.{name}", child, (name,), stage.when, stage)
    for rule in rule_paths():
        own = stage.group.leaf(rule.path)
        if own is not None:
            path = ".".join((stage.path, *rule.path))
            yield Site(path, own, rule.path, stage.when_it_has(rule), stage, rule)


def _parameter(path: str, leaf: Leaf) -> str:
    return leaf.name if isinstance(leaf, Tied) else path


def _taken(path: str, pick: Constant | Choice | Tied, name: Scalar, when: When) -> When:
    """When the branch of a choice is taken."""
    if isinstance(pick, Constant):
        return when if pick.value == name else NEVER
    return _and(when, Requirement(_parameter(path, pick), frozenset({name})))


def _and(when: When, test: Requirement) -> When:
    return tuple((*tests, test) for tests in when)


def _or(alternatives: list[When]) -> When:
    every = dict.fromkeys(tests for when in alternatives for tests in when)
    return ALWAYS if () in every else tuple(every)
