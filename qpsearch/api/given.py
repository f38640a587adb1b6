"""What a caller gives to the functions of the Python API, checked; each raises UserError that names the argument."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from qpsearch.errors import UserError, command, remember
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.space.schema.numbers import required
from qpsearch.space.schema.value_types import Integer, StudyName
from qpsearch.vocabulary import Scalar, Variable, Word, as_member

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
    """Return the given database, or as the command line does the one that QPSEARCH_STORAGE names.

    The commands that messages name from now on have it, unless they find it themselves.
    """
    text = path_text(given, "storage")
    remember("--storage", *([text] if text else []))
    return text or Variable.STORAGE.given or DEFAULT_STORAGE


def texts(given: object, name: str, such: str) -> Sequence[str]:
    """Return texts, of which one may stand by itself; ``such`` is an example of one."""
    found = (given,) if isinstance(given, str) else given
    if not isinstance(found, Sequence) or not all(isinstance(each, str) for each in found):
        raise UserError(f"{name}: {given!r} is not a text. Expected one such as {such!r}, or several.")
    return found


def sink_names(given: str | Sequence[str]) -> Sequence[str]:
    """Return the sinks that are named, one or several."""
    return texts(given, "sinks", "tensorboard")


def trial_numbers(given: object, name: str) -> Sequence[int]:
    """Return numbers of trials, at least one; None stands for none."""
    if given is None:
        return ()
    found = []
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
        with contextlib.suppress(TypeError):  # an array without dimensions
            found = list(given)
    if not found:
        raise UserError(f"{name}: {given!r} does not name trials. Expected their numbers, such as [3, 7].")
    return [required(NUMBER, each, name) for each in found]


def study_name(given: str | None) -> str | None:
    """Return the name of a study; None stays None."""
    try:
        return None if given is None else str(StudyName().parse(given, "study"))
    except ValueError as error:
        raise UserError(f"study: {error}") from None


def known_study(given: object) -> str:
    """Return the name of a study that is looked for; a text that names none is answered where it is looked for."""
    if not isinstance(given, str):
        raise UserError(
            f"name: {given!r} is not the name of a study. Expected a text; list them: {command('studies')}."
        )
    return given


def address_of(given: object) -> str | None:
    """Return the address of a Ray cluster; None stays None."""
    if given is not None and not isinstance(given, str):
        raise UserError(f"address: {given!r} is not an address. Expected 'auto', or 'host:port' of a Ray cluster.")
    return given


def word(kind: type[Word], given: object, name: str) -> Word:
    """Return the member of an enum of words that is meant."""
    try:
        return as_member(kind, given, name)
    except ValueError as error:
        raise UserError(str(error)) from None


def parameter_values(given: object) -> Mapping[str, Scalar]:
    """Return values of parameters by name; None stands for none. The values are checked by their parameters."""
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        such = "{'network.stages.*.block': 'quotient'}"
        raise UserError(f"values: {given!r} are not values by name. Expected a dict such as {such}.")
    return given
