"""Running and resuming what a space file asks for: one study, or a comparison, which is several.

A comparison searches its arms one after another, each in a study of its own, or in several that begin with other seeds.
Then the best configurations of all searches are the trials of the comparison's own study, on fresh seeds, and the test
images are read once. Every step is in the
database before the next begins, so that the same call goes on after a crash, and several drivers may work on it.
"""

import time
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from qpsearch.architecture.candidates import check_feasible
from qpsearch.architecture.notes import lost_guesses
from qpsearch.artifacts import check_store, parse_root
from qpsearch.errors import StudyExists, UserError, command, counted
from qpsearch.runner import driving
from qpsearch.runner.driving import Outcome, Placement
from qpsearch.runner.looks import read_test_images
from qpsearch.runner.overrides import UNCHANGED, Overrides
from qpsearch.runner.refusals import exists_already, refuse_other, refuse_smaller
from qpsearch.space import Space, load_space
from qpsearch.space.search import Budget
from qpsearch.study import queries
from qpsearch.study.drivers.clock import SYSTEM
from qpsearch.study.drivers.turn import in_turn
from qpsearch.study.drivers.watch import Watch
from qpsearch.study.ledger import Listener
from qpsearch.study.planning import retraining
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Noted
from qpsearch.vocabulary import FailReason

HERE: Final = Placement()
ALONE: Final = "the test images are read by one driver"
LOOK_S: Final = 2.0  # how often the trials of other drivers are looked for


def run(
    space: Space,
    *,
    storage: str,
    source: str = "",
    overrides: Overrides = UNCHANGED,
    placement: Placement = HERE,
    artifacts: str | None = None,
    sinks: Sequence[str] = (),
    join: bool = False,
    listen: Listener = lambda event: None,
) -> Outcome:
    """Make the study of a space, or the studies of a comparison, and run until all is done or the user stops it.

    Arguments and errors are those of ``driving.run``; of a comparison, the budget is that of each arm's search.
    """
    if space.compare is None:
        return driving.run(
            space,
            storage=storage,
            source=source,
            overrides=overrides,
            placement=placement,
            artifacts=artifacts,
            sinks=sinks,
            join=join,
            listen=listen,
        )
    for name, arm in space.compare.arms.items():
        check_feasible(arm)
        for text in lost_guesses(arm):
            listen(Noted(text=f"arm {name}: {text}"))
    root = None if artifacts is None else parse_root(artifacts)
    if root is not None:
        check_store(root)
    if space.study in driving.existing_studies(storage) and not join:
        raise exists_already(storage, space)
    whole = replace(space, resources=overrides.resources(space.resources))
    driving.prepare(whole.data, whole.resources, listen)
    database = Database.create(storage)
    try:
        retraining.begin_comparison(database, whole, source=source, artifacts=root)
        for name, arm in space.compare.arms.items():
            for text in queries.useless_warm_starts(database, arm):
                listen(Noted(text=f"arm {name}: {text}"))
    except StudyExists:
        if not join:
            raise
        refuse_other(database, space)
    finally:
        database.close()
    overrides = replace(overrides, given=space)
    return _compare(space.study, storage, overrides, placement, sinks=sinks, listen=listen, says_reading=False)


def resume(
    name: str,
    *,
    storage: str,
    space: Space | str | Path | None = None,
    overrides: Overrides = UNCHANGED,
    placement: Placement = HERE,
    sinks: Sequence[str] = (),
    take_over: bool = False,
    retry: Collection[FailReason] = (),
    ignore_stop: bool = False,
    listen: Listener = lambda event: None,
) -> Outcome:
    """Resume a study or a comparison, or join the drivers that work on it.

    Arguments and errors are those of ``driving.resume``; of a comparison, the budget is that of each arm's search.

    Raises:
        UserError: Besides, a larger budget is asked for a comparison whose best configurations have been chosen.
    """
    if not driving.is_comparison(storage, name):
        return driving.resume(
            name,
            storage=storage,
            space=space,
            overrides=overrides,
            placement=placement,
            sinks=sinks,
            take_over=take_over,
            retry=retry,
            ignore_stop=ignore_stop,
            listen=listen,
        )
    with closing(Database.open(storage)) as reader:
        if space is not None:
            given = space if isinstance(space, Space) else load_space(space)
            refuse_other(reader, given.with_search(study=name))
            overrides = replace(overrides, given=given)
    return _compare(
        name,
        storage,
        overrides,
        placement,
        sinks=sinks,
        take_over=take_over,
        retry=retry,
        ignore_stop=ignore_stop,
        listen=listen,
    )


