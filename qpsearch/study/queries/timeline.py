"""When and where trials ran, and whether anything about a study has changed."""

import json
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import Connection, func, select

from qpsearch.study.drivers.stored import find_study, together
from qpsearch.study.queries.trials import living_leases
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import attempts, facts_of, study_facts, trials
from qpsearch.study.trials.evaluations import read_evaluations


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One attempt at a trial, as a span of time.

    Attributes:
        trial: The trial's number.
        attempt: From 1.
        host: The machine; None where the first report has not arrived.
        device: The device on it, likewise.
        began: When it began, in Unix seconds.
        ended: When it ended; None while it runs.
        ending: ``vocabulary.Ending``; None while it runs.
        is_held: Whether a live driver runs it now.
    """

    trial: int
    attempt: int
    host: str | None
    device: str | None
    began: float
    ended: float | None
    ending: str | None
    is_held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a study comes from.

    Attributes:
        uid: What tells it from all other studies.
        seed: The seed of its search.
        space_text: The space file as it was given.
        resources: What a trial gets.
    """

    uid: str
    seed: int
    space_text: str
    resources: dict[str, Any]


def attempt_spans(database: Database, name: str) -> list[Span]:
    """Return all attempts that began, by trial and number; raises StudyNotFound."""

    def query(connection: Connection) -> list[Span]:
        study = find_study(connection, name)
        living = {holder.lease_id for holder in living_leases(connection, study)}
        rows = (
            select(trials.c.number.label("trial"), attempts)
            .join(trials, trials.c.trial_id == attempts.c.trial_id)
            .where(trials.c.study_id == study, attempts.c.number > 0)
            .order_by(trials.c.number, attempts.c.number)
        )
        return [
            Span(
                trial=row.trial,
                attempt=row.number,
                host=row.host,
                device=row.device,
                began=row.began,
                ended=row.ended,
                ending=row.ending,
                is_held=row.ending is None and row.lease_id in living,
            )
            for row in connection.execute(rows)
        ]

    return database.read(query)


def origin(database: Database, name: str) -> Origin:
    """Return where a study comes from; raises StudyNotFound."""

    def query(connection: Connection) -> Origin:
        facts = facts_of(connection, find_study(connection, name))
        return Origin(
            uid=facts.uid,
            seed=facts.seed,
            space_text=facts.space_text,
            resources=json.loads(facts.resources_json),
        )

    return database.read(query)


def state_of_study(database: Database, name: str) -> tuple[str, bool]:
    """Return a word that changes with everything a report shows of a study, and whether a driver works on it now.

    Looks at the test images and trainings on fresh seeds, in the study beside it, change the word, too.

    Raises:
        StudyNotFound: There is no such study.
    """

    def query(connection: Connection) -> tuple[str, bool]:
        study = find_study(connection, name)
        family = together(connection, study)
        own = select(trials.c.trial_id).where(trials.c.study_id.in_(family))
        revisions = connection.execute(
            select(study_facts.c.revision).where(study_facts.c.study_id.in_(family)).order_by(study_facts.c.study_id)
        )
        looks = len(read_evaluations(connection, own))
        open_ones = select(func.count()).where(trials.c.study_id == study, trials.c.state == TrialState.RUNNING)
        parts = [*revisions.scalars(), looks, connection.execute(open_ones).scalar()]
        is_held = bool(living_leases(connection, study))
        return "-".join(map(str, [*parts, int(is_held)])), is_held

    return database.read(query)
