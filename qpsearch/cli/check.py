"""What ``qpsearch space check`` does, without the command line's library: an editor runs it at every save."""

from qpsearch.architecture.candidates import check_feasible, on_the_grid
from qpsearch.space.file.loader import load_space
from qpsearch.space.leaves import NEVER
from qpsearch.space.space import Space


def check(path: str) -> None:
    """Check a space file, and print what it searches.

    Raises:
        SpaceError: With a line for each problem; or nothing in the space may be trained.
    """
    space = load_space(path)
    check_feasible(space)
    found = searched(space)
    what = f"{len(found)} parameters:" if found else "nothing is searched: each trial is another seed of one network."
    trials = on_the_grid(space, space.search.budget).trials
    print(f"{path}: fine. Study {space.study}, {trials} trials, {what}")
    width = max((len(name) for name in found), default=0)
    for name, text in found.items():
        print(f"  {name:<{width}}  {text}")
    conditions = len(space.search.limits) + len(space.search.conditions)
    if conditions:
        print(f"{conditions} conditions; what they leave: qpsearch space plan {path}")


def searched(space: Space) -> dict[str, str]:
    """Return the parameters, as the file spells them: by path, and those of tied leaves once, by the tie."""
    return {site.parameter: str(site.leaf) for site in space.sites if site.domain is not None and site.when != NEVER}
