"""Making a study, and resuming one.

``create`` writes the study's rows before anything else happens; ``resume`` ends the leases and the open attempts of
drivers that are gone, and rebuilds the state of a driver from the database alone.
"""

import math
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, select

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import StorageConflict, StudyBusy, StudyExists, command
from qpsearch.registry.own.sampler import CustomSampler
from qpsearch.registry.pruners import PrunerKind
from qpsearch.registry.samplers.random_draws import RANDOM
from qpsearch.space import Space
from qpsearch.space.search import Budget, Search, Stop
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.budget import Spending
from qpsearch.study.drivers.clock import SYSTEM, Clock
from qpsearch.study.drivers.facts import check_warm_start, insert_facts, set_budget
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.drivers.leftovers import sweep
from qpsearch.study.drivers.peers import supersede
from qpsearch.study.drivers.stopping import Stopping
from qpsearch.study.drivers.stored import (
    check_own_sampler,
    find_study,
    points_tried_first,
    stored_space,
)
from qpsearch.study.drivers.transactions import move_revision
from qpsearch.study.search.guesses import guesses_of
from qpsearch.study.search.pruning import traits_of
from qpsearch.study.search.replica import Replica
from qpsearch.study.search.samplers import Samplers
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import IMPORTED, insert_study, next_number, read_trials, study_id
from qpsearch.study.storage.tables import attempts, configs, facts_of, leases, trials
from qpsearch.study.trials.checkpoints import CheckpointFolder, checkpoints_of, root_of, stored_root, study_folder
from qpsearch.study.trials.failures import failed_trials, reopen
from qpsearch.study.trials.open_trial import OpenTrial
from qpsearch.study.trials.owner import Owner
from qpsearch.study.trials.rows import first_pauses, forget_files, read_infeasible, read_open_trial
from qpsearch.vocabulary import Ending, FailReason, Scalar

