"""What a shell offers at a tab: studies of the database, spaces that come with qpsearch, files."""

import os
from pathlib import Path

import typer

from qpsearch.errors import QpsearchError
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.vocabulary import Variable


def asked_command() -> str | None:
    """Return the command in the line that a shell wants completed: only the command's file needs to be imported."""
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    words = line.split()
    return words[1] if len(words) > 1 else None


def study_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the studies whose names begin with the text; empty if the database cannot be read."""
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    storage = context.params.get("storage") or Variable.STORAGE.given or DEFAULT_STORAGE
    try:
        names = queries.study_names(Database.open(str(storage)))
    except QpsearchError:
        return []  # a message would disturb a shell that completes a word
    return [name for name in names if name.startswith(incomplete)]


def space_names(incomplete: str) -> list[str]:
    """Return the shipped spaces, space files and folders whose names begin with the text."""
    from qpsearch.space import shipped

    head, tail = os.path.split(incomplete)
    try:
        there = sorted(Path(head or ".").expanduser().iterdir())
    except (OSError, RuntimeError):  # ~user of an unknown user
        there = []
    files = [path for path in there if path.name.startswith(tail) and (path.is_dir() or path.suffix == ".yaml")]
    found = [os.path.join(head, path.name) + "/" * path.is_dir() for path in files if not path.name.startswith(".")]
    return [name for name in shipped() if name.startswith(incomplete)] + found


def space_and_study_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return what names a space: shipped ones, files, and studies, each with what begins with the text."""
    return list(dict.fromkeys([*space_names(incomplete), *study_names(context, incomplete)]))
