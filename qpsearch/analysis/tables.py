"""A study as two plain tables for other programs: trials and epochs."""

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from qpsearch.space.schema.value_types import NONE
from qpsearch.space.space import Space
from qpsearch.study.queries import EPOCH_COLUMNS
from qpsearch.study.records import TrialRecord
from qpsearch.vocabulary import Scalar, as_member

OF_TRIALS: Final[Mapping[str, Callable[[TrialRecord], Any]]] = {
    "number": lambda record: record.number,
    "state": lambda record: record.state,
    "value": lambda record: record.value,
    "reason": lambda record: record.reason,
    "detail": lambda record: record.detail,
    "started": lambda record: datetime.fromtimestamp(record.started, UTC),
    "blocks": lambda record: " + ".join(record.blocks),
    "epochs": lambda record: record.epochs,
    "attempts": lambda record: record.attempts,
    "is_retried": lambda record: record.is_retried,
    "duration_s": lambda record: record.duration_s,
    "place": lambda record: record.place,
}


class TableFormat(StrEnum):
    """How tables are written."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by the names of the columns, which a table without rows has too."""

    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]]


def trial_table(records: Sequence[TrialRecord], space: Space) -> Table:
    """Return a row for each trial: its results, then ``seed.REPLICATE`` for each run, then ``param.NAME``.

    Each parameter of the space has a column, in the order of drawing: the word ``none`` where a trial chose ``none``,
    and None where the trial did not draw the parameter. With several objectives, each has a column
    ``objective.METRIC``, which is None where the trial is not complete. ``started`` is when a trial's first attempt
    began, in UTC. ``is_retried`` is as in ``TrialRecord``: the configuration is not as drawn.
    """
    objectives = space.search.objectives
    several = [each.metric.value for each in objectives] if len(objectives) > 1 else []
    replicates = range(max((len(record.seeds) for record in records), default=0))
    rows = [
        {name: of(record) for name, of in OF_TRIALS.items()}
        | {f"objective.{name}": dict(zip(several, record.values, strict=False)).get(name) for name in several}
        | {f"seed.{replicate}": dict(enumerate(record.seeds)).get(replicate) for replicate in replicates}
        | {f"param.{name}": _chosen(record, name) for name in space.searched}
        | {"config": record.config_json}
        for record in records
    ]
    columns = (
        *OF_TRIALS,
        *(f"objective.{name}" for name in several),
        *(f"seed.{replicate}" for replicate in replicates),
        *(f"param.{name}" for name in space.searched),
        "config",
    )
    return Table(columns, rows)


def epoch_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the recorded epochs, as ``queries.epoch_rows`` returns them, with the columns that every study has."""
    return Table(tuple(dict.fromkeys([*EPOCH_COLUMNS, *(name for row in rows for name in row)])), rows)


def _chosen(record: TrialRecord, name: str) -> Scalar:
    """Return what a trial chose for a parameter, ``none`` as a word; None where the trial did not draw the parameter.

    No reader of tables takes that word for an empty cell: pandas takes ``None``, ``NA`` and ``null``.
    """
    value = record.params.get(name)
    return NONE if value is None and name in record.params else value


def write_tables(trials: Table, epochs: Table, kind: TableFormat, folder: Path, name: str) -> list[Path]:
    """Write both tables into a folder; return the paths of the files.

    CSV and Parquet give ``NAME-trials`` and ``NAME-epochs``, JSON one document ``NAME.json`` without NaN. Times are of
    Parquet's own type, and text in ISO 8601 elsewhere: ``2026-11-26T07:44:01.250Z``.
    """
    kind = as_member(TableFormat, kind, "kind")
    folder.mkdir(parents=True, exist_ok=True)
    if kind is TableFormat.JSON:
        path = folder / f"{name}.json"
        document = {"study": name, "trials": [*map(_plain, trials.rows)], "epochs": [*map(_plain, epochs.rows)]}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        return [path]
    paths = [folder / f"{name}-{table}.{kind}" for table in ("trials", "epochs")]
    for path, table in zip(paths, (trials, epochs), strict=True):
        (_write_csv if kind is TableFormat.CSV else _write_parquet)(table, path)
    return paths


def _write_csv(table: Table, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=table.columns)
        writer.writeheader()
        writer.writerows({name: _text_of_time(value) for name, value in row.items()} for row in table.rows)


def _write_parquet(table: Table, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: _column([row.get(name) for row in table.rows]) for name in table.columns}
    pq.write_table(pa.table(columns), path)


def _column(values: list[Any]) -> list[Any]:
    """Return values of one type: a choice may mix numbers, words and none, but a Parquet column cannot."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and not kinds <= {int, float}:
        return [None if value is None else str(value) for value in values]
    return [float(value) if kinds == {int, float} and value is not None else value for value in values]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else _text_of_time(value)
        for name, value in row.items()
    }


def _text_of_time(value: Any) -> Any:
    """Return a time of UTC as text in ISO 8601; any other value as it is."""
    if not isinstance(value, datetime):
        return value
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
