"""Leaving out what would not be seen, so that a report of thousands of trials stays a page that can be sent."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def thinned(items: Sequence[Item], most: int, *, first: Sequence[Item] = ()) -> list[Item]:
    """Return at most ``most`` items in their order: those that must stay, and others in even steps.

    Args:
        items: All of them.
        most: How many may stay.
        first: Those that stay before all others; the same objects as in ``items``.
    """
    if len(items) <= most:
        return list(items)
    kept = {id(each) for each in first[:most]}
    others = [each for each in items if id(each) not in kept]
    room = most - len(kept)
    kept |= {id(others[place * len(others) // room]) for place in range(room)}
    return [each for each in items if id(each) in kept]


def thinned_note(shown: int, all_of_them: int, what: str) -> str | None:
    """Say what was left out; None where nothing was."""
    if shown >= all_of_them:
        return None
    return f"{shown:,} of {all_of_them:,} {what} are drawn; the database has them all."


def spread(values: Sequence[float], *, is_more_better: bool) -> tuple[float, float] | None:
    """Return a range that shows most values and the best ones; None where all of them fit in it anyway.

    A loss that overflowed, or the first epoch of a curve, would squeeze all others into a line.
    """
    ordered = sorted(values)
    if len(ordered) < 8:
        return None
    low, high = (ordered[round(part * (len(ordered) - 1))] for part in (0.1, 0.9))
    reach = 1.5 * (high - low)
    if reach == 0:
        return None
    bottom, top = (low - reach, ordered[-1]) if is_more_better else (ordered[0], high + reach)
    bottom, top = max(bottom, ordered[0]), min(top, ordered[-1])
    if (bottom, top) == (ordered[0], ordered[-1]):
        return None
    margin = 0.05 * (top - bottom)
    return bottom - margin, top + margin
