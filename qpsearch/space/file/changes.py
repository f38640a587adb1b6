"""Values set by dotted path in a document: the changes of an arm, and ``--set``.

``*`` stands for every stage; an augmentation is found by its word, and so is a branch of a choice.
"""

from collections.abc import Iterator, Sequence, Set
from typing import Final

from qpsearch.errors import SpaceError, nearest
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.space.file.document import Entry, MappingNode, Node, ScalarNode, SequenceNode, Where, parse_document
from qpsearch.space.file.leaf_reader import BESIDE
from qpsearch.space.file.problems import Problems
from qpsearch.space.file.recipes import KEY, over_the_file, without
from qpsearch.space.leaves import AUGMENT, STAGES
from qpsearch.space.schema.data import outdated

ANY: Final = "*"
SET: Final = "--set "  # with the path, stands for the file in messages


def with_settings(root: Node, settings: Sequence[str], problems: Problems) -> Node:
    """Return a document with values of the command line in place.

    Args:
        root: The whole document.
        settings: Each ``PATH=VALUE``, the value as a file spells it.
        problems: Notes what is wrong.

    Raises:
        SpaceError: A setting is not of that form, or its value is not YAML.
    """
    given = [setting(text) for text in settings]
    paths = {path for path, _ in given}
    for path, node in given:
        if path == KEY:
            root = over_the_file(root, node)
        root = with_value(root, path.split("."), Entry(path, node.where, node), path, problems)
        root = _without_outdated(root, path, node, paths)
    return root


def _without_outdated(root: Node, path: str, node: Node, paths: Set[str]) -> Node:
    """Return a document without what does not hold any more where a setting names other images or another size."""
    section, _, key = path.partition(".")
    gone = outdated({key: node.value if isinstance(node, ScalarNode) else None}) if section == "data" and key else set()
    for other in gone:
        if other != "size" or "data.size" not in paths:  # one that is set is not passed over in silence
            root = without(root, section, other)
    return root


def setting(text: str) -> tuple[str, Node]:
    """Return path and value of ``PATH=VALUE``, the value as a file spells it.

    Raises:
        SpaceError: It is not of that form, or the value is not YAML.
    """
    path, is_said, value = (part.strip() for part in text.partition("="))
    if not is_said or not path or not value:
        raise SpaceError([f"--set {text}: expected PATH=VALUE, such as training.optimizer.sgd.lr=0.1."])
    return path, parse_document(value, f"{SET}{path}")


def with_value(node: Node, parts: list[str], entry: Entry, path: str, problems: Problems) -> Node:
    """Return a node with the value of an entry at a path below it.

    Args:
        node: The node.
        parts: The path.
        entry: Its value is set.
        path: What messages call the place of the change.
        problems: Notes what is wrong.
    """
    if not parts:
        return _branch_meant(node, entry) or entry.node
    first, *rest = parts
    match node:
        case MappingNode(entries):
            own, branches = node.get(first), node.get("choice")
            if own is None and isinstance(branches, MappingNode) and branches.get(first) is not None:
                return with_value(node, ["choice", *parts], entry, path, problems)  # as parameters are named
            if own is None and isinstance(branches, MappingNode) and first not in BESIDE:
                text = f"the choice has no branch {first!r}. {nearest(first, branches.keys())}"
                problems.wrong(entry.where, path, _placed(text, path, entry))
                return node
            if own is None and first == "augment" and rest and rest[0] in AUGMENTATIONS:
                fix = "Set the whole list, such as data.augment=[flip, crop, cutout]."
                problems.wrong(entry.where, path, f"the file does not list augmentations itself. {fix}")
                return node
            inner = with_value(own or MappingNode((), entry.where), rest, entry, path, problems)
            changed = Entry(first, entry.where, inner)
            if own is None:
                return MappingNode((*entries, changed), node.where)
            return MappingNode(tuple(changed if each.key == first else each for each in entries), node.where)
        case SequenceNode(items) if entry.key.startswith(f"{AUGMENT}."):
            if first not in AUGMENTATIONS:
                text = f"unknown augmentation {first!r}. {nearest(first, list(AUGMENTATIONS))}"
                problems.wrong(entry.where, path, _placed(text, path, entry))
                return node
            old = next((item for item in items if _word(item) == first), None)
            settings = with_value(_settings(old, entry.where), rest, entry, path, problems)
            new = MappingNode((Entry(first, entry.where, settings),), entry.where)
            kept = tuple(new if item is old else item for item in items)
            return SequenceNode(kept if old is not None else (*items, new), node.where)
        case SequenceNode(items):
            wanted = set(_places(first, len(items), entry.where, path, problems))
            return SequenceNode(
                tuple(
                    with_value(item, rest, entry, path, problems) if index in wanted else item
                    for index, item in enumerate(items)
                ),
                node.where,
            )
        case ScalarNode() if node.text == first and rest:  # sampler: gp, of which an option is set
            inner = with_value(MappingNode((), entry.where), rest, entry, path, problems)
            return MappingNode((Entry(first, entry.where, inner),), node.where)
        case ScalarNode():
            text = f"leads through {node.text or 'nothing'}, which is a constant. Set a section or a list of the file."
            problems.wrong(entry.where, path, _placed(text, path, entry))
            return node


def _placed(text: str, path: str, entry: Entry) -> str:
    """Return a message with the dotted path of a change, where that is not the place that messages name already."""
    return text if path == entry.key else f"{entry.key}: {text}"


def _branch_meant(node: Node, entry: Entry) -> Node | None:
    """Return the stages or augmentations that a value names, where they are branches of a choice; None elsewhere."""
    branches = node.get("choice") if isinstance(node, MappingNode) else None
    if not isinstance(branches, MappingNode) or not isinstance(entry.node, ScalarNode):
        return None
    found = branches.get(entry.node.text)
    if entry.key in (AUGMENT, STAGES):
        return found
    if not entry.key.startswith(f"{STAGES}."):
        return None
    if isinstance(found, SequenceNode):  # several stages or none, in the place of one: a choice of that branch alone
        branch = MappingNode((Entry(entry.node.text, entry.where, found),), entry.where)
        return MappingNode((Entry("choice", entry.where, branch),), entry.where)
    return found if isinstance(found, MappingNode) else None


def _word(item: Node) -> str:
    """Return the augmentation that an item of their list names."""
    if isinstance(item, MappingNode) and len(item.entries) == 1:
        return item.entries[0].key
    return item.text or "" if isinstance(item, ScalarNode) else ""


def _settings(item: Node | None, where: Where) -> Node:
    """Return the options that stand with the augmentation of an item."""
    given = item.entries[0].node if isinstance(item, MappingNode) else None
    return given if isinstance(given, MappingNode) else MappingNode((), where)


def _places(word: str, count: int, where: Where, path: str, problems: Problems) -> Iterator[int]:
    if word == ANY:
        yield from range(count)
    elif word.isdecimal() and int(word) < count:
        yield int(word)
    else:
        problems.wrong(where, path, f"has no item {word!r} here. Expected 0 to {count - 1}, or {ANY} for all of them.")
