"""YAML text with line numbers: the only place that knows about YAML.

A document becomes a tree of ``ScalarNode``, ``MappingNode`` and ``SequenceNode``, each of which remembers where it
stands, so that every later message can name the line. YAML 1.2 rules hold, whatever version a file asks for: ``1e-3``
is a number, ``no`` is a string, and a repeated key is an error. A scalar keeps its spelling: ``1.10`` may be a name.
Aliases and merge keys (``<<: *base``) are expanded; a file that expands beyond reason is refused before it can fill the
memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import nodes as yaml_nodes
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.representer import SafeRepresenter
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.scanner import RoundTripScanner

from qpsearch.errors import SpaceError

MAX_BYTES = 1_000_000
MAX_NODES = 20_000  # the largest space that we ship has 300
MAX_NESTING = 40
MAX_DIGITS = 400  # beyond the largest float; Python refuses to spell whole numbers of more than 4,300
TOO_MUCH = f"more than {MAX_NODES:,} keys and values, or {MAX_NESTING} levels, counting aliases."


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file, line and column counted from 1; prints as ``spaces/cifar.yaml:14:9``."""

    source: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A string, number, truth value or null; ``text`` is its spelling, empty where a key has no value."""

    value: str | int | float | bool | None
    where: Where
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping with its value."""

    key: str
    where: Where
    node: "Node"


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Keys in the order of the file, each once."""

    entries: tuple[Entry, ...]
    where: Where

    def get(self, key: str) -> "Node | None":
        """Return the value of a key, None where it is absent."""
        return next((entry.node for entry in self.entries if entry.key == key), None)

    def __contains__(self, key: object) -> bool:
        return any(entry.key == key for entry in self.entries)

    def keys(self) -> list[str]:
        """Return the keys in the order of the file."""
        return [entry.key for entry in self.entries]


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    items: tuple["Node", ...]
    where: Where


Node = ScalarNode | MappingNode | SequenceNode


def read_document(path: Path) -> tuple[str, Node]:
    """Read a file: its text, and its tree.

    Raises:
        SpaceError: The file is unreadable, too large or not YAML.
    """
    if path.is_dir():
        raise SpaceError([f"{path}: is a folder. Name one space file in it."])
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        _check_size(content, str(path))
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise SpaceError([f"{path}: is not UTF-8 text. Expected a YAML space file."]) from None
    except OSError as error:
        raise SpaceError([f"{path}: cannot be read ({error.strerror})."]) from None
    return text, parse_document(text, str(path))


def parse_document(text: str, source: str) -> Node:
    """Turn YAML text into a tree; ``source`` is the file name that messages carry.

    Raises:
        SpaceError: It is not YAML, is empty, repeats a key, or is too large.
    """
    _check_size(text, source)
    try:
        root = bounded_yaml().compose(text)
    except _TooMuch as error:
        raise SpaceError([f"{source}:{error.line}:{error.column}: {TOO_MUCH}"]) from None
    except MarkedYAMLError as error:
        raise SpaceError([_broken(error, source)]) from None
    except YAMLError as error:
        raise SpaceError([f"{source}: is not YAML: {' '.join(str(error).split())}."]) from None
    except (ValueError, OverflowError, AssertionError) as error:  # ruamel's, for escapes and %YAML lines beyond reason
        raise SpaceError([f"{source}: cannot be read as YAML ({error})."]) from None
    if root is None:
        raise SpaceError([f"{source}:1:1: is empty. Expected keys study, data, network and training."])
    return _Builder(source).build(root)


def _check_size(content: str | bytes, source: str) -> None:
    if len(content) > MAX_BYTES:
        raise SpaceError([f"{source}: larger than {MAX_BYTES // 1000} kB. A space file is a few hundred lines."])


def bounded_yaml() -> YAML:
    """Return a reader of YAML whose work is bounded: it stops at the first value that is too many or too deep."""
    yaml = YAML(typ="rt", pure=True)
    yaml.Scanner, yaml.Composer, yaml.Resolver = _Scanner, _Composer, _Resolver
    return yaml


class _TooMuch(Exception):
    """A text has too many values, or too many levels; line and column are counted from 1."""

    def __init__(self, mark: Any) -> None:
        self.line, self.column = mark.line + 1, mark.column + 1
        super().__init__(TOO_MUCH)


class _Scanner(RoundTripScanner):
    """Counts open brackets: for each token ruamel looks at all of them, long before it makes nodes of them."""

    def fetch_flow_collection_start(self, *given: Any, **named: Any) -> None:
        """Read an opening bracket."""
        if len(self.flow_context) > MAX_NESTING:
            raise _TooMuch(self.reader.get_mark())
        super().fetch_flow_collection_start(*given, **named)


class _Composer(Composer):
    """Counts nodes while they are made; ruamel would first make all of a text."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False  # YAML allows an anchor to be given again
        self._count = self._level = 0

    def compose_node(self, *given: Any) -> Any:
        """Make a node with all that is in it."""
        self._count += 1
        if self._count > MAX_NODES or self._level > MAX_NESTING:
            raise _TooMuch(self.parser.peek_event().start_mark)
        self._level += 1
        node = super().compose_node(*given)
        self._level -= 1
        return node


class _Resolver(VersionedResolver):
    """Tells numbers from words by the rules of YAML 1.2, also where a line ``%YAML 1.1`` would make ``no`` false."""

    @property
    def processing_version(self) -> tuple[int, int]:
        """The version whose rules hold."""
        return (1, 2)


