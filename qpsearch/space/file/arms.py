"""``compare.arms``: a file that says, for each arm of a comparison, only what the arm changes.

An arm is the file with its changes in place: sections merge as those of a base that is extended, and a dotted path sets
what stands there, ``*`` for every stage. So each arm becomes a space of its own, with its own text.
"""

import re
from typing import Final

from qpsearch.errors import nearest
from qpsearch.space.file.changes import with_value
from qpsearch.space.file.document import Entry, MappingNode, Node, ScalarNode
from qpsearch.space.file.extends import merge
from qpsearch.space.file.problems import Problems, kind_of
from qpsearch.space.file.recipes import KEY as RECIPE
from qpsearch.space.file.recipes import over_the_file
from qpsearch.space.schema.settings import SPACE

KEY: Final = "compare"
ARM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")  # becomes a part of the name of a study
RESERVED: Final = "confirm"  # the last part of the name of a study of fresh seeds
CHANGED: Final = ("network", "training", "data")  # what an arm may change


def without_arms(root: Node) -> Node:
    """Return a document without its comparison."""
    if not isinstance(root, MappingNode):
        return root
    return MappingNode(tuple(entry for entry in root.entries if entry.key != KEY), root.where)


def arms_in(root: Node, problems: Problems) -> dict[str, Node]:
    """Return the document of each arm, without ``compare``; empty where nothing is compared.

    Args:
        root: The whole document, with what it extends.
        problems: Notes what is wrong.
    """
    given = root.get(KEY) if isinstance(root, MappingNode) else None
    if given is None:
        return {}
    arms = given.get("arms") if isinstance(given, MappingNode) else None
    if not isinstance(arms, MappingNode) or len(arms.entries) < 2:
        got = (
            "nothing"
            if arms is None
            else "one arm"
            if isinstance(arms, MappingNode) and arms.entries
            else kind_of(arms)
        )
        where = (arms or given).where
        problems.wrong(where, f"{KEY}.arms", f"expected two arms or more, each a name with its changes, got {got}.")
        return {}
    return {entry.key: _arm(root, entry, problems) for entry in arms.entries if _is_named(entry, problems)}


def _is_named(entry: Entry, problems: Problems) -> bool:
    fits = ARM.fullmatch(entry.key) is not None and entry.key != RESERVED
    if not fits:
        expected = f"letters, digits, '_' and '-' (at most 40, beginning with a letter or digit), other than {RESERVED}"
        problems.wrong(entry.where, f"{KEY}.arms", f"{entry.key!r} cannot name an arm. Expected {expected}.")
    return fits


def _recipe_of(changes: MappingNode) -> Node:
    """Return the recipe that an arm names, in a section or by its path; an empty document where it does not."""
    training = changes.get("training")
    inner = training.get("recipe") if isinstance(training, MappingNode) else None
    return changes.get(RECIPE) or inner or changes


def _arm(root: Node, arm: Entry, problems: Problems) -> Node:
    """Return the document with the changes of an arm."""
    path, node = f"{KEY}.arms.{arm.key}", without_arms(root)
    changes = arm.node
    if isinstance(changes, ScalarNode) and changes.value is None:
        return node  # the file as it stands
    if not isinstance(changes, MappingNode):
        problems.wrong(changes.where, path, f"expected what the arm changes, got {kind_of(changes)}.")
        return node
    node = over_the_file(node, _recipe_of(changes))
    for entry in changes.entries:
        first, *rest = entry.key.split(".")
        if first not in CHANGED:
            hint = "The search, its seed and its data are those of all arms." if first in SPACE.fields else ""
            text = f"an arm cannot change {entry.key!r}. {hint or nearest(first, list(CHANGED))}"
            problems.wrong(entry.where, path, text)
        elif not rest:
            node = merge(node, MappingNode((entry,), entry.where), SPACE)
        else:
            node = with_value(node, [first, *rest], entry, path, problems)
    return node
