"""Planning what is trained again on fresh seeds, and comparisons: studies that do not search.

The best configurations of a study are trained again in a study beside it, whose trials are planned here: the search
does not see them, and each command works on them. A comparison searches each of its arms in a study of its own, and has
the best configurations of all arms as its trials.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.trial import FrozenTrial
from sqlalchemy import Connection, Row, func, insert, select, update

from qpsearch.errors import StorageConflict, StudyExists, command
from qpsearch.protocol import Run
from qpsearch.registry.pruners import PrunerKind
from qpsearch.registry.samplers.random_draws import RANDOM
from qpsearch.seeds import derive_seed
from qpsearch.space import Space, parse_space
from qpsearch.space.file.document import dump, parse_document, spelled
from qpsearch.space.search import Budget
from qpsearch.space.space import Searched
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.budget import budget_of
from qpsearch.study.drivers.facts import check_warm_start, insert_facts, set_budget
from qpsearch.study.drivers.lease import Driver
from qpsearch.study.drivers.stored import (
    ARM,
    ARM_OF,
    CONFIRMS,
    SEARCH,
    confirmation_of,
    find_study,
    searches_of_trials,
    stored_space,
)
from qpsearch.study.drivers.transactions import move_revision
from qpsearch.study.opening import exists
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import (
    insert_attrs,
    insert_study,
    insert_trial,
    next_number,
    read_trials,
    study_id,
)
from qpsearch.study.storage.tables import (
    attempts,
    configs,
    facts_of,
    runs,
    studies,
    study_attrs,
    trials,
    user_attrs,
)
from qpsearch.study.trials.checkpoints import stored_root
from qpsearch.study.trials.rows import insert_attempt, insert_runs
from qpsearch.vocabulary import Ending


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
        facts = facts_of(connection, study)
        space = stored_space(facts, name)
        own = confirmation_of(connection, facts.uid)
        if own is None:
            own = _insert_confirmation(connection, space, facts, uid, now)
        fresh = [derive_seed(space.search.seed, "confirm", index) for index in range(seeds)]
        found = [_Wanted(*each, fresh) for each in _configurations(connection, study, numbers)]
        _plan(connection, own, found, now)
        return _name(connection, own)

    try:
        return database.write(step)
    except StorageConflict:  # another process made the study beside it between our look and our commit
        return database.write(step)


def begin_comparison(database: Database, space: Space, *, source: str, artifacts: str | None = None) -> None:
    """Make the studies of a comparison, without trials: one for each search of an arm, and that of the comparison.

    Args:
        database: Opened for writing.
        space: A space with arms.
        source: Where the space came from, for the record.
        artifacts: Folder or URI for checkpoints; None for the folder beside an SQLite file.

    Raises:
        StudyExists: One of the names is taken.
    """
    compare, now, root = space.compare, time.time(), stored_root(database, artifacts)
    assert compare is not None
    ways = [each.direction for each in space.search.objectives]

    def step(connection: Connection) -> None:
        uid = uuid.uuid4().hex
        whole = space.with_search(budget=Budget(trials=0))
        for arm in compare.arms.values():
            check_warm_start(connection, arm)
        for own in (whole, *(replace(each, resources=space.resources) for each in compare.searches.values())):
            if study_id(connection, own.study) is not None:
                raise exists(own.study)
            study = insert_study(connection, own.study, ways)
            own_uid = uid if own is whole else uuid.uuid4().hex
            insert_facts(connection, study, own, source=source, uid=own_uid, checkpoint_root=root, now=now)
            if own is not whole:
                link = {"study_id": study, "key": ARM_OF, "value_json": json.dumps(uid)}
                connection.execute(insert(study_attrs).values(link))

    try:
        database.write(step)
    except StorageConflict:  # another driver made them between our look and our commit
        raise exists(space.study) from None


def set_budgets(database: Database, names: Sequence[str], change: Callable[[Budget], Budget]) -> None:
    """Change the budgets of several studies at once.

    Args:
        database: Opened for writing.
        names: The studies.
        change: Returns the new budget for the old one.

    Raises:
        StudyNotFound: There is no such study.
    """

    def step(connection: Connection) -> None:
        for name in names:
            study = find_study(connection, name)
            facts = facts_of(connection, study)
            move_revision(connection, study, facts.uid)
            set_budget(connection, study, change(budget_of(facts)))

    database.write(step)


def plan_retraining(database: Database, name: str, chosen: Mapping[Searched, Sequence[int]]) -> None:
    """Plan to train the best configurations of each search of a comparison on fresh seeds; what was planned stays.

    Searches of one arm get other seeds: a seed that all of them had would be a chance that they cannot show.

    Args:
        database: Opened for writing.
        name: The comparison.
        chosen: For each search a trial of each of its best configurations, in the study that searched.

    Raises:
        StudyNotFound: There is no such study.
    """
    now = time.time()

    def step(connection: Connection) -> None:
        own = find_study(connection, name)
        space = stored_space(facts_of(connection, own), name)
        assert space.compare is not None
        searches, found = space.compare.searches, list[_Wanted]()
        for searched, numbers in chosen.items():
            search = searches[searched]
            seeds = [derive_seed(search.search.seed, "confirm", index) for index in range(space.compare.seeds)]
            own_study = find_study(connection, search.study)
            found += [_Wanted(*each, seeds, searched) for each in _configurations(connection, own_study, numbers)]
        _plan(connection, own, found, now)

    database.write(step)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A configuration that is to be trained again.

    Attributes:
        drawn: What was drawn.
        config_json: The configuration.
        seeds: The fresh seeds, as many for each.
        searched: Which search of a comparison chose it; None where there are no arms.
    """

    drawn: FrozenTrial
    config_json: str
    seeds: Sequence[int]
    searched: Searched | None = None

    @property
    def attributes(self) -> dict[str, Any]:
        """What its trials keep of the search that chose it; of the first one as every comparison did."""
        if self.searched is None:
            return {}
        arm, number = self.searched
        return {ARM: arm} | ({} if number == 1 else {SEARCH: number})


