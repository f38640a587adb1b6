"""Spaces from Python: read after what installed packages bring is loaded, so that a space can name it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qpsearch import space
from qpsearch.api.given import PathLike, path_text, texts
from qpsearch.architecture.plugins import load_everything
from qpsearch.space import Space


def load_space(name: str | Path, settings: str | Sequence[str] = ()) -> Space:
    """Read a space file, given by its path or by the name of a shipped space.

    Args:
        name: A path, or a name such as ``digits``.
        settings: Values in place of the file's, one or several, each ``PATH=VALUE`` as ``--set`` takes them:
            ``"network.stages.*.block=quotient"``.

    Raises:
        SpaceError: With one line for each problem of the file.
        UserError: ``settings`` is not a text, or several.

    Example:
        >>> import qpsearch
        >>> space = qpsearch.load_space("smoke")
        >>> for name, domain in space.searched.items():
        ...     print(name, domain)
        network.stages.0.block {choice: [additive, quotient, product_unit]}
        training.optimizer.sgd.lr {log: [0.02, 0.2]}
    """
    load_everything()
    return space.load_space(name, texts(settings, "settings", "training.epochs=3"))


def build_space(document: Mapping[str, Any], source: str = "space", folder: PathLike | None = None) -> Space:
    """Make a space from what a file would say, as dicts, lists and constants; domains may be objects.

    Args:
        document: The keys of a space file.
        source: Stands for the file in messages.
        folder: What ``extends`` starts from; None for the working directory.

    Raises:
        SpaceError: With one line for each problem; lines are those of ``space.source``, the same as YAML.
        UserError: ``folder`` is not a path.

    Example:
        >>> import qpsearch
        >>> from qpsearch.space import Choice, IntRange
        >>> space = qpsearch.build_space({
        ...     "study": "mine",
        ...     "data": {"dataset": "digits", "validation": 300},
        ...     "network": {
        ...         "stem": {"width": 16},
        ...         "stages": [{
        ...             "width": 16,
        ...             "depth": IntRange(low=1, high=3),
        ...             "block": Choice(options=("additive", "quotient")),
        ...         }],
        ...     },
        ...     "training": {"epochs": 10},
        ... })
        >>> list(space.searched)
        ['network.stages.0.depth', 'network.stages.0.block']
    """
    load_everything()
    place = path_text(folder, "folder")
    return space.build_space(document, source, None if place is None else Path(place))
