"""Rows of qpsearch's tables about trials: configurations, runs, attempts, epochs, infeasible draws."""

import json
from collections.abc import Sequence
from typing import Final

from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Connection, Float, Integer, bindparam, func, insert, select, update

from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import EpochReport, Failed, Place, Progress, Run
from qpsearch.seeds import derive_seed
from qpsearch.space.search import Search
from qpsearch.study.storage.optuna_tables import insert_attrs, insert_trial
from qpsearch.study.storage.prepared import Prepared
from qpsearch.study.storage.tables import (
    attempts,
    configs,
    epochs,
    infeasible,
    measured,
    runs,
    study_attrs,
    system_attrs,
    trials,
)
from qpsearch.study.trials.measured import read_measured
from qpsearch.study.trials.open_trial import History, OpenTrial, Proposal, begun
from qpsearch.vocabulary import Ending, FailReason

OF_TRIAL: Final = bindparam("of_trial", type_=Integer)
OF_ATTEMPT: Final = bindparam("of_attempt", type_=Integer)
TOUCH: Final = Prepared(update(configs).where(configs.c.trial_id == OF_TRIAL).values(revision=bindparam("moved_to")))
CURRENT_ATTEMPT: Final = update(attempts).where(attempts.c.trial_id == OF_TRIAL, attempts.c.number == OF_ATTEMPT)
ADD_SECONDS: Final = Prepared(
    CURRENT_ATTEMPT.values(seconds=bindparam("so_far_s"), repeated_s=attempts.c.repeated_s + bindparam("more_s"))
)
PLACE: Final = Prepared(
    CURRENT_ATTEMPT.values(
        host=bindparam("at_host"),
        device=bindparam("on_device"),
        threads=bindparam("with_threads"),
        memory_format=bindparam("in_format"),
        began=bindparam("begun_at"),
    )
)
SO_FAR_S: Final = bindparam("so_far_s", type_=Float)
LOST_S: Final = bindparam("lost", type_=Float) * (SO_FAR_S - attempts.c.seconds)
END: Final = Prepared(
    CURRENT_ATTEMPT.where(attempts.c.ending.is_(None)).values(  # an attempt ends only once
        ended=bindparam("ended_at"),
        ending=bindparam("how"),
        repeated_s=attempts.c.repeated_s + LOST_S,
        seconds=SO_FAR_S,
        reason=bindparam("why"),
        detail=bindparam("details"),
    )
)
INSERT_RUN: Final = insert(runs)
INSERT_ATTEMPT: Final = Prepared(
    insert(attempts), ("trial_id", "number", "lease_id", "gpus", "began", "seconds", "repeated_s")
)
INSERT_CONFIG: Final = Prepared(insert(configs), ("trial_id", "config_json", "revision"))
INSERT_MEASURED: Final = insert(measured)
SHARED_SEEDS: Final = "qpsearch:shared_seeds"  # a study's attribute
SHARING: Final = Prepared(
    select(study_attrs.c.study_id).where(
        study_attrs.c.study_id == bindparam("of_study"), study_attrs.c.key == SHARED_SEEDS
    )
)
FUSED: Final = "qpsearch:fused:"  # attribute of a trial, with the attempt
REPORTED: Final = tuple(column.name for column in epochs.c if column.name in EpochReport.__slots__)
INSERT_EPOCH: Final = Prepared(insert(epochs), ("trial_id", "replicate", "attempt", "reported", *REPORTED))


def insert_new_trial(
    connection: Connection, study: int, proposal: Proposal, search: Search, revision: int, now: float
) -> OpenTrial:
    """Write a drawn trial with its configuration and runs, and the infeasible draws before it."""
    for drawn, reason in proposal.rejected:
        insert_infeasible(connection, study, proposal.number, drawn, reason, revision)
    trial_id = insert_trial(connection, study, proposal.number, proposal.frozen, now)
    return insert_own_rows(connection, study, trial_id, proposal, search, revision)