MOST_CHANGES: Final = 3  # that a message names


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A study that this driver has just opened: everything that a ledger needs at its start.

    Attributes:
        database: The database; the ledger closes it.
        name: The study's name.
        study_id: The study's id in Optuna's table.
        uid: An identifier that tells the study from a later study with the same id.
        lease_id: This driver's lease.
        revision: The study's revision up to which the rest is true.
        space: The space as it was stored.
        spending: The budget, and how much of it was spent.
        stopping: The rules of ``search.stop``, and whether one holds.
        next_number: Number of the next trial.
        replica: The copy of the study that sampler and pruner see.
        open: Trials that have not ended, run by other drivers or waiting, by number.
        ended: The other trials.
        others: Other drivers that work on the study.
        checkpoints: The study's checkpoints.
        clock: The time.
    """

    database: Database
    name: str
    study_id: int
    uid: str
    lease_id: int
    revision: int
    space: Space
    spending: Spending
    stopping: Stopping
    next_number: int
    replica: Replica
    open: tuple[OpenTrial, ...]
    ended: tuple[FrozenTrial, ...]
    others: tuple[Driver, ...]
    checkpoints: CheckpointFolder
    clock: Clock

    def so_far(self) -> tuple[dict[int, str], tuple[float, int] | None]:
        """Return the states of the trials that have ended, by number, and value and number of the best complete one."""
        sign = self.space.search.objective.sign
        complete = [
            (trial.values[0], trial.number)
            for trial in self.ended
            if trial.state is TrialState.COMPLETE and trial.values and math.isfinite(trial.values[0])
        ]
        states = {trial.number: trial.state.name for trial in self.ended}
        return states, max(complete, key=lambda pair: (sign * pair[0], -pair[1]), default=None)


def create(
    database: Database,
    space: Space,
    *,
    source: str,
    artifacts: str | None = None,
    clock: Clock = SYSTEM,
) -> Opened:
    """Make a study from a space.

    Args:
        database: Opened for writing.
        space: The space to search; its ``study`` is the study's name.
        source: Where the space came from, for the record.
        artifacts: Folder or URI for checkpoints; None for the folder beside an SQLite file.
        clock: The time.

    Raises:
        StudyExists: A study of that name already exists.
        StudyNotFound: A study of ``search.warm_start`` is not in the database.
        UserError: A sampler of the user's own cannot be made.
    """
    if isinstance(space.search.sampler, CustomSampler):
        search = space.search  # what cannot be made is told before the study is
        Samplers(search.sampler, search.sampler_options, space.sites).of_draw(search.seed)
    now, uid = clock.now(), uuid.uuid4().hex
    root = stored_root(database, artifacts)
    checkpoints = study_folder(root_of(database, root), space.study, uid)
    settle = checkpoints.claim(Owner.of(database, uid, checkpoints.root), copied="")
    sweep(database)

    def step(connection: Connection) -> tuple[int, int, Spending, Sequence[Mapping[str, Scalar]]]:
        if study_id(connection, space.study) is not None:
            raise exists(space.study)
        check_warm_start(connection, space)
        study = insert_study(connection, space.study, [each.direction for each in space.search.objectives])
        insert_facts(connection, study, space, source=source, uid=uid, checkpoint_root=root, now=now)
        lease_id = lease.take(connection, study, Driver.this(), now)
        spending = Spending(connection, study, lease_id, space.search.fidelity)
        return study, lease_id, spending, points_tried_first(connection, study, space)

    try:
        study, lease_id, spending, first = database.write(step)
    except StorageConflict:  # another driver made the study between our look and our commit
        raise exists(space.study) from None
    settle()
    return Opened(
        database=database,
        name=space.study,
        study_id=study,
        uid=uid,
        lease_id=lease_id,
        revision=0,
        space=space,
        spending=spending,
        stopping=Stopping(space.search),
        next_number=0,
        replica=_replica(space, space.study, first),
        open=(),
        ended=(),
        others=(),
        checkpoints=checkpoints,
        clock=clock,
    )


def resume(
    database: Database,
    name: str,
    *,
    budget: Callable[[Budget], Budget] = lambda stored: stored,
    take_over: bool = False,
    retry: Collection[FailReason] = (),
    ignore_stop: bool = False,
    clock: Clock = SYSTEM,
    wait: Callable[[float], None] = lambda left_s: None,
) -> Opened:
    """Resume a study, or join the drivers that work on it.

    The leases of drivers that are gone are ended, and everything is rebuilt from the database. On PostgreSQL, a driver
    on another host is joined; if it is gone, its trials are taken over within the length of a lease. An SQLite file
    cannot be shared between hosts, so there a driver on another host is watched until it is known to be gone.

    Args:
        database: Opened for writing.
        name: The study's name.
        budget: Makes the new budget from the stored one.
        take_over: End the leases of all other drivers at once; a driver that lives stops at its next step. Of a copied
            database, also take the checkpoints of the original.
        retry: Open the trials again that failed for one of these reasons.
        ignore_stop: Let this driver go past the rules of ``search.stop``.
        clock: The time.
        wait: Called with the seconds left while a driver on another host is watched for signs of life.

    Raises:
        StudyNotFound: There is no such study.
        StudyBusy: The study's driver lives on another host, and the database is an SQLite file.
        ArtifactError: The study's checkpoints belong to the database that this one is a copy of.
    """
    here, study = Driver.this(), database.read(lambda c: find_study(c, name))
    settle = _claimed(database, study, name, take_over=take_over)
    sweep(database)
    gone = [
        holder
        for holder in database.read(lambda c: lease.standing(c, study))
        if take_over or _is_gone(database, study, holder, here, name, wait, clock)
    ]

    def step(connection: Connection) -> Opened:
        facts = facts_of(connection, study)
        revision = move_revision(connection, study, facts.uid)  # one driver at a time from here on
        facts = facts_of(connection, study)
        for holder in lease.standing(connection, study) if take_over else gone:
            supersede(connection, study, holder, clock.now(), revision, unless_it_moved=not take_over)
        again = failed_trials(connection, study, retry)
        reopen(connection, again, revision)
        space = _driven(stored_space(facts, name))
        asked = budget(space.search.budget)
        set_budget(connection, study, asked)
        space = space.with_search(budget=asked)
        if ignore_stop:
            space = replace(space, search=replace(space.search, stop=Stop()))
        found = read_trials(connection, study)
        replica, open_trials = rebuild(connection, study, space, facts.first_name, found)
        for trial in open_trials:
            if trial.trial_id in again:
                forget_files(connection, trial)
        stopping = Stopping(space.search)
        stopping.follow(found, first_pauses(connection, study))
        others = tuple(holder.driver for holder in lease.standing(connection, study))
        lease_id = lease.take(connection, study, here, clock.now())
        return Opened(
            database=database,
            name=name,
            study_id=study,
            uid=facts.uid,
            lease_id=lease_id,
            revision=revision,
            space=space,
            spending=Spending(connection, study, lease_id, space.search.fidelity),
            stopping=stopping,
            next_number=next_number(connection, study),
            replica=replica,
            open=open_trials,
            ended=tuple(trial for trial in found if trial.state.is_finished()),
            others=others,
            checkpoints=checkpoints_of(database, facts),
            clock=clock,
        )

    opened = database.write(step)
    settle()
    database.read(lambda c: _tidy(c, study, opened.ended, opened.space.search, opened.checkpoints))
    return opened


def _driven(space: Space) -> Space:
    """Return a space as a driver takes it: a comparison's own trials are planned, and none of them is stopped early."""
    if space.compare is None:
        return space
    search = space.search.using(RANDOM, PrunerKind.NONE)
    return replace(space, search=replace(search, papers=False, first=(), replicates=1, race=None, stop=Stop()))


