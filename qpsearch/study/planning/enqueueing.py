"""Adding a configuration of the user's own to a study: a trial that waits for a driver, running or not."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from optuna.trial import FrozenTrial
from sqlalchemy import Connection, func, select, update

from qpsearch.errors import Infeasible, UserError, command
from qpsearch.space import Space
from qpsearch.space.file.points import checked_values, with_switches
from qpsearch.study.drivers.clock import SYSTEM, Clock
from qpsearch.study.drivers.lease import Driver, standing
from qpsearch.study.drivers.stored import comparison_of, find_study, is_confirmation, stored_space
from qpsearch.study.drivers.transactions import move_revision
from qpsearch.study.opening import rebuild
from qpsearch.study.planning.retraining import let_wait
from qpsearch.study.search.proposer import Proposer, not_enqueued
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import ENQUEUED, insert_attrs, next_number, read_trials
from qpsearch.study.storage.tables import configs, facts_of, study_facts, system_attrs, trials
from qpsearch.study.trials.open_trial import Proposal
from qpsearch.study.trials.rows import insert_new_trial
from qpsearch.vocabulary import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """A trial that waits for a driver.

    Attributes:
        study: The study.
        number: The trial's number.
        params: Its parameters, those that were given and those that the sampler drew.
        trials: The study's budget of trials.
        is_extra: Whether the budget was used up, so that it was raised.
        has_driver: Whether a driver holds the study, which takes the trial before it begins new ones.
    """

    study: str
    number: int
    params: Mapping[str, Scalar]
    trials: int
    is_extra: bool
    has_driver: bool


def enqueue(
    storage: str,
    name: str,
    values: Mapping[str, Scalar],
    *,
    like: int | None = None,
    clock: Clock = SYSTEM,
) -> Enqueued:
    """Add a trial to a study; the next driver that asks trains it.

    What is not given is drawn by the study's own sampler, from what it knows now.

    Args:
        storage: URL of the study database.
        name: The study.
        values: Values of some parameters, by path, tie or pattern.
        like: Number of a trial whose values the new one has where no others are given; None for none.
        clock: The time.

    Raises:
        UserError: The configuration cannot be trained, a value is not in its domain, the study does not have that
            trial, or all its trials are designed or chosen by other means.
        StorageError: There is no such database.
    """
    Database.open(storage).close()  # fails if the database does not exist, so that it is not created
    with contextlib.closing(Database.create(storage)) as database:
        return _enqueue(database, name, values, like, clock)


def _enqueue(database: Database, name: str, values: Mapping[str, Scalar], like: int | None, clock: Clock) -> Enqueued:
    space, proposal = database.read(lambda connection: _draw(connection, name, values, like))

    def step(connection: Connection) -> Enqueued:
        study = find_study(connection, name)
        facts = facts_of(connection, study)
        revision = move_revision(connection, study, facts.uid)
        drawn = replace(proposal, number=next_number(connection, study))
        trial = insert_new_trial(connection, study, drawn, space.search, revision, clock.now())
        insert_attrs(connection, system_attrs, trial.trial_id, {ENQUEUED: True})
        let_wait(connection, study, [trial.trial_id], clock.now())
        ours = select(func.count()).select_from(configs).join(trials, trials.c.trial_id == configs.c.trial_id)
        known = int(connection.execute(ours.where(trials.c.study_id == study)).scalar_one())
        asked = connection.execute(select(study_facts.c.asked).where(study_facts.c.study_id == study)).scalar_one()
        if known > asked:
            connection.execute(update(study_facts).where(study_facts.c.study_id == study).values(asked=known))
        here = Driver.this()
        return Enqueued(
            study=name,
            number=trial.number,
            params=drawn.frozen.params,
            trials=max(known, asked),
            is_extra=known > asked,
            has_driver=any(not holder.expired_on(here) for holder in standing(connection, study)),
        )

    return database.write(step)


def _draw(connection: Connection, name: str, values: Mapping[str, Scalar], like: int | None) -> tuple[Space, Proposal]:
    """Return the study's space, and a draw with the given values."""
    study = find_study(connection, name)
    facts = facts_of(connection, study)
    space = stored_space(facts, name)
    if space.compare is not None or is_confirmation(connection, study):
        raise UserError(f"study {name!r} does not search: its trials are chosen. Enqueue in the study that searched.")
    if problem := not_enqueued(space):
        raise UserError(f"study {name!r}: {problem}")
    if (whole := comparison_of(connection, study)) is not None:
        raise UserError(f"study {name!r} is an arm of {whole!r}, whose arms are tuned alike. Make a study of your own.")
    found = read_trials(connection, study)
    number = 1 + max((trial.number for trial in found), default=-1)  # the final one is given when the trial is written
    given = checked_values(space, values)
    replica, _ = rebuild(connection, study, space, facts.first_name, found)
    proposer = Proposer(space, replica)
    try:
        values = with_switches(space, _params_of(name, like, found) | given)
        return space, proposer.draw_with(number, values, needed=given)
    except Infeasible as refused:
        raise UserError(f"the configuration cannot be trained: {refused}") from None
    finally:
        proposer.stop()


def _params_of(name: str, number: int | None, found: Sequence[FrozenTrial]) -> dict[str, Scalar]:
    """Return the parameters of a trial; nothing where no number is given."""
    if number is None:
        return {}
    for trial in found:
        if trial.number == number:
            return dict(trial.params)
    raise UserError(f"study {name!r} does not have a trial {number}. Show them: {command('trials', name)}.")
