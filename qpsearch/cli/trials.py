"""``qpsearch trials``: a study's trials, one line each, and all of one of them."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from qpsearch.cli.going_on import go_on_command
from qpsearch.cli.options import Json, Storage, StudyArgument, print_json
from qpsearch.display.console import Cell, Column, open_console, print_line, print_rows
from qpsearch.display.shown import (
    WORDS,
    BlockNames,
    cost_title,
    from_here,
    further_cells,
    moment,
    scalar,
    score,
    took,
)
from qpsearch.errors import UserError, command, counted, nearest
from qpsearch.registry.metrics import ON_TEST, Metric
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.space.search import Objective, Search
from qpsearch.study.records import RETRIED_MEANS, TrialDetail, TrialRecord
from qpsearch.vocabulary import Order

if TYPE_CHECKING:
    from qpsearch.study.storage.database import Database

STATES: Final = {"complete": "COMPLETE", "pruned": "PRUNED", "fail": "FAIL", "running": "RUNNING"}
ALIASES: Final = {"failed": "fail", "waiting": "running", "paused": "running"}
RETRIED: Final = "*"  # marks trials that are not trained as drawn
BLOCKS_WIDTH: Final = 12  # least width of the column of blocks: product_unit


def trials(
    study: StudyArgument,
    number: Annotated[
        int | None, typer.Argument(help="A trial: show all of it.", metavar="N", min=0, show_default=False)
    ] = None,
    sort: Annotated[
        Order | None, typer.Option(help="value: the best first. epochs, time: the most first.  [default: number]")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The first N lines; without --sort, the N best.")
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="STATE", help="Only complete, pruned, fail or running ones; several: fail,pruned."),
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="Add parameters, device and attempts; lines may be long.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """List a study's trials, one line each; with a number, show all of that trial.

    Examples:
        qpsearch trials digits --top 5
        qpsearch trials digits --state fail,pruned --sort time
        qpsearch trials digits 7
    """
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    states = _states(state or [])
    if number is not None and (sort or top or states or wide):
        raise UserError(f"trial {number} alone takes no --sort, --top, --state or --wide. Leave them or {number} out.")
    database = Database.open(storage)
    if number is not None:
        _show_one(database, study, number, as_json=as_json)
        return
    objectives = queries.space_of(database, study).search.objectives
    order = sort or (Order.VALUE if top is not None else Order.NUMBER)
    records = queries.trial_records(database, study, states=states, order=order, top=top)
    if as_json:
        print_json({"study": study, "trials": [record.to_dict() for record in records]})
        return
    console = open_console()
    _print_list(console, records, objectives, wide=wide)
    counts = queries.state_counts(database, study)
    go_on = go_on_command(database, study) if counts.get("WAITING") else ""
    console.print(_summed_up(counts, records, study, go_on), soft_wrap=True)


def _states(given: Sequence[str]) -> set[str]:
    """Return the states that ``--state`` names, as the database has them; empty for all states."""
    found = set()
    for word in (word.strip().lower() for words in given for word in words.split(",")):
        known = ALIASES.get(word, word)
        if known not in STATES:
            raise UserError(f"--state: unknown state {word!r}. {nearest(word, list(STATES))}")
        found.add(STATES[known])
    return found


def _print_list(
    console: Console, records: Sequence[TrialRecord], objectives: Sequence[Objective], *, wide: bool
) -> None:
    first, *costs = objectives
    columns = [
        Column(title="trial", is_number=True),
        Column(title="state"),
        Column(title=first.metric, is_number=True),
        *(Column(title=cost_title(each.metric), is_number=True, spare=1 + index) for index, each in enumerate(costs)),
        Column(title="epochs", is_number=True),
        Column(title="time", is_number=True),
    ]
    rows: list[list[Cell]] = [
        [
            str(record.number),
            _state(record),
            _value(record),
            *(further_cells(objectives, record.values, is_whole=wide) or ["-"] * len(costs)),
            str(record.epochs),
            took(record.seconds),
        ]
        for record in records
    ]
    room = console.width - sum(
        2 + max(len(column.title), *(len(str(row[index])) for row in rows), 0) for index, column in enumerate(columns)
    )
    names = BlockNames([record.stages for record in records], 10**6 if wide else max(room, BLOCKS_WIDTH))
    columns.append(Column(title="blocks"))
    for row, record in zip(rows, records, strict=True):
        row.append(names.of(record.stages))
    if wide:
        columns += [Column(title="attempts", is_number=True), Column(title="device"), Column(title="parameters")]
        for row, record in zip(rows, records, strict=True):
            row += [str(record.attempts), record.place or "-", _parameters(record)]
    left_out = print_rows(console, columns, rows, is_whole=wide)
    if any(record.is_retried for record in records):
        print_line(console, Text(f"{RETRIED}: not as drawn: {RETRIED_MEANS}"))
    if names.legend:
        print_line(console, Text(f"blocks, by stage: {names.legend}"))
    if left_out:
        print_line(console, Text(f"not shown, since the terminal is too narrow: {', '.join(left_out)}"))


def _state(record: TrialRecord) -> Text:
    word, colour = WORDS[record.phase]
    return Text(f"{word} {RETRIED}" if record.is_retried else word, style=colour)


def _value(record: TrialRecord) -> Cell:
    """Return the value of a trial, or why a failed trial failed, as `run` does."""
    return Text(record.reason, style=WORDS["FAIL"][1]) if record.reason is not None else score(record.value)


def _parameters(record: TrialRecord) -> str:
    return ", ".join(f"{name} {scalar(value)}" for name, value in record.params.items())


def _summed_up(counts: Mapping[str, int], shown: Sequence[TrialRecord], study: str, go_on: str) -> str:
    count = sum(counts.values())
    states = ", ".join(f"{counts[key]} {word}" for key, (word, _) in WORDS.items() if counts.get(key))
    total = f"{counted(count, 'trial')}: {states}" if states else "no trials yet"
    part = "" if len(shown) == count else f"{len(shown)} shown of "
    lines = [f"{part}{total}"]
    if counts.get("WAITING"):
        lines.append(f"waiting: no driver runs these now; continue: {go_on}")
    if counts.get("PAUSED"):
        lines.append("paused: at a rung; the best there go on, the others are pruned at the end of the study")
    if shown:
        lines.append(f"everything about one trial: {command('trials', study, shown[0].number)}")
    return "\n".join(lines)


def _show_one(database: "Database", study: str, number: int, *, as_json: bool) -> None:
    from qpsearch.study import queries

    detail = queries.trial_detail(database, study, number)
    if as_json:
        print_json({"study": study, "trial": detail.to_dict()})
        return
    search = queries.space_of(database, study).search
    console = open_console()
    word, colour = WORDS[detail.record.phase]
    console.print(Text(f"trial {number} of study {study}: ").append(word, style=f"bold {colour}"))
    facts = _facts(detail, search, go_on_command(database, study))
    width = max(len(name) for name, _ in facts)
    for name, text in facts:
        _print_fact(console, name, text, width)
    _print_parameters(console, detail.record)
    if len(detail.attempts) > 1:
        _print_attempts(console, detail)
    _print_epochs(console, detail)


def _facts(detail: TrialDetail, search: Search, go_on: str) -> list[tuple[str, str]]:
    record = detail.record
    found = []
    if record.state == "FAIL" or (record.reason and not record.is_held):  # or its last attempt has failed
        found += [("failed with", str(record.reason)), ("detail", (record.detail or "").strip() or "none")]
    if record.is_retried:
        found.append(("recipe", f"not as drawn: {RETRIED_MEANS}"))
    if record.phase == "WAITING":
        found.append(("waits for", f"a driver: {go_on}"))
    if record.is_paused:
        found.append(("waits for", "its rung: it goes on if it is among the best there"))
    for objective, value in zip(search.objectives, record.values, strict=False):
        what = f"{value:,.0f}" if objective.metric.is_cost else score(value)
        scored = sum(run.score is not None for run in detail.runs)
        so_far = "mean of its seeds so far" if scored > 1 else "last one reported"
        last = f" ({so_far})" if record.state == "PRUNED" else ""
        found.append((str(objective.metric), what + last))
    for run in detail.runs:
        which = f"run {run.replicate}: " if len(detail.runs) > 1 else ""
        result = f", score {score(run.score)}" if run.score is not None and len(detail.runs) > 1 else ""
        found.append(("seed", f"{which}{run.seed}{result}"))
    for index, stage in enumerate(record.config.network.stages):
        found.append((f"stage {index}", f"{stage.depth} x {stage.block}, width {stage.width}"))
    each = record.config.recipe.epochs
    found.append(("epochs", f"{record.epochs} of {search.run_epochs(each) + each * (detail.begun - 1)}"))
    if search.fidelity is not None:
        found.append(("levels", search.fidelity.spans))
    attempts = f" in {record.attempts} attempts" if record.attempts > 1 else ""
    found.append(("time", f"{took(record.seconds)}{attempts}, {took(record.duration_s)} of it in epochs"))
    for group in dict.fromkeys(attempt.fused for attempt in detail.attempts if attempt.fused):
        found.append(("fused", f"runs {', '.join(map(str, group))}, trained as one network"))
    found.append(("device", record.place or "not known: no epoch was reported"))
    whole = record.state == "FAIL" and any(run.score is not None for run in detail.runs)
    without = "of its whole runs alone, for another try" if whole else "none kept"
    found += [("checkpoint", from_here(path)) for path in detail.checkpoints] or [("checkpoint", without)]
    return found + _looks(detail)


def _looks(detail: TrialDetail) -> list[tuple[str, str]]:
    """Say when the test images were read, and what the last look gave."""
    times = sorted({row["evaluated"] for row in detail.evaluations})
    if not times:
        return []
    count = "once" if len(times) == 1 else f"{len(times)} times, last"
    found = [("test images", f"read {count} on {moment(times[-1])}")]
    for row in detail.evaluations:
        if row["evaluated"] == times[-1]:
            which = f"run {row['replicate']}: " if len(detail.runs) > 1 else ""
            noise = f" under poisson:{row['noise']:g}" if row["noise"] else ""
            further = "".join(f", {name} {score(row[name])}" for name in row if name.startswith(ON_TEST))
            found.append(("", f"{which}accuracy {score(row['accuracy'])}{further}{noise}"))
    return found


def _print_fact(console: Console, name: str, text: str, width: int) -> None:
    """Print a name and its text; long texts wrap below themselves, but a path or message is never broken."""
    first, *others = [part for line in text.splitlines() or [""] for part in _wrapped(line, console.width - width - 2)]
    console.print(Text(f"{name:<{width}}  {first}"), soft_wrap=True)
    for line in others:
        console.print(Text(f"{'':<{width}}  {line}"), soft_wrap=True)


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]


def _print_parameters(console: Console, record: TrialRecord) -> None:
    if not record.params:
        return
    console.print(Text("\nparameters, as drawn", style="bold"))
    width = max(map(len, record.params))
    for name, value in record.params.items():
        console.print(Text(f"  {name:<{width}}  {scalar(value)}"), soft_wrap=True)


def _print_attempts(console: Console, detail: TrialDetail) -> None:
    console.print(Text("\nattempts", style="bold"))
    columns = [
        Column(title="attempt", is_number=True),
        Column(title="ended as"),
        Column(title="time", is_number=True),
        Column(title="device", spare=1),
        Column(title="why"),
    ]
    rows: list[list[Cell]] = [
        [
            str(attempt.number),
            attempt.ending or ("runs" if detail.record.is_held else "left open"),
            took(attempt.seconds),
            attempt.place or "-",
            ": ".join(filter(None, (attempt.reason, ((attempt.detail or "").strip().splitlines() or [""])[-1]))),
        ]
        for attempt in detail.attempts
    ]
    print_rows(console, columns, rows)


def _print_epochs(console: Console, detail: TrialDetail) -> None:
    if not detail.epochs:
        return
    console.print(Text("\nepochs", style="bold"))
    columns = [
        *([Column(title="run", is_number=True)] if detail.begun > 1 else []),
        Column(title="epoch", is_number=True),
        *(Column(title=name, is_number=True) for name in ("val_accuracy", "val_loss", "train_loss")),
        *(Column(title=name, is_number=True) for name in _measured(detail)),
        Column(title="lr", is_number=True, spare=1),
        Column(title="seconds", is_number=True, spare=2),
        *([Column(title="attempt", is_number=True, spare=3)] if len(detail.attempts) > 1 else []),
    ]
    print_rows(console, columns, [_epoch_cells(row, columns) for row in detail.epochs])


def _measured(detail: TrialDetail) -> list[str]:
    """Return the metrics that the study asked for beyond those of every epoch."""
    return [name for name in dict.fromkeys(key for row in detail.epochs for key in row) if _is_extra(name)]


def _is_extra(name: str) -> bool:
    try:
        return Metric(name).is_extra
    except ValueError:  # another column, or a metric of one's own whose module is not loaded here
        return False


def _epoch_cells(row: Any, columns: Sequence[Column]) -> list[Cell]:
    cells = {name: score(row[name]) for name in row if _is_extra(name)} | {
        "run": str(row["replicate"]),
        "epoch": str(row["epoch"]),
        "val_accuracy": score(row["val_accuracy"]),
        "val_loss": score(row["val_loss"]),
        "train_loss": score(row["train_loss"]),
        "lr": f"{row['lr']:.3g}",
        "seconds": f"{row['seconds']:.2f}",
        "attempt": str(row["attempt"]),
    }
    return [cells[column.title] for column in columns]
