"""Reading a study at a glance: its counts, its best configuration, and what its time went into."""

import json
from collections import Counter, defaultdict
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import ColumnElement, Connection, Row, Select, String, case, func, select, type_coerce

from qpsearch.errors import SpaceError
from qpsearch.space import Space
from qpsearch.space.search import Stop
from qpsearch.study.drivers.budget import budget_of, cost_of, covered, gpu_seconds, lease_intervals, recorded_epochs
from qpsearch.study.drivers.stopping import Stopping
from qpsearch.study.drivers.stored import find_study, stored_space
from qpsearch.study.queries.audits import audited_kinds
from qpsearch.study.queries.best import front_of
from qpsearch.study.queries.trials import living_leases
from qpsearch.study.records import (
    Account,
    StudySummary,
    blocks_of,
)
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import read_trials
from qpsearch.study.storage.tables import (
    attempts,
    configs,
    epochs,
    facts_of,
    infeasible,
    trials,
)
from qpsearch.study.trials.rows import first_pauses
from qpsearch.vocabulary import Ending


def summary(database: Database, name: str) -> StudySummary:
    """Return one line about a study; raises StudyNotFound."""
    return database.read(lambda c: _summary(c, find_study(c, name), name))


def stop_reached(database: Database, name: str) -> str | None:
    """Return which rule of ``search.stop`` has ended a study, in words; None where none has. Raises StudyNotFound.

    A driver that was told to go past the rules may work on it all the same.
    """

    def query(connection: Connection) -> str | None:
        study = find_study(connection, name)
        space, _ = _space(facts_of(connection, study), name)
        if space is None or space.compare is not None or space.search.stop == Stop():
            return None
        stopping = Stopping(space.search)
        stopping.follow(read_trials(connection, study), first_pauses(connection, study))
        return stopping.reason

    return database.read(query)


def count_complete(database: Database, name: str) -> int:
    """Return how many trials of a study are complete; raises StudyNotFound."""
    of_study = (
        select(func.count())
        .select_from(trials.join(configs, configs.c.trial_id == trials.c.trial_id))
        .where(trials.c.state == TrialState.COMPLETE)
    )
    return database.read(
        lambda c: int(c.execute(of_study.where(trials.c.study_id == find_study(c, name))).scalar_one())
    )


def _summary(connection: Connection, study: int, name: str) -> StudySummary:
    """Count in the database, since reading thousands of trials only to count them would be slow."""
    facts = facts_of(connection, study)
    space, problem = _space(facts, name)
    objectives = () if space is None else space.search.objectives
    own = select(trials.c.state, func.count()).join(configs, configs.c.trial_id == trials.c.trial_id)
    counts = connection.execute(own.where(trials.c.study_id == study).group_by(trials.c.state))
    failed = select(attempts.c.reason, func.count().label("number"))
    failed = failed.select_from(attempts.join(trials, trials.c.trial_id == attempts.c.trial_id))
    of_failed = (trials.c.study_id == study) & (trials.c.state == TrialState.FAIL)
    failures = connection.execute(
        failed.where(of_failed, attempts.c.ending == Ending.FAILED, _is_last()).group_by(attempts.c.reason)
    )
    work = select(func.sum(epochs.c.seconds)).join(trials, trials.c.trial_id == epochs.c.trial_id)
    seconds = connection.execute(work.where(trials.c.study_id == study)).scalar_one()
    fidelity = None if space is None else space.search.fidelity
    return StudySummary(
        name=name,
        objectives=objectives,
        budget=budget_of(facts),
        counts={state.name: count for state, count in counts},
        paused=connection.execute(_paused(study)).scalar_one(),
        failures={row.reason: row.number for row in failures},
        retried=tuple(connection.execute(_retried(study)).scalars()),
        infeasible=connection.execute(select(func.count()).where(infeasible.c.study_id == study)).scalar_one(),
        best=next(iter(front_of(connection, study, objectives)), None) if objectives else None,
        seconds=seconds or 0.0,
        drivers=_drivers(connection, study),
        sampler=facts.sampler,
        pruner=facts.pruner,
        epochs=cost_of(recorded_epochs(connection, study), fidelity),
        wall_s=covered(list(lease_intervals(connection, study).values())),
        gpu_s=gpu_seconds(connection, study),
        accounts=_accounts(connection, study),
        source=facts.space_source,
        created=facts.created,
        environment=json.loads(facts.environment_json),
        audit=() if space is None else audited_kinds(connection, study, space),
        problem=problem,
    )


