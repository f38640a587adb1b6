"""``extends:``: a space file that says only how it differs from others.

Bases are read first, in their order, and a later base overrides an earlier one; the file itself comes last. Sections
merge key by key. What is one decision is replaced as a whole: a constant, a domain, a list (such as the stages), and
one optimiser by another.
"""

from pathlib import Path

from qpsearch.errors import SpaceError
from qpsearch.space.file.document import Entry, MappingNode, Node, ScalarNode, SequenceNode, read_document
from qpsearch.space.file.shipped import find_space
from qpsearch.space.schema.fields import Field, SectionField, VariantField
from qpsearch.space.schema.settings import SPACE

KEY = "extends"
MAX_LEVELS = 10


def flatten(root: Node, folder: Path, above: tuple[Path, ...] = ()) -> Node:
    """Return a document with all that it extends merged into it.

    Args:
        root: The document.
        folder: Relative names of bases start in this folder.
        above: The files that extend this one, outermost first.

    Raises:
        SpaceError: A base is missing or wrong, or extends a file that extends the base.
    """
    given = root.get(KEY) if isinstance(root, MappingNode) else None
    if given is None:
        return root
    assert isinstance(root, MappingNode)
    own = MappingNode(tuple(entry for entry in root.entries if entry.key != KEY), root.where)
    merged: Node | None = None
    for name in given.items if isinstance(given, SequenceNode) else (given,):
        base = _base(name, folder, above)
        merged = base if merged is None else _merge(merged, base, SPACE)
    return own if merged is None else _merge(merged, own, SPACE)


def _base(name: Node, folder: Path, above: tuple[Path, ...]) -> Node:
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
        raise SpaceError([f"{name.where}: {KEY}: expected the name of a space file, or a list of them."])
    try:
        path = find_space(name.value, folder)
    except SpaceError as error:
        raise SpaceError([f"{name.where}: {KEY}: {error}"]) from None
    known = [other.resolve() for other in above]
    if path.resolve() in known:
        circle = " -> ".join(other.name for other in (*above[known.index(path.resolve()) :], path))
        raise SpaceError([f"{name.where}: {KEY}: is circular: {circle}. A space cannot extend itself."])
    if len(above) >= MAX_LEVELS:
        raise SpaceError([f"{name.where}: {KEY}: more than {MAX_LEVELS} levels of bases."])
    _, root = read_document(path)
    if not isinstance(root, MappingNode):
        raise SpaceError([f"{root.where}: expected the keys of a space file."])
    return flatten(root, path.parent, (*above, path))


def _merge(base: Node, over: Node, field: Field | None) -> Node:
    if not isinstance(field, SectionField | VariantField) or not isinstance(base, MappingNode):
        return over
    if not isinstance(over, MappingNode):
        return over
    if isinstance(field, VariantField) and (base.keys() != over.keys() or len(base.keys()) != 1 or "choice" in over):
        return over
    inner = field.fields if isinstance(field, SectionField) else field.branches
    entries = [
        Entry(entry.key, entry.where, entry.node if own is None else _merge(entry.node, own, inner.get(entry.key)))
        for entry in base.entries
        for own in [over.get(entry.key)]
    ]
    return MappingNode((*entries, *(entry for entry in over.entries if base.get(entry.key) is None)), over.where)
