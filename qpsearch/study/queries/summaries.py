"""Reading a study at a glance: its counts, its best trials, and what its time went into."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from operator import ge
from typing import Any, Final

from optuna.storages._rdb.models import TrialValueModel
from optuna.trial import TrialState
from sqlalchemy import Connection, Row, func, select

from qpsearch.errors import SpaceError
from qpsearch.space.space import Objective
from qpsearch.study.drivers.budget import budget_of, covered, gpu_seconds, lease_intervals
from qpsearch.study.opening import find_study, stored_space
from qpsearch.study.queries.trials import facts_of, living_leases, records_of_study
from qpsearch.study.records import (
    Account,
    StudySummary,
    TrialRecord,
    blocks_of,
)
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import (
    attempts,
    configs,
    epochs,
    infeasible,
    trials,
    values,
)
from qpsearch.vocabulary import Ending

FINITE: Final = TrialValueModel.TrialValueType.FINITE


def summary(database: Database, name: str) -> StudySummary:
    """Return one line about a study; raises StudyNotFound."""
    return database.read(lambda c: _summary(c, find_study(c, name), name))


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


def best_trials(database: Database, name: str, *, trained: bool = False) -> list[TrialRecord]:
    """Return the Pareto front of the complete trials, or of those trained here, by the first objective, best first.

    With one objective, that is at most one trial: of equally good ones the first. A trial with a value that is not
    finite (a loss that overflowed) is not on the front. Raises StudyNotFound.
    """

    def query(connection: Connection) -> list[TrialRecord]:
        study = find_study(connection, name)
        return _front(connection, study, stored_space(facts_of(connection, study), name).search.objectives, trained)

    return database.read(query)


def _front(
    connection: Connection, study: int, objectives: Sequence[Objective], trained: bool = False
) -> list[TrialRecord]:
    """Find the front by values alone, and read no other trials."""
    finite = (
        select(trials.c.trial_id, trials.c.number, values.c.objective, values.c.value)
        .join(configs, configs.c.trial_id == trials.c.trial_id)
        .join(values, values.c.trial_id == trials.c.trial_id)
        .where(trials.c.study_id == study, trials.c.state == TrialState.COMPLETE, values.c.value_type == FINITE)
        .order_by(trials.c.number, values.c.objective)
    )
    if trained:
        finite = finite.where(select(epochs.c.epoch).where(epochs.c.trial_id == trials.c.trial_id).exists())
    if len(objectives) == 1:  # the database sorts faster
        better = values.c.value.desc() if objectives[0].sign > 0 else values.c.value.asc()
        finite = finite.order_by(None).order_by(better, trials.c.number).limit(1)
    gains: dict[tuple[int, int], list[float]] = defaultdict(list)
    for trial_id, number, objective, value in connection.execute(finite).all():
        gains[number, trial_id].append(objectives[objective].sign * value)
    whole = [(own, *key) for key, own in gains.items() if len(own) == len(objectives)]
    whole.sort(key=lambda each: ([-gain for gain in each[0]], each[1]))
    found: list[tuple[list[float], int]] = []
    for own, _, trial_id in whole:  # who could beat it comes before it
        if not any(other != own and all(map(ge, other, own)) for other, _ in found):
            found.append((own, trial_id))
    order = {trial_id: place for place, (_, trial_id) in enumerate(found)}
    records = records_of_study(connection, study, only=list(order)) if order else []
    places = {number: order[trial_id] for number, trial_id in gains if trial_id in order}
    return sorted(records, key=lambda record: places[record.number])


def _summary(connection: Connection, study: int, name: str) -> StudySummary:
    """Count in the database, since reading thousands of trials only to count them would be slow."""
    facts = facts_of(connection, study)
    objectives, problem = _objectives(facts, name)
    own = select(trials.c.state, func.count()).join(configs, configs.c.trial_id == trials.c.trial_id)
    counts = connection.execute(own.where(trials.c.study_id == study).group_by(trials.c.state))
    failed = select(attempts.c.reason, func.count().label("number")).join(
        trials, trials.c.trial_id == attempts.c.trial_id
    )
    failures = connection.execute(
        failed.where(trials.c.study_id == study, attempts.c.ending == Ending.FAILED).group_by(attempts.c.reason)
    )
    work = select(func.count(), func.sum(epochs.c.seconds)).join(trials, trials.c.trial_id == epochs.c.trial_id)
    recorded, seconds = connection.execute(work.where(trials.c.study_id == study)).one()
    return StudySummary(
        name=name,
        objectives=objectives,
        budget=budget_of(facts),
        counts={state.name: count for state, count in counts},
        failures={row.reason: row.number for row in failures},
        infeasible=connection.execute(select(func.count()).where(infeasible.c.study_id == study)).scalar_one(),
        best=next(iter(_front(connection, study, objectives)), None) if objectives else None,
        seconds=seconds or 0.0,
        drivers=_drivers(connection, study),
        sampler=facts.sampler,
        pruner=facts.pruner,
        epochs=recorded,
        wall_s=covered(list(lease_intervals(connection, study).values())),
        gpu_s=gpu_seconds(connection, study),
        accounts=_accounts(connection, study),
        source=facts.space_source,
        created=facts.created,
        environment=json.loads(facts.environment_json),
        problem=problem,
    )


def _objectives(facts: Row[Any], name: str) -> tuple[tuple[Objective, ...], str | None]:
    """Return a study's objectives, or why they cannot be read: one bad study must not hide the others of a list."""
    try:
        return stored_space(facts, name).search.objectives, None
    except SpaceError as error:
        return (), error.problems[0]


def _accounts(connection: Connection, study: int) -> tuple[Account, ...]:
    held = (
        select(
            attempts.c.trial_id,
            func.sum(attempts.c.seconds).label("seconds"),
            func.sum(attempts.c.repeated_s).label("repeated_s"),
        )
        .group_by(attempts.c.trial_id)
        .subquery()
    )
    query = (
        select(trials.c.state, configs.c.config_json, held.c.seconds, held.c.repeated_s)
        .join(configs, configs.c.trial_id == trials.c.trial_id)
        .join(held, held.c.trial_id == trials.c.trial_id)
        .where(trials.c.study_id == study)
    )
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for state, config_json, seconds, repeated_s in connection.execute(query):
        own = totals[" + ".join(blocks_of(config_json))]
        own["trials"] += 1
        own[state.name] += max(seconds - repeated_s, 0.0)
        own["repeated"] += repeated_s
    return tuple(
        Account(
            blocks=blocks,
            trials=own["trials"],
            complete_s=own["COMPLETE"],
            running_s=own["RUNNING"],
            pruned_s=own["PRUNED"],
            failed_s=own["FAIL"],
            repeated_s=own["repeated"],
        )
        for blocks, own in sorted(totals.items())
    )


def _drivers(connection: Connection, study: int) -> tuple[str, ...]:
    """Name the drivers that hold a study; a driver that died on this host does not count."""
    return tuple(str(holder.driver) for holder in living_leases(connection, study))