def _paused(study: int) -> Select[int]:
    """Return a query for the number of trials that are paused: open ones whose last attempt ended so."""
    return (
        select(func.count())
        .select_from(trials)
        .join(attempts, attempts.c.trial_id == trials.c.trial_id)
        .where(trials.c.study_id == study, trials.c.state == TrialState.RUNNING)
        .where(attempts.c.ending == Ending.PAUSED, _is_last())
    )


def _retried(study: int) -> Select[int]:
    """Return a query for the numbers of the trials whose configuration was changed since they lacked memory."""
    own = select(trials.c.number).join(attempts, attempts.c.trial_id == trials.c.trial_id)
    return own.where(trials.c.study_id == study, attempts.c.ending == Ending.RETRIED).order_by(trials.c.number)


def _is_last() -> ColumnElement[bool]:
    """Whether an attempt is the last one of its trial."""
    others = attempts.alias()
    last = select(func.max(others.c.number)).where(others.c.trial_id == trials.c.trial_id).scalar_subquery()
    return attempts.c.number == last


def _space(facts: Row[Any], name: str) -> tuple[Space | None, str | None]:
    """Return a study's space, or why it cannot be read: one bad study must not hide the others of a list."""
    try:
        return stored_space(facts, name), None
    except SpaceError as error:
        return None, error.problems[-1]  # which names the module to import, where one is missing


def _accounts(connection: Connection, study: int) -> tuple[Account, ...]:
    is_retried = attempts.c.ending == Ending.RETRIED
    held = (
        select(
            attempts.c.trial_id,
            func.sum(attempts.c.seconds).label("seconds"),
            func.sum(case((is_retried, attempts.c.repeated_s), else_=0.0)).label("retried_s"),
            func.sum(case((is_retried, 0.0), else_=attempts.c.repeated_s)).label("repeated_s"),
        )
        .join(trials, trials.c.trial_id == attempts.c.trial_id)
        .where(trials.c.study_id == study)  # without this, the attempts of all other studies would be summed up, too
        .group_by(attempts.c.trial_id)
        .subquery()
    )
    query = (  # states as words: for thousands of rows, members of an enum take longer than the rest
        select(
            type_coerce(trials.c.state, String),
            configs.c.config_json,
            held.c.seconds,
            held.c.retried_s,
            held.c.repeated_s,
        )
        .join(configs, configs.c.trial_id == trials.c.trial_id)
        .join(held, held.c.trial_id == trials.c.trial_id)
        .where(trials.c.study_id == study)
    )
    known: dict[str, str] = {}
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for state, config_json, seconds, retried_s, repeated_s in connection.execute(query):
        network = config_json.partition('"network":')[2].partition(',"recipe":')[0]  # the same in many configurations
        if not network or network not in known:
            known[network] = " + ".join(blocks_of(config_json))
        own = totals[known[network]]
        own["trials"] += 1
        own[state] += max(seconds - retried_s - repeated_s, 0.0)
        own["retried"] += retried_s
        own["repeated"] += repeated_s
    return tuple(
        Account(
            blocks=blocks,
            trials=own["trials"],
            complete_s=own["COMPLETE"],
            running_s=own["RUNNING"],
            pruned_s=own["PRUNED"],
            failed_s=own["FAIL"],
            retried_s=own["retried"],
            repeated_s=own["repeated"],
        )
        for blocks, own in sorted(totals.items())
    )


def _drivers(connection: Connection, study: int) -> tuple[str, ...]:
    """Name the drivers that hold a study; a driver that died on this host does not count."""
    return tuple(str(holder.driver) for holder in living_leases(connection, study))
