"""What ``qpsearch space check`` does, without the command line's library: an editor runs it at every save."""

from qpsearch.architecture.candidates import check_feasible, on_the_grid
from qpsearch.architecture.notes import notes
from qpsearch.display.plain import say
from qpsearch.errors import DataError, command
from qpsearch.runner.machine import data_folder, how_streamed
from qpsearch.space import Space
from qpsearch.space.file.loader import load_space


def check(path: str) -> None:
    """Check a space file, and print what it searches.

    Raises:
        SpaceError: The space is not valid, with a line for each problem; or no point of the space can be trained.
    """
    space = load_space(path)
    if space.compare is None:
        check_feasible(space)
        _say(f"{path}: fine. Study", space)
    else:
        for arm in space.compare.arms.values():
            check_feasible(arm)
        again = space.compare.top * space.compare.seeds
        count = space.compare.count
        how = "searched and then" if count == 1 else f"searched {count} times, and after each search"
        say(
            f"{path}: fine. Comparison {space.study}, {len(space.compare.arms)} arms, each {how} {again} "
            f"trial{'s' * (again != 1)} on fresh seeds:"
        )
        for arm in space.compare.arms.values():
            _say("Study", arm)
        if count == 1:
            say(
                "note: each arm is searched once, and another search finds other configurations, so compare will give "
                "no p value. For one, set compare.tune.searches to 3 or more"
            )
    if space.data.own is not None:
        say(_images(space))
        for text in space.data.own.converted:
            say(f"note: {text}")
    conditions = len(space.search.limits) + len(space.search.conditions)
    if conditions:
        say(f"{conditions} conditions; see what they allow: {command('space', 'plan', path)}")


def _images(space: Space) -> str:
    """Say what was found of images of the user's own."""
    data, facts = space.data, space.data.facts
    first = ", ".join(facts.names[:5]) + (", ..." if len(facts.names) > 5 else "")
    kind = "grey" if facts.channels == 1 else "colour"
    held = "its own split of" if data.own_validation else "held out of them"
    cut = f", cut from {facts.stored_size}x{facts.stored_size}" if facts.stored_size else ""
    return (
        f"images {data.dataset}: {facts.classes} classes ({first}), {facts.size}x{facts.size} {kind}{cut}; "
        f"{facts.train_images:,} to train, {held} {data.validation:,} to validate, {facts.test_images:,} to test"
        f"{_how_read(space)}"
    )


def _how_read(space: Space) -> str:
    """Say whether images are decoded while networks train, where this machine has a place for them."""
    try:
        how = how_streamed(space.data, data_folder(space.data), space.resources.cpus)
    except DataError:  # of the machine: the file is fine
        return ""
    return f"; {how}" if how else ""


def _say(head: str, space: Space) -> None:
    """Say what a study searches."""
    found, search = space.searched, space.search
    trials = on_the_grid(space, search.budget).trials
    kind = f" ({search.sampler})" if search.sampler.is_designed else ""
    noun = f"{'designed ' if kind else ''}trial{'s' * (trials != 1)}{kind}"
    what = (
        f"{len(found)} parameter{'s' * (len(found) != 1)}:" if found else f"nothing is searched: {_one(space, trials)}"
    )
    say(f"{head} {space.study}, {trials} {noun}, {what}")
    width = max((len(name) for name in found), default=0)
    for name, text in found.items():
        say(f"  {name:<{width}}  {text}")
    if space.search.fidelity is not None:
        say(f"fidelity {space.search.fidelity.told}")
    for text in notes(space):
        say(f"note: {text}")


def _one(space: Space, trials: int) -> str:
    """Say what is trained where nothing is searched: one network, on how many seeds."""
    own = f"{space.search.seeds_text} seed{'s' * (space.search.most_replicates != 1)}"
    return f"one network, on {own}" if trials == 1 else f"all trials train one network, each on {own} of its own"
