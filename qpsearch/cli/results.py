"""The command that says how far studies are: ``status``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from qpsearch.cli.completion import study_names
from qpsearch.cli.going_on import go_on_command
from qpsearch.cli.options import Json, Storage, print_json
from qpsearch.display.budget import spent_text
from qpsearch.display.console import Cell, Column, open_console, print_line, print_rows
from qpsearch.display.shown import (
    WORDS,
    BlockNames,
    duration,
    numbers_of,
    score,
    standing,
)
from qpsearch.errors import StorageDamaged, StudyNotFound, command
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.study.records import AUDIT_MEANS, RETRIED_MEANS, RETRIED_TIME_MEANS, StudySummary, TrialRecord

if TYPE_CHECKING:
    from qpsearch.study.storage.database import Database
    from qpsearch.study.trials.underway import StepsRecord

ENDINGS = ("COMPLETE", "PRUNED", "FAIL")
SHOWN_S = 0.5  # a column with fewer seconds is left out


def status(
    study: Annotated[
        str | None,
        typer.Argument(help="Name of a study; without it all are listed.", metavar="STUDY", autocompletion=study_names),
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", help="Show every column; lines may be long.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Say how far a study is, or list all studies.

    Examples:
        qpsearch status
        qpsearch status digits
    """
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    names = queries.study_names(database) if study is None else [study]
    summaries, damages = [], []
    for name in names:
        try:
            summaries.append(queries.summary(database, name))
        except StorageDamaged as error:  # one damaged study must not hide the others
            damages.append(error)
        except StudyNotFound:
            if study is not None:
                raise
            continue  # it was deleted after the names were read
    if study is not None and damages:
        raise damages[0]
    running = queries.running_records(database, study) if study is not None else []
    steps = queries.steps_of(database, study, running) if study is not None else {}
    if as_json:
        print_json(
            {
                "studies": [_summary_dict(summary) for summary in summaries],
                "running": [
                    record.to_dict() | {"steps": asdict(steps[record.number].steps) if record.number in steps else None}
                    for record in running
                ],
            }
        )
    else:
        _print_studies(console := open_console(), summaries, wide=wide)
        for problem in filter(None, (summary.problem for summary in summaries)):
            console.print(problem, soft_wrap=True)
        if study is not None:
            _print_details(console, database, summaries[0], running, steps)
    if damages:
        raise damages[0]


def _print_studies(console: Console, summaries: Sequence[StudySummary], *, wide: bool) -> None:
    columns = [
        Column(title="study"),
        Column(title="now"),
        Column(title="trials", is_number=True),
        Column(title="complete", is_number=True, spare=3),
        Column(title="pruned", is_number=True, spare=4),
        Column(title="failed", is_number=True, spare=2),
        Column(title="best (trial)", is_number=True, spare=1),
        Column(title="trained", is_number=True, spare=5),
        *([Column(title="driver")] if wide else []),
    ]
    rows: list[list[Cell]] = [
        [
            summary.name,
            _now(summary),
            f"{summary.ended}/{summary.budget.trials}",
            *(str(summary.counts.get(state, 0)) for state in ENDINGS),
            f"{score(summary.best.value)} ({summary.best.number})" if summary.best else "-",
            duration(summary.seconds),
            *([", ".join(summary.drivers) or "none"] if wide else []),
        ]
        for summary in summaries
    ]
    left_out = print_rows(console, columns, rows, is_whole=wide)
    if left_out:
        console.print(f"not shown, since the terminal is too narrow: {', '.join(left_out)}; see --wide")


def _now(summary: StudySummary) -> Text:
    """Say whether a study runs: open trials without a driver wait for the next driver."""
    count = summary.counts.get("RUNNING", 0) - summary.paused
    if summary.drivers:
        word, key = "running", "RUNNING"
    elif count or summary.paused:
        word, key = "waiting", "WAITING"
    elif not summary.budget.trials:  # of a comparison, whose arms are searched first
        return Text("not begun", style=WORDS["WAITING"][1])
    elif summary.ended >= summary.budget.trials:
        return Text("finished", style=WORDS["COMPLETE"][1])
    else:
        return Text("stopped", style=WORDS["WAITING"][1])
    return Text(f"{count} {word}" if count else word, style=WORDS[key][1])


