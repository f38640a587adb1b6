"""Checks that need the whole file: ties, arithmetic, conditions, settings that nothing uses."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any

from qpsearch.registry.metrics import Metric
from qpsearch.space.constraints import Condition, bind, check_condition, check_number, known_paths, moving_places
from qpsearch.space.counting import continuous_leaves, count_points
from qpsearch.space.expressions.nodes import (
    Absent,
    Binary,
    Expression,
    ExpressionError,
    Listed,
    Literal,
    Name,
    Value,
    compute,
    names,
    unparse,
)
from qpsearch.space.expressions.parser import parse_expression
from qpsearch.space.file.document import MappingNode, Node, ScalarNode, SequenceNode, Where
from qpsearch.space.file.leaf_reader import LeafReader
from qpsearch.space.file.problems import MOST, Problems, kind_of
from qpsearch.space.leaves import (
    STAGES,
    Constant,
    Derived,
    Group,
    PlacedStage,
    Site,
    Tree,
    counts_stages,
    placed_stages,
)
from qpsearch.space.schema.fields import LeafField
from qpsearch.space.schema.network import rule_paths
from qpsearch.space.schema.settings import field_at
from qpsearch.space.search import DEFAULT_OBJECTIVE, Objective
from qpsearch.vocabulary import Direction

MOST_GRID_POINTS = 20_000
MOST_KEYS = 200  # of a condition: the tree of the whole condition is as deep as it has keys


class Checks:
    """A file that was read leaf by leaf, checked as a whole."""

    def __init__(
        self, problems: Problems, root: Node, network: Group, every: Sequence[Site], leaves: LeafReader
    ) -> None:
        """Take the parts of a file.

        Args:
            problems: Notes what is wrong.
            root: The document.
            network: The leaves of the network.
            every: All leaves, in the order of drawing.
            leaves: Has read them.
        """
        self._problems, self._root, self._leaves = problems, root, leaves
        self._every = every
        self._paths = known_paths(network, every)
        self._stages: list[PlacedStage] = placed_stages(network)
        self._moving = moving_places(self._stages)

    def objectives(self, named: dict[Direction, tuple[str, ...]]) -> tuple[Objective, ...]:
        """Return what is optimised, the metrics of training first."""
        where = where_is(self._root, "search", "objective")
        found = [Objective(metric=Metric(word), direction=way) for way, words in named.items() for word in words]
        for objective in found:
            if objective.direction is not objective.metric.direction:
                fix = f"write {{{objective.metric.direction}: {objective.metric}}}."
                self._problems.wrong(
                    where, "search.objective", f"cannot {objective.direction} {objective.metric}: {fix}"
                )
        trained = [objective for objective in found if not objective.metric.is_cost]
        if found and not trained:
            self._problems.wrong(
                where,
                "search.objective",
                "has only costs, which are known without training. Add maximize: val_accuracy.",
            )
        return (*(trained or [DEFAULT_OBJECTIVE]), *(objective for objective in found if objective.metric.is_cost))

    def grid_points(self) -> int:
        """Return how many points a grid has; a continuous space, or one with too many points, is a problem."""
        count = count_points(self._every)
        where = where_is(self._root, "search", "sampler")
        if math.isinf(count):
            endless = ", ".join(continuous_leaves(self._every))
            self._problems.wrong(
                where,
                "search.sampler",
                f"a grid needs finitely many values, but these are continuous: {endless}. Use choice, int, "
                "or a float with a step.",
            )
            return 1
        if count > MOST_GRID_POINTS:
            self._problems.wrong(
                where, "search.sampler", f"the grid has {count:,.0f} points; at most {MOST_GRID_POINTS:,} are allowed."
            )
        return int(count)

    def conditions(self, word: str) -> Iterator[Condition]:
        """Yield the conditions of ``forbid`` or ``require``."""
        search = self._root.get("search") if isinstance(self._root, MappingNode) else None
        given = search.get(word) if isinstance(search, MappingNode) else None
        if given is None or (isinstance(given, ScalarNode) and given.value in (None, "none")):
            return
        if not isinstance(given, SequenceNode):
            self._problems.wrong(given.where, f"search.{word}", f"expected a list of conditions, got {kind_of(given)}.")
            return
        for index, item in enumerate(given.items):
            path = f"search.{word}.{index}"
            try:
                expression = self._condition(item)
                if self._is_hidden(expression):
                    continue
                yield Condition(check_condition(self._bound(expression), self._paths), forbids=word == "forbid")
            except ExpressionError as error:
                self._problems.wrong(item.where, path, f"{str(error).rstrip('.')}.")

    def check_parts(self, source: str | None) -> None:
        """Note what is wrong among the leaves that could be read.

        Args:
            source: The file that the user wrote, in which an unused setting is a mistake; None skips that check.
        """
        self._check_ties()
        self._check_arithmetic()
        if self._stages and source is not None:
            self._check_reach(source)

    def used(self, network: Group) -> Group:
        """Return the network without the domains of rules that no stage can use; they may come from a base."""
        rules = network.get("rules")
        assert isinstance(rules, Group)
        return network.with_child("rules", _without(rules, self._unused(), ()))

    def without_unused(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the plain document without the rules that no stage can use."""
        rules = document["network"].get("rules")
        for first, *rest in self._unused() if rules else ():
            place = rules.get(first) if rest else rules
            if isinstance(place, dict):
                place.pop(rest[0] if rest else first, None)
            if rest and place == {}:
                del rules[first]
        return document

    def _unused(self) -> set[tuple[str, ...]]:
        return {rule.path for rule in rule_paths() if not any(stage.needs_shared(rule) for stage in self._stages)}

    def _condition(self, item: Node) -> Expression:
        """Read a text, or a mapping of paths to a value or a list of values."""
        match item:
            case ScalarNode(str(text)):
                return parse_expression(text)
            case MappingNode(entries) if len(entries) > MOST_KEYS:
                raise ExpressionError(f"has {len(entries)} keys. Expected at most {MOST_KEYS}")
            case MappingNode(entries) if entries:
                parts = [
                    self._equation(entry.key, entry.node) for entry in sorted(entries, key=lambda entry: entry.key)
                ]
                whole = parts[0]
                for part in parts[1:]:
                    whole = Binary("and", whole, part)
                return whole
        raise ExpressionError(f"expected a condition such as 'parameters < 2M' or {{PATH: VALUE}}, got {kind_of(item)}")

    def _equation(self, path: str, node: Node) -> Expression:
        if path not in self._paths:
            bind(Name(path if "." in path else f"{path}."), self._paths)  # answers with the nearest path
        match node:
            case ScalarNode():
                return Binary("==", Name(path), self._literal(path, node))
            case SequenceNode(items) if all(isinstance(item, ScalarNode) for item in items) and items:
                values = [self._literal(path, item) for item in items if isinstance(item, ScalarNode)]
                return Binary("in", Name(path), Listed(tuple(values)))
        raise ExpressionError(f"{path}: expected a value or a list of values, got {kind_of(node)}")

    def _literal(self, path: str, node: ScalarNode) -> Literal:
        """Return the spelling of a scalar where that is a word of the path's leaf, else its value."""
        if any(node.text in (leaf.options or ()) for leaf in self._paths.get(path, ())):
            return Literal(node.text)
        return Literal(None if node.value == "none" else node.value)

    def _check_ties(self) -> None:
        ties = self._leaves.ties
        firsts = {tied.name: (where, tied) for where, _, tied in reversed(ties)}
        users = Counter(tied.name for _, _, tied in ties)
        for where, path, tied in ties:
            first_where, first = firsts[tied.name]
            if tied.domain != first.domain:
                self._problems.wrong(
                    where,
                    path,
                    f"tie {tied.name!r} has the domain {first.domain} in line {first_where.line}, and {tied.domain} "
                    "here. Tied leaves share one domain.",
                )
            if users[tied.name] == 1:
                close = get_close_matches(tied.name, users.keys() - {tied.name}, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else "Tie a second leaf, or remove the tie."
                self._problems.wrong(where, path, f"tie {tied.name!r} joins nothing: no other leaf uses it. {hint}")

    def _check_arithmetic(self) -> None:
        circles = self._circles()
        for where, path, derived in self._leaves.derived:
            try:
                if self._is_hidden(derived.expression):
                    continue
                bound = self._bound(derived.expression)
                check_number(bound, self._paths)
                for name in names(bound):
                    if name.path not in self._paths:
                        raise ExpressionError(f"{name.path} is not known before the network is built")
                if path in circles:
                    raise ExpressionError(f"refers to {circles[path]}, which is itself computed from {path}")
                self._check_constant(derived)
            except ExpressionError as error:
                self._problems.wrong(where, path, f"{str(error).rstrip('.')}.")

    def _bound(self, expression: Expression) -> Expression:
        """Tell names from words; refuse an index that means different stages in different draws."""
        for name in names(expression):
            place = name.path.removeprefix(f"{STAGES}.").partition(".")[0]
            if counts_stages(name.path) and int(place) in self._moving:
                raise ExpressionError(
                    f"index {place} of {name.path} is ambiguous: an earlier stage is optional, or a choice of several "
                    "stages. Give the leaf a tie, and write the tie's name instead"
                )
        return bind(expression, self._paths)

    def _is_hidden(self, expression: Expression) -> bool:
        """Whether an expression names a leaf that could not be read, so that its problem was noted already."""
        return any(self._problems.hides(name.path) for name in names(expression))

    def _check_constant(self, derived: Derived) -> None:
        """Compute an expression whose value is the same in every draw, so that a bad value is found at once."""

        def look_up(path: str) -> Value:
            known = self._paths[path]
            if len(known) == 1 and isinstance(known[0], Constant):
                return known[0].value
            raise Absent(path)

        value = compute(derived.expression, look_up)
        if value is not None:
            try:
                derived.checked(value)  # type: ignore[arg-type]  # arithmetic gives one number
            except ValueError as error:
                raise ExpressionError(f"{unparse(derived.expression)}: {error}") from None

    def _circles(self) -> dict[str, str]:
        """Return one constant of each circle, by its path, with the path of the next one that it is computed from."""
        places = {id(derived): path for _, path, derived in self._leaves.derived}
        needed: dict[str, list[str]] = {
            path: [
                places[id(leaf)]
                for name in names(derived.expression)
                for leaf in self._paths.get(name.path, ())
                if id(leaf) in places
            ]
            for _, path, derived in self._leaves.derived
        }
        order = {path: index for index, path in enumerate(needed)}
        found: dict[str, str] = {}
        while len(found) < MOST:
            try:
                TopologicalSorter(needed).prepare()
                break
            except CycleError as error:
                (*circle, _) = error.args[1]  # each is needed by the next
                first = min(range(len(circle)), key=lambda place: order[circle[place]])
                found[circle[first]] = circle[first - 1]
                needed[circle[first]] = []
        return found

    def _check_reach(self, source: str) -> None:
        """Note rules that no stage can use; a rule that a base sets is not a mistake of the file that extends it."""
        for rule in rule_paths():
            given = _at(self._root, "network", "rules", *rule.path)
            users = [stage for stage in self._stages if stage.may_have(rule)]
            if given is not None and given.source == source:
                path = ".".join(("network.rules", *rule.path))
                if not users:
                    self._problems.wrong(
                        given, path, f"no stage can be {rule.owners}, so this setting has no effect. Remove it."
                    )
                elif all(stage.group.leaf(rule.path) is not None for stage in users):
                    self._problems.wrong(
                        given, path, "every stage sets its own value, so this one has no effect. Remove it."
                    )
            for stage in self._stages:
                own = stage.group.leaf(rule.path)
                if own is not None and not stage.may_have(rule):
                    where = where_is(self._root, *stage.path.split("."), *rule.path)
                    path = ".".join((stage.path, *rule.path))
                    self._problems.wrong(
                        where, path, f"this stage cannot be {rule.owners}, so this setting has no effect. Remove it."
                    )


def _without(group: Group, unused: set[tuple[str, ...]], path: tuple[str, ...]) -> Group:
    """Replace each leaf at an unused path by its default."""
    children: list[tuple[str, Tree]] = []
    for name, child in group.children:
        here = (*path, name)
        if isinstance(child, Group):
            child = _without(child, unused, here)
        elif here in unused and not isinstance(child, Constant):
            field = field_at(".".join(("network.rules", *here)))
            assert isinstance(field, LeafField)
            child = Constant(field.type.parse(field.default, name))  # type: ignore[arg-type]  # the schema's own scalar
        children.append((name, child))
    return Group(tuple(children))


def where_is(node: Node, *path: str) -> Where:
    """Return the place of a path, or of its nearest ancestor that the file has."""
    for name in path:
        child = _inside(node, name)
        if child is None:
            break
        node = child
    return node.where


def _at(node: Node, *path: str) -> Where | None:
    for name in path:
        child = _inside(node, name)
        if child is None:
            return None
        node = child
    return node.where


def _inside(node: Node, name: str) -> Node | None:
    match node:
        case SequenceNode(items) if name.isdigit() and int(name) < len(items):
            return items[int(name)]
        case MappingNode() if "choice" in node and node.get(name) is None:
            inner = node.get("choice")
            return _inside(inner, name) if isinstance(inner, MappingNode) else None
        case MappingNode():
            return node.get(name)
    return None
