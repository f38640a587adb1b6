"""Images of the user's own: looked through once, where a file is read, and written into the document as ``data.facts``.

From then on the document needs neither the folder nor the file's own place: it is what a study stores.
"""

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from qpsearch.errors import DataError
from qpsearch.registry.augmentations import Padding
from qpsearch.registry.augmentations.crop import CROP
from qpsearch.registry.datasets import Data, Normalisation
from qpsearch.registry.own.custom import CUSTOM
from qpsearch.registry.own.places import own_data
from qpsearch.registry.own.record import OwnData, Source
from qpsearch.space.file.changes import SET
from qpsearch.space.file.checks import where_is
from qpsearch.space.file.document import Entry, MappingNode, Node, ScalarNode
from qpsearch.space.file.problems import Problems
from qpsearch.space.file.recipes import recipe_of
from qpsearch.space.schema.data import DATA, OWN, PLACES
from qpsearch.space.schema.fields import LeafField

KEY = "facts"


def with_facts(root: Node, folder: Path, problems: Problems) -> Node:
    """Return a document with the facts about the images that it names, and their place as an absolute path.

    Args:
        root: The whole document, with what it extends.
        folder: Where a relative path begins, in a document that is not a file.
        problems: Notes what is wrong with the images.
    """
    data = root.get("data") if isinstance(root, MappingNode) else None
    if not isinstance(root, MappingNode) or not isinstance(data, MappingNode):
        return root
    given = [entry for entry in data.entries if entry.key in DATA.one_of]
    entry, node = (given[0], given[0].node) if len(given) == 1 else (None, None)
    if entry is None or not isinstance(node, ScalarNode) or not node.text:
        return root  # the reader says what is wrong
    if entry.key == "dataset" and (node.text not in CUSTOM or KEY in data):
        return root
    source = Source.CODE if entry.key == "dataset" else Source(entry.key)
    where, place = node.where, Path(node.text) if source is Source.CODE else _place(node, folder)
    if KEY in data and str(place) == node.text:
        return root
    added = []
    if KEY not in data:
        try:
            text = own_data(source, place, _size(data)).to_text()
        except DataError as error:
            for line in str(error).splitlines():
                problems.wrong(where, f"data.{entry.key}", line)
            return root
        added = [Entry(KEY, where, ScalarNode(text, where, text))]
    named = Entry(entry.key, entry.where, ScalarNode(str(place), where, str(place)))
    entries = tuple(named if each is entry else each for each in data.entries)
    changed = MappingNode((*entries, *added), data.where)
    return MappingNode(
        tuple(Entry(each.key, each.where, changed if each.node is data else each.node) for each in root.entries),
        root.where,
    )


def data_of(given: dict[str, Any], root: Node, problems: Problems) -> Data:
    """Return the data of a space.

    Args:
        given: The values of the section, by key.
        root: The document, which gives the places.
        problems: Notes what is wrong.

    Raises:
        SpaceError: There is at least one problem.
    """
    before = len(problems)
    place = next(((Source(key), given[key]) for key in PLACES if given[key] is not None), None)
    own = None if given[KEY] is None else OwnData.from_text(given[KEY])
    if own is not None and place is not None:
        own = replace(
            own, source=place[0], place=place[1]
        )  # it may have moved: what is there is compared before training
    if own is None and given["size"] is not None:
        problems.wrong(where_is(root, "data", "size"), "data.size", "only images of your own are resized. Remove it.")
    if own is not None and given["size"] not in (None, own.size):
        text = f"the images were looked through for a size of {own.size}. Remove facts, and they are found anew."
        problems.wrong(where_is(root, "data", "size"), "data.size", text)
    if given["stream"] and given["folder"] is None:
        text = "only a folder of images can be streamed. Remove it, or write data.folder."
        problems.wrong(where_is(root, "data", "stream"), "data.stream", text)
    is_code = own is not None and (own.source, own.place) == (Source.CODE, given["dataset"])
    if (own is None) != (given["dataset"] is not None) and not is_code:
        problems.wrong(where_is(root, "data", KEY), f"data.{KEY}", "belongs to a folder or archive. Remove it.")
    if len(problems) > before:
        problems.raise_if_any()
    known = {name: given[name] for name in Data.__slots__ if name in given and name not in ("dataset", "validation")}
    data = Data(dataset=given["dataset"] if own is None else own.name, validation=0, own=own, **known)
    known |= _not_for(data, root)
    count, is_own = _validation(given["validation"], data, root, problems)
    return Data(dataset=data.dataset, validation=count, own=own, own_validation=is_own, **known)


def _not_for(data: Data, root: Node) -> dict[str, Any]:
    """Return the settings of a recipe that mean nothing for the images, each as if the recipe did not have it."""
    found: dict[str, Any] = {}
    if data.facts.channels != len(data.moments[0]):
        found["normalise"] = Normalisation.DATASET
    if data.facts.stored_size or CROP.name not in data.augment:
        found["padding"] = Padding.MEAN
    recipe = recipe_of(root)
    asked = {} if recipe is None else recipe.settings.get("data", {})
    return {name: value for name, value in found.items() if asked.get(name) == getattr(data, name)}


def _validation(given: Any, data: Data, root: Node, problems: Problems) -> tuple[int, bool]:
    """Return the number of validation images, and whether they are the set's own split."""
    facts = data.facts
    if given not in (None, OWN):
        if isinstance(given, float):  # a share; 0.1 of 15 images are 1, not 2, and no share is none
            return max(math.ceil(given * facts.train_images - 0.5), 1), False
        return int(given), False
    if not facts.validation_images:
        field = DATA.fields["validation"]
        assert isinstance(field, LeafField)
        expected = field.type.expected.partition(", or")[0].replace(", a share", ", or a share")
        what = "is missing" if given is None else f"{data.dataset} comes without a validation split"
        problems.wrong(where_is(root, "data", "validation"), "data.validation", f"{what}. Expected {expected}.")
        problems.raise_if_any()
    return facts.validation_images, True


def _place(node: ScalarNode, folder: Path) -> Path:
    """Return the path that a scalar names; a relative one begins at the file in which it stands, or here."""
    source = Path(node.where.source)
    above = Path() if node.where.source.startswith(SET) else source.parent if source.is_file() else folder
    place = above / os.path.expanduser(node.text)
    return place.resolve() if ".." in place.parts else place.absolute()


def _size(data: MappingNode) -> int | None:
    node = data.get("size")
    value = node.value if isinstance(node, ScalarNode) else None
    return value if isinstance(value, int) and 4 <= value <= 2048 else None
