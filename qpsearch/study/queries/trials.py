"""Reading studies, trials, runs and epochs."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final

from optuna.storages._rdb.models import TrialValueModel
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Row, Select, func, select

from qpsearch.space import Space
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.drivers.stored import find_study, stored_space, together
from qpsearch.study.records import (
    TrialRecord,
)
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import first_value, read_trials
from qpsearch.study.storage.tables import (
    attempts,
    configs,
    epochs,
    facts_of,
    runs,
    studies,
    study_facts,
    trials,
    values,
)
from qpsearch.study.trials.checkpoints import root_of
from qpsearch.study.trials.evaluations import read_evaluations
from qpsearch.study.trials.underway import StepsRecord, from_text
from qpsearch.vocabulary import Ending, Order

FINITE: Final = TrialValueModel.TrialValueType.FINITE
NAMED: Final = 10_000  # trials that a query names one by one; SQLite takes 32,766 values


def study_names(database: Database) -> list[str]:
    """Return the names of the studies that qpsearch made, in order of creation."""
    query = select(studies.c.study_name).join(study_facts, study_facts.c.study_id == studies.c.study_id)
    return database.read(lambda c: list(c.execute(query.order_by(study_facts.c.created)).scalars()))


def space_of(database: Database, name: str) -> Space:
    """Return the space that a study searches; raises StudyNotFound."""
    return database.read(lambda c: stored_space(facts_of(c, find_study(c, name)), name))


def frozen_trials(database: Database, name: str) -> list[FrozenTrial]:
    """Return a study's trials as Optuna knows them, by number; raises StudyNotFound."""
    return database.read(lambda c: read_trials(c, find_study(c, name)))


def trial_records(
    database: Database,
    name: str,
    *,
    states: Collection[str] = (),
    order: Order = Order.NUMBER,
    top: int | None = None,
) -> list[TrialRecord]:
    """Return a study's trials. Of a few of them the others are not read.

    Args:
        database: The study database.
        name: The study.
        states: Only trials in these states (``COMPLETE``, ...); empty for all.
        order: By what they are sorted; trials that are equal in it are in the order of their numbers.
        top: At most how many; None for all.

    Raises:
        StudyNotFound: There is no such study.
    """

    def query(connection: Connection) -> list[TrialRecord]:
        study = find_study(connection, name)
        if not states and order is Order.NUMBER and top is None:
            return records_of_study(connection, study)
        wanted = _sorted(connection, study, name, order)
        if states:
            wanted = wanted.where(trials.c.state.in_([TrialState[state] for state in states]))
        found = connection.execute(wanted.limit(top)).all()
        place_of = {row.number: place for place, row in enumerate(found)}
        few = [row.trial_id for row in found] if len(found) <= NAMED else None
        records = [each for each in records_of_study(connection, study, only=few) if each.number in place_of]
        return sorted(records, key=lambda record: place_of[record.number])

    return database.read(query)


def _sorted(connection: Connection, study: int, name: str, order: Order) -> Select[Any]:
    """Return the query of a study's trials in an order; trials without a finite value come last."""
    own = select(trials.c.trial_id, trials.c.number).join(configs, configs.c.trial_id == trials.c.trial_id)
    own = own.where(trials.c.study_id == study)
    match order:
        case Order.NUMBER:
            return own.order_by(trials.c.number)
        case Order.VALUE:
            sign = stored_space(facts_of(connection, study), name).search.objective.sign
            first = (values.c.trial_id == trials.c.trial_id) & (values.c.objective == 0)
            own = own.join(values, first & (values.c.value_type == FINITE), isouter=True)
            return own.order_by(values.c.value.is_(None), -sign * values.c.value, trials.c.number)
        case Order.EPOCHS:
            recorded = select(func.count()).where(epochs.c.trial_id == trials.c.trial_id)
            return own.order_by(recorded.scalar_subquery().desc(), trials.c.number)
        case Order.TIME:
            held = select(func.sum(attempts.c.seconds)).where(attempts.c.trial_id == trials.c.trial_id)
            return own.order_by(held.scalar_subquery().desc(), trials.c.number)


def state_counts(database: Database, name: str) -> dict[str, int]:
    """Return how many trials a study has in each state, ``WAITING`` for those that are open without a driver.

    ``PAUSED`` are those that are paused at a rung.
    """
    own = select(trials.c.state, func.count()).join(configs, configs.c.trial_id == trials.c.trial_id)
    grouped = own.group_by(trials.c.state)
    counts = database.read(
        lambda c: {
            state.name: count for state, count in c.execute(grouped.where(trials.c.study_id == find_study(c, name)))
        }
    )
    if TrialState.RUNNING.name in counts:
        running = running_records(database, name)
        held, paused = (sum(getattr(record, name) for record in running) for name in ("is_held", "is_paused"))
        counts |= {"RUNNING": held, "WAITING": len(running) - held - paused, "PAUSED": paused}
    return counts


def trial_count(database: Database, name: str) -> int:
    """Return how many trials a study has, without reading them; raises StudyNotFound."""
    count = select(func.count()).select_from(trials)
    return database.read(lambda c: int(c.execute(count.where(trials.c.study_id == find_study(c, name))).scalar_one()))


