"""Rows of metrics that a study asked for beyond the columns of its epochs."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, inspect, select

from qpsearch.study.storage.tables import measured

Values = Mapping[str, float | None]


def read_measured(connection: Connection, trial_ids: Select[Any]) -> dict[tuple[int, int, int], Values]:
    """Return such metrics of some trials, by trial id, replicate and epoch.

    A database of a schema that does not have the table does not have rows.
    """
    if not inspect(connection).has_table(measured.name):
        return {}
    found = connection.execute(select(measured).where(measured.c.trial_id.in_(trial_ids)))
    return {(row.trial_id, row.replicate, row.epoch): json.loads(row.values_json) for row in found}
