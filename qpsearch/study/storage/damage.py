"""Finding the stored row that cannot be read, after a reader has failed on one.

Reading does not check what it reads, since a sound database would pay for it. When it fails, this module looks at all
rows, without the types that make reading fail, and names the first one that qpsearch cannot have written.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from optuna.distributions import json_to_distribution
from sqlalchemy import Column, Connection, DateTime, Enum, Float, Integer, LargeBinary, Table, select, text
from sqlalchemy.exc import SQLAlchemyError

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import command
from qpsearch.space.space import Resources
from qpsearch.study.storage.tables import OPTUNA, OURS, attempts, configs, params, runs, studies, trials

# What reads a column of JSON; one that is not named here only has to be JSON.
READERS: Final[dict[str, Callable[[str], object]]] = {
    "config_json": TrialConfig.from_json,
    "distribution_json": json_to_distribution,
    "resources_json": lambda found: Resources(**json.loads(found)),
    "environment_json": lambda found: json.loads(found).get("imports"),
    "params_json": lambda found: [json_to_distribution(kind) for _, kind in json.loads(found).values()],
}
PAGES: Final = "the file is damaged ({}). Restore a backup, or save what can be read: sqlite3 FILE .recover"
UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


def find_damage(connection: Connection) -> str | None:
    """Say where the first page or row is that cannot be read, and what is wrong with it; None if all can be read."""
    try:
        return next(_damages(connection), None)
    except SQLAlchemyError as error:  # a table that an older qpsearch did not have, or a page that cannot be read
        return None if "no such" in str(error) else damaged(error)


def damaged(error: SQLAlchemyError) -> str:
    """Say that a file is damaged, as a driver's error tells."""
    return PAGES.format(_line(getattr(error, "orig", error)))


def _damages(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        found = str(connection.execute(text("PRAGMA quick_check(1)")).scalar())
        if found != "ok":
            yield PAGES.format(found.splitlines()[-1])
    for table in (*OPTUNA.sorted_tables, *OURS.sorted_tables):
        yield from _in_rows(connection, table)
    for table, what in ((runs, "run"), (attempts, "attempt")):
        alone = select(configs.c.trial_id).where(configs.c.trial_id.not_in(select(table.c.trial_id)))
        for key in connection.execute(alone.order_by(configs.c.trial_id)).scalars():
            yield _told(connection, {"trial_id": key}, f"it has no {what} in {table.name}")


def _in_rows(connection: Connection, table: Table) -> Iterator[str]:
    """Yield what is wrong with the rows of a table."""
    untyped = "BLOB" if connection.dialect.name == "sqlite" else "TEXT"  # SQLite's text may be anything
    cells = [column.name if _is_number(column) else f"CAST({column.name} AS {untyped})" for column in table.columns]
    for row in connection.execute(text(f"SELECT {', '.join(cells)} FROM {table.name}")):
        own = dict(zip(table.columns.keys(), row, strict=True))
        for column in table.columns:
            try:
                own[column.name] = _read(column, own[column.name])
            except UNREADABLE as error:
                yield _told(connection, own, f"{column.name} of {table.name} cannot be read ({_line(error)})")
                return
        if table is params:
            try:
                json_to_distribution(own["distribution_json"]).to_external_repr(own["param_value"])
            except UNREADABLE:
                yield _told(connection, own, f"param_value of {table.name} is not a value of its distribution")


def _is_number(column: Column[Any]) -> bool:
    return isinstance(column.type, Integer | Float)


def _read(column: Column[Any], value: Any) -> Any:
    """Return a cell's value, read as qpsearch or Optuna would read it; raises one of UNREADABLE."""
    if value is None:
        if not column.nullable:
            raise ValueError("it is missing")
        return None
    if _is_number(column):
        if not isinstance(value, int if isinstance(column.type, Integer) else int | float):
            raise TypeError(f"{str(value)[:40]!r} is not a number")
        return value
    if isinstance(column.type, LargeBinary):
        return value
    given = value.decode() if isinstance(value, bytes) else value
    if isinstance(column.type, Enum):
        if given not in (column.type.enums or ()):
            raise LookupError(f"unknown word {given[:40]!r}")
    elif isinstance(column.type, DateTime):
        datetime.fromisoformat(given)
    elif column.name.endswith("_json"):
        read: Callable[[str], object] = READERS.get(column.name, json.loads)
        read(given)
    return given


def _told(connection: Connection, row: dict[str, Any], what: str) -> str:
    """Say to which trial and study a damaged row belongs, as far as that is known, and what can be done."""
    query = select(trials.c.number, studies.c.study_name).join(studies, studies.c.study_id == trials.c.study_id)
    trial = connection.execute(query.where(trials.c.trial_id == row.get("trial_id"))).first()
    of_study = select(studies.c.study_name).where(studies.c.study_id == row.get("study_id"))
    name = trial.study_name if trial is not None else connection.execute(of_study).scalar()
    if name is None:
        return f"{what}. Restore a backup of the database."
    where = f"study {name!r}" if trial is None else f"study {name!r}, trial {trial.number}"
    return f"{where}: {what}. Restore a backup, or remove that study: {command('studies', 'delete', name)}."


def _line(error: BaseException) -> str:
    """Return an error's message in one line of moderate length."""
    return " ".join(str(error).partition("[type=")[0].split())[:200] or type(error).__name__  # pydantic says more