def _claimed(database: Database, study: int, name: str, *, take_over: bool) -> Callable[[], None]:
    """Check that the study's checkpoints are this database's, and return what says so in their folder."""
    facts = database.read(lambda c: facts_of(c, study))
    checkpoints = checkpoints_of(database, facts)
    copied = (
        "This database is a copy: continue the study in the original. To continue the copy too, with its own "
        f"checkpoints: {command('studies', 'copy', name, '--as', 'NAME')}, and resume NAME. If the original is "
        f"gone for good: {command('resume', name, '--take-over')}."
    )
    own = Owner.of(database, facts.uid, checkpoints.root)
    return checkpoints.claim(own, copied=copied, take_over=take_over)


def exists(
    name: str, changes: Sequence[str] = (), *, resume: str | None = None, another: str = "--study NAME"
) -> StudyExists:
    """Return the error that a study exists, with what to do.

    Args:
        name: The study's name.
        changes: What the given space has other than the study's own.
        resume: The call that continues the study; None for the command.
        another: What starts another study.
    """
    told = [*changes[:MOST_CHANGES], *([f"and {len(changes) - MOST_CHANGES} more"] if changes[MOST_CHANGES:] else [])]
    other = f", made from another space: {'; '.join(told)}" if changes else ""
    own = " with its own space" if changes else ""
    again = command("resume", name) if resume is None else resume
    text = f"study {name!r} already exists{other}. Continue it{own}: {again}. Or start another study: {another}."
    return StudyExists(text, name, changes)


def _is_gone(
    database: Database,
    study: int,
    holder: lease.Lease,
    here: Driver,
    name: str,
    wait: Callable[[float], None],
    clock: Clock,
) -> bool:
    """Return whether a lease's holder is gone; raise StudyBusy where it lives and cannot be joined."""
    gone = holder.expired_on(here)
    if gone is not None or database.file is None:
        return bool(gone)

    def beat() -> int | None:
        held = {other.lease_id: other.beat for other in database.read(lambda c: lease.standing(c, study))}
        return held.get(holder.lease_id)

    if not lease.wait_until_silent(beat, lease_s=lease.LEASE_S, clock=clock, tell=wait):
        raise StudyBusy(
            f"study {name!r} is being run by {holder.driver}. An SQLite file cannot be shared between hosts: "
            "wait for that process, stop it, or keep the study in PostgreSQL."
        )
    return True


