"""Spaces that come with qpsearch, found by name from any folder."""

from difflib import get_close_matches
from pathlib import Path

from qpsearch.errors import SpaceError

_PACKAGE = Path(__file__).parent.parent


def shipped() -> dict[str, Path]:
    """Return the shipped space files by name: those inside an installed package, or those of a clone beside it."""
    installed = _PACKAGE / "spaces"
    folder = installed if installed.is_dir() else _PACKAGE.parent / "spaces"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_space(name: str | Path, beside: Path | None = None) -> Path:
    """Return the file that a user means: a path, or the name of a shipped space.

    Args:
        name: What the user wrote.
        beside: Folder that a relative path starts from; None for the working directory.

    Raises:
        SpaceError: There is no such file and no such shipped space.
    """
    path = (beside or Path()) / Path(name).expanduser()
    if path.exists():
        return path
    known = shipped()
    if str(name) in known:
        return known[str(name)]
    there = [str(other) for other in sorted(path.parent.glob("*.yaml"))] if path.parent.is_dir() else []
    close = get_close_matches(str(name), [*known, *there, *(Path(other).name for other in there)], n=1, cutoff=0.75)
    question = f"Did you mean {close[0]!r}? " if close else ""
    files = f"Files there: {', '.join(there)}. " if there else ""
    raise SpaceError([f"{name}: no such file. {question}{files}Shipped spaces: {', '.join(known)}."])