def insert_own_rows(
    connection: Connection, study: int, trial_id: int, proposal: Proposal, search: Search, revision: int
) -> OpenTrial:
    """Write the configuration and the runs of a trial that Optuna's tables already have."""
    number = proposal.number
    insert_config(connection, trial_id, proposal.config, revision)
    draw = _draw_of_seeds(connection, study, number)
    own = [
        Run(replicate=replicate, seed=derive_seed(search.seed, "run", draw, replicate))
        for replicate in range(search.replicates)
    ]
    insert_runs(connection, trial_id, own)
    histories = [begun(run, search) for run in own]
    return OpenTrial(
        number=number,
        trial_id=trial_id,
        config=proposal.config,
        attempt=1,
        histories=histories,
        fidelity=search.fidelity,
    )


def seed_of_run(connection: Connection, study: int, search: Search, trial: OpenTrial, replicate: int) -> int:
    """Return the seed of a run that a trial does not have yet: what it would be, had the trial begun with it."""
    return derive_seed(search.seed, "run", _draw_of_seeds(connection, study, trial.number), replicate)


def _draw_of_seeds(connection: Connection, study: int, number: int) -> str | int:
    return "grid" if shares_seeds(connection, study) else number


def share_seeds(connection: Connection, study: int) -> None:
    """Let the trials of a study share the seeds of their replicates, so that they can be compared in pairs."""
    connection.execute(insert(study_attrs).values(study_id=study, key=SHARED_SEEDS, value_json="true"))


def shares_seeds(connection: Connection, study: int) -> bool:
    """Whether the trials of a study share their seeds.

    Those of grids do, but for those that earlier versions made, and those that are compared on the same seeds.
    """
    return SHARING.run(connection, {"of_study": study}).first() is not None


def insert_config(connection: Connection, trial_id: int, config: TrialConfig, revision: int) -> None:
    """Write a trial's configuration."""
    INSERT_CONFIG.run(connection, {"trial_id": trial_id, "config_json": config.to_json(), "revision": revision})


def replace_config(connection: Connection, trial_id: int, config: TrialConfig) -> None:
    """Write the configuration that a trial has from now on."""
    connection.execute(update(configs).where(configs.c.trial_id == trial_id).values(config_json=config.to_json()))


def touch(connection: Connection, trial_id: int, revision: int) -> None:
    """Mark a trial as changed in the study's revision, for other drivers to see."""
    TOUCH.run(connection, {"of_trial": trial_id, "moved_to": revision})


def insert_runs(connection: Connection, trial_id: int, own: Sequence[Run]) -> None:
    """Write the runs of a trial."""
    rows = [{"trial_id": trial_id, "replicate": run.replicate, "seed": run.seed} for run in own]
    connection.execute(INSERT_RUN, rows)


def set_score(connection: Connection, trial_id: int, replicate: int, score: float) -> None:
    """Write a complete run's score."""
    of_run = update(runs).where(runs.c.trial_id == trial_id, runs.c.replicate == replicate)
    connection.execute(of_run.values(score=score))


def insert_attempt(connection: Connection, trial_id: int, number: int, lease_id: int, gpus: float, now: float) -> None:
    """Write that an attempt begins."""
    row = {"trial_id": trial_id, "number": number, "lease_id": lease_id, "gpus": gpus, "began": now}
    INSERT_ATTEMPT.run(connection, row | {"seconds": 0.0, "repeated_s": 0.0})


def update_attempt(
    connection: Connection, trial: OpenTrial, seconds: float, repeated_s: float, place: Place | None, now: float
) -> None:
    """Write how long the current attempt has held its cores, and since when and where, if its first report says so."""
    key = {"of_trial": trial.trial_id, "of_attempt": trial.attempt}
    ADD_SECONDS.run(connection, key | {"so_far_s": seconds, "more_s": repeated_s})
    if place is not None:
        where = {"at_host": place.host, "on_device": place.device}
        how = {"with_threads": place.threads, "in_format": place.memory_format}
        PLACE.run(connection, key | where | how | {"begun_at": now - seconds})


