"""Renaming, deleting and copying whole studies, with everything that belongs to them; recording what was evaluated.

What belongs to a study, the study that confirms it or the arms of a comparison, is renamed, deleted and copied with it.
"""

import json
import time
import uuid
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Final

from optuna.storages._rdb import models
from sqlalchemy import Connection, Row, Table, insert, inspect, select, update

from qpsearch.errors import ArtifactError, StorageConflict, StudyExists, UserError, command
from qpsearch.study.drivers import lease, leftovers
from qpsearch.study.drivers.holders import refuse_busy
from qpsearch.study.drivers.stored import ARM_OF, CONFIRMS, beside, comparison_of, find_study, owner_of
from qpsearch.study.drivers.transactions import move_revision
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import (
    delete_rows,
    study_id,
)
from qpsearch.study.storage.tables import (
    OPTUNA,
    OURS,
    attempts,
    configs,
    directions,
    epochs,
    evaluations,
    facts_of,
    infeasible,
    intermediate,
    leases,
    measured,
    params,
    runs,
    studies,
    study_attrs,
    study_facts,
    system_attrs,
    trials,
    user_attrs,
    values,
)
from qpsearch.study.trials.checkpoints import checkpoints_of, copied_root
from qpsearch.study.trials.evaluations import Evaluated, insert_evaluations
from qpsearch.study.trials.owner import Owner
from qpsearch.vocabulary import Ending

TABLES_OF_STUDIES: Final = (
    directions,
    OPTUNA.tables[models.StudyUserAttributeModel.__tablename__],
    study_attrs,
    infeasible,
)
TABLES_OF_TRIALS: Final = (
    params,
    values,
    intermediate,
    system_attrs,
    user_attrs,
    configs,
    runs,
    epochs,
    measured,
    evaluations,
)


def name_of(database: Database, study: int) -> str | None:
    """Return the name of a study by its id in Optuna's table; None if qpsearch did not make it."""
    query = select(studies.c.study_name).join(study_facts, study_facts.c.study_id == studies.c.study_id)
    return database.read(lambda c: c.execute(query.where(studies.c.study_id == study)).scalar())


def is_own_trial(database: Database, trial: int) -> bool:
    """Whether qpsearch made the trial with that id in Optuna's table."""
    query = select(configs.c.trial_id).where(configs.c.trial_id == trial)
    return database.read(lambda c: c.execute(query).first()) is not None


def rename(database: Database, name: str, new: str) -> None:
    """Rename a study and what belongs to it; checkpoints stay where they are.

    Raises:
        StudyNotFound: There is no such study.
        UserError: It belongs to another study, with which it is renamed.
        StudyExists: A new name is taken.
        StudyBusy: A driver works on one of the studies.
    """

    def step(connection: Connection) -> None:
        study = find_study(connection, name)
        _refuse_arm(connection, study, name, f"Rename them together: {command('studies', 'rename', ANY_ARMS, 'NEW')}.")
        if (owner := owner_of(connection, study)) is not None:
            raise UserError(
                f"study {name!r} belongs to {owner!r}. Rename them together: "
                f"{command('studies', 'rename', owner, 'NEW')}."
            )
        family = _family(connection, study)
        names = {study: f"{new}{old.removeprefix(name)}" for study, old in family.items()}
        for study, old in family.items():
            refuse_busy(database, connection, study, old)
            if study_id(connection, names[study]) not in (None, *family):
                raise StudyExists(
                    f"study {names[study]!r} already exists. Choose another name, or rename that study first."
                )
        for study in names:  # first none has its name, since a new one may be that of another of them
            connection.execute(update(studies).where(studies.c.study_id == study).values(study_name=uuid.uuid4().hex))
        for study, given in names.items():
            connection.execute(update(studies).where(studies.c.study_id == study).values(study_name=given))

    database.write(step)


def family(database: Database, name: str) -> list[str]:
    """Return the name of a study, and those of all studies that are renamed, deleted and copied with it.

    Raises:
        StudyNotFound: There is no such study.
    """
    return database.read(lambda c: list(_family(c, find_study(c, name)).values()))


def delete(database: Database, name: str, *, keep_checkpoints: bool = False) -> list[str]:
    """Delete a study with its trials and checkpoints.

    Args:
        database: Opened for writing.
        name: The study's name.
        keep_checkpoints: Delete the trials alone.

    Returns:
        For each folder of checkpoints that stays, or in which something stays, the reason.

    Raises:
        StudyNotFound: There is no such study.
        UserError: It is an arm of a comparison, which cannot be read without it.
        StudyBusy: A driver works on it.
        ArtifactError: The checkpoints belong to the database that this one is a copy of.
    """
    hint = f"Delete them together: {command('studies', 'delete', ANY_ARMS)}."

    def members(connection: Connection) -> dict[str, Row[Any]]:
        study = find_study(connection, name)
        _refuse_arm(connection, study, name, hint)
        found = _family(connection, study)
        for each, own in found.items():  # before the first of them is deleted
            refuse_busy(database, connection, each, own)
        return {own: facts_of(connection, each) for each, own in found.items()}

    for own, facts in database.read(members).items():
        if not keep_checkpoints:
            _refuse_copied(database, own, facts)
    return _delete(database, name, keep_checkpoints=keep_checkpoints)


