"""Making a study, and taking one up again.

``create`` writes the study's rows before anything else happens; ``resume`` ends a dead driver's lease, its
open attempts with it, and rebuilds from the database alone what the dead driver had in memory.
"""

import importlib.metadata
import json
import os
import platform
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Connection, Row, insert, select, update

import qpsearch
from qpsearch.architecture import TrialConfig
from qpsearch.errors import StudyBusy, StudyExists, StudyNotFound, nearest
from qpsearch.records import Objective, Run
from qpsearch.space import Space, parse_space
from qpsearch.space.space import Resources
from qpsearch.study import lease
from qpsearch.study.checkpoints import KEEP, CheckpointFolder
from qpsearch.study.lease import Driver
from qpsearch.study.mirror import Mirror
from qpsearch.study.open_trial import History, OpenTrial, stratum
from qpsearch.study.optuna_rows import insert_study, read_trials, study_id
from qpsearch.study.storage import Database
from qpsearch.study.tables import attempts, configs, epochs, infeasible, runs, studies, study_facts, trials
from qpsearch.vocabulary import Ending, Metric

VERSIONED = ("qpsearch", "optuna", "ray", "torch", "torchvision", "numpy", "sqlalchemy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A study that this driver has just taken: everything that a ledger begins with.

    Attributes:
        database: The database; the ledger closes it.
        name: The study's name.
        study_id: Its id in Optuna's table.
        lease_id: This driver's lease.
        space: The space as it was stored.
        asked: The budget in trials.
        made: Trials that were made so far.
        mirror: What sampler and pruner see.
        waiting: Open trials without an attempt, by number.
        ended: The other trials.
        checkpoints: Where the study's checkpoints lie.
    """

    database: Database
    name: str
    study_id: int
    lease_id: int
    space: Space
    asked: int
    made: int
    mirror: Mirror
    waiting: tuple[OpenTrial, ...]
    ended: tuple[FrozenTrial, ...]
    checkpoints: CheckpointFolder

    def so_far(self) -> tuple[int, tuple[float, int] | None]:
        """Return how many trials have ended, and value and number of the best complete one."""
        sign = self.space.search.objective.sign
        complete = [
            (trial.value, trial.number)
            for trial in self.ended
            if trial.state is TrialState.COMPLETE and trial.value is not None
        ]
        return len(self.ended), max(complete, key=lambda pair: (sign * pair[0], -pair[1]), default=None)


def create(database: Database, space: Space, *, source: str, clock: Callable[[], float] = time.time) -> Opened:
    """Make a study from a space.

    Args:
        database: Opened for writing.
        space: What is searched; its ``study`` is the name.
        source: Where the space came from, for the record.
        clock: Tells Unix seconds.

    Raises:
        StudyExists: There is a study of that name.
    """
    now, uid = clock(), uuid.uuid4().hex

    def step(connection: Connection) -> tuple[int, int]:
        if study_id(connection, space.study) is not None:
            raise StudyExists(exists_message(space.study))
        study = insert_study(connection, space.study, space.search.objective.direction)
        connection.execute(
            insert(study_facts).values(
                study_id=study,
                uid=uid,
                space_text=space.source,
                space_source=source,
                schema_json=json.dumps(space.meaning()),
                fingerprint=space.fingerprint,
                seed=space.search.seed,
                asked=space.search.trials,
                sampler=space.search.sampler.value,
                pruner=space.search.pruner.value,
                resources_json=json.dumps(asdict(space.resources)),
                checkpoint_root=None if database.file is not None else str(_beside(database)),
                environment_json=json.dumps(environment()),
                created=now,
            )
        )
        return study, lease.take(connection, study, Driver.this(), now)

    study, lease_id = database.write(step)
    return Opened(
        database=database,
        name=space.study,
        study_id=study,
        lease_id=lease_id,
        space=space,
        asked=space.search.trials,
        made=0,
        mirror=_mirror(space),
        waiting=(),
        ended=(),
        checkpoints=_folder(_beside(database), space.study, uid),
    )


def resume(
    database: Database,
    name: str,
    *,
    asked: int | None = None,
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], None] = lambda left_s: None,
) -> Opened:
    """Take a study up again: supersede its dead driver, and rebuild what that one knew.

    Args:
        database: Opened for writing.
        name: The study's name.
        asked: A new budget in trials; None for the stored one.
        clock: Tells Unix seconds.
        wait: Is told the seconds left while a driver on another host is watched for signs of life.

    Raises:
        StudyNotFound: There is no such study.
        StudyBusy: Its driver lives.
    """
    here, study = Driver.this(), database.read(lambda c: find_study(c, name))
    dead = database.read(lambda c: lease.standing(c, study))
    for holder in dead:
        _ensure_gone(database, study, holder, here, name, wait)

    def step(connection: Connection) -> Opened:
        query = select(study_facts).where(study_facts.c.study_id == study).with_for_update()  # one resumes at a time
        facts = connection.execute(query).one()
        for holder in lease.standing(connection, study):
            if holder.lease_id not in {other.lease_id for other in dead}:  # taken while we looked
                raise StudyBusy(_busy_message(name, holder))
        budget = facts.asked if asked is None else asked
        connection.execute(update(study_facts).where(study_facts.c.study_id == study).values(asked=budget))
        _supersede(connection, study, clock())
        space = stored_space(facts, name)
        found = read_trials(connection, study)
        mirror, waiting = _rebuild(connection, study, space, found)
        return Opened(
            database=database,
            name=name,
            study_id=study,
            lease_id=lease.take(connection, study, here, clock()),
            space=space,
            asked=budget,
            made=len(found),
            mirror=mirror,
            waiting=waiting,
            ended=tuple(trial for trial in found if trial.state.is_finished()),
            checkpoints=_folder(Path(facts.checkpoint_root or _beside(database)), name, facts.uid),
        )

    opened = database.write(step)
    database.read(lambda c: _tidy(c, opened.ended, opened.checkpoints))
    return opened


def find_study(connection: Connection, name: str) -> int:
    """Return the id of a study that qpsearch made.

    Raises:
        StudyNotFound: With the names that there are.
    """
    found = study_id(connection, name)
    query = select(studies.c.study_name, studies.c.study_id).join(
        study_facts, study_facts.c.study_id == studies.c.study_id
    )
    known = {row.study_name: row.study_id for row in connection.execute(query)}
    if found is not None and name not in known:
        raise StudyNotFound(f"study {name!r} was not made by qpsearch: it has no space. Optuna's own tools read it.")
    if found is None:
        hint = (
            nearest(name, list(known))
            if known
            else "There is no study in this database; 'qpsearch run SPACE' makes one."
        )
        raise StudyNotFound(f"no study {name!r}. {hint}")
    return found


def exists_message(name: str) -> str:
    """Say what to do where a study exists."""
    return f"study {name!r} exists. Go on with it: qpsearch resume {name}. Or start another: --study NAME."


def stored_space(facts: Row[Any], name: str) -> Space:
    """Return the space that a study was made from, with the study's own name, seed, budget and resources."""
    space = parse_space(facts.space_text, facts.space_source)
    space = space.with_search(study=name, trials=facts.asked, seed=facts.seed)
    return replace(space, resources=Resources(**json.loads(facts.resources_json)))


def environment() -> dict[str, Any]:
    """Return versions and machine, for the record."""
    versions = {package: importlib.metadata.version(package) for package in VERSIONED if package != "qpsearch"}
    return {
        "versions": {"qpsearch": qpsearch.__version__, "python": platform.python_version(), **versions},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
    }


def _ensure_gone(
    database: Database, study: int, holder: lease.Lease, here: Driver, name: str, wait: Callable[[float], None]
) -> None:
    """Return when a lease's holder is gone, else raise StudyBusy."""
    gone = holder.expired_on(here)

    def beat() -> int | None:
        held = {other.lease_id: other.beat for other in database.read(lambda c: lease.standing(c, study))}
        return held.get(holder.lease_id)

    if gone is None:
        gone = lease.wait_until_silent(
            beat, lease_s=lease.LEASE_S, monotonic=time.monotonic, sleep=time.sleep, tell=wait
        )
    if not gone:
        raise StudyBusy(_busy_message(name, holder))


def _busy_message(name: str, holder: lease.Lease) -> str:
    return f"study {name!r} is being run by {holder.driver}. Wait for it, or stop that process first."


def _supersede(connection: Connection, study: int, now: float) -> None:
    """End every lease that still stands, and the attempts that nobody ended."""
    for holder in lease.standing(connection, study):
        lease.end(connection, holder.lease_id, lease.SUPERSEDED, now)
    own = select(trials.c.trial_id).where(trials.c.study_id == study)
    connection.execute(
        update(attempts)
        .where(attempts.c.trial_id.in_(own), attempts.c.ending.is_(None))
        .values(ended=now, ending=Ending.LOST.value)
    )


def _rebuild(
    connection: Connection, study: int, space: Space, found: list[FrozenTrial]
) -> tuple[Mirror, tuple[OpenTrial, ...]]:
    """Replay a study's draws in the order in which they were made."""
    query = (
        select(configs.c.trial_id, configs.c.config_json)
        .join(trials, trials.c.trial_id == configs.c.trial_id)
        .where(trials.c.study_id == study)
    )
    stored = {row.trial_id: TrialConfig.from_json(row.config_json) for row in connection.execute(query)}
    mirror = _mirror(space)
    rejected = _rejected(connection, study)
    for trial in found:
        for drawn in rejected.get(trial.number, []):
            mirror.replay_infeasible(drawn)
        mirror.replay(trial, stratum(stored[trial._trial_id]))
    objective = space.search.objective
    waiting = tuple(
        _reopen(connection, trial, stored[trial._trial_id], objective)
        for trial in found
        if trial.state is TrialState.RUNNING
    )
    return mirror, waiting


def _rejected(connection: Connection, study: int) -> dict[int, list[FrozenTrial]]:
    found: dict[int, list[FrozenTrial]] = {}
    query = select(infeasible).where(infeasible.c.study_id == study).order_by(infeasible.c.infeasible_id)
    for row in connection.execute(query):
        drawn = {
            name: (value, json_to_distribution(text)) for name, (value, text) in json.loads(row.params_json).items()
        }
        trial = create_trial(
            state=TrialState.RUNNING,
            params={name: kind.to_external_repr(value) for name, (value, kind) in drawn.items()},
            distributions={name: kind for name, (_, kind) in drawn.items()},
        )
        found.setdefault(row.number, []).append(trial)
    return found


def _reopen(connection: Connection, trial: FrozenTrial, config: TrialConfig, objective: Objective) -> OpenTrial:
    """Return an open trial as it stands in the database."""
    trial_id = trial._trial_id
    own_runs = connection.execute(select(runs).where(runs.c.trial_id == trial_id).order_by(runs.c.replicate)).all()
    histories = [History(run=Run(replicate=row.replicate, seed=row.seed)) for row in own_runs]
    for row in connection.execute(select(epochs).where(epochs.c.trial_id == trial_id).order_by(epochs.c.epoch)):
        value = row.val_accuracy if objective.metric is Metric.VAL_ACCURACY else row.val_loss
        histories[row.replicate].record(row.epoch, float("inf") if value is None else value, row.checkpoint, KEEP)
    own = connection.execute(select(attempts).where(attempts.c.trial_id == trial_id).order_by(attempts.c.number)).all()
    placed = next((row for row in own if row.threads is not None), None)
    return OpenTrial(
        number=trial.number,
        trial_id=trial_id,
        config=config,
        attempt=own[-1].number,
        histories=histories,
        threads=placed.threads if placed else None,
        memory_format=placed.memory_format if placed else None,
    )


def _mirror(space: Space) -> Mirror:
    search = space.search
    return Mirror(
        space.study, search.objective.direction, search.sampler, search.pruner, search.seed, space.most_epochs
    )


def _folder(root: Path, name: str, uid: str) -> CheckpointFolder:
    return CheckpointFolder(root / f"{name}-{uid[:8]}")


def _beside(database: Database) -> Path:
    """Return the root of checkpoints beside an SQLite file, with which it may move; else below this folder."""
    return ((database.file.parent if database.file is not None else Path("studies")) / "checkpoints").absolute()


def _tidy(connection: Connection, ended: tuple[FrozenTrial, ...], folder: CheckpointFolder) -> None:
    """Do for ended trials what their driver may have died before doing: keep each run's last checkpoint, or none."""
    for trial in ended:
        if trial.state is not TrialState.COMPLETE:
            folder.drop(trial.number)
            continue
        of_trial = select(epochs).where(epochs.c.trial_id == trial._trial_id, epochs.c.checkpoint != "")
        last = {row.replicate: row.checkpoint for row in connection.execute(of_trial.order_by(epochs.c.epoch))}
        folder.keep_only(trial.number, tuple(last.values()))
