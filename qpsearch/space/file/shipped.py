"""Spaces that come with qpsearch, found by name from any folder."""

import os
from difflib import get_close_matches
from pathlib import Path

import qpsearch
from qpsearch.errors import SpaceError

MOST_NAMED = 8
_PACKAGE = Path(qpsearch.__file__).parent


def shipped() -> dict[str, Path]:
    """Return the shipped space files by name: those inside an installed package, or those of a clone beside it."""
    installed = _PACKAGE / "spaces"
    folder = installed if installed.is_dir() else _PACKAGE.parent / "spaces"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"), key=lambda path: path.stem)}


def find_space(name: str | Path, beside: Path | None = None) -> Path:
    """Return the file that a user means: a path, or the name of a shipped space.

    Args:
        name: What the user wrote.
        beside: Folder that a relative path starts from; None for the working directory.

    Raises:
        SpaceError: There is no such file and no such shipped space.
    """
    given: object = name
    if not isinstance(given, str | os.PathLike):
        raise SpaceError(
            [f"space: {given!r} is not the name of a space. Expected a path, or the name of a shipped one."]
        )
    known = shipped()
    try:
        path = (beside or Path()) / Path(name).expanduser()
        if path.is_file() or (path.exists() and str(name) not in known):
            return path
    except (OSError, RuntimeError) as error:  # a name too long, ~user of an unknown user
        raise SpaceError([f"{name}: cannot be the name of a file ({error})."]) from None
    if str(name) in known:
        return known[str(name)]
    there = [other.name for other in sorted(path.parent.glob("*.yaml"))] if path.parent.is_dir() else []
    meant = [f"{path.name}.yaml"] if f"{path.name}.yaml" in there else []
    close = meant or get_close_matches(str(name), [*known, *there], n=1, cutoff=0.75)
    question = f"Did you mean {close[0]!r}? " if close else ""
    files = f"Files there: {', '.join(there[:MOST_NAMED])}{', ...' * (len(there) > MOST_NAMED)}. " if there else ""
    raise SpaceError([f"{path.absolute()}: no such file. {question}{files}Shipped spaces: {', '.join(known)}."])