def end_attempt(
    connection: Connection,
    trial: OpenTrial,
    ending: Ending,
    now: float,
    seconds: float,
    failed: Failed | None = None,
) -> None:
    """End the current attempt; work since its last report is lost unless the attempt ended by a report."""
    END.run(
        connection,
        {
            "of_trial": trial.trial_id,
            "of_attempt": trial.attempt,
            "ended_at": now,
            "how": ending.value,
            "so_far_s": seconds,
            "lost": float(ending in (Ending.LOST, Ending.INTERRUPTED, Ending.RETRIED)),
            "why": failed.reason.value if failed else None,
            "details": plain_text(failed.detail) if failed else None,
        },
    )


def attempted_s(connection: Connection, trial_id: int) -> float:
    """Return the total time of a trial's attempts."""
    own = select(attempts.c.seconds).where(attempts.c.trial_id == trial_id).order_by(attempts.c.number)
    return float(sum(connection.execute(own).scalars()))


def end_attempts_of(connection: Connection, lease_id: int, now: float, revision: int) -> None:
    """End a driver's open attempts when the driver leaves."""
    own = (attempts.c.lease_id == lease_id) & attempts.c.ending.is_(None)
    left = list(connection.execute(select(attempts.c.trial_id).where(own)).scalars())
    if left:
        connection.execute(update(attempts).where(own).values(ended=now, ending=Ending.INTERRUPTED.value))
        connection.execute(update(configs).where(configs.c.trial_id.in_(left)).values(revision=revision))


