"""Finding a study and the space that it was made from: apart from what opens studies, so that readers load little."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from qpsearch.architecture.plugins import imports
from qpsearch.errors import SpaceError, StudyMismatch, StudyNotFound, command, nearest
from qpsearch.registry.own.sampler import CustomSampler
from qpsearch.registry.pruners import PrunerKind
from qpsearch.registry.samplers import sampler_of
from qpsearch.space import Space, parse_space
from qpsearch.space.space import Resources, Searched
from qpsearch.study.drivers.budget import budget_of
from qpsearch.study.storage.optuna_tables import study_id
from qpsearch.study.storage.tables import studies, study_attrs, study_facts, trials, user_attrs
from qpsearch.vocabulary import Scalar, Variable

# Attributes of a study, each the uid of another one: whose best configurations it trains again, and of whose arms it
# searches one.
CONFIRMS: Final = "qpsearch:confirms"
ARM_OF: Final = "qpsearch:arm_of"
PAPERS_POINTS: Final = "qpsearch:papers"  # the papers' configurations, as they were when the study was made
WARM: Final = "qpsearch:warm_start"  # configurations of earlier studies, which are tried first
OWN_SAMPLER: Final = "qpsearch:own_sampler"  # what a study has in place of a sampler of qpsearch
ARM: Final = "arm"  # a user attribute of a trial of a comparison: the arm to which it belongs
SEARCH: Final = "search"  # likewise: which of the arm's searches chose it, from 1; the first where it is missing


def points_tried_first(connection: Connection, study: int, space: Space) -> list[Mapping[str, Scalar]]:
    """Return the configurations that a study tries before its sampler proposes any.

    Those of the papers come first, then those that the space lists, then those of earlier studies.
    """
    own = study_attrs.c.key.in_((PAPERS_POINTS, WARM)) & (study_attrs.c.study_id == study)
    rows = connection.execute(select(study_attrs.c.key, study_attrs.c.value_json).where(own))
    stored = {row.key: json.loads(row.value_json) for row in rows}
    return [*stored.get(PAPERS_POINTS, ()), *space.search.first, *stored.get(WARM, ())]


def check_own_sampler(connection: Connection, study: int, space: Space) -> None:
    """Raise StudyMismatch if a study was made with another version of its sampler, where that is the user's own."""
    sampler = space.search.sampler
    if not isinstance(sampler, CustomSampler):
        return
    own = (study_attrs.c.key == OWN_SAMPLER) & (study_attrs.c.study_id == study)
    text = connection.execute(select(study_attrs.c.value_json).where(own)).scalar()
    stored, given = json.loads(text) if text else {}, sampler.record(space.search.sampler_options)
    old, new = (
        {"version": each.get("version"), **{f"{key} (option)": value for key, value in each.get("options", {}).items()}}
        for each in (stored, given)
    )
    changes = [
        f"{key} {old.get(key, '(absent)')} -> {new.get(key, '(absent)')}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]
    if changes:
        raise StudyMismatch(
            f"study {space.study!r} was made with another sampler {sampler.name!r}: {', '.join(changes)}. Import the "
            f"module as it was, or start a new study: {command('run', 'FILE', '--study', 'NAME')}."
        )


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
            else f"This database does not hold a study yet. Make one: {command('run', 'SPACE')}."
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


def beside(connection: Connection, uid: str) -> list[int]:
    """Return the ids of the studies that belong to a study, in order of creation: what confirms it, and its arms."""
    own = study_attrs.c.key.in_((CONFIRMS, ARM_OF)) & (study_attrs.c.value_json == json.dumps(uid))
    return list(
        connection.execute(select(study_attrs.c.study_id).where(own).order_by(study_attrs.c.study_id)).scalars()
    )


def arms_beside(connection: Connection, uid: str) -> list[int]:
    """Return the ids of the studies that search the arms of a comparison, in order; none for another study."""
    own = (study_attrs.c.key == ARM_OF) & (study_attrs.c.value_json == json.dumps(uid))
    return list(
        connection.execute(select(study_attrs.c.study_id).where(own).order_by(study_attrs.c.study_id)).scalars()
    )


def comparison_of(connection: Connection, study: int) -> str | None:
    """Return the name of the comparison of which a study searches an arm; None if there is none."""
    link = (study_attrs.c.key == ARM_OF) & (study_attrs.c.study_id == study)
    uids = [json.loads(text) for text in connection.execute(select(study_attrs.c.value_json).where(link)).scalars()]
    whole = select(studies.c.study_name).join(study_facts, study_facts.c.study_id == studies.c.study_id)
    return connection.execute(whole.where(study_facts.c.uid.in_(uids))).scalar()


def searches_of_trials(connection: Connection, study: int) -> dict[int, Searched]:
    """Return which search chose each trial of a comparison, by the trial's id."""
    rows = (
        select(user_attrs.c.trial_id, user_attrs.c.key, user_attrs.c.value_json)
        .join(trials, trials.c.trial_id == user_attrs.c.trial_id)
        .where(trials.c.study_id == study, user_attrs.c.key.in_((ARM, SEARCH)))
    )
    found: dict[str, dict[int, Any]] = {ARM: {}, SEARCH: {}}
    for row in connection.execute(rows):
        found[row.key][row.trial_id] = json.loads(row.value_json)
    return {trial: (arm, found[SEARCH].get(trial, 1)) for trial, arm in found[ARM].items()}


def together(connection: Connection, study: int) -> list[int]:
    """Return the ids of a study and of all that belong to it, to what it belongs to, and so on."""
    found, waiting = set[int](), [study]
    while waiting:
        own = waiting.pop()
        if own not in found:
            found.add(own)
            uids = select(study_facts.c.uid).where(study_facts.c.study_id == own)
            waiting += [each for uid in connection.execute(uids).scalars() for each in beside(connection, uid)]
            waiting += _above(connection, own)
    return sorted(found)


def _above(connection: Connection, study: int) -> list[int]:
    """Return the id of the study to which a study belongs, if any."""
    link = study_attrs.c.key.in_((CONFIRMS, ARM_OF)) & (study_attrs.c.study_id == study)
    uids = [json.loads(text) for text in connection.execute(select(study_attrs.c.value_json).where(link)).scalars()]
    return list(connection.execute(select(study_facts.c.study_id).where(study_facts.c.uid.in_(uids))).scalars())


def owner_of(connection: Connection, study: int) -> str | None:
    """Return the name of the study to which a study belongs; None if it belongs to none."""
    return connection.execute(
        select(studies.c.study_name).where(studies.c.study_id.in_(_above(connection, study)))
    ).scalar()


def is_confirmation(connection: Connection, study: int) -> bool:
    """Whether a study trains what others have chosen, on fresh seeds, and does not search."""
    own = (study_attrs.c.key == CONFIRMS) & (study_attrs.c.study_id == study)
    if connection.execute(select(study_attrs.c.study_id).where(own)).first() is not None:
        return True
    facts = select(study_facts.c.uid).where(study_facts.c.study_id == study)
    return any(arms_beside(connection, uid) for uid in connection.execute(facts).scalars())


def stored_space(facts: Row[Any], name: str) -> Space:
    """Return the space that a study was made from, with the study's own name, seed, budget and resources.

    Raises:
        SpaceError: The space names a custom block that is not registered here, or has changed since.
    """
    try:
        space = _parsed(facts.space_text, f"study {name}", facts.pruner)
    except SpaceError as error:
        forgotten = [word for word in imports_of(facts) if word not in imports()]
        if not forgotten:
            raise
        words = " ".join(f"--import {word}" for word in forgotten)
        how = f"Add that to the command, or set {Variable.IMPORT.value}."
        raise SpaceError([*error.problems, f"study {name}: was made with {words}. {how}"]) from None
    space = space.with_search(study=name, budget=budget_of(facts), seed=facts.seed)
    # what auto stood for when the study was made
    search = space.search.using(sampler_of(facts.sampler), PrunerKind(facts.pruner))
    return replace(space, search=search, resources=Resources(**json.loads(facts.resources_json)))


def _parsed(text: str, source: str, pruner: str) -> Space:
    """Read the text that a study stores; its file may have changed since.

    With several objectives, auto once was no pruner, and epochs could be computed, which other pruners do not allow.
    """
    try:
        return parse_space(text, source, strict=False)
    except SpaceError:
        if pruner != PrunerKind.NONE:
            raise
        return replace(parse_space(text, source, settings=[f"search.pruner={pruner}"], strict=False), source=text)


def imports_of(facts: Row[Any]) -> list[str]:
    """Return the names of the modules with custom blocks that a study was made with, without loading them."""
    given: list[str] = json.loads(facts.environment_json).get("imports", [])
    return given
