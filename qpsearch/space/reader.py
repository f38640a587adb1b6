"""From a YAML document to a tree of leaves: every problem of a file is found and reported together."""

from difflib import get_close_matches

from qpsearch.errors import nearest
from qpsearch.records import Scalar as Value
from qpsearch.space.document import Entry, Mapping, Node, Scalar, Sequence, Where
from qpsearch.space.domains import (
    Choice,
    Constant,
    Domain,
    FloatRange,
    Group,
    IntRange,
    Items,
    LogRange,
    Tree,
    Variant,
)
from qpsearch.space.kinds import Kind, Number, OrWord, Whole
from qpsearch.space.schema import (
    REQUIRED,
    RULES,
    Field,
    LeafField,
    ListField,
    SectionField,
    StagesField,
    VariantField,
)

DOMAINS = ("choice", "int", "float", "log")


class Reader:
    """Walks document and schema side by side and collects problems."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []

    def ordered(self) -> list[str]:
        """Return the problems in the order of the file, each once."""
        return list(dict.fromkeys(text for _, text in sorted(self.problems, key=lambda problem: problem[0])))

    def wrong(self, where: Where, path: str, text: str) -> None:
        """Note a problem."""
        self.problems.append((where.line, f"{where}: {path}: {text}" if path else f"{where}: {text}"))

    def section(self, node: Node, field: SectionField, path: str, *, inherit: bool = False) -> Group:
        """Read a mapping; with ``inherit`` absent leaves stay absent instead of taking their default."""
        if not isinstance(node, Mapping):
            self.wrong(node.where, path, f"expected keys ({', '.join(field.fields)}), got {_kind_of(node)}.")
            return Group(())
        meant = self._unknown_keys(node.entries, list(field.fields), path)
        children = []
        for name, inner in field.fields.items():
            if name in meant:
                continue  # misspelt, which was said already
            child = self._child(node, name, inner, f"{path}.{name}" if path else name, inherit)
            if child is not None:
                children.append((name, child))
        return Group(tuple(children))

    def _unknown_keys(self, entries: tuple[Entry, ...], known: list[str], path: str) -> set[str]:
        """Note the keys that are not known; return those that were probably meant."""
        meant: set[str] = set()
        for entry in entries:
            if entry.key not in known:
                self.wrong(entry.where, path, f"unknown key {entry.key!r}. {nearest(entry.key, known)}")
                meant |= set(get_close_matches(entry.key, known, n=1)) - {other.key for other in entries}
        return meant

    def _child(self, node: Mapping, name: str, field: Field, path: str, inherit: bool) -> Tree | None:
        given = node.get(name)
        if given is not None:
            return self._field(given, field, name, path, inherit)
        if inherit:
            return None
        if isinstance(field, LeafField) and field.default is REQUIRED:
            self.wrong(node.where, path, f"is missing. Expected {field.kind.expected}.")
            return None
        if isinstance(field, StagesField) or (isinstance(field, SectionField) and _demands(field)):
            self.wrong(node.where, path, "is missing.")
            return None
        return self._default(field, name)

    def _field(self, node: Node, field: Field, name: str, path: str, inherit: bool) -> Tree:
        match field:
            case LeafField():
                return self._leaf(node, field, name, path)
            case ListField():
                return self._list(node, field, name, path)
            case SectionField():
                return self.section(node, field, path, inherit=inherit)
            case StagesField():
                return self._stages(node, field, path)
            case VariantField():
                return self._variant(node, field, name, path)

    def _default(self, field: Field, name: str) -> Tree:
        match field:
            case LeafField(kind=kind, default=default):
                return Constant(kind.parse(default, name))  # type: ignore[arg-type]  # the schema's own scalar
            case ListField(default=default):
                return Constant(default)
            case SectionField(fields=fields):
                return Group(tuple((key, self._default(inner, key)) for key, inner in fields.items()))
            case VariantField(default=default, branches=branches):
                branch = self._default(branches[default], default)
                assert isinstance(branch, Group)
                return Variant(Constant(default), ((default, branch),))
            case StagesField():
                raise AssertionError("stages have no default")

    def _leaf(self, node: Node, field: LeafField, name: str, path: str) -> Tree:
        match node:
            case Scalar(value, where):
                return self._constant(value, field.kind, name, where, path)
            case Sequence(_, where):
                hint = "a list is not a domain" if not field.fixed else "a list cannot stand here"
                fix = "; write {choice: [...]} to search it." if not field.fixed else "."
                self.wrong(where, path, f"{hint}{fix} Expected {field.kind.expected}.")
            case Mapping(_, where) if field.fixed:
                self.wrong(where, path, f"cannot be searched. Expected {field.kind.expected}.")
            case Mapping():
                return self._domain(node, field.kind, name, path)
        return Constant(None)

    def _constant(self, value: Value, kind: Kind, name: str, where: Where, path: str) -> Constant:
        if value is None and not isinstance(kind, OrWord):
            self.wrong(where, path, f"has no value. Expected {kind.expected}.")
            return Constant(None)
        try:
            return Constant(kind.parse(value, name))
        except ValueError as error:
            self.wrong(where, path, str(error))
            return Constant(None)

    def _domain(self, node: Mapping, kind: Kind, name: str, path: str) -> Tree:
        named = [entry for entry in node.entries if entry.key in DOMAINS]
        if len(named) != 1:
            first = node.entries[0].key if node.entries else ""
            hint = nearest(first, list(DOMAINS)) if not named else "Name one of them."
            self.wrong(
                node.where,
                path,
                f"a domain is {{choice: [...]}}, {{int: [low, high]}}, {{float: ...}} or {{log: ...}}. {hint}",
            )
            return Constant(None)
        entry = named[0]
        allowed = {entry.key, "step"} if entry.key == "int" else {entry.key}
        for other in node.entries:
            if other.key not in allowed:
                self.wrong(
                    other.where,
                    path,
                    f"unknown key {other.key!r} beside {entry.key!r}. {nearest(other.key, sorted(allowed))}",
                )
        if not isinstance(entry.node, Sequence):
            form = "a list of options" if entry.key == "choice" else "[low, high]"
            self.wrong(entry.node.where, path, f"{entry.key} takes {form}, got {_kind_of(entry.node)}.")
            return Constant(None)
        if entry.key != "choice" and not isinstance(_numeric(kind), Whole | Number):
            self.wrong(
                entry.where,
                path,
                f"{{{entry.key}: ...}} draws numbers. Expected {kind.expected}: use {{choice: [...]}}.",
            )
            return Constant(None)
        values = self._values(entry.node, kind, name, path)
        if values is None:
            return Constant(None)
        try:
            return self._build(entry.key, values, node.get("step"), kind)
        except ValueError as error:
            self.wrong(entry.where, path, f"{error}.")
            return Constant(None)

    def _values(self, node: Sequence, kind: Kind, name: str, path: str) -> list[Value] | None:
        before = len(self.problems)
        values: list[Value] = []
        for item in node.items:
            if isinstance(item, Scalar):
                constant = self._constant(item.value, kind, name, item.where, path)
                values.append(constant.value)  # type: ignore[arg-type]  # an item's kind gives one scalar, no tuple
            else:
                self.wrong(item.where, path, f"expected {kind.expected}, got {_kind_of(item)}.")
        return values if len(self.problems) == before else None

    def _build(self, word: str, values: list[Value], step: Node | None, kind: Kind) -> Domain:
        if word == "choice":
            return Choice(options=tuple(values))
        numeric = _numeric(kind)
        if len(values) != 2 or None in values:
            raise ValueError(f"{word} takes [low, high], got {len(values)} values")
        low, high = values
        assert isinstance(low, int | float)
        assert isinstance(high, int | float)
        if word == "int":
            if not isinstance(numeric, Whole):
                if not (float(low).is_integer() and float(high).is_integer()):
                    raise ValueError("int takes whole numbers; use float or log")
                low, high = int(low), int(high)
            size = step.value if isinstance(step, Scalar) else 1
            if isinstance(size, bool) or not isinstance(size, int):
                raise ValueError(f"step is a whole number, got {size!r}")
            return IntRange(low=int(low), high=int(high), step=size)
        if isinstance(numeric, Whole):
            raise ValueError(f"this takes whole numbers, so {{{word}: ...}} cannot draw it; use {{int: [low, high]}}")
        return (FloatRange if word == "float" else LogRange)(low=float(low), high=float(high))

    def _list(self, node: Node, field: ListField, name: str, path: str) -> Constant:
        if not isinstance(node, Sequence):
            self.wrong(
                node.where, path, f"expected a list such as [{', '.join(_words(field.kind))}], got {_kind_of(node)}."
            )
            return Constant(())
        values = self._values(node, field.kind, name, path) or []
        if len(set(values)) != len(values):
            self.wrong(node.where, path, "names something twice.")
        order = _words(field.kind)
        return Constant(tuple(sorted(values, key=lambda value: order.index(str(value)))))

    def _stages(self, node: Node, field: StagesField, path: str) -> Items:
        if not isinstance(node, Sequence) or not node.items:
            self.wrong(node.where, path, f"expected a list of at least one stage, got {_kind_of(node)}.")
            return Items(())
        if len(node.items) > field.most:
            self.wrong(node.where, path, f"{len(node.items)} stages; at most {field.most} are possible.")
        return Items(tuple(self._stage(item, field, f"{path}.{index}") for index, item in enumerate(node.items)))

    def _stage(self, node: Node, field: StagesField, path: str) -> Group:
        """A stage keeps only the rules that it names; the others come from ``network.rules``."""
        if not isinstance(node, Mapping):
            return self.section(node, field.section, path)
        known = list(field.section.fields)
        meant = self._unknown_keys(node.entries, known, path)
        shape = {name: inner for name, inner in field.section.fields.items() if name not in {*RULES.fields, *meant}}
        own = self.section(_only(node, set(shape)), SectionField(fields=shape), path)
        rules = self.section(_only(node, set(RULES.fields)), RULES, path, inherit=True)
        return Group(own.children + rules.children)

    def _variant(self, node: Node, field: VariantField, name: str, path: str) -> Variant:
        if isinstance(node, Mapping) and node.keys() == ["choice"]:
            return self._searched_variant(node.entries[0].node, field, name, path)
        picked = self._branch(node, field, name, path)
        return Variant(Constant(picked[0]), (picked,)) if picked else Variant(Constant(None), ())

    def _searched_variant(self, node: Node, field: VariantField, name: str, path: str) -> Variant:
        match node:
            case Mapping(entries, where):
                parts: list[Node] = [Mapping((entry,), entry.where) for entry in entries]
            case Sequence(items, where):
                parts = list(items)
            case Scalar(_, where):
                parts = []
        branches = [branch for part in parts if (branch := self._branch(part, field, name, path))]
        try:
            return Variant(Choice(options=tuple(word for word, _ in branches)), tuple(branches))
        except ValueError as error:
            if not self.problems:
                self.wrong(where, path, f"{error}.")
            return Variant(Constant(None), ())

    def _branch(self, node: Node, field: VariantField, name: str, path: str) -> tuple[str, Group] | None:
        match node:
            case Scalar(value, where):
                word, settings = str(value), Mapping((), where)
            case Mapping(entries, _) if len(entries) == 1:
                word, where = entries[0].key, entries[0].where
                given = entries[0].node
                # a name without settings stands for all defaults; the two kinds of node share no narrower type
                settings = Mapping((), where) if isinstance(given, Scalar) and given.value is None else given  # type: ignore[assignment]
            case _:
                self.wrong(
                    node.where,
                    path,
                    f"expected one of {', '.join(field.branches)}, with its settings; got {_kind_of(node)}.",
                )
                return None
        if word not in field.branches:
            self.wrong(where, path, f"unknown {name} {word!r}. {nearest(word, list(field.branches))}")
            return None
        return word, self.section(settings, field.branches[word], f"{path}.{word}")


def _only(node: Mapping, names: set[str]) -> Mapping:
    return Mapping(tuple(entry for entry in node.entries if entry.key in names), node.where)


def _demands(field: SectionField) -> bool:
    """Whether something below must be given, so that the section cannot be left out."""
    return any(
        (isinstance(inner, LeafField) and inner.default is REQUIRED)
        or isinstance(inner, StagesField)
        or (isinstance(inner, SectionField) and _demands(inner))
        for inner in field.fields.values()
    )


def _kind_of(node: Node) -> str:
    match node:
        case Mapping():
            return f"keys ({', '.join(node.keys()) or 'none'})"
        case Sequence():
            return "a list" if node.items else "an empty list"
        case Scalar(None, _):
            return "nothing"
        case Scalar(value, _):
            return repr(value)


def _numeric(kind: Kind) -> Kind:
    """Return the kind that a range draws from: what stands beside the word in 'none or a number'."""
    return kind.kind if isinstance(kind, OrWord) else kind


def _words(kind: Kind) -> list[str]:
    return [str(word) for word in getattr(kind, "words", ())]
