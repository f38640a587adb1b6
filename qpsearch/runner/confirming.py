"""Training the best configurations of a study again on fresh seeds."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from qpsearch.errors import UserError, command
from qpsearch.runner.driving import Outcome, Placement, opened_for_reading, resume
from qpsearch.runner.overrides import Overrides
from qpsearch.study import queries
from qpsearch.study.ledger import Listener
from qpsearch.study.planning import retraining
from qpsearch.study.records import ConfigurationRecord
from qpsearch.study.storage.database import Database

TOP: Final = 3  # configurations, where nobody says how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """How confirming ended.

    Attributes:
        searched: The study that searched.
        study: The name of the study beside it, which has the trials on fresh seeds.
        outcome: How running it ended.
        configurations: The best configurations of the search, best first, with what the fresh seeds gave.
    """

    searched: str
    study: str
    outcome: Outcome
    configurations: list[ConfigurationRecord]

    @property
    def is_any(self) -> bool:
        """Whether a fresh seed of any of the configurations is complete."""
        return any(each.confirmed is not None and each.confirmed.n for each in self.configurations)


def confirm(
    name: str,
    *,
    storage: str,
    top: int | None = None,
    seeds: int,
    trials: Sequence[int] = (),
    overrides: Overrides,
    placement: Placement,
    sinks: Sequence[str] = (),
    listen: Listener = lambda event: None,
) -> Confirmed:
    """Train the best configurations of a study again, each on the same fresh seeds.

    The search may go on meanwhile. What was trained before is not trained again, so the same call goes on after an
    interruption, and a call with more configurations or seeds adds to it.

    Args:
        name: The study that searched.
        storage: URL of the study database.
        top: How many of the best configurations; None for ``TOP``.
        seeds: How many fresh seeds for each of them.
        trials: The configurations of these complete trials, in place of the best.
        overrides: Replace the resources of the study.
        placement: How trials are dispatched.
        sinks: As in ``driving.run``.
        listen: Called with each event.

    Raises:
        StudyNotFound: There is no such study.
        UserError: The study has no complete trial, or does itself train the best of another one again; or both the best
            and some trials are asked for.
    """
    if trials and top is not None:
        raise UserError(
            "confirm takes either the best configurations (--top) or those of named trials (--trial). Leave one out."
        )
    with closing(opened_for_reading(storage)) as reader:
        if queries.confirms(reader, name):
            raise UserError(f"study {name!r} does not search: its trials are on fresh seeds already.")
        found = _wanted(reader, name, top, trials)
        if not found:
            raise UserError(
                f"study {name!r} does not have a complete trial with a finite value yet. "
                f"Show its progress: {command('status', name)}."
            )
    with closing(Database.create(storage)) as database:
        beside = retraining.plan_confirmation(database, name, [each.number for each in found], seeds)
    outcome = resume(beside, storage=storage, overrides=overrides, placement=placement, sinks=sinks, listen=listen)
    with closing(Database.open(storage)) as reader:
        found = _wanted(reader, name, top, trials)
        return Confirmed(searched=name, study=beside, outcome=outcome, configurations=found)


def _wanted(database: Database, name: str, top: int | None, trials: Sequence[int]) -> list[ConfigurationRecord]:
    """Return the best configurations, or those of some complete trials."""
    if trials:
        return queries.configurations_of(database, name, trials)
    return queries.top_configurations(database, name, TOP if top is None else top)
