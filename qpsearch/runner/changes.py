"""What differs between two nested records."""

from collections.abc import Mapping
from typing import Any, Final

LONGEST: Final = 60  # characters of a value in a message


def changes(then: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> dict[str, tuple[Any, Any]]:
    """Return what differs between two nested records: by dotted name, the value then and now; None for none."""
    found: dict[str, tuple[Any, Any]] = {}
    for name in dict.fromkeys([*then, *now]):
        old, new = _as_mapping(then.get(name)), _as_mapping(now.get(name))
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found |= changes(old, new, f"{above}{name}.")
        elif old != new:
            found[f"{above}{name}"] = (then.get(name), now.get(name))
    return found


def shortened(value: Any) -> str:
    """Return a value for a message, which does not hold a whole network."""
    text = "nothing" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _as_mapping(value: Any) -> Any:
    """Return a list of records as a record of its items, by their number."""
    is_list = isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)
    return {str(index): item for index, item in enumerate(value)} if is_list else value
