"""What a drawn point must satisfy: ``forbid``, ``require`` and ``limits`` of a space file."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from qpsearch.errors import nearest
from qpsearch.registry.metrics import METRICS, Metric
from qpsearch.registry.metrics.base import ValuesFrom
from qpsearch.space.expressions.nodes import (
    COMPARISONS,
    Absent,
    Binary,
    Call,
    Expression,
    ExpressionError,
    Listed,
    Literal,
    Name,
    Unary,
    Value,
    compute,
    names,
    unparse,
)
from qpsearch.space.leaves import (
    NEVER,
    STAGES,
    Constant,
    Derived,
    Group,
    Leaf,
    PlacedStage,
    Site,
    Tied,
    counts_stages,
    placed_stages,
)
from qpsearch.space.schema.value_types import shown
from qpsearch.vocabulary import Scalar

Paths = Mapping[str, list[Leaf]]
NO_PARAMETER: Final = "refers to no parameter of this space: the condition is always true or always false"
MOST_COMPARED: Final = 5000  # paths; a file may have a hundred thousand
MOST_PARTS: Final = 50  # no path has more
COSTS = tuple(name for name, kind in METRICS.items() if kind.source is ValuesFrom.NETWORK)


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds on a cost of the network, both included."""

    metric: Metric
    low: float
    high: float

    @classmethod
    def parse(cls, metric: Metric, text: str) -> "Limit":
        """Read what ``value_types.Bounds`` wrote."""
        bounds = dict(re.findall(r"(<=|>=) (\S+)", text))
        return cls(metric, float(bounds.get(">=", -math.inf)), float(bounds.get("<=", math.inf)))

    def broken_by(self, value: float) -> str | None:
        """Return the bound that a value breaks, None where both hold."""
        if value < self.low:
            return f">= {self.low:,.0f}"
        return f"<= {self.high:,.0f}" if value > self.high else None

    def __str__(self) -> str:
        bounds = [f">= {self.low:,.0f}"] * (self.low > -math.inf) + [f"<= {self.high:,.0f}"] * (self.high < math.inf)
        return " and ".join(bounds)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on resolved values that must not hold (``forbid``), or must (``require``).

    A condition on a parameter that the draw does not have is ignored.
    """

    expression: Expression
    forbids: bool

    def allows(self, lookup: Callable[[str], Value]) -> bool:
        """Whether the condition allows a point.

        Raises:
            ExpressionError: The condition cannot be computed at this point.
        """
        value = compute(self.expression, lookup)
        return value is None or value is not self.forbids

    def __str__(self) -> str:
        return f"{'forbid' if self.forbids else 'require'} {unparse(self.expression)}"


def lookup_in(facts: Mapping[str, Value], costs: Callable[[str], float]) -> Callable[[str], Value]:
    """Return a lookup of resolved values and costs; a cost is computed only where it is asked for."""

    def lookup(path: str) -> Value:
        if path in COSTS:
            return costs(path)
        if path not in facts:
            raise Absent(path)
        return facts[path]

    return lookup


def moving_places(stages: list[PlacedStage]) -> frozenset[int]:
    """Return the places in a network that different stages of the file take in different draws.

    Such places do not have a path: the meaning of ``network.stages.1.width`` would depend on the draw.
    """
    items: dict[int, set[str]] = defaultdict(set)
    for stage in stages:
        item = stage.path.removeprefix(f"{STAGES}.").partition(".")[0]
        for place in stage.places:
            items[place].add(item if item.isdigit() else "")
    return frozenset(place for place, own in items.items() if len(own) > 1)


def known_paths(network: Group, every: Iterable[Site]) -> dict[str, list[Leaf]]:
    """Return every path that conditions can name (each exists in some draw), with the leaves it may come from."""
    found: dict[str, list[Leaf]] = defaultdict(list)
    stages = placed_stages(network)
    moving = moving_places(stages)
    for site in every:
        if isinstance(site.leaf, Tied):
            found[site.leaf.name] = [site.leaf]
        if site.when != NEVER and not counts_stages(site.path):
            found[site.path].append(site.leaf)
        if site.when == NEVER:
            continue
        owners = [site.stage] if site.stage is not None else []
        if site.rule is not None and site.stage is None:
            owners += [stage for stage in stages if stage.needs_shared(site.rule)]
        for owner in owners:
            for place in owner.places - moving:
                found[".".join((STAGES, str(place), *(site.rule.path if site.rule else site.keys)))].append(site.leaf)
    return dict(found)


def bind(expression: Expression, paths: Paths) -> Expression:
    """Tell names from words: ``quotient`` is a word, ``network.stages.0.block`` a name.

    Raises:
        ExpressionError: A dotted name is not a path in the space.
    """
    match expression:
        case Name(path, column):
            if path in paths or path in COSTS:
                return expression
            if "." in path:
                raise ExpressionError(f"unknown path {path!r}. {_nearest_path(path, paths)}", column)
            return Literal(None if path == "none" else path)
        case Binary(sign, left, right):
            return Binary(sign, bind(left, paths), bind(right, paths))
        case Unary(sign, operand):
            return Unary(sign, bind(operand, paths))
        case Listed(items):
            return Listed(tuple(bind(item, paths) for item in items))
        case Call(function, arguments):
            return Call(function, tuple(bind(item, paths) for item in arguments))
        case Literal():
            return expression


def check_condition(expression: Expression, paths: Paths) -> Expression:
    """Return a bound condition, its constants in the form in which the leaves hold them.

    Raises:
        ExpressionError: It is not a condition, compares a word by size, or names a value that its leaf never has.
    """
    match expression:
        case Binary("and" | "or" as sign, left, right):
            return Binary(sign, check_condition(left, paths), check_condition(right, paths))
        case Unary("not", operand):
            return Unary("not", check_condition(operand, paths))
        case Binary("==" | "!=" | "in" as sign, Name(path) as left, right) if path in paths:
            return Binary(sign, left, _possible(path, right, paths))
        case Binary("==" | "!=" | "in", left, right) if not list(names(expression)):
            raise ExpressionError(f"{unparse(expression)} {NO_PARAMETER}")
        case Binary("==" | "!=" as sign, left, Name(path) as right) if path in paths:
            return Binary(sign, right, _possible(path, left, paths))
        case Binary("==" | "!=" | "in", left, right):
            check_number(left, paths, COSTS)
            for item in right.items if isinstance(right, Listed) else (right,):
                check_number(item, paths, COSTS)
            return expression
        case Binary(sign, left, right) if sign in COMPARISONS:
            check_number(left, paths, COSTS)
            check_number(right, paths, COSTS)
            if not list(names(expression)):
                raise ExpressionError(f"{unparse(expression)} {NO_PARAMETER}")
            return expression
    raise ExpressionError(f"{unparse(expression)} is not a condition. Compare it with ==, !=, <, <= or in")


def check_number(expression: Expression, paths: Paths, costs: Sequence[str] = ()) -> None:
    """Check that an expression is arithmetic.

    Args:
        expression: With its names bound.
        paths: The paths of the space, with the leaves that they lead to.
        costs: The words of costs that may be named here.

    Raises:
        ExpressionError: It contains a word, a truth value or a comparison.
    """
    match expression:
        case Literal(value):
            if isinstance(value, bool) or not isinstance(value, int | float):
                words = [*(path for path in paths if "." not in path), *costs]
                known = f". {nearest(str(value), words)}" if words else ""
                raise ExpressionError(f"{unparse(expression)!r} is neither a number nor a path in this space{known}")
        case Name(path):
            if path in paths and not any(map(_can_be_number, paths[path])):
                raise ExpressionError(f"{path} is a word, not a number", expression.column)
        case Unary("-", operand):
            check_number(operand, paths, costs)
        case Call(_, arguments):
            for argument in arguments:
                check_number(argument, paths, costs)
        case Binary("+" | "-" | "*" | "/" | "//" | "%" | "**", left, right):
            check_number(left, paths, costs)
            check_number(right, paths, costs)
        case _:
            raise ExpressionError(f"{unparse(expression)} is not a number")


def _possible(path: str, right: Expression, paths: Paths) -> Expression:
    """Return the right side of an equation, each constant in the form in which the leaf holds it."""
    match right:
        case Literal(value):
            return Literal(_fitting(path, value, paths))
        case Listed(items):
            return Listed(tuple(_possible(path, item, paths) for item in items))
        case Name(other) if other in paths:
            if not any(_may_meet(left, own) for left in paths[path] for own in paths[other]):
                raise ExpressionError(f"{path} and {other} have no value in common")
            return right
    check_number(right, paths, COSTS)
    return right


def _fitting(path: str, value: Scalar, paths: Paths) -> Scalar:
    other: Scalar = (
        "none" if value is None else int(value) if isinstance(value, float) and value.is_integer() else value
    )
    for candidate in (value, other):
        if any(_can_be(leaf, candidate) for leaf in paths[path]):
            return candidate
    if isinstance(value, str) and any(_can_be(leaf, number) for leaf in paths[path] for number in _numbers(value)):
        raise ExpressionError(f"{path} is a number, not the text {value!r}. Write {value} without quotes")
    listed = [item for leaf in paths[path] for item in leaf.options or [str(leaf.domain)]]
    known = list(dict.fromkeys("none" if item is None else _word(item) for item in listed))
    raise ExpressionError(f"{path} is never {'none' if value is None else shown(value)}. {nearest(str(value), known)}")


def _may_meet(one: Leaf, other: Leaf) -> bool:
    """Whether two leaves can have the same value; True where their values cannot be listed."""
    listed = one.options
    if listed is not None:
        return any(_can_be(other, value) for value in listed)
    listed = other.options
    return any(_can_be(one, value) for value in listed) if listed is not None else True


def _numbers(text: str) -> list[float]:
    try:
        return [int(text) if float(text).is_integer() else float(text)]
    except (ValueError, OverflowError):
        return []


def _can_be(leaf: Leaf, value: object) -> bool:
    match leaf:
        case Derived():
            return isinstance(value, int | float)
        case Constant(own):
            return own == value and isinstance(own, bool) == isinstance(value, bool)
    domain = leaf.domain
    assert domain is not None
    truths = any(isinstance(option, bool) for option in leaf.options or ())
    return value in domain and isinstance(value, bool) == truths


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _can_be_number(leaf: Leaf) -> bool:
    values = leaf.options
    return values is None or any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _nearest_path(path: str, paths: Paths) -> str:
    """Answer an unknown path: with the nearest one, and with the names at the level where the path goes wrong."""
    question, _, _ = nearest(path, [*paths]).partition("Known:") if len(paths) <= MOST_COMPARED else ("", "", "")
    parts = path.split(".")[:MOST_PARTS]
    while parts and not any(known.startswith(".".join((*parts, ""))) for known in paths):
        parts.pop()
    start = ".".join(parts)
    inside = {known.removeprefix(start).strip(".").split(".")[0] for known in paths if known.startswith(start)} - {""}
    return f"{question}{f'Inside {start}' if start else 'At the top'}: {', '.join(sorted(inside))}"
