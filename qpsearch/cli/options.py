"""Options that several commands share, and their meaning."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from qpsearch.cli.completion import space_names, study_names
from qpsearch.errors import UserError, remember
from qpsearch.vocabulary import Variable


def _remembered(context: typer.Context, url: str) -> str:
    """Return the storage; one that the command line names belongs to the commands that messages name, too."""
    source = context.get_parameter_source("storage")
    remember("--storage", *([url] if source is not None and source.name == "COMMANDLINE" else []))
    return url


Storage = Annotated[
    str,
    typer.Option(
        envvar=Variable.STORAGE,
        callback=_remembered,
        metavar="URL",
        help="Study database: FILE.db or postgresql+psycopg://...",
        show_default=True,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="A value, by its path in a space file; repeatable."),
]
StudyArgument = Annotated[
    str, typer.Argument(help="Name of a study in the database.", metavar="STUDY", autocompletion=study_names)
]
SpaceArgument = Annotated[
    str,
    typer.Argument(help="A space file, or the name of a shipped space.", metavar="SPACE", autocompletion=space_names),
]


def checked_name(study: str | None, given: str = "--study") -> str | None:
    """Return a valid study name; raises UserError, which says where the name was given."""
    from qpsearch.space.schema.value_types import StudyName

    try:
        return None if study is None else str(StudyName().parse(study, "study"))
    except ValueError as error:
        raise UserError(f"{given}: {error}") from None


def settings_of(given: list[str] | None) -> dict[str, Any]:
    """Return what ``--set`` gives, by path; a value is spelled as in a space file.

    Raises:
        SpaceError: One of them is not of the form PATH=VALUE.
    """
    from qpsearch.space.file.changes import setting
    from qpsearch.space.file.document import plain

    return {path: plain(node) for path, node in map(setting, given or [])}


def write_new(path: Path, text: str) -> None:
    """Write a new file; raises UserError where there is one already, or where it cannot be written."""
    if path.exists():
        raise UserError(f"{path}: already exists and is not overwritten. Name another file.")
    try:
        path.write_text(text)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}). Name another file.") from None


def print_json(document: dict[str, Any]) -> None:
    """Print one document; a number that is not finite becomes null, since JSON does not have such numbers."""
    print(json.dumps(_finite(document), indent=2, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
