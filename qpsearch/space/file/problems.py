"""Everything that is wrong with a space file, collected while it is read and reported together."""

from typing import Final

from qpsearch.errors import SpaceError
from qpsearch.space.file.document import MappingNode, Node, ScalarNode, SequenceNode, Where
from qpsearch.space.schema.value_types import shown

MOST: Final = 100  # problems before reading stops: nobody reads more, and each takes a search for the nearest word


class Problems:
    """Problems with their places."""

    def __init__(self) -> None:
        self._found: list[tuple[Where, str]] = []
        self._paths: set[str] = set()

    def __len__(self) -> int:
        return len(self._found)

    def wrong(self, where: Where, path: str, text: str) -> None:
        """Note a problem.

        Raises:
            SpaceError: There are too many; the rest of the file is not read.
        """
        self._found.append((where, f"{where}: {path}: {text}" if path else f"{where}: {text}"))
        self._paths.add(path)
        if len(self._found) >= MOST:
            self.raise_if_any()

    def hides(self, path: str) -> bool:
        """Whether something at a path, above it or below it could not be read."""
        return any(f"{path}.".startswith(f"{bad}.") or f"{bad}.".startswith(f"{path}.") for bad in self._paths if bad)

    def raise_if_any(self) -> None:
        """Raise all problems in the order of files and lines, each once.

        Raises:
            SpaceError: There is at least one problem.
        """
        if self._found:
            ordered = sorted(self._found, key=lambda found: (found[0].source, found[0].line, found[0].column))
            stopped = [f"{self._found[-1][0]}: reading stopped here, after {MOST} problems."] * (len(ordered) >= MOST)
            raise SpaceError([*dict.fromkeys(text for _, text in ordered), *stopped])


def kind_of(node: Node) -> str:
    """Name the content of a node, for a message."""
    match node:
        case MappingNode():
            return f"keys ({', '.join(node.keys()) or 'none'})"
        case SequenceNode():
            return "a list" if node.items else "an empty list"
        case ScalarNode(None):
            return "nothing"
        case ScalarNode(value):
            return shown(value)
