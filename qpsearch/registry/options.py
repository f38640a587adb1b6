"""The options of samplers and pruners, as a space file spells them: ``pruner: {asha: {factor: 4}}``."""

from collections.abc import Mapping
from dataclasses import dataclass

Options = Mapping[str, float | None]
"""The value of each option by name; None for ``auto``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A number that a sampler or pruner can be given.

    Attributes:
        doc: What it means, for users.
        low: The smallest value.
        high: The largest value.
        default: The value where a file does not set it; None for ``auto``, which a file may then say too.
        is_whole: Whether only whole numbers are allowed.
    """

    doc: str
    low: float
    high: float
    default: float | None
    is_whole: bool = False


def defaults(options: Mapping[str, Option]) -> Options:
    """Return the value of each option where a file does not set any."""
    return {name: option.default for name, option in options.items()}