def _compare(
    name: str,
    storage: str,
    overrides: Overrides,
    placement: Placement,
    *,
    sinks: Sequence[str],
    listen: Listener,
    take_over: bool = False,
    retry: Collection[FailReason] = (),
    ignore_stop: bool = False,
    says_reading: bool = True,
) -> Outcome:
    """Do what is left of a comparison; how images are read, which is alike for all of it, is said once."""

    def drive(study: str, *, take_over: bool = False, retry: Collection[FailReason] = ()) -> Outcome:
        nonlocal says_reading
        told, says_reading = says_reading, False
        return driving.resume(
            study,
            storage=storage,
            overrides=overrides,
            placement=placement,
            sinks=sinks,
            take_over=take_over,
            retry=retry,
            ignore_stop=ignore_stop,
            of_comparison=True,
            says_reading=told,
            listen=listen,
        )

    def work_on(study: str) -> Outcome:
        if not retry and not take_over and _is_over(storage, study):
            return Outcome(name=study, is_finished=True, elsewhere=0, spent=None, stopped=None)
        outcome = drive(study, take_over=take_over, retry=retry)
        is_over = outcome.spent is not None or outcome.stopped is not None  # what is open then stays open
        while outcome.is_finished and not is_over and not _wait(storage, study, listen):
            outcome = drive(study)
        return outcome

    def tell(text: str) -> None:
        listen(Noted(text=text))

    compare = _space(storage, name).compare
    assert compare is not None
    if overrides.has_budget:
        _set_budgets(storage, name, [each.study for each in compare.searches.values()], overrides)
    overrides = overrides.without_budget()
    with closing(Database.open(storage)) as reader:
        is_chosen = bool(queries.trials_of_arms(reader, name))  # the searches are over, whatever is asked for
    left = {} if is_chosen else compare.searches
    while left:
        asked = {searched: _budget(storage, space.study) for searched, space in compare.searches.items()}
        for searched, space in left.items():
            listen(Noted(text=f"arm {compare.named(searched)}"))
            outcome = work_on(space.study)
            if not outcome.is_finished:
                return replace(outcome, name=name)
        left = {  # whose budget another driver has raised since
            searched: space
            for searched, space in compare.searches.items()
            if _budget(storage, space.study) != asked[searched] and not _is_over(storage, space.study)
        }
    with closing(Database.create(storage)) as database:
        is_chosen = bool(queries.trials_of_arms(database, name))  # once: a later search changes nothing
        best = {
            searched: [each.number for each in queries.top_configurations(database, space.study, compare.top)]
            for searched, space in (() if is_chosen else compare.searches.items())
        }
        retraining.plan_retraining(database, name, best)
    seeds = "a fresh seed" if compare.seeds == 1 else f"{compare.seeds} fresh seeds"
    if is_chosen or any(best.values()):
        of_each = "arm" if compare.count == 1 else "search"
        listen(Noted(text=f"the best {compare.top} of each {of_each}, on {seeds}"))
    outcome = work_on(name)
    if outcome.is_finished:
        with closing(Database.open(storage)) as reader:
            complete = [each.number for each in queries.trial_records(reader, name, states=["COMPLETE"])]
        # several drivers come here at once, and the images are read once
        with (
            closing(Database.create(storage)) as database,
            in_turn(
                database, name, take_over=take_over, tell=lambda driver: tell(f"waiting for {driver}: {ALONE}")
            ) as check,
        ):
            read_test_images(storage, name, complete, tell, overrides.data, check=check)
    return outcome


def _set_budgets(storage: str, name: str, arms: Sequence[str], overrides: Overrides) -> None:
    """Give all arms of a comparison the same budget at once, so that an interruption leaves none of them behind."""
    with closing(Database.create(storage)) as database:
        stored = [queries.summary(database, arm).budget for arm in arms]
        if all(overrides.budget(own) == own for own in stored):  # the same command as before, on another host
            return
        if queries.looks(database, name):
            raise UserError(
                f"study {name!r} is decided: its test images have been read. A larger budget now would be chosen by "
                f"what they showed. Start a new comparison: {command('run', 'FILE', '--study', 'NAME')}."
            )
        if queries.trial_records(database, name):
            raise UserError(
                f"study {name!r} has chosen the best configurations of its arms, and trains them again. A larger "
                f"budget would choose others. Go on without one: {command('resume', name)}. Or start a new comparison: "
                f"{command('run', 'FILE', '--study', 'NAME')}."
            )
        for arm in arms:
            refuse_smaller(database, arm, overrides)
        retraining.set_budgets(database, arms, overrides.budget)


def _space(storage: str, name: str) -> Space:
    with closing(Database.open(storage)) as reader:
        return queries.space_of(reader, name)


def _budget(storage: str, name: str) -> Budget:
    with closing(Database.open(storage)) as reader:
        return queries.summary(reader, name).budget


def _is_over(storage: str, name: str) -> bool:
    """Whether a study has ended all trials of its budget."""
    with closing(Database.open(storage)) as reader:
        found = queries.summary(reader, name)
    return not found.counts.get("RUNNING") and 0 < found.budget.trials <= sum(found.counts.values())


def _wait(storage: str, name: str, listen: Listener) -> bool:
    """Wait for the trials that other drivers run; return False where one of those drivers is gone."""
    with closing(Database.open(storage)) as reader:
        is_told, watch = False, Watch(SYSTEM)
        while running := queries.running_records(reader, name):
            watch.look(queries.holders(reader, name))
            if watch.gone or not all(record.is_held for record in running):
                return False
            if not is_told:
                listen(Noted(text=f"waiting for {counted(len(running), 'trial')} of {name} that other drivers run"))
                is_told = True
            time.sleep(LOOK_S)
        return True
