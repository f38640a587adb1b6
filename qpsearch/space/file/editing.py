"""Spaces from Python: built from plain data and domains, and files edited without losing their comments."""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ruamel.yaml.anchor import Anchor
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.representer import RoundTripRepresenter

from qpsearch.errors import SpaceError, nearest
from qpsearch.space.domains import Choice, FloatRange, IntRange, LogIntRange, LogRange
from qpsearch.space.file.document import MAX_NESTING, bounded_yaml, dump, parse_document
from qpsearch.space.file.loader import parse_space
from qpsearch.space.leaves import Tied
from qpsearch.space.space import Space


def build_space(document: Mapping[str, Any], source: str = "space", folder: Path | None = None) -> Space:
    """Make a space from what a file would say, as ``qpsearch.build_space`` does with what is loaded already.

    Raises:
        SpaceError: With one line for each problem.
    """
    return parse_space(dump(_plain(document)), source, folder)


def edited(text: str, changes: Mapping[str, Any], source: str = "space", folder: Path | None = None) -> str:
    """Return the text of a space file with some values changed; comments, order and spelling of the rest stay.

    Args:
        text: The text of the file.
        changes: By dotted path, ``network.stages.0.width``; a value as in ``build_space``. Keys that are not there yet
            are added, and sections on the way to them.
        source: Stands for the file in messages.
        folder: What ``extends`` starts from; None for the working directory.

    Raises:
        SpaceError: The text is not a valid space before or after the change, a path leads through a constant, or
            ``changes`` are no such values.
    """
    given: object = changes
    if not isinstance(given, Mapping) or not all(isinstance(path, str) for path in given):
        raise SpaceError(
            [f"changes: {given!r} are not values by path. Expected a dict such as {{'training.epochs': 3}}."]
        )
    parse_document(text, source)  # counts aliases too, with which ruamel would fill the memory
    yaml = bounded_yaml()
    yaml.Constructor, yaml.Representer = _Constructor, _Representer
    yaml.width = 4096  # long lines are not wrapped
    yaml.indent(mapping=2, sequence=4, offset=2)
    root = yaml.load(text)
    for path, value in changes.items():
        _part(root, path.split("."))
        _set(root, path, _plain(value), source)
    stream = StringIO()
    yaml.dump(root, stream)
    changed = stream.getvalue()
    parse_space(changed, source, folder)
    return changed


class _Spelled(str):
    """A number, truth value or null as the text spells it, since 1.10 and null may be names."""

    tag: str
    anchor: Anchor


class _Constructor(RoundTripConstructor):
    """Keeps the spelling of scalars."""

    def spelled(self, node: Any) -> _Spelled:
        value = _Spelled(node.value)
        value.tag, value.anchor = str(node.tag), Anchor()
        value.anchor.value, value.anchor.always_dump = node.anchor, node.anchor is not None
        return value


class _Representer(RoundTripRepresenter):
    """Spells scalars as they were."""

    def spelled(self, value: _Spelled) -> Any:
        return self.represent_scalar(value.tag, value, anchor=value.anchor if value.anchor.always_dump else None)


for _kind in ("null", "bool", "int", "float", "timestamp"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_kind}", _Constructor.spelled)
_Representer.add_representer(_Spelled, _Representer.spelled)


def _part(root: Any, path: list[str]) -> None:
    """Copy the nodes of a path that an alias shares with other places, so that those places stay as they are."""
    seen: Counter[int] = Counter()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        seen[id(node)] += 1
        if seen[id(node)] == 1 and isinstance(node, CommentedMap | CommentedSeq):
            waiting += node.values() if isinstance(node, CommentedMap) else node
    place = root
    for name in path[:-1]:
        key: Any = int(name) if isinstance(place, CommentedSeq) and name.isdigit() else name
        try:
            inner = place[key]
        except (KeyError, IndexError, TypeError):
            return
        if isinstance(inner, CommentedMap | CommentedSeq) and seen[id(inner)] > 1:
            inner = copy.deepcopy(inner)
            inner.yaml_set_anchor(None)
            place[key] = inner
        place = inner


def _set(root: Any, path: str, value: Any, source: str) -> None:
    *above, last = path.split(".")
    place, seen = root, ""
    for name in above:
        place = _step(place, name, seen, source)
        seen = f"{seen}.{name}".strip(".")
    if isinstance(place, CommentedSeq):
        _check_index(place, last, seen, source)
        place[int(last)] = value
    elif isinstance(place, CommentedMap):
        place[last] = value
    else:
        raise SpaceError([f"{source}: {seen}: is a constant, so {path} cannot be set below it."])


def _step(place: Any, name: str, seen: str, source: str) -> Any:
    if isinstance(place, CommentedSeq):
        _check_index(place, name, seen, source)
        return place[int(name)]
    if isinstance(place, CommentedMap):
        here = place.get(name)
        if here is None or (isinstance(here, _Spelled) and here.tag.endswith(":null")):
            place[name] = CommentedMap()
        return place[name]
    raise SpaceError([f"{source}: {seen}: is a constant, so {name} cannot be set below it."])


def _check_index(place: CommentedSeq, name: str, seen: str, source: str) -> None:
    if not name.isdigit() or int(name) >= len(place):
        known = [str(index) for index in range(len(place))]
        raise SpaceError([f"{source}: {seen}: has no item {name!r}. {nearest(name, known)}"])


def _plain(value: Any, level: int = 0) -> Any:
    """Turn domains into the mappings that a file has for them; raises SpaceError for what no file can say."""
    if level > MAX_NESTING:
        raise SpaceError([f"space: more than {MAX_NESTING} levels of dicts and lists."])
    match value:
        case Mapping():
            return {str(name): _plain(inner, level + 1) for name, inner in value.items()}
        case Choice() | IntRange() | LogIntRange() | FloatRange() | LogRange():
            return _plain(value.document(), level + 1)
        case Tied(name, domain):
            return _plain(domain.document(), level + 1) | {"tie": name}
        case str():
            return str(value)  # an enum's member too
        case Sequence():
            return [_plain(item, level + 1) for item in value]
        case bool() | None:
            return value
        case Integral():  # numpy's numbers, too
            return int(value)
        case Real():
            return float(value)
        case _:
            raise SpaceError([f"space: {value!r} cannot stand in a file. Expected dicts, lists, texts and numbers."])
