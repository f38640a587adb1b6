"""One leaf of a space file: a constant, arithmetic, or a domain with its prior, confidence and tie."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from qpsearch import vocabulary
from qpsearch.errors import nearest
from qpsearch.registry.metrics import Metric, in_order
from qpsearch.space.domains import Choice, Domain, FloatRange, IntRange, LogIntRange, LogRange, Prior
from qpsearch.space.expressions.nodes import FUNCTIONS, RESERVED, ExpressionError
from qpsearch.space.expressions.parser import parse_expression
from qpsearch.space.file.document import Entry, MappingNode, Node, ScalarNode, SequenceNode, Where
from qpsearch.space.file.problems import Problems, kind_of
from qpsearch.space.leaves import Constant, Derived, Leaf, Tied
from qpsearch.space.schema.fields import LeafField, ListField, SeedsField
from qpsearch.space.schema.value_types import (
    NAMES,
    Integer,
    MetricWord,
    Number,
    OneOf,
    Optional,
    OrLeftOut,
    ValueType,
)
from qpsearch.vocabulary import Confidence, Scalar

DOMAINS: Final = ("choice", "int", "log_int", "float", "log")
STEPPED: Final = ("int", "float")
HUGE: Final = 1e300  # no float can hold a whole number of 400 digits
BESIDE: Final = ("prior", "confidence", "tie")
_ENUMS = (type_ for type_ in vars(vocabulary).values() if isinstance(type_, type) and issubclass(type_, StrEnum))
TAKEN: Final = {*FUNCTIONS, *RESERVED, "true", "false", "none", *(str(word) for type_ in _ENUMS for word in type_)}
IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARITHMETIC = re.compile(r"[A-Za-z]\.|[-+*/%(]")  # a path, or a sign


class LeafReader:
    """Reads leaves, and remembers which are tied and which are computed, for checks that need the whole file."""

    def __init__(self, problems: Problems, root: Node) -> None:
        self._problems = problems
        self._tie_domains = _first_domains(root)
        self.ties: list[tuple[Where, str, Tied]] = []
        self.derived: list[tuple[Where, str, Derived]] = []

    def leaf(self, node: Node, field: LeafField, name: str, path: str) -> Leaf:
        """Read a leaf; one that cannot be read is noted as a problem and becomes ``Constant(None)``."""
        match node:
            case ScalarNode(value, where):
                if not field.fixed and isinstance(value, str) and _is_arithmetic(value, field.type):
                    return self._arithmetic(value, field.type, where, path)
                return self.constant(node, field.type, name, path)
            case SequenceNode(items, where):
                hint = "a list cannot stand here." if field.fixed else f"a list is not a domain; {_spelled_out(items)}."
                self._problems.wrong(where, path, f"{hint} Expected {field.type.expected}.")
            case MappingNode(_, where) if field.fixed:
                given = (
                    "cannot be searched" if set(DOMAINS) & set(node.keys()) else f"takes one value, got {kind_of(node)}"
                )
                self._problems.wrong(where, path, f"{given}. Expected {field.type.expected}.")
            case MappingNode():
                return self._domain(node, field.type, name, path)
        return Constant(None)

    def constant(self, node: ScalarNode, type_: ValueType, name: str, path: str) -> Constant:
        """Read a fixed value."""
        value, where = _given(node, type_), node.where
        if value is None and (not isinstance(type_, Optional) or type_.is_value):
            self._problems.wrong(where, path, f"has no value. Expected {type_.expected}.")
            return Constant(None)
        try:
            return Constant(type_.parse(value, name))
        except ValueError as error:
            self._problems.wrong(where, path, str(error))
            return Constant(None)

    def listed(self, node: Node, field: ListField, name: str, path: str) -> Constant:
        """Read a list; the order of metrics does not matter, that of names does."""
        if isinstance(node, ScalarNode) and field.single:
            node = SequenceNode((node,) if node.value not in (None, "none") else (), node.where)
        if not isinstance(node, SequenceNode):
            example = f" such as [{', '.join(field.type.words)}]" if isinstance(field.type, MetricWord) else ""
            self._problems.wrong(node.where, path, f"expected a list{example}, got {kind_of(node)}.")
            return Constant(())
        values = self._values(node, field.type, name, path) or []
        if len(set(values)) != len(values):
            self._problems.wrong(node.where, path, "lists a value more than once.")
        if isinstance(field.type, MetricWord):
            return Constant(in_order(Metric(str(value)) for value in values))
        return Constant(tuple(values))

    def seeds(self, node: Node, field: SeedsField, name: str, path: str) -> Constant:
        """Read how many seeds a trial trains, at least and at most."""
        if isinstance(node, ScalarNode):
            value: Any = self.constant(node, field.type, name, path).value
            return Constant((value, value))
        given = node.get("race") if isinstance(node, MappingNode) and len(node.entries) == 1 else None
        if given is None:
            expected = f"{field.type.expected}, or {{race: [1, 5]}}"
            self._problems.wrong(node.where, path, f"expected {expected}, got {kind_of(node)}.")
            return Constant((1, 1))
        values = self._values(given, field.type, name, f"{path}.race") if isinstance(given, SequenceNode) else []
        if values is not None and (len(values) != 2 or int(values[0]) >= int(values[1])):  # type: ignore[arg-type]  # whole
            text = "expected the seeds of a trial at least, and a larger number of seeds at most, such as [1, 5]."
            self._problems.wrong(given.where, f"{path}.race", text)
        return Constant(tuple(values or (1, 1)))

    def pick(self, node: MappingNode, options: tuple[str, ...], path: str) -> Constant | Choice | Tied:
        """Read prior and tie beside the branches of a choice, and return the choice of the branches' names."""
        try:
            choice = Choice(options=options, prior=self._prior(node, lambda given: given.text, path))
        except ValueError as error:
            self._problems.wrong(node.where, path, f"{error}.")
            return Constant(None)
        return self._tied(node, choice, path) or choice

    def allowed(self, node: MappingNode, path: str, *words: str) -> None:
        """Note the unknown keys of a domain."""
        known = sorted({*words, *BESIDE})
        for entry in node.entries:
            if entry.key not in known:
                beside = f" beside {words[0]!r}" if words else ""
                self._problems.wrong(
                    entry.where, path, f"unknown key {entry.key!r}{beside}. {nearest(entry.key, known)}"
                )

    def _arithmetic(self, text: str, type_: ValueType, where: Where, path: str) -> Leaf:
        try:
            derived = Derived(parse_expression(text), type_)
        except ExpressionError as error:
            self._problems.wrong(where, path, f"{text!r} is not arithmetic: {error}. Expected {type_.expected}.")
            return Constant(None)
        self.derived.append((where, path, derived))
        return derived

    def _domain(self, node: MappingNode, type_: ValueType, name: str, path: str) -> Leaf:
        named = [entry for entry in node.entries if entry.key in DOMAINS]
        tie = node.get("tie")
        if not named and isinstance(tie, ScalarNode) and tie.text in self._tie_domains:
            for entry in node.entries:
                if entry.key != "tie":
                    text = f"put {entry.key!r} on the leaf that defines the tie, not here."
                    self._problems.wrong(entry.where, path, text)
            shared = self._domain(self._tie_domains[tie.text], type_, name, path)
            if isinstance(shared, Tied):
                self.ties[-1] = (tie.where, path, shared)
            return shared
        if len(named) != 1:
            self._no_domain(node, named, tie, path)
            return Constant(None)
        entry = named[0]
        if entry.key.startswith("log") and node.get("step") is not None:
            fix = "Leave the step out, or list the values: {choice: [...]}."
            self._problems.wrong(entry.where, path, f"{{{entry.key}: ...}} is not drawn in steps. {fix}")
            return Constant(None)
        self.allowed(node, path, entry.key, *(["step"] if entry.key in STEPPED else []))
        domain = self._range_or_choice(node, entry, type_, name, path)
        if domain is None:
            return Constant(None)
        return self._tied(node, domain, path) or domain

    def _no_domain(self, node: MappingNode, named: list[Entry], tie: Node | None, path: str) -> None:
        if tie is not None:
            known = [word for word in self._tie_domains if word]
            name = tie.text if isinstance(tie, ScalarNode) else ""
            hint = nearest(name, known) if known else "Write the domain beside the tie."
            self._problems.wrong(tie.where, path, f"no leaf defines the domain of tie {name!r}. {hint}")
            return
        first = node.entries[0].key if node.entries else ""
        hint = nearest(first, list(DOMAINS)) if not named else "Write one of them only."
        self._problems.wrong(
            node.where,
            path,
            "a domain is {choice: [...]}, {int: [low, high]}, {log_int: ...}, {float: ...} or {log: ...}. " + hint,
        )

    def _range_or_choice(
        self, node: MappingNode, entry: Entry, type_: ValueType, name: str, path: str
    ) -> Domain | None:
        if not isinstance(entry.node, SequenceNode):
            form = "a list of options" if entry.key == "choice" else "[low, high]"
            self._problems.wrong(entry.node.where, path, f"{entry.key} takes {form}, got {kind_of(entry.node)}.")
            return None
        if entry.key != "choice" and not isinstance(_numeric(type_), Integer | Number):
            self._problems.wrong(
                entry.where,
                path,
                f"{{{entry.key}: ...}} draws numbers. Expected {type_.expected}: use {{choice: [...]}}.",
            )
            return None
        before = len(self._problems)
        values = self._values(entry.node, type_, name, path)

        def read(given: ScalarNode) -> Scalar:
            return self.constant(given, type_, name, path).value  # type: ignore[return-value]  # one scalar

        prior = self._prior(node, read, path)
        if values is None or len(self._problems) > before:
            return None
        try:
            return _build(entry.key, values, node.get("step"), type_, prior)
        except ValueError as error:
            self._problems.wrong(entry.where, path, f"{error}.")
            return None

    def _values(self, node: SequenceNode, type_: ValueType, name: str, path: str) -> list[Scalar] | None:
        before = len(self._problems)
        values: list[Scalar] = []
        for item in node.items:
            if isinstance(item, ScalarNode):
                constant = self.constant(item, type_, name, path)
                values.append(constant.value)  # type: ignore[arg-type]  # an item's type_ gives one scalar, not a tuple
            else:
                self._problems.wrong(item.where, path, f"expected {type_.expected}, got {kind_of(item)}.")
        return values if len(self._problems) == before else None

    def _prior(self, node: MappingNode, read: Callable[[ScalarNode], Scalar], path: str) -> Prior | None:
        prior, confidence = node.get("prior"), node.get("confidence")
        if prior is None:
            if confidence is not None:
                self._problems.wrong(confidence.where, path, "confidence needs a prior. Add prior: VALUE.")
            return None
        if not isinstance(prior, ScalarNode):
            self._problems.wrong(prior.where, path, f"prior takes one value, got {kind_of(prior)}.")
            return None
        word = Confidence.MEDIUM.value
        if confidence is not None:
            kind = kind_of(confidence)
            given = confidence if isinstance(confidence, ScalarNode) else ScalarNode(kind, confidence.where, kind)
            word = str(self.constant(given, OneOf(Confidence), "confidence", path).value or word)
        return Prior(read(prior), Confidence(word))

    def _tied(self, node: MappingNode, domain: Domain, path: str) -> Tied | None:
        tie = node.get("tie")
        if tie is None:
            return None
        if not isinstance(tie, ScalarNode) or not IDENTIFIER.fullmatch(tie.text):
            self._problems.wrong(tie.where, path, "tie must be a name of letters, digits and '_'.")
            return None
        if tie.text in TAKEN:
            self._problems.wrong(
                tie.where, path, f"{tie.text!r} already has a meaning in conditions. Choose another name."
            )
            return None
        tied = Tied(tie.text, domain)
        self.ties.append((tie.where, path, tied))
        return tied


