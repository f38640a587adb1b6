"""What a caller gives to the functions of the Python API, checked; each raises UserError that names the argument."""

import os
from collections.abc import Sequence
from typing import Final

from qpsearch.errors import UserError
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.space.schema.value_types import Integer, StudyName
from qpsearch.vocabulary import Dispatcher, Variable, as_member

NUMBER: Final = Integer(0, 2**31 - 1)  # of a trial, of one of its runs, of a seed

PathLike = str | os.PathLike[str]


def path_text(given: object, name: str) -> str | None:
    """Return a path or URI as text; None stays None."""
    if given is None or isinstance(given, str):
        return given
    text = os.fspath(given) if isinstance(given, os.PathLike) else None
    if not isinstance(text, str):
        raise UserError(f"{name}: {given!r} is not a path. Expected a text or a Path.")
    return text


def storage_url(given: object) -> str:
    """Return the given database, or as the command line does the one that QPSEARCH_STORAGE names."""
    return path_text(given, "storage") or Variable.STORAGE.given or DEFAULT_STORAGE


def sink_names(given: str | Sequence[str]) -> Sequence[str]:
    """Return the sinks that are named, one or several."""
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise UserError(f"sinks: {given!r} does not name sinks. Expected a text such as 'tensorboard', or several.")
    return names


def study_name(given: str | None) -> str | None:
    """Return the name of a study; None stays None."""
    try:
        return None if given is None else str(StudyName().parse(given, "study"))
    except ValueError as error:
        raise UserError(f"study: {error}") from None


def dispatcher(word: str) -> Dispatcher:
    """Return the dispatcher of a word."""
    try:
        return as_member(Dispatcher, word, "dispatch")
    except ValueError as error:
        raise UserError(str(error)) from None
