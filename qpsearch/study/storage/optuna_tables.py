"""Rows of Optuna's tables, written and read in bulk.

Optuna itself uses a transaction for every parameter and value; here a whole step is one transaction. The rows are the
same as Optuna 5 writes; a test reads them back through Optuna's own storage.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.storages._rdb.models import TrialIntermediateValueModel, TrialValueModel
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    Table,
    bindparam,
    func,
    insert,
    select,
    type_coerce,
    update,
)

from qpsearch.study.storage.prepared import Prepared
from qpsearch.study.storage.tables import (
    OPTUNA,
    Real,
    configs,
    directions,
    intermediate,
    params,
    studies,
    system_attrs,
    trials,
    user_attrs,
    values,
)
from qpsearch.vocabulary import Direction

INSERT_TRIAL, INSERT_PARAMS, INSERT_VALUE = insert(trials), insert(params), insert(values)
INSERT_INTERMEDIATE = Prepared(
    insert(intermediate).inline(), ("trial_id", "step", "intermediate_value", "intermediate_value_type")
)
CLOSE = Prepared(
    update(trials)
    .where(trials.c.trial_id == bindparam("of_trial"))
    .values(state=bindparam("ended_as"), datetime_complete=bindparam("ended_at"))
)
TAKE_STUDY = Prepared(select(studies.c.study_id).where(studies.c.study_id == bindparam("of_study")).with_for_update())
LAST_NUMBER = Prepared(select(func.max(trials.c.number)).where(trials.c.study_id == bindparam("of_study")))

METRIC_NAMES: Final = "study:metric_names"  # a study's attribute, as Optuna's set_metric_names writes it

ENQUEUED: Final = "qpsearch:enqueued"  # an attribute of a trial that a user added: it does not take a guess's place
IMPORTED: Final = "qpsearch:imported"  # of a trial that was taken from another study: its number there
GUESS: Final = "qpsearch:guess"  # of the trial that has every prior's value, and is trained to its end
FIXED: Final = "fixed_params"  # a trial's attribute, as Optuna's enqueue_trial writes it

WAITING = (
    select(trials.c.trial_id, trials.c.number, system_attrs.c.value_json)
    .join(system_attrs, (system_attrs.c.trial_id == trials.c.trial_id) & (system_attrs.c.key == FIXED), isouter=True)
    .where(trials.c.study_id == bindparam("of_study"), trials.c.state == TrialState.WAITING)
    .order_by(trials.c.number)
)

TrialRows = dict[Table, list[dict[str, Any]]]  # of one trial, by table
RowsByTrial = Mapping[int, list[tuple[Any, ...]]]  # of one table, by the id of the trial, which each begins with

DIRECTIONS = {Direction.MAXIMIZE: StudyDirection.MAXIMIZE, Direction.MINIMIZE: StudyDirection.MINIMIZE}


def insert_study(connection: Connection, name: str, ways: Sequence[Direction]) -> int:
    """Write a study with the directions of its objectives and return its id."""
    key = connection.execute(insert(studies).values(study_name=name)).inserted_primary_key
    assert key is not None
    rows = [{"study_id": key[0], "objective": index, "direction": DIRECTIONS[way]} for index, way in enumerate(ways)]
    connection.execute(insert(directions), rows)
    return int(key[0])


def delete_empty_study(connection: Connection, study: int) -> bool:
    """Delete a study without trials, and qpsearch's rows about it; a study with trials is kept."""
    is_empty = connection.execute(select(trials.c.trial_id).where(trials.c.study_id == study).limit(1)).first() is None
    return is_empty and not delete_rows(connection, study)


def study_id(connection: Connection, name: str) -> int | None:
    """Return the id of a study; None where there is no study of that name."""
    return connection.execute(select(studies.c.study_id).where(studies.c.study_name == name)).scalar()


def insert_trial(connection: Connection, study: int, number: int, trial: FrozenTrial, now: float) -> int:
    """Write a running trial with all its parameters and system attributes; return its id."""
    row = {"number": number, "study_id": study, "state": TrialState.RUNNING, "datetime_start": _utc(now)}
    key = connection.execute(INSERT_TRIAL, row).inserted_primary_key
    assert key is not None
    trial_id = int(key[0])
    rows = [{"trial_id": trial_id, **row} for row in _param_rows(trial)]
    if rows:
        connection.execute(INSERT_PARAMS, rows)
    insert_attrs(connection, system_attrs, trial_id, trial.system_attrs)
    return trial_id