def _build(word: str, values: list[Scalar], step: Node | None, type_: ValueType, prior: Prior | None) -> Domain:
    if word == "choice":
        return Choice(options=tuple(values), prior=prior)
    numeric = _numeric(type_)
    if len(values) != 2 or None in values:
        raise ValueError(f"{word} takes [low, high], got {len(values)} values")
    low, high = values
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if word in ("int", "log_int"):
        if not isinstance(numeric, Integer) and not (float(low).is_integer() and float(high).is_integer()):
            raise ValueError(f"{word} takes whole numbers; use {'float or log' if word == 'int' else 'log'}")
        guess = None if prior is None else Prior(_as_whole(prior.value), prior.confidence)
        if word == "log_int":
            return LogIntRange(low=int(low), high=int(high), prior=guess)
        return IntRange(low=int(low), high=int(high), step=_whole_step(step), prior=guess)
    if isinstance(numeric, Integer):
        fix = "int" if word == "float" else "log_int"
        raise ValueError(f"this takes whole numbers, so {{{word}: ...}} cannot draw it; use {{{fix}: [low, high]}}")
    if word == "log":
        return LogRange(low=float(low), high=float(high), prior=prior)
    return FloatRange(low=float(low), high=float(high), step=_step(step), prior=prior)


def _whole_step(step: Node | None) -> int:
    size = 1 if step is None else step.value if isinstance(step, ScalarNode) else kind_of(step)
    if isinstance(size, bool) or not isinstance(size, int):
        raise ValueError(f"step must be a whole number, got {size!r}")
    return size


