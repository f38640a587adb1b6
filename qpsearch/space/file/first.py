"""``search.first``: configurations that are tried before all others, each as paths and values."""

import fnmatch
from collections.abc import Mapping
from typing import Final

from qpsearch.errors import nearest
from qpsearch.space.domains import Domain, text_of
from qpsearch.space.file.document import Entry, MappingNode, Node, ScalarNode, SequenceNode
from qpsearch.space.file.problems import Problems, kind_of
from qpsearch.space.schema.value_types import NONE
from qpsearch.vocabulary import Scalar

KEY: Final = "search.first"
Points = tuple[Mapping[str, Scalar], ...]


def first_points(root: Node, domains: Mapping[str, Domain], problems: Problems) -> Points:
    """Return the configurations that a file lists, each as values of some parameters.

    Args:
        root: The whole document, with what it extends.
        domains: The searched parameters.
        problems: Notes what is wrong.
    """
    search = root.get("search") if isinstance(root, MappingNode) else None
    given = search.get("first") if isinstance(search, MappingNode) else None
    if given is None or (isinstance(given, ScalarNode) and given.value in (None, NONE)):
        return ()
    if not isinstance(given, SequenceNode):
        problems.wrong(given.where, KEY, f"expected a list of configurations, got {kind_of(given)}.")
        return ()
    return tuple(_point(item, f"{KEY}.{index}", domains, problems) for index, item in enumerate(given.items))


def _point(node: Node, path: str, domains: Mapping[str, Domain], problems: Problems) -> Mapping[str, Scalar]:
    if not isinstance(node, MappingNode) or not node.entries:
        expected = "expected parameters with their values, such as {training.optimizer.sgd.lr: 0.1}"
        problems.wrong(node.where, path, f"{expected}, got {kind_of(node)}.")
        return {}
    found: dict[str, Scalar] = {}
    for entry in node.entries:
        names = fnmatch.filter(domains, entry.key.replace("[", "[[]"))
        if not names:
            problems.wrong(
                entry.where, path, f"{entry.key} is not a parameter of this space. {nearest(entry.key, list(domains))}"
            )
        for name in names:
            _take(found, name, domains[name], entry, path, problems)
    return found


def _take(found: dict[str, Scalar], name: str, domain: Domain, entry: Entry, path: str, problems: Problems) -> None:
    node = entry.node
    if not isinstance(node, ScalarNode):
        problems.wrong(node.where, path, f"{name}: expected a value, got {kind_of(node)}.")
        return
    value = None if node.value == NONE and None in (domain.options or ()) else node.value
    if value not in domain:
        problems.wrong(node.where, path, f"{name}: {text_of(value)} is not in {domain}.")
        return
    found[name] = domain.member(value)