def artifacts_of(database: Database, name: str) -> str:
    """Return the root of a study's checkpoints, a folder or URI."""
    return root_of(database, database.read(lambda c: facts_of(c, find_study(c, name)).checkpoint_root))


def running_records(database: Database, name: str) -> list[TrialRecord]:
    """Return the trials that have not ended, by number; raises StudyNotFound."""

    def query(connection: Connection) -> list[TrialRecord]:
        study = find_study(connection, name)
        is_open = (trials.c.study_id == study) & (trials.c.state == TrialState.RUNNING)
        return records_of_study(
            connection, study, only=connection.execute(select(trials.c.trial_id).where(is_open)).scalars().all()
        )

    return database.read(query)


def holders(database: Database, name: str) -> list[lease.Lease]:
    """Return the leases under which drivers work on a study, or worked until they were gone; raises StudyNotFound."""
    return database.read(lambda connection: lease.standing(connection, find_study(connection, name)))


def steps_of(database: Database, name: str, running: Sequence[TrialRecord]) -> dict[int, StepsRecord]:
    """Return how far the epochs of running trials are, by number, as far as their drivers have said so lately.

    Args:
        database: The study database.
        name: The study.
        running: Its trials that have not ended, from ``running_records``.
    """
    living = database.read(lambda connection: living_leases(connection, find_study(connection, name), with_steps=True))
    told = {number: steps for holder in living for number, steps in from_text(holder.steps).items()}
    recorded = {record.number: record.epochs for record in running if record.is_held}
    return {number: steps for number, steps in told.items() if recorded.get(number) == steps.recorded}


def looks(database: Database, name: str) -> list[float]:
    """Return when the test images were read for a study, in Unix seconds, ascending; raises StudyNotFound.

    A look for the study that confirms it, or that it confirms, is a look at the same question.
    """

    def query(connection: Connection) -> list[float]:
        studies_of = together(connection, find_study(connection, name))
        own = select(trials.c.trial_id).where(trials.c.study_id.in_(studies_of))
        return sorted({row["evaluated"] for row in read_evaluations(connection, own)})

    return database.read(query)


def living_leases(connection: Connection, study: int, *, with_steps: bool = False) -> list[lease.Lease]:
    """Return the leases of a study that are held, without those of drivers that died on this host."""
    here = Driver.this()
    return [
        holder for holder in lease.standing(connection, study, with_steps=with_steps) if not holder.expired_on(here)
    ]


def place_of(attempt: Row[Any]) -> str | None:
    """Return ``host device`` of an attempt; None before its first report."""
    return f"{attempt.host} {attempt.device}" if attempt.host else None


def records_of_study(connection: Connection, study: int, only: Collection[int] | None = None) -> list[TrialRecord]:
    """Return the records of a study's trials, or of those with the given ids."""
    own = select(trials.c.trial_id).where(trials.c.study_id == study)
    if only is not None:
        own = own.where(trials.c.trial_id.in_(only))
    config = {
        row.trial_id: row.config_json for row in connection.execute(select(configs).where(configs.c.trial_id.in_(own)))
    }
    work = {
        row.trial_id: row
        for row in connection.execute(
            select(epochs.c.trial_id, func.count().label("epochs"), func.sum(epochs.c.seconds).label("seconds"))
            .where(epochs.c.trial_id.in_(own))
            .group_by(epochs.c.trial_id)
        )
    }
    tries: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(select(attempts).where(attempts.c.trial_id.in_(own)).order_by(attempts.c.number)):
        tries[row.trial_id].append(row)
    seeds: dict[int, list[int]] = defaultdict(list)
    for row in connection.execute(select(runs).where(runs.c.trial_id.in_(own)).order_by(runs.c.replicate)):
        seeds[row.trial_id].append(row.seed)
    living = {holder.lease_id for holder in living_leases(connection, study)}
    return [
        _record(trial, config[key], work.get(key), tries[key], seeds[key], living)
        for trial in read_trials(connection, study, only, history=False)
        for key in [trial._trial_id]
    ]


def _record(
    trial: FrozenTrial,
    config_json: str,
    work: Row[Any] | None,
    tries: list[Row[Any]],
    seeds: list[int],
    living: Collection[int],
) -> TrialRecord:
    last, begun = tries[-1], [row for row in tries if row.number > 0]  # without the plan of a trial that waits
    is_imported = work is None and trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return TrialRecord(
        number=trial.number,
        state=trial.state.name,
        value=first_value(trial),
        values=tuple(trial.values or ()),
        reason=last.reason,
        detail=last.detail,
        started=(begun or tries)[0].began,
        seeds=() if is_imported else tuple(seeds),  # with which nothing was trained
        params=trial.params,
        epochs=work.epochs if work else 0,
        attempts=len(begun),
        duration_s=work.seconds if work else 0.0,
        seconds=sum(row.seconds for row in tries),
        is_held=trial.state is TrialState.RUNNING and last.ending is None and last.lease_id in living,
        is_paused=trial.state is TrialState.RUNNING and last.ending == Ending.PAUSED,
        is_retried=any(row.ending == Ending.RETRIED for row in tries),
        place=place_of(last),
        config_json=config_json,
    )
