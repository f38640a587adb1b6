"""Finding a study and the space that it was made from: apart from what opens studies, so that readers load little."""

import json
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from qpsearch.architecture.plugins import imports
from qpsearch.errors import SpaceError, StudyNotFound, nearest
from qpsearch.space import Space, parse_space
from qpsearch.space.space import Resources
from qpsearch.study.drivers.budget import budget_of
from qpsearch.study.storage.optuna_tables import study_id
from qpsearch.study.storage.tables import studies, study_attrs, study_facts

CONFIRMS: Final = "qpsearch:confirms"  # a study's attribute: the uid of the study whose configurations it trains again


def find_study(connection: Connection, name: str) -> int:
    """Return the id of a study that qpsearch made.

    Raises:
        StudyNotFound: There is no such study; the message lists the names of the others.
    """
    found = study_id(connection, name)
    query = select(studies.c.study_name, studies.c.study_id).join(
        study_facts, study_facts.c.study_id == studies.c.study_id
    )
    known = {row.study_name: row.study_id for row in connection.execute(query)}
    if found is not None and name not in known:
        raise StudyNotFound(
            f"study {name!r} was not made by qpsearch: it does not have a space. Use Optuna's own tools."
        )
    if found is None:
        hint = (
            nearest(name, list(known))
            if known
            else "This database does not hold a study yet. Make one: qpsearch run SPACE."
        )
        raise StudyNotFound(f"no study {name!r}. {hint}")
    return found


def confirmation_of(connection: Connection, uid: str) -> int | None:
    """Return the id of the study that trains configurations of a study again on fresh seeds; None if there is none.

    Args:
        connection: To the database.
        uid: The uid of the study that searched.
    """
    own = (study_attrs.c.key == CONFIRMS) & (study_attrs.c.value_json == json.dumps(uid))
    return connection.execute(select(study_attrs.c.study_id).where(own)).scalar()


def together(connection: Connection, study: int) -> list[int]:
    """Return the ids of a study, of the study that confirms it, and of the study that it confirms."""
    confirmed = select(study_attrs.c.value_json).where(study_attrs.c.key == CONFIRMS, study_attrs.c.study_id == study)
    uids = [json.loads(text) for text in connection.execute(confirmed).scalars()]
    own = (study_facts.c.study_id == study) | study_facts.c.uid.in_(uids)
    rows = connection.execute(select(study_facts.c.study_id, study_facts.c.uid).where(own)).all()
    beside = [confirmation_of(connection, row.uid) for row in rows]
    return sorted({row.study_id for row in rows} | {found for found in beside if found is not None})


def is_confirmation(connection: Connection, study: int) -> bool:
    """Whether a study trains configurations of another one again, and does not search."""
    own = (study_attrs.c.key == CONFIRMS) & (study_attrs.c.study_id == study)
    return connection.execute(select(study_attrs.c.study_id).where(own)).first() is not None


def stored_space(facts: Row[Any], name: str) -> Space:
    """Return the space that a study was made from, with the study's own name, seed, budget and resources.

    Raises:
        SpaceError: The space names a custom block that is not registered here, or has changed since.
    """
    try:
        space = parse_space(facts.space_text, f"study {name}", strict=False)  # the file may have changed since
    except SpaceError as error:
        forgotten = [word for word in imports_of(facts) if word not in imports()]
        if not forgotten:
            raise
        words = " ".join(f"--import {word}" for word in forgotten)
        raise SpaceError([*error.problems, f"study {name}: was made with {words}. Add that to the command."]) from None
    space = space.with_search(study=name, budget=budget_of(facts), seed=facts.seed)
    return replace(space, resources=Resources(**json.loads(facts.resources_json)))


def imports_of(facts: Row[Any]) -> list[str]:
    """Return the names of the modules with custom blocks that a study was made with, without loading them."""
    given: list[str] = json.loads(facts.environment_json).get("imports", [])
    return given
