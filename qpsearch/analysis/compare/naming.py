"""How the arms of a comparison are called: by a setting or two, or by the numbers of trials."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from qpsearch.analysis.names import short_names
from qpsearch.space import Space
from qpsearch.space.domains import as_written
from qpsearch.study.records import TrialRecord
from qpsearch.vocabulary import Scalar

MOST: Final = 2  # settings that a name has
NOT_DRAWN: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """A setting in which arms differ that are called by the numbers of trials.

    Attributes:
        parameter: Its name.
        values: Its value in each arm by the arm's name; an arm whose network does not use it is not there.
    """

    parameter: str
    values: dict[str, Scalar]


def telling(space: Space, firsts: Sequence[TrialRecord]) -> list[str]:
    """Return the searched parameters that tell configurations apart.

    Args:
        space: The space.
        firsts: A trial of each configuration.
    """
    return [name for name in space.searched if len({first.params.get(name, NOT_DRAWN) for first in firsts}) > 1]


def names_of_points(space: Space, firsts: Sequence[TrialRecord]) -> list[str]:
    """Return a name for each point of a grid: the one or two settings that tell them apart, or else its trial's number.

    Args:
        space: The space.
        firsts: A trial of each point.
    """
    apart, short = telling(space, firsts), short_names(list(space.searched))
    if len(apart) > MOST or not all(name in first.params for name in apart for first in firsts):
        return [of_trial(first.number) for first in firsts]
    if len(apart) == 1:
        return names_of_values(space, firsts, [apart])
    names = [", ".join(f"{short[name]} {_word(first, name)}" for name in apart) for first in firsts]
    return _unique([name or of_trial(first.number) for name, first in zip(names, firsts, strict=True)], firsts)


def names_of_values(space: Space, firsts: Sequence[TrialRecord], patterns: Sequence[Sequence[str]]) -> list[str]:
    """Return a name for each combination of values: words as they are, numbers and switches after their parameter.

    Args:
        space: The space.
        firsts: A trial of each combination.
        patterns: The parameters of each part of a name; words that are the same stand once.
    """
    short = short_names(list(space.searched))
    parts = [_parts(firsts, names, short) for names in patterns]
    return _unique([", ".join(each) for each in zip(*parts, strict=True)], firsts)


def of_trial(number: int) -> str:
    """Return the name of an arm that is the configuration of a trial."""
    return f"trial {number}"


def settings_of(names: Sequence[str], firsts: Sequence[TrialRecord], parameters: Iterable[str]) -> list[SettingRow]:
    """Return the values of some parameters in each arm.

    Args:
        names: The names of the arms.
        firsts: A trial of each arm.
        parameters: The parameters.
    """
    arms = list(zip(names, firsts, strict=True))
    return [
        SettingRow(parameter=each, values={name: first.params[each] for name, first in arms if each in first.params})
        for each in parameters
    ]


def _parts(firsts: Sequence[TrialRecord], names: Sequence[str], short: dict[str, str]) -> list[str]:
    """Return what each name has for one pattern."""
    values = [[_word(first, name) for name in names] for first in firsts]
    if all(isinstance(first.params.get(name, ""), str) for first in firsts for name in names):
        return [each[0] if len(set(each)) == 1 else "/".join(each) for each in values]
    return [", ".join(f"{short[name]} {word}" for name, word in zip(names, each, strict=True)) for each in values]


def _word(record: TrialRecord, name: str) -> str:
    return as_written(record.params[name]) if name in record.params else NOT_DRAWN


def _unique(names: Sequence[str], firsts: Sequence[TrialRecord]) -> list[str]:
    return [
        f"{name} ({of_trial(first.number)})" if names.count(name) > 1 else name
        for name, first in zip(names, firsts, strict=True)
    ]
