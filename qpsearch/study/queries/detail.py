"""Everything about one trial."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import Connection, Row, select

from qpsearch.errors import ArtifactError, UserError
from qpsearch.study.drivers.stored import find_study, stored_space
from qpsearch.study.queries.kept import counting_files
from qpsearch.study.queries.trials import place_of, records_of_study
from qpsearch.study.records import AttemptRecord, RunRecord, TrialDetail, TrialRecord
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import attempts, configs, epochs, facts_of, runs, trials, user_attrs
from qpsearch.study.trials.checkpoints import checkpoints_of, first_there, trial_folder
from qpsearch.study.trials.evaluations import read_evaluations
from qpsearch.study.trials.measured import Values, read_measured
from qpsearch.study.trials.rows import read_fused


def trial_detail(database: Database, name: str, number: int) -> TrialDetail:
    """Return everything that the database holds about one trial.

    Raises:
        StudyNotFound: There is no such study.
        UserError: The study does not have such a trial, or its space cannot be read here.
    """

    def query(connection: Connection) -> TrialDetail:
        study = find_study(connection, name)
        rows = connection.execute(select(trials.c.trial_id, trials.c.number).where(trials.c.study_id == study))
        known = {row.number: row.trial_id for row in rows}
        if number not in known:
            there = f"It has trials 0 to {max(known)}." if known else "The study does not have trials yet."
            raise UserError(f"study {name!r} does not have trial {number}. {there}")
        trial = known[number]
        found = records_of_study(connection, study, only=[trial])
        if not found:
            raise UserError(f"trial {number} of study {name!r} {_of_another_tool(connection, trial)}")
        (record,) = found
        own_runs = connection.execute(select(runs).where(runs.c.trial_id == trial).order_by(runs.c.replicate)).all()
        tried = connection.execute(select(attempts).where(attempts.c.trial_id == trial).order_by(attempts.c.number))
        fused = read_fused(connection, trial)
        order = (epochs.c.replicate, epochs.c.epoch)
        recorded = connection.execute(select(epochs).where(epochs.c.trial_id == trial).order_by(*order)).all()
        beyond = read_measured(connection, select(configs.c.trial_id).where(configs.c.trial_id == trial))
        history = tuple(
            {key: value for key, value in row._mapping.items() if key != "trial_id"}
            | dict(beyond.get((trial, row.replicate, row.epoch), {}))
            for row in recorded
        )
        of_runs = [[row for row in recorded if row.replicate == run.replicate] for run in own_runs]  # not one given up
        return TrialDetail(
            record=record,
            runs=tuple(
                RunRecord(replicate=row.replicate, seed=row.seed, score=row.score)
                for row in own_runs
                if record.seeds  # else it was imported
            ),
            attempts=tuple(
                AttemptRecord(
                    number=row.number,
                    place=place_of(row),
                    threads=row.threads,
                    memory_format=row.memory_format,
                    fused=fused.get(row.number, ()),
                    seconds=row.seconds,
                    ending=row.ending,
                    reason=row.reason,
                    detail=row.detail,
                )
                for row in tried
                if row.number > 0
            ),
            epochs=history,
            checkpoints=tuple(_checkpoints(database, facts_of(connection, study), name, record, of_runs, beyond)),
            evaluations=tuple(
                read_evaluations(connection, select(trials.c.trial_id).where(trials.c.trial_id == trial))
            ),
        )

    return database.read(query)


def _checkpoints(
    database: Database,
    facts: Row[Any],
    name: str,
    record: TrialRecord,
    of_runs: Iterable[Sequence[Row[Any]]],
    beyond: Mapping[tuple[int, int, int], Values],
) -> Iterator[str]:
    """Yield where the checkpoint of each run lies: of a complete trial that of the epoch that counts, else the newest.

    None for a pruned or failed trial: it does not keep one of each run.
    """
    is_complete = record.state == TrialState.COMPLETE.name
    if not is_complete and record.state != TrialState.RUNNING.name:
        return
    folder = trial_folder(checkpoints_of(database, facts).root, record.number)
    search = stored_space(facts, name).search
    for rows in of_runs:
        saved = [row for row in rows if row.checkpoint]
        if saved:
            file = _there(folder, counting_files(rows, search, beyond)) if is_complete else saved[-1].checkpoint
            yield f"{folder}/{file}"


def _there(folder: str, files: Sequence[str]) -> str:
    """Return the first of some files that is in a folder; where its store cannot be reached, the first of all."""
    try:
        return first_there(folder, files)
    except ArtifactError:
        return files[0]


def _of_another_tool(connection: Connection, trial: int) -> str:
    """Say why a trial that another tool added does not have anything to show."""
    told = (user_attrs.c.trial_id == trial) & (user_attrs.c.key == "reason")
    reason = connection.execute(select(user_attrs.c.value_json).where(told)).scalar()
    return f"was added by another tool, and is not trained{f': {json.loads(reason)}' if reason else '.'}"