def _delete(database: Database, name: str, *, keep_checkpoints: bool) -> list[str]:
    found = database.read(lambda c: facts_of(c, find_study(c, name)))
    for own in database.read(lambda c: _names_beside(c, found.uid)):
        _delete(database, own, keep_checkpoints=keep_checkpoints)

    def step(connection: Connection) -> None:
        study = find_study(connection, name)
        facts = facts_of(connection, study)
        move_revision(connection, study, facts.uid)  # no driver can join meanwhile
        refuse_busy(database, connection, study, name)
        delete_rows(connection, study)
        if keep_checkpoints:
            leftovers.take_back(connection, facts.uid)

    database.write(step)
    return leftovers.sweep(database)


def _refuse_copied(database: Database, name: str, facts: Row[Any]) -> None:
    """Raise ArtifactError if the checkpoints of a study belong to the database that this one is a copy of."""
    checkpoints = checkpoints_of(database, facts)
    owner = Owner.read(checkpoints.root)
    if owner is not None and not Owner.of(database, facts.uid, checkpoints.root).is_same(owner, checkpoints.root):
        raise ArtifactError(
            f"{checkpoints.root}: these checkpoints belong to {owner.shown}. This database is a copy. "
            f"Delete its trials alone: {command('studies', 'delete', name, '--keep-checkpoints')}."
        )


def copy(source: Database, name: str, target: Database, new: str) -> None:
    """Copy a study with its trials and checkpoints into another database, or under another name.

    A running study is copied as it stands; a trial that runs at that moment waits in the copy. Where the copy of a
    study that belongs to it fails, nothing stays.

    Raises:
        StudyNotFound: There is no such study.
        StudyExists: The target has a study of one of the new names.
    """
    new_names = [f"{new}{own.removeprefix(name)}" for own in family(source, name)]

    def check(connection: Connection) -> None:
        for each in new_names:
            _refuse_taken(connection, target, each)

    target.read(check)
    uid = _copy(source, name, target, new, None)
    try:
        _copy_beside(source, name, target, new, uid)
    except BaseException:
        _delete(target, new, keep_checkpoints=False)
        raise


def _copy_beside(source: Database, name: str, target: Database, new: str, uid: str) -> None:
    """Copy what belongs to a study; ``uid`` is that of its copy."""
    for own in source.read(lambda c: _names_beside(c, facts_of(c, find_study(c, name)).uid)):
        copied = f"{new}{own.removeprefix(name)}"
        _copy_beside(source, own, target, copied, _copy(source, own, target, copied, uid))


def _refuse_taken(connection: Connection, target: Database, name: str) -> None:
    if study_id(connection, name) is not None:
        raise _taken(target, name)


def _taken(target: Database, name: str) -> StudyExists:
    return StudyExists(f"study {name!r} already exists in {target.shown}. Give the copy another name: --as NAME.")


def _copy(source: Database, name: str, target: Database, new: str, above: str | None) -> str:
    """Copy a study alone; return the copy's uid. ``above`` is the uid of the study that the copy shall belong to."""
    uid, now = uuid.uuid4().hex, time.time()
    facts, rows = source.read(lambda c: _read(c, find_study(c, name)))
    own = facts | {"uid": uid, "checkpoint_root": copied_root(target, facts["checkpoint_root"])}

    # A copy without the study to which the original belongs belongs to none: neither is deleted with the other.
    links = {CONFIRMS: above or uuid.uuid4().hex, ARM_OF: above}
    rows[study_attrs] = [
        row | ({"value_json": json.dumps(links[row["key"]])} if row["key"] in links else {})
        for row in rows[study_attrs]
        if links.get(row["key"], "") is not None
    ]

    def step(connection: Connection) -> None:
        _refuse_taken(connection, target, new)
        _write(connection, new, own, rows, now)
        leftovers.take_back(connection, uid)

    theirs, ours = (checkpoints_of(database, SimpleNamespace(**f)) for database, f in ((source, facts), (target, own)))
    leftovers.note(target, uid=uid, first_name=own["first_name"], checkpoint_root=own["checkpoint_root"])
    try:
        ours.claim(Owner.of(target, uid, ours.root), copied="")()
        theirs.copy_to(ours)  # before the rows that name the checkpoints
        target.write(step)
    except BaseException as error:
        leftovers.sweep(target, filled_here=uid)
        if isinstance(error, StorageConflict):
            raise _taken(target, new) from None
        raise
    return uid


