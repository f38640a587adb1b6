"""Space files as the command line names them."""

from pathlib import Path

from qpsearch.errors import SpaceError
from qpsearch.space.file.loader import load_space
from qpsearch.space.space import Space


def open_space(name: str | Path) -> Space:
    """Load a space; a message about a missing file says where it was looked for.

    Raises:
        SpaceError: With a line for each problem.
    """
    try:
        return load_space(name)
    except SpaceError as error:
        missing = f"{name}: no such file"
        where = Path(name).absolute()
        raise SpaceError(
            [
                f"{where}{problem.removeprefix(str(name))}" if problem.startswith(missing) else problem
                for problem in error.problems
            ]
        ) from None