def plain_text(text: str) -> str:
    """Return a text that every database takes: without NUL and without invalid UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def insert_epoch(connection: Connection, trial: OpenTrial, progress: Progress, is_new: bool, now: float) -> None:
    """Write an epoch's row; for a repeated epoch, whose checkpoint was lost, write only the new checkpoint.

    Later checkpoints were lost too, otherwise this epoch would not be trained again.
    """
    report = progress.report
    if not is_new:
        of_run = update(epochs).where(epochs.c.trial_id == trial.trial_id, epochs.c.replicate == progress.replicate)
        connection.execute(of_run.where(epochs.c.epoch > report.epoch).values(checkpoint=""))
        connection.execute(of_run.where(epochs.c.epoch == report.epoch).values(checkpoint=report.checkpoint))
        return
    key = {"trial_id": trial.trial_id, "replicate": progress.replicate, "attempt": trial.attempt, "reported": now}
    INSERT_EPOCH.run(connection, key | {name: getattr(report, name) for name in REPORTED})
    if report.metrics:
        row = {"trial_id": trial.trial_id, "replicate": progress.replicate, "epoch": report.epoch}
        connection.execute(INSERT_MEASURED, row | {"values_json": json.dumps(dict(report.metrics), sort_keys=True)})


def insert_fused(connection: Connection, trial: OpenTrial, progress: Progress) -> None:
    """Write, once an attempt, which runs it trains as one network."""
    if progress.fused and trial.fused_in != trial.attempt:
        insert_attrs(connection, system_attrs, trial.trial_id, {f"{FUSED}{trial.attempt}": progress.fused})


def read_fused(connection: Connection, trial_id: int) -> dict[int, tuple[int, ...]]:
    """Return the runs of a trial that were trained as one network, by the attempt."""
    own = (system_attrs.c.trial_id == trial_id) & system_attrs.c.key.startswith(FUSED)
    found = connection.execute(select(system_attrs.c.key, system_attrs.c.value_json).where(own))
    return {int(row.key.removeprefix(FUSED)): tuple(json.loads(row.value_json)) for row in found}


def insert_infeasible(
    connection: Connection, study: int, number: int, drawn: FrozenTrial, reason: str, revision: int
) -> None:
    """Write an infeasible draw, made for the trial of that number."""
    params = {
        name: [kind.to_internal_repr(drawn.params[name]), distribution_to_json(kind)]
        for name, kind in drawn.distributions.items()
    }
    connection.execute(
        insert(infeasible).values(
            study_id=study, number=number, params_json=json.dumps(params), reason=reason, revision=revision
        )
    )


def read_infeasible(connection: Connection, study: int, since: int) -> dict[int, list[FrozenTrial]]:
    """Return the infeasible draws of later revisions than ``since``, by the number of their trial."""
    found: dict[int, list[FrozenTrial]] = {}
    query = select(infeasible).where(infeasible.c.study_id == study, infeasible.c.revision > since)
    for row in connection.execute(query.order_by(infeasible.c.infeasible_id)):
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


def first_pauses(connection: Connection, study: int, since: int = -1) -> dict[int, float]:
    """Return when trials first paused at a rung, in Unix seconds by number, of those that changed after a revision."""
    query = (
        select(trials.c.number, func.min(attempts.c.ended))
        .join(attempts, attempts.c.trial_id == trials.c.trial_id)
        .join(configs, configs.c.trial_id == trials.c.trial_id)
        .where(trials.c.study_id == study, configs.c.revision > since, attempts.c.ending == Ending.PAUSED)
        .group_by(trials.c.number)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def read_histories(connection: Connection, trial_id: int, search: Search) -> list[History]:
    """Return the runs of a trial with their epochs, by replicate."""
    own = connection.execute(select(runs).where(runs.c.trial_id == trial_id).order_by(runs.c.replicate))
    histories = [begun(Run(replicate=row.replicate, seed=row.seed), search) for row in own]
    here = select(runs.c.trial_id).where(runs.c.trial_id == trial_id)
    extra = read_measured(connection, here) if search.extra else {}
    kept = (epochs.c.trial_id == trial_id) & (epochs.c.replicate < len(histories))  # of a race a run may be given up
    for row in connection.execute(select(epochs).where(kept).order_by(epochs.c.epoch)):
        beyond = extra.get((trial_id, row.replicate, row.epoch), {})
        further = tuple(each.metric.of(row, beyond) for each in search.further)
        value = search.objective.metric.of(row, beyond)
        histories[row.replicate].record(row.epoch, value, row.checkpoint, further)
    return histories


def forget_files(connection: Connection, trial: OpenTrial) -> None:
    """Write that unfinished runs of a trial begin again: it gets another chance, but their checkpoints are gone."""
    for history in trial.histories:
        if not trial.run_is_done(history.run.replicate):
            history.files = {}
            of_run = (epochs.c.trial_id == trial.trial_id) & (epochs.c.replicate == history.run.replicate)
            connection.execute(update(epochs).where(of_run).values(checkpoint=""))


def read_open_trial(
    connection: Connection, trial_id: int, number: int, config: TrialConfig, search: Search
) -> OpenTrial:
    """Return a trial as it stands in the database, as one that has not ended."""
    own = connection.execute(select(attempts).where(attempts.c.trial_id == trial_id).order_by(attempts.c.number)).all()
    placed = next((row for row in own if row.threads is not None), None)
    productive = set(connection.execute(select(epochs.c.attempt).where(epochs.c.trial_id == trial_id)).scalars())
    deaths = 0
    for row in own:
        died = row.ending == Ending.LOST and row.reason == FailReason.WORKER_LOST and row.number not in productive
        deaths = deaths + 1 if died else 0
    return OpenTrial(
        number=number,
        trial_id=trial_id,
        config=config,
        attempt=own[-1].number,
        holder=own[-1].lease_id if own[-1].ending is None else None,
        is_paused=own[-1].ending == Ending.PAUSED,
        is_given=own[0].number == 0,
        is_retried=any(row.ending == Ending.RETRIED for row in own),
        histories=read_histories(connection, trial_id, search),
        fidelity=search.fidelity,
        threads=placed.threads if placed else None,
        memory_format=placed.memory_format if placed else None,
        deaths=deaths,
    )