def record_evaluations(database: Database, name: str, number: int, found: Sequence[Evaluated], now: float) -> None:
    """Record what one look at the test images gave for a trial; a driver may be running the study.

    Args:
        database: Opened for writing.
        name: The study's name.
        number: The trial's number.
        found: What was read.
        now: When the look began, in Unix seconds; the same for all trials of one look.

    Raises:
        StudyNotFound: There is no such study any more.
        StorageError: The database cannot be written.
    """

    def step(connection: Connection) -> None:
        own = (trials.c.study_id == find_study(connection, name)) & (trials.c.number == number)
        trial_id = connection.execute(select(trials.c.trial_id).where(own)).scalar()
        if trial_id is not None:
            insert_evaluations(connection, trial_id, found, now)

    database.write(step)


def _refuse_arm(connection: Connection, study: int, name: str, hint: str) -> None:
    """Raise UserError where a study is an arm of a comparison that is there; ``hint`` says what can be done."""
    whole = comparison_of(connection, study)
    if whole is not None:
        raise UserError(f"study {name!r} is an arm of {whole!r}. {hint.replace(ANY_ARMS, whole)}")


def _names_beside(connection: Connection, uid: str) -> list[str]:
    """Return the names of the studies that belong to a study."""
    names = select(studies.c.study_name).where(studies.c.study_id.in_(beside(connection, uid)))
    return list(connection.execute(names.order_by(studies.c.study_id)).scalars())


def _family(connection: Connection, study: int) -> dict[int, str]:
    """Return the names of a study and of all that belongs to it, by id."""
    row = connection.execute(select(studies.c.study_name).where(studies.c.study_id == study)).one()
    found = {study: str(row.study_name)}
    for own in beside(connection, facts_of(connection, study).uid):
        found |= _family(connection, own)
    return found


def _read(connection: Connection, study: int) -> tuple[dict[str, Any], dict[Table, list[dict[str, Any]]]]:
    facts = connection.execute(select(study_facts).where(study_facts.c.study_id == study)).mappings().one()
    own = select(trials.c.trial_id).where(trials.c.study_id == study)
    rows = {
        table: _rows(connection, table, table.c.study_id == study) for table in (*TABLES_OF_STUDIES, trials, leases)
    } | {table: _rows(connection, table, table.c.trial_id.in_(own)) for table in (*TABLES_OF_TRIALS, attempts)}
    return dict(facts), rows


def _rows(connection: Connection, table: Table, wanted: Any) -> list[dict[str, Any]]:
    if not inspect(connection).has_table(table.name):
        return []
    known = {column["name"] for column in inspect(connection).get_columns(table.name)}
    there = [column for column in table.c if column.name in known]  # the schema may be an earlier one
    query = select(*there).where(wanted).order_by(*table.primary_key.columns)
    return [dict(row) for row in connection.execute(query).mappings()]


def _write(
    connection: Connection, name: str, facts: dict[str, Any], rows: dict[Table, list[dict[str, Any]]], now: float
) -> None:
    """Insert the rows under new keys; drivers of the original do not drive the copy."""
    key = connection.execute(insert(studies).values(study_name=name)).inserted_primary_key
    assert key is not None
    study = int(key[0])
    connection.execute(insert(study_facts).values(facts | {"study_id": study}))
    for table in TABLES_OF_STUDIES:
        _insert(connection, table, [row | {"study_id": study} for row in rows[table]])
    _insert(connection, trials, [row | {"study_id": study} for row in rows[trials]])
    numbers = select(trials.c.number, trials.c.trial_id).where(trials.c.study_id == study)
    by_number = {row.number: row.trial_id for row in connection.execute(numbers)}
    new_id = {row["trial_id"]: by_number[row["number"]] for row in rows[trials]}
    for table in TABLES_OF_TRIALS:
        _insert(connection, table, [row | {"trial_id": new_id[row["trial_id"]]} for row in rows[table]])
    new_lease = {}
    for row in rows[leases]:
        ended = {"state": lease.SUPERSEDED, "ended": now} if row["state"] == lease.HELD else {}
        fresh = {k: v for k, v in row.items() if k != "lease_id"} | {"study_id": study} | ended
        lease_key = connection.execute(insert(leases).values(fresh)).inserted_primary_key
        assert lease_key is not None
        new_lease[row["lease_id"]] = int(lease_key[0])
    for row in rows[attempts]:
        lost = {"ending": Ending.LOST.value, "ended": now} if row["ending"] is None else {}
        keys = {"trial_id": new_id[row["trial_id"]], "lease_id": new_lease[row["lease_id"]]}
        connection.execute(insert(attempts).values(row | keys | lost))


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows without the keys that the database generates."""
    made = {column.name for column in table.primary_key if table not in OURS_BY_TRIAL}
    if rows:
        connection.execute(insert(table), [{k: v for k, v in row.items() if k not in made} for row in rows])


ANY_ARMS: Final = "COMPARISON"  # stands for the name of a comparison in a hint
OURS_BY_TRIAL: Final = tuple(table for table in OURS.tables.values() if "trial_id" in table.primary_key.columns)
