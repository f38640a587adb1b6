"""Short names of parameters, for figures, tables and the arms of a comparison."""

from collections.abc import Sequence

from qpsearch.space.leaves import short_paths


def short_names(names: Sequence[str], most: int = 30) -> dict[str, str]:
    """Return the shortest ending of each dotted name that tells it from the others, cut in the middle if it is long."""
    found = short_paths(names)
    taken: dict[str, int] = {}
    for name, ending in found.items():
        cut = ending if len(ending) <= most else f"{ending[: most // 2 - 1]}...{ending[-(most // 2 - 2) :]}"
        taken[cut] = taken.get(cut, 0) + 1
        found[name] = cut if taken[cut] == 1 else f"{cut} ({taken[cut]})"
    return found
