"""The JSON Schema says what the reader says, as far as it can."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qpsearch.errors import SpaceError
from qpsearch.space import build_space, json_schema, load_space
from qpsearch.space.file.document import parse_document, plain, read_document
from qpsearch.space.schema.fields import LeafField, ListField, SectionField, VariantField
from qpsearch.space.schema.settings import SPACE, field_at
from tests.helpers import SPACES
from tests.space.cases import GOOD, MISTAKES
from tests.space.enough import enough
from tests.space.generate import documents

VALIDATOR = jsonschema.Draft202012Validator(json_schema())

# What only the whole file can tell, or two values together: out of JSON Schema's reach.
ONLY_THE_READER = {
    "a comparison of several objectives",
    "a comparison without arms",
    "an arm of a stage that is not there",
    "an arm that changes the search",
    "an arm that changes what nobody knows",
    "an arm through a constant",
    "an arm with other images",
    "an arm with a block misspelt",
    "trials of a comparison in the search",
    "an inverted range",
    "a range of one value",
    "a step that misses the end",
    "a step that is larger than the range",
    "a step of decimals that misses the end",
    "a step of decimals that is larger than the range",
    "a step too fine to tell numbers apart",
    "a prior between two steps",
    "a log range of whole numbers from zero",
    "a log range of whole numbers, inverted",
    "a log range of whole numbers for a real number",
    "an int range for a real number",
    "black padding of nothing",
    "a condition on an augmentation that is not listed",
    "a require with or as others write it",
    "a require with or in capitals",
    "a require with a power as others write it",
    "a require of a cost with another name",
    "black padding of images that are cut",
    "a stream of what is not a folder",
    "three means for one channel",
    "too many validation images",
    "too large a share of validation images",
    "too small a share of validation images",
    "a share of less than one validation image",
    "no validation images, and their accuracy",
    "no validation images, and no objective",
    "a training loss to maximise",
    "epochs to a target, of runs that are not equally long",
    "two training metrics",
    "too few validation images",
    "a score of an epoch that no run reaches",
    "a score of an epoch that some runs do not reach",
    "a score of an epoch, and computed epochs",
    "a loss to maximise",
    "two objectives",
    "a tie that joins nothing",
    "a tie misspelt",
    "a tie misspelt, with one that is right",
    "a tie of two domains",
    "a prior outside its domain",
    "arithmetic with a path misspelt",
    "arithmetic with a word",
    "arithmetic on a word",
    "arithmetic that does not end",
    "arithmetic in a circle",
    "arithmetic with the unit of something else",
    "arithmetic that runs code",
    "a rung after the last epoch",
    "a pruner's bounds in the wrong order",
    "a pruner without bounds",
    "a pruner that waits until the last epoch",
    "a pruner that is too patient",
    "levels of images that do not reach the whole",
    "levels of images that do not ascend",
    "a single level",
    "a level of too few images",
    "levels of images of another size",
    "levels of two kinds",
    "levels without a pruner that judges them",
    "levels and a first rung",
    "levels and epochs that are searched",
    "a first configuration with a path misspelt",
    "a first configuration with a value that never comes",
    "a first configuration in a factorial design",
    "a forbid with a path misspelt",
    "a forbid with a stage that is not there",
    "a forbid of a value that never comes",
    "a rule of one kind of block only",
    "a forbid of a number out of range",
    "a forbid that is not a condition",
    "a forbid with one equals sign",
    "a forbid that compares a word",
    "a forbid that is a chain",
    "a require without a bracket",
    "a require with a list that is none",
    "a limit upside down",
    "several objectives and a pruner",
    "costs alone as objectives",
    "a cost to maximise",
    "a grid without end",
    "a rule that no stage uses",
    "a rule that every stage names itself",
    "a rule of a block that the stage cannot be",
    "a base that is not there",
    "a tie with a word of conditions",
    "arithmetic that gives a fraction",
    "arithmetic that divides by zero",
    "a stage that is another from draw to draw",
    "a forbid with its sides swapped and a word misspelt",
    "a forbid that compares a cost with a word",
    "a forbid of two leaves that never meet",
    "a forbid of a truth value",
    "a forbid of a number in quotes",
    "a forbid that never changes",
    "a prior in a grid",
    "computed epochs and a pruner",
}
NOT_YAML = {
    "a tab",
    "a key twice",
    "a bracket left open",
    "an alias of nothing",
    "a merge of what is no mapping",
    "a tag that runs code",
}


def is_valid(document: Any) -> bool:
    return bool(VALIDATOR.is_valid(document))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_every_shipped_space_is_valid(path: Path) -> None:
    _, root = read_document(path)
    VALIDATOR.validate(plain(root))


@pytest.mark.parametrize("name", sorted(MISTAKES.keys() - NOT_YAML))
def test_a_mistake_is_rejected_unless_only_the_reader_can_tell(name: str) -> None:
    text = GOOD.replace(*MISTAKES[name])
    assert is_valid(plain(parse_document(text, "s.yaml"))) == (name in ONLY_THE_READER)


def test_the_mistakes_out_of_reach_are_named_as_they_are() -> None:
    assert MISTAKES.keys() >= (ONLY_THE_READER | NOT_YAML)


@given(document=documents())
@settings(max_examples=50, deadline=None)
def test_what_the_reader_takes_the_schema_takes(document: dict[str, Any]) -> None:
    build_space(document)
    VALIDATOR.validate(document)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def put(document: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    changed = copy.deepcopy(document)
    *above, last = path
    place = changed
    for key in above:
        place = place[key]
    change(place, last)
    return changed


WORDS = st.sampled_from(
    ["quotent", "", "x y", -3, 0.5, True, None, [], {}, [[]], {"choice": []}, {"int": [1]}, {"unknown": 1}]
)


@enough(100)
@given(document=documents(), data=st.data())
@settings(max_examples=100, deadline=None)
def test_what_the_schema_rejects_the_reader_rejects(document: dict[str, Any], data: st.DataObject) -> None:
    """A file is changed anywhere: the schema must never be the stricter of the two."""
    path = data.draw(st.sampled_from([place for place in places(document) if place]))
    wrong = data.draw(WORDS)
    changes = {
        "replaced": lambda place, key: place.__setitem__(key, wrong),
        "removed": lambda place, key: place.pop(key),
        "renamed": lambda place, key: place.__setitem__(f"{key}x", place.pop(key)) if isinstance(place, dict) else None,
    }
    changed = put(document, path, changes[data.draw(st.sampled_from(sorted(changes)))])
    assume(not is_valid(changed))
    with pytest.raises(SpaceError):
        build_space(changed)


@given(document=documents(), data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_key_or_a_word_misspelt_is_rejected_by_both(document: dict[str, Any], data: st.DataObject) -> None:
    keys = [place for place in places(document) if place and isinstance(place[-1], str)]
    known = [
        place for place in keys if not {"forbid", "choice"} & set(place[:-1]) and place[-1] not in ("prior", "tie")
    ]
    path = data.draw(st.sampled_from(known))
    changed = put(document, path, lambda place, key: place.__setitem__(f"{key}x", place.pop(key)))
    assert not is_valid(changed)
    with pytest.raises(SpaceError):
        build_space(changed)


def test_every_leaf_is_explained_to_an_editor() -> None:
    def leaves(schema: dict[str, Any], field: Any) -> None:
        match field:
            case SectionField(fields=fields):
                for name, inner in fields.items():
                    leaves(schema["properties"][name], inner)
            case LeafField() | ListField() | VariantField():
                assert schema["description"].startswith(field.doc)
                assert field.doc.endswith(".")

    leaves(json_schema(), SPACE)
    alpha = json_schema()["properties"]["network"]["properties"]["rules"]["properties"]["quotient"]["properties"][
        "alpha"
    ]
    assert "Q4" in alpha["description"]
    assert alpha["default"] == "by_depth"


def test_every_searched_leaf_has_a_field() -> None:
    for path in SPACES:
        for place in load_space(path).meaning():
            if (
                place.startswith(("network.", "training."))
                and place != "network.stages"
                and place != "network.stages.3"
            ):
                assert field_at(place) is not None, place
