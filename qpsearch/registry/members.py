"""Members of a registry: the modules of a folder, each of which says itself what it adds; no list names them.

A new optimiser, schedule, augmentation, metric, data set or sampler is one new module with ``MEMBERS``, a tuple of
records.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Final, Protocol, TypeVar

LAST: Final = 1000  # the order of a member that does not say its own


class Named(Protocol):
    """A record with its word in space files, and its place among the others."""

    @property
    def name(self) -> str:
        """The word."""

    @property
    def order(self) -> int:
        """Smaller numbers come first; members of one number come by their modules' names."""


Member = TypeVar("Member", bound=Named)


def members(package: str, kind: type[Member]) -> dict[str, Member]:
    """Return what the modules of a package have as ``MEMBERS``, by name, in their order.

    Args:
        package: The package's full name.
        kind: What each member must be.

    Raises:
        TypeError: A member is something else.
        ValueError: Two members have one name.
    """
    found: list[Member] = []
    for name in sorted(each.name for each in pkgutil.iter_modules(import_module(package).__path__)):
        module = f"{package}.{name}"
        for member in getattr(import_module(module), "MEMBERS", ()):
            if not isinstance(member, kind):
                raise TypeError(f"{module}: MEMBERS has {member!r}. Expected a tuple of {kind.__name__}.")
            if member.name in {other.name for other in found}:
                raise ValueError(f"{module}: there is a {member.name!r} already.")
            found.append(member)
    return {member.name: member for member in sorted(found, key=lambda member: member.order)}


def known(table: Mapping[str, object], word: str, field: str) -> str:
    """Return a word that is in a table.

    Raises:
        ValueError: It is not; the message names field, value and choices.
    """
    if word not in table:
        raise ValueError(f"{field}: unknown value {word!r}. Choices: {', '.join(table)}")
    return word
