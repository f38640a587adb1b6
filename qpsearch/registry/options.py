"""The options of what a space file names: ``pruner: {asha: {factor: 4}}``, ``optimizer: {sgd: {lr: 0.1}}``."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

Options = Mapping[str, float | None]
"""The value of each option by name; None for ``auto``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A number that a sampler, pruner, optimiser or augmentation can be given.

    Attributes:
        doc: What it means, for users.
        low: The smallest value.
        high: The largest value.
        default: The value where a file does not set it; None for ``auto``, which a file may then say too.
        is_whole: Whether only whole numbers are allowed.
        is_above: Whether ``low`` itself is not allowed.
        rule: The papers' rules that it implements.
    """

    doc: str
    low: float
    high: float
    default: float | None
    is_whole: bool = False
    is_above: bool = False
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Something that an optimiser does or does not do.

    Attributes:
        doc: What it means, for users.
        default: Whether it is done where a file does not say.
    """

    doc: str
    default: bool


def defaults(options: Mapping[str, Option]) -> Options:
    """Return the value of each option where a file does not set any."""
    return {name: option.default for name, option in options.items()}


def setting(option: Option | Switch, *, stored: object = MISSING) -> Any:
    """Declare a field of a record that a space file sets.

    Args:
        option: What a file may say.
        stored: The value in a configuration that was stored before the setting existed; left out for a setting that
            has existed from the beginning.
    """
    return field(default=stored, metadata={"option": option})


def settings_of(record: type) -> dict[str, Option | Switch]:
    """Return the settings of a record by name, in their order."""
    return {each.name: each.metadata["option"] for each in fields(record) if "option" in each.metadata}