def rebuild(
    connection: Connection, study: int, space: Space, first_name: str, found: list[FrozenTrial]
) -> tuple[Replica, tuple[OpenTrial, ...]]:
    """Repeat a study's draws in their original order.

    Args:
        connection: To the database.
        study: The study's id.
        space: Its space.
        first_name: The name that it was made under.
        found: Its trials, by number.

    Returns:
        The copy of the study that sampler and pruner see, and the trials that have not ended.

    Raises:
        StudyMismatch: Its sampler, which is the user's own, has another version now.
    """
    query = (
        select(configs.c.trial_id, configs.c.config_json)
        .join(trials, trials.c.trial_id == configs.c.trial_id)
        .where(trials.c.study_id == study)
    )
    check_own_sampler(connection, study, space)
    stored = {row.trial_id: TrialConfig.from_json(row.config_json) for row in connection.execute(query)}
    given = [trial.params for trial in found if IMPORTED in trial.system_attrs]
    replica = _replica(space, first_name, points_tried_first(connection, study, space), given)
    rejected = read_infeasible(connection, study, since=-1)
    for trial in found:
        for drawn in rejected.get(trial.number, []):
            replica.follow_infeasible(drawn)
        replica.follow(trial, traits_of(stored[trial._trial_id], space.search))
    open_trials = tuple(
        read_open_trial(connection, trial._trial_id, trial.number, stored[trial._trial_id], space.search)
        for trial in found
        if trial.state is TrialState.RUNNING
    )
    return replica, open_trials


def _replica(
    space: Space,
    first_name: str,
    first: Sequence[Mapping[str, Scalar]],
    given: Sequence[Mapping[str, Scalar]] = (),
) -> Replica:
    guesses = guesses_of(space, first, given)
    return Replica(first_name, space.search, space.run_epochs, space.sites, guesses)


def _tidy(
    connection: Connection, study: int, ended: tuple[FrozenTrial, ...], search: Search, folder: CheckpointFolder
) -> None:
    """Remove unneeded checkpoints of ended trials, where a driver died before it could remove them.

    A trial that was pruned while it was paused may have had its last attempt under a driver that left in order.
    """
    of_dead = (
        select(attempts.c.trial_id)
        .join(leases, leases.c.lease_id == attempts.c.lease_id)
        .where(leases.c.study_id == study, leases.c.state == lease.SUPERSEDED, attempts.c.ending.is_not(None))
    )
    doubtful = set(connection.execute(of_dead).scalars())
    of_study = select(attempts.c.trial_id).join(trials, trials.c.trial_id == attempts.c.trial_id)
    paused = of_study.where(trials.c.study_id == study, attempts.c.ending == Ending.PAUSED.value)
    if was_paused := set(connection.execute(paused).scalars()) - doubtful:
        there = set(folder.trials())
        doubtful |= {
            trial._trial_id
            for trial in ended
            if trial._trial_id in was_paused and trial.state is not TrialState.COMPLETE and trial.number in there
        }
    for trial in ended:
        if trial._trial_id not in doubtful:
            continue
        if trial.state is TrialState.PRUNED:
            folder.drop(trial.number)
            continue
        config = connection.execute(select(configs.c.config_json).where(configs.c.trial_id == trial._trial_id))
        own = TrialConfig.from_json(config.scalar_one())
        left = read_open_trial(connection, trial._trial_id, trial.number, own, search)
        folder.keep_only(trial.number, left.worth_keeping(search))
