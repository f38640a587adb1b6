"""``extends:``: a space file that says only how it differs from others.

Bases are read first, in their order, and a later base overrides an earlier one; the file itself comes last. Sections
merge key by key. What is one decision is replaced as a whole: a constant, a domain, a list (such as the stages), one
optimiser by another, and a data set by a folder of images, with the facts about it.
"""

from pathlib import Path
from typing import Final

from qpsearch.errors import SpaceError
from qpsearch.space.file.document import (
    MAX_NODES,
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    read_document,
    size,
)
from qpsearch.space.file.shipped import find_space
from qpsearch.space.schema.data import DATA, outdated
from qpsearch.space.schema.fields import Field, SectionField, VariantField
from qpsearch.space.schema.settings import SPACE

KEY: Final = "extends"
MAX_LEVELS: Final = 10
MAX_BASES: Final = 100  # in all


def flatten(root: Node, folder: Path, above: tuple[Path, ...] = ()) -> Node:
    """Return a document with all that it extends merged into it.

    Args:
        root: The document.
        folder: Relative names of bases start in this folder.
        above: The files that extend this one, outermost first.

    Raises:
        SpaceError: A base is missing or wrong, or extends a file that extends the base, or there are too many bases.
    """
    return _Bases().merged(root, folder, above)


class _Bases:
    """Merges bases into what extends them; counts what it reads, since bases of bases can multiply."""

    def __init__(self) -> None:
        self._files = self._nodes = 0

    def merged(self, root: Node, folder: Path, above: tuple[Path, ...]) -> Node:
        given = root.get(KEY) if isinstance(root, MappingNode) else None
        if given is None:
            return root
        assert isinstance(root, MappingNode)
        own = MappingNode(tuple(entry for entry in root.entries if entry.key != KEY), root.where)
        merged: Node | None = None
        for name in given.items if isinstance(given, SequenceNode) else (given,):
            base = self._base(name, folder, above)
            merged = base if merged is None else merge(merged, base, SPACE)
        return own if merged is None else merge(merged, own, SPACE)

    def _base(self, name: Node, folder: Path, above: tuple[Path, ...]) -> Node:
        self._files += 1
        if self._files > MAX_BASES:
            raise SpaceError([f"{name.where}: {KEY}: more than {MAX_BASES} bases in all, counting bases of bases."])
        if not isinstance(name, ScalarNode) or not name.text:
            raise SpaceError([f"{name.where}: {KEY}: expected the name of a space file, or a list of them."])
        try:
            path = find_space(name.text, folder)
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
        self._nodes += size(root)
        if self._nodes > MAX_NODES:
            raise SpaceError([f"{name.where}: {KEY}: more than {MAX_NODES:,} keys and values in all bases together."])
        return self.merged(root, path.parent, (*above, path))


def merge(base: Node, over: Node, field: Field | None) -> Node:
    """Return a document with what overrides it.

    Args:
        base: The document, or a part of it.
        over: What overrides it.
        field: What the schema says about that part; None for what is replaced as a whole.
    """
    if not isinstance(field, SectionField | VariantField) or not isinstance(base, MappingNode):
        return over
    if not isinstance(over, MappingNode):
        return over
    if isinstance(field, VariantField) and (base.keys() != over.keys() or len(base.keys()) != 1 or "choice" in over):
        return over
    inner = field.fields if isinstance(field, SectionField) else field.branches
    values = {entry.key: entry.node.value if isinstance(entry.node, ScalarNode) else None for entry in over.entries}
    replaced = outdated(values) if field is DATA else set()
    entries = [
        Entry(entry.key, entry.where, entry.node if own is None else merge(entry.node, own, inner.get(entry.key)))
        for entry in base.entries
        for own in [over.get(entry.key)]
        if entry.key not in replaced
    ]
    return MappingNode((*entries, *(entry for entry in over.entries if base.get(entry.key) is None)), over.where)