def _print_details(
    console: Console,
    database: "Database",
    summary: StudySummary,
    running: list[TrialRecord],
    steps: Mapping[int, "StepsRecord"],
) -> None:
    from qpsearch.study import queries

    stop = queries.stop_reached(database, summary.name)
    goals = ", ".join(f"{each.direction} {each.metric}" for each in summary.objectives) or "objective unknown"
    console.print(f"{goals}; sampler {summary.sampler}, pruner {summary.pruner}")
    console.print(f"spent: {_spent(summary)}")
    if (best := summary.best) is not None:
        named = f"trial{'s' * (len(best.trials) > 1)} {numbers_of(best.trials)}"
        console.print(f"best: {named} (n = {best.n}), {standing(best)}")
    if summary.drivers:
        console.print(f"driver: {', '.join(summary.drivers)}")
    elif running or summary.ended < summary.budget.trials:
        reasons = [*([stop] if stop else []), *([spent_text(summary.reached)] if summary.reached else [])]
        go_on = go_on_command(database, summary.name)
        console.print(f"driver: none; {''.join(f'{why}; ' for why in reasons)}to go on: {go_on}", soft_wrap=True)
    elif not summary.budget.trials:
        _print_arms(console, database, summary.name)
    _print_accounts(console, summary)
    if summary.failures:
        console.print("failed: " + ", ".join(f"{count} {reason}" for reason, count in sorted(summary.failures.items())))
    if summary.retried:
        trials = f"trial{'s' * (len(summary.retried) > 1)} {numbers_of(summary.retried)}"
        console.print(f"not as drawn: {trials}, {RETRIED_MEANS}", soft_wrap=True)
    if summary.paused:
        are = "is" if summary.paused == 1 else "are"
        console.print(
            f"paused: {summary.paused} {are} at a rung; the best there go on, the others are pruned at the end"
        )
    if summary.audit:
        console.print(f"audit: {AUDIT_MEANS}", soft_wrap=True)
    for kind in summary.audit:
        console.print(f"  {kind}", soft_wrap=True)
    if summary.infeasible:
        console.print(f"infeasible draws, not trials: {summary.infeasible}")
    for record in (each for each in running if not each.is_paused):
        epochs = f"{record.epochs} epoch{'s' * (record.epochs != 1)} so far"
        if (told := steps.get(record.number)) is not None:
            epochs += f", step {told.steps.done} of {told.steps.of} of the next"
        place = record.place or ("" if told else "not placed yet")  # a place is known from the first epoch on
        console.print(
            f"trial {record.number} {WORDS[record.phase][0]}: {', '.join(filter(None, [epochs, place]))}",
        )


def _print_arms(console: Console, database: "Database", study: str) -> None:
    """Say how far the searches of a comparison are, whose own trials begin when all arms have been searched."""
    from qpsearch.study import queries

    compare = queries.space_of(database, study).compare
    searches = {} if compare is None else compare.searches
    found = [queries.summary(database, each.study) for each in searches.values()]
    for arm in found:
        why = f"; {spent_text(arm.reached)}" if arm.reached and arm.ended < arm.budget.trials else ""
        console.print(f"arm {arm.name}: {arm.ended} of {arm.budget.trials} trials ended{why}", soft_wrap=True)
    if found and not any(arm.drivers for arm in found):
        console.print(f"driver: none; to go on: {command('resume', study)}", soft_wrap=True)


def _spent(summary: StudySummary) -> str:
    """Return how much of each bound was spent."""
    budget = summary.budget
    bounds = [
        (f"{summary.begun}", f"{budget.trials}", "trials"),
        (f"{summary.epochs:.10g}", None if budget.epochs is None else f"{budget.epochs}", "epochs"),
        (duration(summary.wall_s), None if budget.seconds is None else duration(budget.seconds), "of wall time"),
        (
            f"{summary.gpu_s / 3600:.2f}",
            None if budget.gpu_seconds is None else f"{budget.gpu_seconds / 3600:g}",
            "GPU hours",
        ),
    ]
    if not summary.gpu_s and budget.gpu_seconds is None:
        del bounds[-1]
    return ", ".join(f"{spent}{'' if bound is None else f' of {bound}'} {unit}" for spent, bound, unit in bounds)


def _print_accounts(console: Console, summary: StudySummary) -> None:
    """Print how the time was spent, by kinds of block."""
    if not summary.accounts:
        return
    titles = {"complete": "complete", "running": "running" if summary.drivers else "waiting", "pruned": "pruned"}
    titles |= {"failed": "failed", "retried": "retried", "repeated": "repeated"}
    seconds = [asdict(account) for account in summary.accounts]
    kinds = [kind for kind in titles if kind == "complete" or any(own[f"{kind}_s"] >= SHOWN_S for own in seconds)]
    networks = [account.blocks.split(" + ") for account in summary.accounts]
    names = BlockNames(networks, console.width - 10 * (len(kinds) + 1), " + ")
    columns = [Column(title="blocks"), Column(title="trials", is_number=True)]
    columns += [Column(title=titles[kind], is_number=True) for kind in kinds]
    console.print("where the time went, by blocks and by what became of the trials:")
    rows = [
        [names.of(blocks), str(account.trials), *(duration(own[f"{kind}_s"]) for kind in kinds)]
        for blocks, account, own in zip(networks, summary.accounts, seconds, strict=True)
    ]
    print_rows(console, columns, rows)
    if names.legend:
        print_line(console, Text(f"blocks: {names.legend}"))
    if "retried" in kinds:
        console.print(f"retried: {RETRIED_TIME_MEANS}", soft_wrap=True)
    if "repeated" in kinds:
        console.print("repeated: work that was lost with its worker or driver, and was done again")


def _summary_dict(summary: StudySummary) -> dict[str, Any]:
    return {
        "name": summary.name,
        "problem": summary.problem,
        "objective": asdict(summary.objectives[0]) if summary.objectives else None,
        "objectives": [asdict(objective) for objective in summary.objectives],
        "trials": summary.budget.trials,
        "budget": asdict(summary.budget),
        "spent": {"epochs": summary.epochs, "seconds": summary.wall_s, "gpu_seconds": summary.gpu_s},
        "accounts": [asdict(account) for account in summary.accounts],
        "counts": dict(summary.counts),
        "paused": summary.paused,
        "failures": dict(summary.failures),
        "retried": list(summary.retried),
        "infeasible": summary.infeasible,
        "best": summary.best.to_dict() if summary.best else None,
        "seconds": summary.seconds,
        "drivers": list(summary.drivers),
        "created": {"at": summary.created, "from": summary.source, **summary.environment},
        "sampler": summary.sampler,
        "pruner": summary.pruner,
        "audit": [asdict(kind) for kind in summary.audit],
    }