def _broken(error: MarkedYAMLError, source: str) -> str:
    mark = error.problem_mark or error.context_mark
    line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
    problem = " ".join(str(error.problem or error.context or "cannot be read").split())
    if "\\t" in problem or "'\t'" in problem:
        problem = "a tab character cannot indent YAML. Use spaces"
    return f"{source}{line}: is not YAML: {problem}."


class _Builder:
    """Converts ruamel's nodes; counts them, since aliases can multiply without bound."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._count = 0

    def build(self, node: Any, depth: int = 0) -> Node:
        where = self._where(node)
        self._counted(where, depth)
        if isinstance(node, yaml_nodes.ScalarNode):
            text = str(node.value).replace("\a", "")  # the round-trip scanner's mark for a line break in folded text
            return ScalarNode(self._scalar(node, text, where), where, text)
        if isinstance(node, yaml_nodes.SequenceNode):
            return SequenceNode(tuple(self.build(item, depth + 1) for item in node.value), where)
        assert isinstance(node, yaml_nodes.MappingNode)
        return MappingNode(tuple(self._entries(node, depth)), where)

    def _entries(self, node: yaml_nodes.MappingNode, depth: int) -> Iterator[Entry]:
        seen: dict[str, Where] = {}
        merged: list[Entry] = []
        for key_node, value_node in node.value:
            where = self._where(key_node)
            if isinstance(key_node, yaml_nodes.ScalarNode) and key_node.value == "<<" and key_node.style is None:
                merged += self._merged(value_node, where, depth)
                continue
            if not isinstance(key_node, yaml_nodes.ScalarNode):
                raise SpaceError([f"{where}: a key must be a word, not a list or mapping."])
            self._counted(where, depth)
            key = str(key_node.value)
            if key in seen:
                raise SpaceError([f"{where}: key {key!r} was already given in line {seen[key].line}. Keep one."])
            seen[key] = where
            value = self.build(value_node, depth + 1)
            if isinstance(value, ScalarNode) and value.value is None:
                value = ScalarNode(
                    None, where, value.text
                )  # YAML places an absent value at the next token, lines below
            yield Entry(key, where, value)
        for entry in merged:
            if entry.key not in seen:
                seen[entry.key] = entry.where
                yield entry

    def _merged(self, node: Any, where: Where, depth: int) -> Iterator[Entry]:
        """Yield what ``<<`` brings in: the first of several mappings wins; the mapping's own keys win over all."""
        for part in node.value if isinstance(node, yaml_nodes.SequenceNode) else [node]:
            if not isinstance(part, yaml_nodes.MappingNode):
                raise SpaceError([f"{where}: '<<' merges mappings: write <<: *NAME, where &NAME marks a mapping."])
            built = self.build(part, depth + 1)
            assert isinstance(built, MappingNode)
            yield from built.entries

    def _counted(self, where: Where, depth: int) -> None:
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_NESTING:
            raise SpaceError([f"{where}: {TOO_MUCH}"])

    def _where(self, node: Any) -> Where:
        return Where(self._source, node.start_mark.line + 1, node.start_mark.column + 1)

    def _scalar(self, node: yaml_nodes.ScalarNode, text: str, where: Where) -> str | int | float | bool | None:
        if str(node.tag).startswith("!") or "python" in str(node.tag):
            raise SpaceError([f"{where}: the tag {node.tag} is not allowed in a space file. Remove it."])
        match str(node.tag).rsplit(":", 1)[-1]:
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "bool":
                raise SpaceError([f"{where}: {text!r} is not true or false."])
            case "int" | "float" as kind if len(text) <= MAX_DIGITS:
                return _number(text, kind)
            case _:
                return text


def _number(text: str, kind: str) -> str | int | float:
    """Return the number that a text spells; what spells none, such as 0x_, stays a word."""
    bare = text.replace("_", "").lower()
    try:
        if kind == "float":
            return float(bare.replace(".inf", "inf").replace(".nan", "nan"))
        return int(bare, 0) if bare.lstrip("+-").startswith(("0x", "0o", "0b")) else int(bare)
    except ValueError:
        return text


def size(node: Node) -> int:
    """Return how many keys and values a tree has."""
    match node:
        case MappingNode(entries):
            return 1 + sum(1 + size(entry.node) for entry in entries)
        case SequenceNode(items):
            return 1 + sum(map(size, items))
        case ScalarNode():
            return 1


def plain(node: Node) -> Any:
    """Return a tree as dicts, lists and scalars, without places."""
    return _containers(node, lambda scalar: scalar.value)


def spelled(node: Node) -> Any:
    """Return a tree as dicts, lists and scalars that keep their spelling, for ``dump``."""
    return _containers(node, lambda scalar: scalar)


def _containers(node: Node, leaf: Callable[[ScalarNode], Any]) -> Any:
    match node:
        case MappingNode(entries):
            return {entry.key: _containers(entry.node, leaf) for entry in entries}
        case SequenceNode(items):
            return [_containers(item, leaf) for item in items]
        case ScalarNode():
            return leaf(node)


class _Representer(SafeRepresenter):
    """Spells scalars of a file as the file does."""

    def spell(self, scalar: ScalarNode) -> Any:
        kinds = {bool: "bool", int: "int", float: "float", type(None): "null"}
        if type(scalar.value) not in kinds or not scalar.text:
            return self.represent_data(scalar.value)
        return self.represent_scalar(f"tag:yaml.org,2002:{kinds[type(scalar.value)]}", scalar.text)


_Representer.add_representer(ScalarNode, _Representer.spell)


def dump(document: Any) -> str:
    """Return dicts, lists and scalars as YAML text, short collections in one line.

    Strings that YAML would read as something else come in quotes, so ``parse_document`` gives back what went in.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # an attribute without a type
    yaml.width = 120
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
