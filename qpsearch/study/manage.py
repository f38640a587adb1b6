"""Renaming, deleting and copying whole studies, with everything that belongs to them; recording what was evaluated.

The best configurations of a study are trained again on fresh seeds in a study beside it, whose trials are planned here:
the search does not see them, and each command works on them. It is renamed, copied and deleted with the other one.
"""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import Connection, Row, Table, insert, inspect, select, update

from qpsearch.errors import ArtifactError, StorageConflict, StudyBusy, StudyExists
from qpsearch.protocol import Run
from qpsearch.registry.pruners import PrunerKind
from qpsearch.registry.samplers import SamplerKind
from qpsearch.seeds import derive_seed
from qpsearch.space import Space, parse_space
from qpsearch.space.file.document import dump, parse_document, spelled
from qpsearch.space.space import Budget
from qpsearch.study.drivers import lease, leftovers
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.drivers.stored import CONFIRMS, confirmation_of, find_study, stored_space
from qpsearch.study.drivers.transactions import move_revision
from qpsearch.study.opening import insert_facts, set_budget
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import (
    delete_rows,
    insert_study,
    insert_trial,
    next_number,
    read_trials,
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
    infeasible,
    intermediate,
    leases,
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
from qpsearch.study.trials.rows import insert_attempt, insert_runs
from qpsearch.vocabulary import Ending

TABLES_OF_STUDIES: Final = (
    directions,
    OPTUNA.tables[models.StudyUserAttributeModel.__tablename__],
    study_attrs,
    infeasible,
)
TABLES_OF_TRIALS: Final = (params, values, intermediate, system_attrs, user_attrs, configs, runs, epochs, evaluations)


def name_of(database: Database, study: int) -> str | None:
    """Return the name of a study by its id in Optuna's table; None if qpsearch did not make it."""
    query = select(studies.c.study_name).join(study_facts, study_facts.c.study_id == studies.c.study_id)
    return database.read(lambda c: c.execute(query.where(studies.c.study_id == study)).scalar())


def is_own_trial(database: Database, trial: int) -> bool:
    """Whether qpsearch made the trial with that id in Optuna's table."""
    query = select(configs.c.trial_id).where(configs.c.trial_id == trial)
    return database.read(lambda c: c.execute(query).first()) is not None


def plan_confirmation(database: Database, name: str, numbers: Sequence[int], seeds: int) -> str:
    """Plan to train configurations of a study again on fresh seeds; what was planned before stays.

    Each configuration and seed is a trial that waits for a driver, in a study beside the one that searched. The seed of
    an index is the same for every configuration, so that they can be compared in pairs; no run of the search has it.

    Args:
        database: Opened for writing.
        name: The study that searched.
        numbers: A trial of each configuration.
        seeds: How many fresh seeds each of them gets.

    Returns:
        The name of the study beside it.

    Raises:
        StudyNotFound: There is no such study.
        StudyExists: The name of the study beside it is taken by another one.
    """
    now, uid = time.time(), uuid.uuid4().hex

    def step(connection: Connection) -> str:
        study = find_study(connection, name)
        facts = _facts(connection, study)
        space = stored_space(facts, name)
        own = confirmation_of(connection, facts.uid)
        if own is None:
            own = _insert_confirmation(connection, space, facts, uid, now)
        revision = move_revision(connection, own, _facts(connection, own).uid)
        planned = _planned(connection, own)
        lease_id = lease.take(connection, own, Driver.this(), now)
        found = _configurations(connection, study, numbers)
        number = next_number(connection, own)
        for index in range(seeds):
            seed = derive_seed(space.search.seed, "confirm", index)
            for frozen, config_json in found:
                if (config_json, seed) not in planned:
                    trial_id = insert_trial(connection, own, number, frozen, now)
                    row = {"trial_id": trial_id, "config_json": config_json, "revision": revision}
                    connection.execute(insert(configs).values(row))
                    insert_runs(connection, trial_id, [Run(replicate=0, seed=seed)])
                    insert_attempt(connection, trial_id, 0, lease_id, 0.0, now)
                    number += 1
        ended = {"ended": now, "ending": Ending.INTERRUPTED.value}
        connection.execute(update(attempts).where(attempts.c.lease_id == lease_id).values(ended))
        lease.release(connection, lease_id, 0.0, now)
        set_budget(connection, own, Budget(trials=number))
        return str(connection.execute(select(studies.c.study_name).where(studies.c.study_id == own)).scalar_one())

    try:
        return database.write(step)
    except StorageConflict:  # another process made the study beside it between our look and our commit
        return database.write(step)


def _insert_confirmation(connection: Connection, searched: Space, facts: Row[Any], uid: str, now: float) -> int:
    """Write a study without trials beside one that searched: of the same space, without all that prunes or stops."""
    name = confirmation_named(searched.study)
    if study_id(connection, name) is not None:
        raise StudyExists(f"study {name!r} is another one, and its name is needed. Rename it: qpsearch studies rename.")
    document = spelled(parse_document(searched.source, searched.study))
    kept = {key: value for key, value in document.get("search", {}).items() if key in ("objective", "score")}
    document["search"] = kept | {"sampler": SamplerKind.RANDOM.value, "pruner": PrunerKind.NONE.value}
    space = parse_space(dump(document), name, strict=False)
    space = space.with_search(study=name, seed=searched.search.seed)
    space = replace(space, resources=searched.resources)
    own = insert_study(connection, name, [each.direction for each in space.search.objectives])
    root, source = facts.checkpoint_root, facts.space_source
    insert_facts(connection, own, space, source=source, uid=uid, checkpoint_root=root, now=now)
    link = {"study_id": own, "key": CONFIRMS, "value_json": json.dumps(facts.uid)}
    connection.execute(insert(study_attrs).values(link))
    return own


def _planned(connection: Connection, study: int) -> set[tuple[str, int]]:
    """Return the configurations and seeds that were planned before."""
    rows = select(configs.c.config_json, runs.c.seed).join(runs, runs.c.trial_id == configs.c.trial_id)
    of_study = rows.join(trials, trials.c.trial_id == configs.c.trial_id).where(trials.c.study_id == study)
    return {(row.config_json, row.seed) for row in connection.execute(of_study)}


def _configurations(connection: Connection, study: int, numbers: Sequence[int]) -> list[tuple[FrozenTrial, str]]:
    """Return what was drawn for some trials, and their configurations, in the order of the numbers."""
    of_numbers = (trials.c.study_id == study) & trials.c.number.in_(numbers)
    query = select(configs.c.trial_id, configs.c.config_json).join(trials, trials.c.trial_id == configs.c.trial_id)
    config = {row.trial_id: row.config_json for row in connection.execute(query.where(of_numbers))}
    by_number = {each.number: each for each in read_trials(connection, study, only=config, history=False)}
    return [(by_number[number], config[by_number[number]._trial_id]) for number in numbers]


def confirmation_named(study: str) -> str:
    """Return the name of the study in which a study's best configurations are trained again."""
    return f"{study}.confirm"


def rename(database: Database, name: str, new: str) -> None:
    """Rename a study; its checkpoints stay where they are.

    Raises:
        StudyNotFound: There is no such study.
        StudyExists: The new name is taken.
        StudyBusy: A driver works on it.
    """

    def step(connection: Connection) -> None:
        study = find_study(connection, name)
        _refuse_busy(connection, study, name)
        if study_id(connection, new) is not None:
            raise StudyExists(f"study {new!r} already exists. Choose another name, or rename that study first.")
        connection.execute(update(studies).where(studies.c.study_id == study).values(study_name=new))
        beside, its_name = confirmation_of(connection, _facts(connection, study).uid), confirmation_named(new)
        if beside is not None:
            _refuse_busy(connection, beside, confirmation_named(name))
            if study_id(connection, its_name) not in (None, beside):
                raise StudyExists(
                    f"study {its_name!r} already exists. Choose another name, or rename that study first."
                )
            connection.execute(update(studies).where(studies.c.study_id == beside).values(study_name=its_name))

    database.write(step)


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
        StudyBusy: A driver works on it.
        ArtifactError: The checkpoints belong to the database that this one is a copy of.
    """
    found = database.read(lambda c: _facts(c, find_study(c, name)))
    beside = database.read(lambda c: _name_beside(c, found.uid))
    if beside is not None:
        delete(database, beside, keep_checkpoints=keep_checkpoints)
    if not keep_checkpoints:
        checkpoints = checkpoints_of(database, found)
        owner = Owner.read(checkpoints.root)
        if owner is not None and not Owner.of(database, found.uid, checkpoints.root).is_same(owner, checkpoints.root):
            raise ArtifactError(
                f"{checkpoints.root}: these checkpoints belong to {owner.shown}. This database is a copy. "
                f"Delete its trials alone: qpsearch studies delete {name} --keep-checkpoints."
            )

    def step(connection: Connection) -> None:
        study = find_study(connection, name)
        facts = _facts(connection, study)
        move_revision(connection, study, facts.uid)  # no driver can join meanwhile
        _refuse_busy(connection, study, name)
        delete_rows(connection, study)
        if keep_checkpoints:
            leftovers.take_back(connection, facts.uid)

    database.write(step)
    return leftovers.sweep(database)


def copy(source: Database, name: str, target: Database, new: str) -> None:
    """Copy a study with its trials and checkpoints into another database, or under another name.

    A running study is copied as it stands; a trial that runs at that moment waits in the copy.

    Raises:
        StudyNotFound: There is no such study.
        StudyExists: The target has a study of the new name.
    """
    uid = _copy(source, name, target, new, None)
    beside = source.read(lambda c: _name_beside(c, _facts(c, find_study(c, name)).uid))
    if beside is not None:
        _copy(source, beside, target, confirmation_named(new), uid)


def _copy(source: Database, name: str, target: Database, new: str, confirmed: str | None) -> str:
    """Copy a study; return the copy's uid. ``confirmed`` is the uid of the study that the copy shall belong to."""
    taken = f"study {new!r} already exists in {target.shown}. Give the copy another name: --as NAME."
    uid, now = uuid.uuid4().hex, time.time()
    facts, rows = source.read(lambda c: _read(c, find_study(c, name)))
    own = facts | {"uid": uid, "checkpoint_root": copied_root(target, facts["checkpoint_root"])}

    if confirmed is not None:
        rows[study_attrs] = [
            row | ({"value_json": json.dumps(confirmed)} if row["key"] == CONFIRMS else {}) for row in rows[study_attrs]
        ]

    def step(connection: Connection) -> None:
        refuse_name(connection)
        _write(connection, new, own, rows, now)
        leftovers.take_back(connection, uid)

    def refuse_name(connection: Connection) -> None:
        if study_id(connection, new) is not None:
            raise StudyExists(taken)

    target.read(refuse_name)
    theirs, ours = (checkpoints_of(database, SimpleNamespace(**f)) for database, f in ((source, facts), (target, own)))
    leftovers.note(target, uid=uid, first_name=own["first_name"], checkpoint_root=own["checkpoint_root"])
    try:
        ours.claim(Owner.of(target, uid, ours.root), copied="")()
        theirs.copy_to(ours)  # before the rows that name the checkpoints
        target.write(step)
    except BaseException as error:
        leftovers.sweep(target, filled_here=uid)
        if isinstance(error, StorageConflict):
            raise StudyExists(taken) from None
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


def _refuse_busy(connection: Connection, study: int, name: str) -> None:
    here = Driver.this()
    for holder in lease.standing(connection, study):
        if not holder.expired_on(here):
            raise StudyBusy(
                f"study {name!r} is being run by {holder.driver}. Stop that process first. If that host is gone for "
                f"good: qpsearch resume {name} --take-over."
            )


def _name_beside(connection: Connection, uid: str) -> str | None:
    """Return the name of the study that belongs to a study; None if there is none."""
    own = confirmation_of(connection, uid)
    return connection.execute(select(studies.c.study_name).where(studies.c.study_id == own)).scalar()


def _facts(connection: Connection, study: int) -> Row[Any]:
    return connection.execute(select(study_facts).where(study_facts.c.study_id == study)).one()


def _read(connection: Connection, study: int) -> tuple[dict[str, Any], dict[Table, list[dict[str, Any]]]]:
    facts = connection.execute(select(study_facts).where(study_facts.c.study_id == study)).mappings().one()
    own = select(trials.c.trial_id).where(trials.c.study_id == study)
    rows = {
        table: _rows(connection, table, table.c.study_id == study) for table in (*TABLES_OF_STUDIES, trials, leases)
    } | {table: _rows(connection, table, table.c.trial_id.in_(own)) for table in (*TABLES_OF_TRIALS, attempts)}
    return dict(facts), rows


def _rows(connection: Connection, table: Table, wanted: Any) -> list[dict[str, Any]]:
    if not inspect(connection).has_table(table.name):  # the schema is an earlier one
        return []
    query = select(table).where(wanted).order_by(*table.primary_key.columns)
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


OURS_BY_TRIAL: Final = tuple(table for table in OURS.tables.values() if "trial_id" in table.primary_key.columns)
