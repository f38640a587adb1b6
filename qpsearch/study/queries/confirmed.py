"""What configurations gave on fresh seeds: in trials of a study beside the one that searched."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import Connection, func, select

from qpsearch.space.space import Searched
from qpsearch.study.drivers.stored import (
    arms_beside,
    comparison_of,
    confirmation_of,
    find_study,
    is_confirmation,
    owner_of,
    searches_of_trials,
)
from qpsearch.study.records import Confirmation
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import configs, runs, studies, study_facts, trials


def confirmation_name(database: Database, name: str) -> str | None:
    """Return the name of the study that trains a study's best again; None if there is none. Raises StudyNotFound."""

    def query(connection: Connection) -> str | None:
        uid = select(study_facts.c.uid).where(study_facts.c.study_id == find_study(connection, name))
        own = confirmation_of(connection, connection.execute(uid).scalar_one())
        return connection.execute(select(studies.c.study_name).where(studies.c.study_id == own)).scalar()

    return database.read(query)


def trials_of_arms(database: Database, name: str) -> dict[int, Searched]:
    """Return which arm, and which of its searches, each trial of a comparison is of, by the trial's number.

    Raises:
        StudyNotFound: There is no such study.
    """

    def query(connection: Connection) -> dict[int, Searched]:
        study = find_study(connection, name)
        rows = select(trials.c.trial_id, trials.c.number).where(trials.c.study_id == study)
        found = searches_of_trials(connection, study)
        return {row.number: found[row.trial_id] for row in connection.execute(rows) if row.trial_id in found}

    return database.read(query)


def comparison_named(database: Database, name: str) -> str | None:
    """Return the name of the comparison of which a study is an arm; None if there is none. Raises StudyNotFound."""
    return database.read(lambda c: comparison_of(c, find_study(c, name)))


def confirms(database: Database, name: str) -> bool:
    """Whether a study trains configurations of another one again, and does not search; raises StudyNotFound."""
    return database.read(lambda c: is_confirmation(c, find_study(c, name)))


def chosen_by(database: Database, name: str) -> str | None:
    """Return the study whose search chose what a study trains again, as the database links them; None for a search.

    Of a comparison it is that of the first arm; ``STUDY`` stands for one that is not in this database.

    Raises:
        StudyNotFound: There is no such study.
    """

    def query(connection: Connection) -> str | None:
        study = find_study(connection, name)
        if not is_confirmation(connection, study):
            return None
        uid = connection.execute(select(study_facts.c.uid).where(study_facts.c.study_id == study)).scalar_one()
        arms = arms_beside(connection, uid)
        if not arms:
            return owner_of(connection, study) or "STUDY"
        return str(connection.execute(select(studies.c.study_name).where(studies.c.study_id == arms[0])).scalar_one())

    return database.read(query)


def numbers_in_search(database: Database, name: str) -> dict[str, int]:
    """Return the number of the first complete trial of each configuration that a study trains again, in its search.

    Args:
        database: The study database.
        name: A study of fresh seeds; for another one, and where its search is not in this database, nothing is found.

    Returns:
        The numbers by the configuration as stored.

    Raises:
        StudyNotFound: There is no such study.
    """

    def query(connection: Connection) -> dict[str, int]:
        study = find_study(connection, name)
        searched = owner_of(connection, study) if is_confirmation(connection, study) else None
        if searched is None:
            return {}
        own = select(configs.c.config_json).join(trials, trials.c.trial_id == configs.c.trial_id)
        rows = (
            select(configs.c.config_json, func.min(trials.c.number).label("number"))
            .join(trials, trials.c.trial_id == configs.c.trial_id)
            .where(trials.c.study_id == find_study(connection, searched), trials.c.state == TrialState.COMPLETE)
            .where(configs.c.config_json.in_(own.where(trials.c.study_id == study)))
            .group_by(configs.c.config_json)
        )
        return {row.config_json: row.number for row in connection.execute(rows)}

    return database.read(query)


def fresh_seeds(connection: Connection, uid: str) -> dict[str, list[Any]]:
    """Return state, seed and score of each fresh seed, by configuration, in the order in which they were planned.

    Args:
        connection: To the database.
        uid: The uid of the study that searched.
    """
    found: dict[str, list[Any]] = defaultdict(list)
    own = confirmation_of(connection, uid)
    if own is None:
        return found
    rows = (
        select(configs.c.config_json, trials.c.state, runs.c.seed, runs.c.score)
        .join(trials, trials.c.trial_id == configs.c.trial_id)
        .join(runs, runs.c.trial_id == configs.c.trial_id)
        .where(trials.c.study_id == own)
        .order_by(trials.c.number)
    )
    for row in connection.execute(rows):
        found[row.config_json].append(row)
    return found


def confirmation(rows: Sequence[Any], search: float, sign: float) -> Confirmation:
    """Sum up the fresh seeds of a configuration.

    Args:
        rows: From ``fresh_seeds``.
        search: The value by which the search chose it.
        sign: The objective's.
    """
    complete = [row for row in rows if row.state is TrialState.COMPLETE]
    return Confirmation(
        search=search,
        sign=sign,
        seeds=tuple(row.seed for row in complete),
        scores=tuple(row.score for row in complete),
        failed=sum(row.state is TrialState.FAIL for row in rows),
        open=sum(not row.state.is_finished() for row in rows),
    )
