"""``training.recipe``: settings by name, which a file's own keys override."""

from typing import Final

from qpsearch.errors import nearest
from qpsearch.registry.recipes import RECIPES, NamedRecipe
from qpsearch.space.file.document import Entry, MappingNode, Node, ScalarNode, dump, parse_document
from qpsearch.space.file.extends import merge
from qpsearch.space.file.problems import Problems, kind_of
from qpsearch.space.schema.settings import SPACE

KEY: Final = "training.recipe"


def recipe_of(root: Node) -> NamedRecipe | None:
    """Return the recipe that a document names; None where it does not name one that is known."""
    training = root.get("training") if isinstance(root, MappingNode) else None
    given = training.get("recipe") if isinstance(training, MappingNode) else None
    return RECIPES.get(given.text or "") if isinstance(given, ScalarNode) else None


def over_the_file(root: Node, name: Node) -> Node:
    """Return a document without its own optimiser, in whose place that of a recipe will stand.

    An arm, or ``--set``, that names a recipe means the recipe's optimiser, whatever the file has; other keys of the
    file override the recipe as they do anywhere. An unknown name is left to ``with_recipe``.

    Args:
        root: The whole document.
        name: The recipe's name.
    """
    is_known = isinstance(name, ScalarNode) and name.text in RECIPES
    return without(root, "training", "optimizer") if is_known else root


def without(root: Node, *path: str) -> Node:
    """Return a document without what stands at a path."""
    if not isinstance(root, MappingNode):
        return root
    first, *rest = path
    kept = tuple(
        Entry(entry.key, entry.where, without(entry.node, *rest)) if entry.key == first else entry
        for entry in root.entries
        if entry.key != first or rest
    )
    return MappingNode(kept, root.where)


def with_recipe(root: Node, problems: Problems) -> Node:
    """Return a document with the settings of the recipe that it names, where it does not set them itself.

    Args:
        root: The whole document, with what it extends.
        problems: Notes a name that is not known.
    """
    training = root.get("training") if isinstance(root, MappingNode) else None
    given = training.get("recipe") if isinstance(training, MappingNode) else None
    if given is None:
        return root
    if not isinstance(given, ScalarNode):
        problems.wrong(given.where, KEY, f"takes one name, got {kind_of(given)}. {nearest('', list(RECIPES))}")
        return root
    if given.text not in RECIPES:
        text = f"unknown recipe {str(given.text)!r}. {nearest(str(given.text), list(RECIPES))}"
        problems.wrong(given.where, KEY, text)
        return root
    return merge(_document(given.text), root, SPACE)


def _document(name: str) -> Node:
    return parse_document(dump(dict(RECIPES[name].settings)), f"recipe {name}")
