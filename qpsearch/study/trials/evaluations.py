"""Rows about what was read from the test split: which weights were evaluated, when, and with which result."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, insert, inspect, select

from qpsearch.study.storage.tables import evaluations


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What one run's weights gave on the test images.

    Attributes:
        replicate: The run, from 0.
        checkpoint: The file of the weights.
        noise: Level of Poisson noise on the images; 0 for none.
        images: How many images were read.
        accuracy: Share of the images that were classified correctly.
        loss: Mean cross entropy; None where some logits were not finite.
        nonfinite: Images whose logits were not finite.
        correct: A bit for each image, 1 where it was classified correctly, in the order of the test split, the first
            image in the highest bit of the first byte; None for a look of an earlier version.
        metrics: Values of the metrics that the study asks for beyond loss and accuracy, such as ``test_macro_f1``.
    """

    replicate: int
    checkpoint: str
    noise: float
    images: int
    accuracy: float
    loss: float | None
    nonfinite: int
    correct: bytes | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)


def insert_evaluations(connection: Connection, trial_id: int, found: Sequence[Evaluated], now: float) -> None:
    """Write what one look at the test images gave for a trial."""
    rows = []
    for each in found:
        row = asdict(each)
        metrics = row.pop("metrics")
        row["values_json"] = json.dumps(metrics, sort_keys=True) if metrics else None
        rows.append(row | {"trial_id": trial_id, "evaluated": now})
    connection.execute(insert(evaluations), rows)


def read_evaluations(connection: Connection, trial_ids: Select[Any]) -> list[dict[str, Any]]:
    """Return the rows of some trials, in order, without the bits of single images; further metrics by their names.

    A database of a schema that does not have the table does not have rows.
    """
    if not inspect(connection).has_table(evaluations.name):
        return []
    known = {column["name"] for column in inspect(connection).get_columns(evaluations.name)} - {"correct"}
    told = [each for each in evaluations.c if each.name in known]
    query = select(*told).where(evaluations.c.trial_id.in_(trial_ids)).order_by(evaluations.c.evaluation_id)
    found = [dict(row) for row in connection.execute(query).mappings()]
    return [row | json.loads(row.pop("values_json", None) or "{}") for row in found]