def _step(step: Node | None) -> float | None:
    if step is None:
        return None
    size = step.value if isinstance(step, ScalarNode) else kind_of(step)
    if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size < HUGE:
        raise ValueError(f"step must be a number above 0, got {size!r}")
    return float(size)


def _as_whole(value: Scalar) -> Scalar:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _first_domains(node: Node) -> dict[str, MappingNode]:
    """Return, for each name of a tie, the first mapping of a document that gives it a domain."""
    found: dict[str, MappingNode] = {}
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, MappingNode):
            tie = top.get("tie")
            if isinstance(tie, ScalarNode) and any(top.get(word) is not None for word in DOMAINS):
                found.setdefault(tie.text, top)
            stack += reversed([entry.node for entry in top.entries])
        elif isinstance(top, SequenceNode):
            stack += reversed(top.items)
    return found


def _given(node: ScalarNode, type_: ValueType) -> Scalar:
    """Return what a type reads of a scalar: of a name the spelling, since 1.10 and null may be names too."""
    if isinstance(_numeric(type_), NAMES) and not (isinstance(type_, Optional) and node.value is None):
        return node.text or node.value
    return node.value


def _is_arithmetic(text: str, type_: ValueType) -> bool:
    """Whether a text where a number belongs is meant as arithmetic, not as a word or a misspelt number."""
    return isinstance(_numeric(type_), Integer | Number) and _ARITHMETIC.search(text) is not None


def _numeric(type_: ValueType) -> ValueType:
    """Return the type that a range draws from: that of the number in "'none' or a number"."""
    return type_.type if isinstance(type_, Optional | OrLeftOut) else type_


def _spelled_out(items: tuple[Node, ...]) -> str:
    """Say which domains a bare list may stand for: one of its values or, of two numbers, what lies between them."""
    values = tuple(item.value for item in items if isinstance(item, ScalarNode))
    if not values or len(values) < len(items):
        return "write {choice: [...]} to draw one of its values"
    shown = str(Constant(values))
    draw_one = f"write {{choice: {shown}}} to draw one of them"
    if len(values) != 2 or not all(isinstance(value, int | float) for value in values):
        return draw_one
    low, high = (float(value) for value in values if value is not None)
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
    wide = low > 0 and high >= 5 * low
    word = "int" if whole else "log" if wide else "float"
    return f"{draw_one}, or {{{word}: {shown}}} to draw between them"
