"""How long the state of a large study takes to read: ``qpsearch status`` against ``optuna trials``."""

import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import optuna

from qpsearch.cli import results
from tests.benchmarks.report import Row, alternate, row, timed
from tests.benchmarks.studies import NAME, finished_study, url_of

EPOCHS: Final = 10
SEED_TRIALS: Final = 50
OPTUNA: Final = "from optuna.cli import main; main()"  # what the command optuna runs
ROOT: Final = Path(__file__).parents[2]
PER_TRIAL: Final = (
    "trial_params",
    "trial_values",
    "trial_intermediate_values",
    "trial_system_attributes",
    "trial_user_attributes",
    "qpsearch_configs",
    "qpsearch_runs",
    "qpsearch_attempts",
    "qpsearch_epochs",
)
# A copy is a configuration of its own: its weight decay differs in the seventh place.
_OTHER: Final = (
    "json_set(config_json, '$.recipe.optimizer.weight_decay', "
    "json_extract(config_json, '$.recipe.optimizer.weight_decay') * (1 + {copy} * 1e-7))"
)


def rows(folder: Path, *, trials: int, repetitions: int) -> list[Row]:
    """Compare reading a study of so many trials, as a whole command and without the start of a process.

    Args:
        folder: For databases; must be empty.
        trials: A multiple of ``SEED_TRIALS``.
        repetitions: See ``Row.n``.
    """
    path = finished_study(folder, SEED_TRIALS, EPOCHS)
    copy_trials(path, trials // SEED_TRIALS)
    url = url_of(path)
    ours = ("-m", "qpsearch.cli.main", "status", NAME, "--storage", url, "--json")
    theirs = ("-c", OPTUNA, "trials", "--study-name", NAME, "--storage", url, "-f", "json")
    assert json.loads(_run(*ours))["studies"][0]["counts"] == {"COMPLETE": trials}
    assert len(json.loads(_run(*theirs))) == trials
    commands = alternate(repetitions, lambda: timed(lambda: _run(*ours)), lambda: timed(lambda: _run(*theirs)))
    calls = alternate(repetitions, lambda: timed(lambda: _status(url)), lambda: timed(lambda: _read_trials(url)))
    note = f"{EPOCHS} epochs a trial, one reading a repetition"
    return [
        row(
            f"optuna-sqlite: status of {trials:,} trials",
            commands,
            alternative="optuna trials -f json on the same file",
            unit="s",
            note=f"whole commands, the start of Python included; {note}; wanted are less than 1 s",
        ),
        row(
            f"optuna-sqlite: status of {trials:,} trials, without the start of a process",
            calls,
            alternative="load_study and its trials, printed as JSON, on the same file",
            unit="s",
            note=note,
        ),
    ]


def copy_trials(path: Path, times: int, *, to_studies: bool = False) -> None:
    """Copy the trials of a database's first study, thousands in a second.

    Args:
        path: The database.
        times: How often each of these trials is there afterwards.
        to_studies: Whether each copy goes to a study of its own, the second and so on, in place of the first.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        first, last = connection.execute("SELECT min(trial_id), max(trial_id) FROM trials").fetchone()
        for table, number in [("trials", "number"), *((table, None) for table in PER_TRIAL)]:
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            own_key = None if table == "trials" else _own_key(connection, table)
            kept = [name for name in columns if name != own_key]
            for copy in range(1, times):
                shift = copy * (last - first + 1)
                moved = {"trial_id": shift} | ({"study_id": copy} if to_studies else {number: shift})
                values = [f"{name} + {moved[name]}" if name in moved else name for name in kept]
                values = [_OTHER.format(copy=copy) if name == "config_json" else name for name in values]
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(kept)}) SELECT {', '.join(values)} FROM {table} "
                    "WHERE trial_id BETWEEN ? AND ?",
                    (first, last),
                )


def _own_key(connection: sqlite3.Connection, table: str) -> str | None:
    """Return the column that SQLite counts by itself, if there is one beside the trial's."""
    info: list[tuple[Any, ...]] = connection.execute(f"PRAGMA table_info({table})").fetchall()
    keys = [name for _, name, _, _, _, is_key in info if is_key]
    return keys[0] if len(keys) == 1 and keys[0] != "trial_id" else None


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _status(url: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        results.status(NAME, url, as_json=True)
    return printed.getvalue()


def _read_trials(url: str) -> str:
    storage = optuna.storages.RDBStorage(url)
    try:
        study = optuna.load_study(study_name=NAME, storage=storage)
        return json.dumps([{"number": t.number, "value": t.value, "params": t.params} for t in study.trials])
    finally:
        storage.engine.dispose()
