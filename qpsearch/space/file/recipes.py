"""``training.recipe``: settings by name, which a file's own keys override."""

from typing import Final

from qpsearch.errors import nearest
from qpsearch.registry.recipes import RECIPES
from qpsearch.space.file.document import MappingNode, Node, ScalarNode, dump, parse_document
from qpsearch.space.file.extends import merge
from qpsearch.space.file.problems import Problems, kind_of
from qpsearch.space.schema.settings import SPACE

KEY: Final = "training.recipe"


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
    settings = parse_document(dump(dict(RECIPES[given.text].settings)), f"recipe {given.text}")
    return merge(settings, root, SPACE)