def _plan(connection: Connection, study: int, wanted: Sequence[_Wanted], now: float) -> None:
    """Write a trial that waits for each configuration and seed, where it was not planned before.

    Args:
        connection: To the database.
        study: The study's id.
        wanted: The configurations.
        now: The time.
    """
    revision = move_revision(connection, study, facts_of(connection, study).uid)
    planned = _planned(connection, study)
    number = next_number(connection, study)
    written = []
    for index in range(max((len(each.seeds) for each in wanted), default=0)):
        for each in wanted:
            seed = each.seeds[index]
            if (each.config_json, seed, each.searched) in planned:
                continue
            trial_id = insert_trial(connection, study, number, each.drawn, now)
            row = {"trial_id": trial_id, "config_json": each.config_json, "revision": revision}
            connection.execute(insert(configs).values(row))
            insert_runs(connection, trial_id, [Run(replicate=0, seed=seed)])
            written.append(trial_id)
            insert_attrs(connection, user_attrs, trial_id, each.attributes)
            number += 1
    let_wait(connection, study, written, now)
    own = select(func.count()).select_from(configs).join(trials, trials.c.trial_id == configs.c.trial_id)
    planned_now = connection.execute(own.where(trials.c.study_id == study)).scalar_one()
    set_budget(connection, study, Budget(trials=planned_now))  # of what other tools add, nothing is trained


def let_wait(connection: Connection, study: int, trial_ids: Sequence[int], now: float) -> None:
    """Let new trials wait for a driver, with an attempt 0 that was never begun."""
    lease_id = lease.take(connection, study, Driver.this(), now)
    for trial_id in trial_ids:
        insert_attempt(connection, trial_id, 0, lease_id, 0.0, now)
    ended = {"ended": now, "ending": Ending.INTERRUPTED.value}
    connection.execute(update(attempts).where(attempts.c.lease_id == lease_id).values(ended))
    lease.release(connection, lease_id, 0.0, now)


def _insert_confirmation(connection: Connection, searched: Space, facts: Row[Any], uid: str, now: float) -> int:
    """Write a study without trials beside one that searched: of the same space, without all that prunes or stops."""
    name = confirmation_named(searched.study)
    if study_id(connection, name) is not None:
        raise StudyExists(
            f"study {name!r} is another one, and its name is needed. Rename it: "
            f"{command('studies', 'rename', name, 'NEW')}."
        )
    document = spelled(parse_document(searched.source, searched.study))
    kept = {key: value for key, value in document.get("search", {}).items() if key in ("objective", "metrics", "score")}
    document["search"] = kept | {"sampler": RANDOM.name, "pruner": PrunerKind.NONE.value}
    space = parse_space(dump(document), name, strict=False)
    space = space.with_search(study=name, seed=searched.search.seed)
    space = replace(space, resources=searched.resources)
    own = insert_study(connection, name, [each.direction for each in space.search.objectives])
    root, source = facts.checkpoint_root, facts.space_source
    insert_facts(connection, own, space, source=source, uid=uid, checkpoint_root=root, now=now)
    link = {"study_id": own, "key": CONFIRMS, "value_json": json.dumps(facts.uid)}
    connection.execute(insert(study_attrs).values(link))
    return own


def _planned(connection: Connection, study: int) -> set[tuple[str, int, Searched | None]]:
    """Return the configurations, seeds and searches that were planned before."""
    rows = select(configs.c.config_json, configs.c.trial_id, runs.c.seed).join(
        runs, runs.c.trial_id == configs.c.trial_id
    )
    own = rows.join(trials, trials.c.trial_id == configs.c.trial_id).where(trials.c.study_id == study)
    chosen = searches_of_trials(connection, study)
    return {(row.config_json, row.seed, chosen.get(row.trial_id)) for row in connection.execute(own)}


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


def _name(connection: Connection, study: int) -> str:
    return str(connection.execute(select(studies.c.study_name).where(studies.c.study_id == study)).scalar_one())