def begin_enqueued(connection: Connection, trial_id: int, trial: FrozenTrial, now: float) -> None:
    """Begin a trial that another tool has enqueued, with all its parameters and system attributes."""
    own = update(trials).where(trials.c.trial_id == trial_id)
    connection.execute(own.values(state=TrialState.RUNNING, datetime_start=_utc(now)))
    connection.execute(params.delete().where(params.c.trial_id == trial_id))  # another tool may have written some
    rows = [{"trial_id": trial_id, **row} for row in _param_rows(trial)]
    if rows:
        connection.execute(INSERT_PARAMS, rows)
    known = {key: value for key, value in trial.system_attrs.items() if key != FIXED}
    replace_attrs(connection, system_attrs, trial_id, known | {ENQUEUED: True})


def enqueued(connection: Connection, study: int) -> dict[int, tuple[int, dict[str, Any]]]:
    """Return the trials that another tool has enqueued and nobody has begun: by id, their number and fixed values."""
    return {
        row.trial_id: (row.number, json.loads(row.value_json) if row.value_json else {})
        for row in connection.execute(WAITING, {"of_study": study})
    }


def rows_of(trial: FrozenTrial) -> TrialRows:
    """Return the rows of a trial that has ended, without its attributes and without the ids that a database gives."""
    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    times = {name: _utc(getattr(trial, name).timestamp()) for name in ("datetime_start", "datetime_complete")}
    return {
        trials: [{"number": trial.number, "state": trial.state, **times}],
        params: _param_rows(trial),
        values: [_value_row(objective, value) for objective, value in enumerate(trial.values or ())],
        intermediate: [_intermediate_row(step, value) for step, value in trial.intermediate_values.items()],
    }


def insert_ended(connection: Connection, study: int, found: Sequence[TrialRows]) -> None:
    """Write trials that have ended, each with all its rows, in one statement for each table.

    Args:
        connection: In the caller's transaction.
        study: The study's id.
        found: For each trial its row and its rows in any tables whose rows belong to a trial, without ids.
    """
    own = [{"study_id": study, **rows[trials][0]} for rows in found]
    ids = (
        connection.execute(INSERT_TRIAL.returning(trials.c.trial_id, sort_by_parameter_order=True), own).scalars().all()
    )
    of_table: dict[Table, list[dict[str, Any]]] = defaultdict(list)
    for trial_id, rows in zip(ids, found, strict=True):
        for table, lines in rows.items():
            if table is not trials:
                of_table[table] += [{"trial_id": trial_id, **line} for line in lines]
    for table, lines in of_table.items():
        if lines:
            connection.execute(insert(table), lines)


def delete_rows(connection: Connection, study: int, most: int | None = None) -> bool:
    """Delete from Optuna's tables, children first; rows of qpsearch's tables are deleted by foreign key or trigger.

    Args:
        connection: In the caller's transaction.
        study: The study's id.
        most: How many trials to delete at most; a study that has more stays, with the rest of them. None for all.

    Returns:
        Whether something of the study is left.
    """
    own = select(trials.c.trial_id).where(trials.c.study_id == study).order_by(trials.c.trial_id).limit(most)
    by_trial = [table for table in reversed(OPTUNA.sorted_tables) if "trial_id" in table.c and table is not trials]
    for table in (*by_trial, trials):
        connection.execute(table.delete().where(table.c.trial_id.in_(own)))
    if most is not None and connection.execute(own.limit(1)).first() is not None:
        return True
    for table in reversed(OPTUNA.sorted_tables):
        if "trial_id" not in table.c and "study_id" in table.c:
            connection.execute(table.delete().where(table.c.study_id == study))
    return False


def next_number(connection: Connection, study: int) -> int:
    """Return the number of a study's next trial, whichever tool added the trials before.

    Locks the study's row as Optuna does when it adds a trial, so that no other tool adds a trial in between.
    """
    TAKE_STUDY.run(connection, {"of_study": study})
    last = LAST_NUMBER.run(connection, {"of_study": study}).scalar()
    return 0 if last is None else int(last) + 1


def insert_attrs(connection: Connection, table: Table, trial_id: int, attrs: Mapping[str, Any]) -> None:
    """Write new attributes of a trial."""
    if attrs:
        rows = [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attrs.items()]
        connection.execute(insert(table), rows)


def replace_attrs(connection: Connection, table: Table, trial_id: int, attrs: Mapping[str, Any]) -> None:
    """Write attributes of a trial, some of which another tool may have written."""
    connection.execute(table.delete().where(table.c.trial_id == trial_id, table.c.key.in_(list(attrs))))
    insert_attrs(connection, table, trial_id, attrs)


def insert_intermediate(connection: Connection, trial_id: int, step: int, value: float) -> None:
    """Write the value reported at a step."""
    INSERT_INTERMEDIATE.run(connection, {"trial_id": trial_id, **_intermediate_row(step, value)})


