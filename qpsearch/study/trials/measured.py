"""Rows of metrics that a study asked for beyond the columns of its epochs."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, inspect, select

from qpsearch.protocol import EpochReport
from qpsearch.registry.metrics import Metric
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


def value_of(epoch: Row[Any] | EpochReport, beyond: Values, metric: Metric) -> float:
    """Return a metric's value of an epoch, with what was measured beyond it; a missing one is infinitely bad."""
    given = metric.kind.field
    value: float | None = getattr(epoch, given) if given else beyond.get(metric)
    return metric.worst if value is None else value
