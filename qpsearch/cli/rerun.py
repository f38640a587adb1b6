"""``qpsearch rerun``: a stored trial trained again, beside its record."""

import math
import sys
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from qpsearch.cli.options import Json, Storage, StudyArgument, print_json
from qpsearch.display.plain import say
from qpsearch.runner.documents import RerunDocument
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.runner.rerunning import Repeated, Rerun
from qpsearch.runner.rerunning import rerun as again

DIFFERS: Final = 1


def rerun(
    study: StudyArgument,
    number: Annotated[int, typer.Argument(help="The trial.", metavar="N", min=0, show_default=False)],
    replicate: Annotated[
        int | None, typer.Option(min=0, metavar="R", help="One of its runs, from 0; default all of them.")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Train a stored trial again and compare each epoch with its record. The study is only read.

    A pruned trial is trained as far as it came, a failed one until it fails. Exit code 0: it matches to the bit;
    1: it does not.

    Examples:
        qpsearch rerun digits 9
        qpsearch rerun digits 9 --replicate 0 --json
    """
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("epochs", total=None)
        found = again(
            database,
            study,
            number,
            replicate=replicate,
            seen=lambda done, planned: bar.update(task, completed=done, total=planned),
        )
    if as_json:
        print_json(RerunDocument.of(found).to_dict())
    else:
        _print(found)
    if not found.matches:
        raise typer.Exit(DIFFERS)


def _print(found: Rerun) -> None:
    here = found.conditions
    how = f"{here.device} with {here.threads} thread{'s' * (here.threads != 1)}, {here.memory_format}"
    say(f"trial {found.trial} of study {found.study}, trained again on {how}")
    for run in found.runs:
        say(f"run {run.replicate}, seed {run.seed}: {_said(run)}")
    for name, (then, now) in found.changes.items():
        say(f"differs from the record: {name.rpartition('.')[2]}: {_or_none(then)} then, {_or_none(now)} now")
    if not found.changes:
        say("versions, machine and host are those of the record")
    say("it matches the record to the bit" if found.matches else "it does not match the record to the bit")


def _said(run: Repeated) -> str:
    epochs = f"{run.epochs} epoch{'s' * (run.epochs != 1)}"
    said = f"{epochs}, equal to the bit"
    if run.first is not None:
        gaps = ", ".join(f"{name} by up to {_gap(gap)}" for name, gap in run.differences.items())
        said = f"{epochs}, differs from epoch {run.first} on: {gaps}"
    if run.then is run.now:
        return said if run.now is None else f"{said}; failed again ({run.now})"
    detail = f": {run.detail}" if run.detail else ""
    return f"{said}; then {_ended(run.then)}, now {_ended(run.now)}{detail}"


def _gap(gap: float) -> str:
    return f"{gap:.3g}" if math.isfinite(gap) else "a number that is missing"


def _ended(reason: str | None) -> str:
    return "it did not fail" if reason is None else f"it failed ({reason})"


def _or_none(value: Any) -> str:
    return "unknown" if value in (None, "") else str(value)