def close_trial(connection: Connection, trial_id: int, state: TrialState, results: Sequence[float], now: float) -> None:
    """End a running trial, with a value for each objective if there are results."""
    CLOSE.run(connection, {"of_trial": trial_id, "ended_as": state, "ended_at": _utc(now)})
    for objective, result in enumerate(results):
        connection.execute(INSERT_VALUE, {"trial_id": trial_id, **_value_row(objective, result)})


def _param_rows(trial: FrozenTrial) -> list[dict[str, Any]]:
    return [
        {
            "param_name": name,
            "param_value": distribution.to_internal_repr(trial.params[name]),
            "distribution_json": distribution_to_json(distribution),
        }
        for name, distribution in trial.distributions.items()
    ]


def _value_row(objective: int, value: float) -> dict[str, Any]:
    number, kind = TrialValueModel.value_to_stored_repr(value)
    return {"objective": objective, "value": number, "value_type": kind}


def _intermediate_row(step: int, value: float) -> dict[str, Any]:
    number, kind = TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    return {"step": step, "intermediate_value": number, "intermediate_value_type": kind}


def first_value(trial: FrozenTrial) -> float | None:
    """Return a trial's value of the first objective, the training metric; None for a trial without values."""
    return trial.values[0] if trial.values else None


def read_trials(
    connection: Connection, study: int, only: Collection[int] | None = None, *, history: bool = True
) -> list[FrozenTrial]:
    """Return the trials of a study that a ledger made, by number, in six queries however many they are.

    Trials that other Optuna tools added are left out, since they do not have a configuration that could be trained.

    Args:
        connection: To the database.
        study: The study's id.
        only: Ids of the wanted trials; None for all.
        history: Whether to read the values reported at each epoch and the attributes, too.
    """
    wanted = trials.c.study_id == study
    if only is not None:
        wanted &= trials.c.trial_id.in_(only)
    ours = select(trials).join(configs, configs.c.trial_id == trials.c.trial_id)
    rows = connection.execute(ours.where(wanted).order_by(trials.c.number)).all()
    rows_by_trial = partial(_by_trial, connection, wanted)
    parameters = rows_by_trial(params.c.param_name, params.c.param_value, params.c.distribution_json)
    objective = rows_by_trial(values.c.value, values.c.value_type)
    reported: RowsByTrial = {}
    system: RowsByTrial = {}
    user: RowsByTrial = {}
    if history:
        steps = intermediate.c
        reported = rows_by_trial(steps.step, steps.intermediate_value, steps.intermediate_value_type)
        system = rows_by_trial(system_attrs.c.key, system_attrs.c.value_json)
        user = rows_by_trial(user_attrs.c.key, user_attrs.c.value_json)
    distribution = _cached(json_to_distribution)
    value_of = TrialValueModel.stored_repr_to_value
    step_of = TrialIntermediateValueModel.stored_repr_to_intermediate_value
    found = []
    for row in rows:
        key = row.trial_id
        drawn = [(name, number, distribution(text)) for _, name, number, text in parameters.get(key, ())]
        values_of_trial = [value_of(value, kind) for _, value, kind in objective.get(key, ())]
        found.append(
            FrozenTrial(
                number=row.number,
                state=row.state,
                value=None,
                values=values_of_trial or None,
                datetime_start=_local(row.datetime_start),
                datetime_complete=_local(row.datetime_complete),
                params={name: kind.to_external_repr(number) for name, number, kind in drawn},
                distributions={name: kind for name, _, kind in drawn},
                user_attrs={name: json.loads(text) for _, name, text in user.get(key, ())},
                system_attrs={name: json.loads(text) for _, name, text in system.get(key, ())},
                intermediate_values={step: step_of(value, kind) for _, step, value, kind in reported.get(key, ())},
                trial_id=key,
            )
        )
    return found


def _by_trial(connection: Connection, wanted: ColumnElement[bool], *columns: Column[Any]) -> RowsByTrial:
    """Return some columns of a table for each trial, after the trial's id, in the order of the primary key."""
    table = columns[0].table
    read = [type_coerce(column, Real) if isinstance(column.type, Float) else column for column in columns]
    query = select(table.c.trial_id, *read).join(trials, trials.c.trial_id == table.c.trial_id).where(wanted)
    rows = connection.execute(query.order_by(*table.primary_key)).all()  # at once: row by row takes longer
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found


def _cached(
    read: Callable[[str], optuna.distributions.BaseDistribution],
) -> Callable[[str], optuna.distributions.BaseDistribution]:
    """Parse each distinct distribution once; a study of 1,000 trials has a dozen."""
    known: dict[str, optuna.distributions.BaseDistribution] = {}

    def parse(text: str) -> optuna.distributions.BaseDistribution:
        if text not in known:
            known[text] = read(text)
        return known[text]

    return parse


def _utc(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC).replace(tzinfo=None)  # Optuna stores naive UTC


def _local(stored: datetime | None) -> datetime | None:
    return None if stored is None else stored.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
