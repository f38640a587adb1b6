"""Tables for other programs, as these read them."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

import qpsearch
from qpsearch.analysis.tables import TableFormat, epoch_table, trial_table, write_tables
from qpsearch.cli import evaluation_table
from qpsearch.protocol import Failed
from qpsearch.runner import evaluate_documents
from qpsearch.seeds import derive_seed
from qpsearch.space import parse_space
from qpsearch.study import opening, queries
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.helpers import new_ledger, train_all
from tests.scripted import Behaviour, space_text

CLIP, BLOCK = "network.rules.product_unit.exponent_clip", "network.stages.0.block"
DETAIL = 'Traceback ...\nValueError: a comma, a "quote", a line\nand ∞'
READERS = {
    TableFormat.CSV: lambda path: pd.read_csv(path, parse_dates=["started"]),
    TableFormat.PARQUET: pd.read_parquet,
    TableFormat.JSON: lambda path: pd.DataFrame(pd.read_json(path, typ="series")["trials"]).assign(
        started=lambda frame: pd.to_datetime(frame["started"])
    ),
}


@pytest.fixture
def filled_url(sqlite_url: str) -> str:
    """A study whose trials failed; some drew no bound, some a bound, some neither."""
    text = space_text(Behaviour.IMPROVES, sampler="random", trials=12, replicates=2)
    rule = "    product_unit: {exponent_clip: {choice: [none, 8]}}\n"
    space = parse_space(text.replace("  rules:\n", f"  rules:\n{rule}"))
    with new_ledger(sqlite_url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment, until=1)
            ledger.fail(assignment.trial, assignment.attempt, Failed(reason=FailReason.ERROR, detail=DETAIL))
    return sqlite_url


def told(chosen: object, block: str) -> object:
    """What a cell should say of a bound."""
    if block != "product_unit":
        return "not drawn"
    return "none" if chosen is None else chosen


@pytest.mark.parametrize("kind", [*TableFormat, None])
def test_none_that_was_chosen_is_not_a_parameter_that_was_not_drawn(
    kind: TableFormat | None, filled_url: str, tmp_path: Path
) -> None:
    study = qpsearch.load_study("scripted", filled_url)
    records = study.trials
    frame = study.trials_dataframe()
    if kind is not None:
        path, *_ = write_tables(trial_table(records, study.space), epoch_table([]), kind, tmp_path / "out", "s")
        frame = READERS[kind](path)
    right = [told(record.params.get(CLIP), record.blocks[0]) for record in records]
    assert {"none", "not drawn", 8} == set(right)
    cells = [
        cell if cell == "none" else "not drawn" if pd.isna(cell) else float(cell) for cell in frame[f"param.{CLIP}"]
    ]
    assert cells == right
    assert list(frame["detail"]) == [DETAIL] * 12
    for replicate in range(2):
        seeds = [derive_seed(0, "run", number, replicate) for number in range(12)]
        assert [*map(int, frame[f"seed.{replicate}"])] == seeds == [record.seeds[replicate] for record in records]
    assert str(frame["started"].dt.tz) == "UTC"
    first = frame["started"][0].to_pydatetime()
    assert abs((datetime.now(UTC) - first).total_seconds()) < 60
    assert abs(first.timestamp() - records[0].started) < 0.001


def test_text_has_times_in_iso_8601(filled_url: str, tmp_path: Path) -> None:
    study = qpsearch.load_study("scripted", filled_url)
    write_tables(trial_table(study.trials[:1], study.space), epoch_table([]), TableFormat.CSV, tmp_path, "s")
    when = datetime.fromtimestamp(study.trials[0].started, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
    assert f",{when}" in (text := (tmp_path / "s-trials.csv").read_text(encoding="utf-8"))
    assert text.partition(when)[2][3] == "Z"


@pytest.mark.parametrize("kind", TableFormat)
def test_a_study_without_trials_has_the_columns_of_one_with_trials(
    kind: TableFormat, filled_url: str, tmp_path: Path
) -> None:
    full = qpsearch.load_study("scripted", filled_url)
    with closing(Database.create(str(tmp_path / "new.db"))) as database:
        opening.create(database, full.space, source="a test")
    study = qpsearch.load_study("scripted", str(tmp_path / "new.db"))
    frames = [study.trials_dataframe(), study.epochs_dataframe()]
    assert [name for name in full.trials_dataframe() if not name.startswith("seed.")] == list(frames[0])
    assert list(full.epochs_dataframe()) == list(frames[1])
    if kind is not TableFormat.JSON:
        paths = write_tables(trial_table([], study.space), epoch_table([]), kind, tmp_path, "s")
        read = pd.read_csv if kind is TableFormat.CSV else pd.read_parquet
        assert [list(read(path)) for path in paths] == [list(frame) for frame in frames]


def test_a_grid_tells_none_from_not_drawn(filled_url: str) -> None:
    database = Database.open(filled_url)
    records = queries.trial_records(database, "scripted")
    database.close()
    without = next(record for record in records if CLIP in record.params and record.params[CLIP] is None)
    other = next(record for record in records if CLIP not in record.params)
    pair = [
        evaluate_documents.TestedConfiguration(
            trial=record.number,
            trials=(record.number,),
            blocks=" ".join(record.stages),
            params=dict(record.params),
            value=record.value,
            seeds=(),
            accuracies=(),
            epochs_to_target=(),
        )
        for record in (without, other)
    ]
    assert CLIP in evaluation_table._telling(pair)
