"""From a YAML document to a tree of leaves: every problem of a file is found and reported together."""

from collections.abc import Collection
from difflib import get_close_matches

from qpsearch.errors import nearest
from qpsearch.space.file.document import Entry, MappingNode, Node, ScalarNode, SequenceNode
from qpsearch.space.file.leaf_reader import IDENTIFIER, LeafReader
from qpsearch.space.file.problems import Problems, kind_of
from qpsearch.space.leaves import Constant, Group, Items, Tree, Variant
from qpsearch.space.schema.fields import (
    REQUIRED,
    ArmsField,
    AugmentField,
    ConditionsField,
    Field,
    LeafField,
    ListField,
    PointsField,
    RecipeField,
    SectionField,
    SeedsField,
    StagesField,
    VariantField,
)
from qpsearch.space.schema.network import RULES, STAGE
from qpsearch.space.schema.settings import place_of


class Reader:
    """Walks document and schema side by side."""

    def __init__(self, problems: Problems, leaves: LeafReader) -> None:
        self._problems, self._leaves = problems, leaves

    def section(self, node: Node, field: SectionField, path: str, *, inherit: bool = False) -> Group:
        """Read a mapping; with ``inherit`` absent leaves stay absent instead of taking their default."""
        if not isinstance(node, MappingNode):
            self._problems.wrong(node.where, path, f"expected keys ({', '.join(field.fields)}), got {kind_of(node)}.")
            return Group(())
        meant = self._unknown_keys(node.entries, list(field.fields), path)
        self._one_of(node, field, meant, path)
        children = []
        for name, inner in field.fields.items():
            if name in meant or isinstance(inner, RecipeField):
                continue  # misspelt, and noted already; or in its place already (``with_recipe``)
            child = self._child(node, name, inner, f"{path}.{name}" if path else name, inherit)
            if child is not None:
                children.append((name, child))
        return Group(tuple(children))

    def _one_of(self, node: MappingNode, field: SectionField, meant: set[str], path: str) -> None:
        """Note where not exactly one of some keys is given."""
        given = [entry for entry in node.entries if entry.key in field.one_of]
        *others, last = field.one_of or ("",)
        if len(given) > 1:
            words = " and ".join(entry.key for entry in given)
            self._problems.wrong(given[1].where, path, f"has {words}. Expected one of them.")
        elif field.one_of and not given and not meant & set(field.one_of):
            self._problems.wrong(node.where, path, f"expected one of the keys {', '.join(others)} and {last}.")

    def _unknown_keys(self, entries: tuple[Entry, ...], known: list[str], path: str) -> set[str]:
        """Note the keys that are not known; return those that were probably meant."""
        meant: set[str] = set()
        for entry in entries:
            if entry.key not in known:
                answer = nearest(entry.key, known) if known else "Nothing can be set here."
                place = place_of(entry.key)
                if place is not None and not answer.startswith("Did you mean"):
                    answer = f"Did you mean {place}? {answer}"
                self._problems.wrong(entry.where, path, f"unknown key {entry.key!r}. {answer}")
                meant |= set(get_close_matches(entry.key, known, n=1)) - {other.key for other in entries}
        return meant

    def _child(self, node: MappingNode, name: str, field: Field, path: str, inherit: bool) -> Tree | None:
        given = node.get(name)
        if given is not None:
            return self._field(given, field, name, path, inherit)
        if inherit:
            return None
        if isinstance(field, LeafField) and field.default is REQUIRED:
            self._problems.wrong(node.where, path, f"is missing. Expected {field.type.expected}.")
            return None
        if isinstance(field, StagesField) or (isinstance(field, SectionField) and _demands(field)):
            keys = f"keys ({', '.join(field.fields)})" if isinstance(field, SectionField) else "a list of stages"
            self._problems.wrong(node.where, path, f"is missing. Expected {keys}.")
            return None
        return _default(field, name)

    def _field(self, node: Node, field: Field, name: str, path: str, inherit: bool) -> Tree:
        match field:
            case LeafField():
                return self._leaves.leaf(node, field, name, path)
            case ListField():
                return self._leaves.listed(node, field, name, path)
            case SeedsField():
                return self._leaves.seeds(node, field, name, path)
            case ConditionsField() | PointsField() | RecipeField():
                return Constant(())  # read when all paths are known, or before
            case ArmsField():
                return Constant(())  # each is read as a space of its own
            case SectionField():
                return self.section(node, field, path, inherit=inherit)
            case StagesField():
                return self._stages(node, field, path)
            case VariantField():
                return self._variant(node, field, name, path)
            case AugmentField():
                return self._augment(node, field, path)

    def _stages(self, node: Node, field: StagesField, path: str) -> Tree:
        """Read the list of stages, or a choice of lists."""
        if isinstance(node, MappingNode) and "choice" in node:
            return self._choice_of_stages(node, field, path, lists_only=True)
        return self._stage_list(node, field, path, least=1)

    def _stage_list(self, node: Node, field: StagesField, path: str, least: int) -> Items:
        if not isinstance(node, SequenceNode) or len(node.items) < least:
            self._problems.wrong(node.where, path, f"expected a list of at least one stage, got {kind_of(node)}.")
            return Items(())
        if len(node.items) > field.most:
            self._problems.wrong(node.where, path, f"has {len(node.items)} stages. Expected at most {field.most}.")
        read = node.items[: field.most]
        return Items(tuple(self._stage(item, field, f"{path}.{index}") for index, item in enumerate(read)))

    def _stage(self, node: Node, field: StagesField, path: str) -> Tree:
        """A stage keeps only the rules that it names; the others come from ``network.rules``."""
        if not isinstance(node, MappingNode):
            return self.section(node, field.section, path)
        if "choice" in node:
            return self._choice_of_stages(node, field, path, lists_only=False)
        known = list(field.section.fields)
        meant = self._unknown_keys(node.entries, known, path)
        shape = {name: inner for name, inner in field.section.fields.items() if name not in {*RULES.fields, *meant}}
        own = self.section(_only(node, set(shape)), SectionField(fields=shape), path)
        rules = self.section(_only(node, set(RULES.fields)), RULES, path, inherit=True)
        return Group(own.children + rules.children)

    def _choice_of_stages(self, node: MappingNode, field: StagesField, path: str, *, lists_only: bool) -> Tree:
        what = "lists of stages" if lists_only else "stages"
        branches: list[tuple[str, Tree]] = []
        for entry in self._named(node, path, what, STAGE.fields, "a key of a stage"):
            inner = f"{path}.{entry.key}"
            if lists_only or isinstance(entry.node, SequenceNode):
                branches.append((entry.key, self._stage_list(entry.node, field, inner, least=int(lists_only))))
            else:
                branches.append((entry.key, self._stage(entry.node, field, inner)))
        if not branches:
            return Items(())
        return Variant(self._leaves.pick(node, tuple(word for word, _ in branches), path), tuple(branches))

    def _named(
        self, node: MappingNode, path: str, what: str, taken: Collection[str], taken_by: str
    ) -> tuple[Entry, ...]:
        """Return the named branches of a choice; note names that stand for something else."""
        self._leaves.allowed(node, path, "choice")
        given = node.get("choice")
        assert given is not None
        if not isinstance(given, MappingNode) or not given.entries:
            form = f"a choice of {what} needs a name for each: {{choice: {{NAME: ...}}}}"
            self._problems.wrong(given.where, path, f"{form}; got {kind_of(given)}.")
            return ()
        for entry in given.entries:
            if not IDENTIFIER.fullmatch(entry.key) or entry.key in taken:
                text = f"{entry.key!r} cannot name a branch. Expected a word that is not {taken_by}."
                self._problems.wrong(entry.where, path, text)
        return given.entries

    def _augment(self, node: Node, field: AugmentField, path: str) -> Tree:
        """Read a list of augmentations, or a choice of lists."""
        if not isinstance(node, MappingNode) or "choice" not in node:
            return self._augmentations(node, field, path)
        branches = tuple(
            (entry.key, self._augmentations(entry.node, field, f"{path}.{entry.key}"))
            for entry in self._named(node, path, "lists of augmentations", field.branches, "an augmentation")
        )
        if not branches:
            return Group(())
        return Variant(self._leaves.pick(node, tuple(word for word, _ in branches), path), branches)

    def _augmentations(self, node: Node, field: AugmentField, path: str) -> Group:
        """Read a list of augmentations, in the order of the schema."""
        if not isinstance(node, SequenceNode):
            text = f"expected a list such as [flip, crop], or [] for none, got {kind_of(node)}."
            self._problems.wrong(node.where, path, f"{text} {nearest('', list(field.branches))}")
            return Group(())
        found: dict[str, Group] = {}
        for item in node.items:
            if isinstance(item, MappingNode) and "choice" in item:
                text = "a choice stands for the whole list, {choice: {light: [flip], strong: [flip, crop]}}; of one "
                fix = "augmentation write {cutout: {used: {choice: [true, false]}}}."
                self._problems.wrong(item.where, path, text + fix)
                continue
            branch = self._branch(item, field, "augmentation", path)
            if branch is None:
                continue
            word, given = branch
            if word in found:
                self._problems.wrong(node.where, path, "lists a value more than once.")
            found[word] = given
        return Group(tuple((word, found[word]) for word in field.branches if word in found))

    def _variant(self, node: Node, field: VariantField, name: str, path: str) -> Variant:
        if isinstance(node, MappingNode) and "choice" in node:
            if not field.fixed:
                return self._searched_variant(node, field, name, path)
            known = ", ".join(field.branches)
            self._problems.wrong(node.where, path, f"cannot be searched. Expected one of {known}.")
            return Variant(Constant(None), ())
        picked = self._branch(node, field, name, path)
        return Variant(Constant(picked[0]), (picked,)) if picked else Variant(Constant(None), ())

    def _searched_variant(self, node: MappingNode, field: VariantField, name: str, path: str) -> Variant:
        self._leaves.allowed(node, path, "choice")
        match node.get("choice"):
            case MappingNode(entries):
                parts: list[Node] = [MappingNode((entry,), entry.where) for entry in entries]
            case SequenceNode(items):
                parts = list(items)
            case _:
                parts = []
        before = len(self._problems)
        branches = [branch for part in parts if (branch := self._branch(part, field, name, path))]
        if len(self._problems) > before:
            return Variant(Constant(None), ())
        return Variant(self._leaves.pick(node, tuple(word for word, _ in branches), path), tuple(branches))

    def _branch(self, node: Node, field: VariantField | AugmentField, name: str, path: str) -> tuple[str, Group] | None:
        match node:
            case ScalarNode(_, where, text) if text:
                word, settings = text, MappingNode((), where)
            case MappingNode(entries) if len(entries) == 1:
                word, where = entries[0].key, entries[0].where
                given = entries[0].node
                # a name without settings stands for all defaults; the two kinds of node share no narrower type
                settings = MappingNode((), where) if isinstance(given, ScalarNode) and given.value is None else given  # type: ignore[assignment]
            case _:
                self._problems.wrong(
                    node.where,
                    path,
                    f"expected one of {', '.join(field.branches)}, with its settings; got {kind_of(node)}.",
                )
                return None
        if word not in field.branches:
            answer = " ".join(filter(None, (nearest(word, list(field.branches)), field.hint)))
            self._problems.wrong(where, path, f"unknown {name} {word!r}. {answer}")
            return None
        return word, self.section(settings, field.branches[word], f"{path}.{word}")


def _default(field: Field, name: str) -> Tree:
    match field:
        case LeafField(type=type_, default=default):
            return Constant(type_.parse(default, name))  # type: ignore[arg-type]  # the schema's own scalar
        case ListField(default=default):
            return Constant(default)
        case AugmentField():
            return Group(())
        case SeedsField(default=default):
            return Constant((default, default))
        case ConditionsField() | PointsField() | ArmsField() | RecipeField():
            return Constant(())
        case SectionField(fields=fields):
            return Group(tuple((key, _default(inner, key)) for key, inner in fields.items()))
        case VariantField(default=default, branches=branches):
            branch = _default(branches[default], default)
            return Variant(Constant(default), ((default, branch),))
        case StagesField():
            raise AssertionError("stages have no default")


def _only(node: MappingNode, names: set[str]) -> MappingNode:
    return MappingNode(tuple(entry for entry in node.entries if entry.key in names), node.where)


def _demands(field: SectionField) -> bool:
    """Whether something below must be given, so that the section cannot be left out."""
    return bool(field.one_of) or any(
        (isinstance(inner, LeafField) and inner.default is REQUIRED)
        or isinstance(inner, StagesField)
        or (isinstance(inner, SectionField) and _demands(inner))
        for inner in field.fields.values()
    )
