"""A study as two plain tables for other programs: trials and epochs."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from qpsearch.space.schema.value_types import NONE
from qpsearch.space.space import Space
from qpsearch.study.records import TrialRecord
from qpsearch.vocabulary import Scalar, as_member

Rows = Sequence[Mapping[str, Any]]


class TableFormat(StrEnum):
    """How tables are written."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


def trial_rows(records: Sequence[TrialRecord], space: Space) -> list[dict[str, Any]]:
    """Return a row for each trial: its results, then ``seed.REPLICATE`` for each run, then ``param.NAME``.

    Each parameter of the space has a column, in the order of drawing: the word ``none`` where a trial chose ``none``,
    and None where the trial did not draw the parameter. With several objectives, each has a column
    ``objective.METRIC``, which is None where the trial is not complete. ``started`` is when a trial's first attempt
    began, in UTC. ``is_retried`` is as in ``TrialRecord``: the configuration is not as drawn.
    """
    objectives = space.search.objectives
    several = [each.metric.value for each in objectives] if len(objectives) > 1 else []
    replicates = range(max((len(record.seeds) for record in records), default=0))
    return [
        {
            "number": record.number,
            "state": record.state,
            "value": record.value,
            "reason": record.reason,
            "detail": record.detail,
            "started": datetime.fromtimestamp(record.started, UTC),
            "blocks": " + ".join(record.blocks),
            "epochs": record.epochs,
            "attempts": record.attempts,
            "is_retried": record.is_retried,
            "duration_s": record.duration_s,
            "place": record.place,
        }
        | {f"objective.{name}": dict(zip(several, record.values, strict=False)).get(name) for name in several}
        | {f"seed.{replicate}": dict(enumerate(record.seeds)).get(replicate) for replicate in replicates}
        | {f"param.{name}": _chosen(record, name) for name in space.searched}
        | {"config": record.config_json}
        for record in records
    ]


def _chosen(record: TrialRecord, name: str) -> Scalar:
    """Return what a trial chose for a parameter, ``none`` as a word; None where the trial did not draw the parameter.

    No reader of tables takes that word for an empty cell: pandas takes ``None``, ``NA`` and ``null``.
    """
    value = record.params.get(name)
    return NONE if value is None and name in record.params else value


def write_tables(trials: Rows, epochs: Rows, kind: TableFormat, folder: Path, name: str) -> list[Path]:
    """Write both tables into a folder; return the paths of the files.

    CSV and Parquet give ``NAME-trials`` and ``NAME-epochs``, JSON one document ``NAME.json`` without NaN. Times are of
    Parquet's own type, and text in ISO 8601 elsewhere: ``2026-11-26T07:44:01.250Z``.
    """
    kind = as_member(TableFormat, kind, "kind")
    folder.mkdir(parents=True, exist_ok=True)
    if kind is TableFormat.JSON:
        path = folder / f"{name}.json"
        document = {"study": name, "trials": [_plain(row) for row in trials], "epochs": [_plain(row) for row in epochs]}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        return [path]
    paths = [folder / f"{name}-{table}.{kind}" for table in ("trials", "epochs")]
    for path, rows in zip(paths, (trials, epochs), strict=True):
        (_write_csv if kind is TableFormat.CSV else _write_parquet)(rows, path)
    return paths


def _write_csv(rows: Rows, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=_columns(rows))
        writer.writeheader()
        writer.writerows({name: _text_of_time(value) for name, value in row.items()} for row in rows)


def _write_parquet(rows: Rows, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: _column([row.get(name) for row in rows]) for name in _columns(rows)}
    pq.write_table(pa.table(columns), path)


def _column(values: list[Any]) -> list[Any]:
    """Return values of one type: a choice may mix numbers, words and none, but a Parquet column cannot."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and not kinds <= {int, float}:
        return [None if value is None else str(value) for value in values]
    return [float(value) if kinds == {int, float} and value is not None else value for value in values]


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


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
