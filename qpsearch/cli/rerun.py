"""``qpsearch rerun``: a stored trial trained again, beside its record."""

import math
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from qpsearch.cli.options import Json, Storage, StudyArgument, print_json
from qpsearch.display.plain import say
from qpsearch.runner.machine import DEFAULT_STORAGE, data_folder, has_gpu, prepare_data
from qpsearch.runner.rerunning import Conditions, Repeated, changes, chosen_runs, recorded_conditions, repeat
from qpsearch.study.records import TrialDetail

DIFFERS: Final = 1
Changes = Mapping[str, tuple[Any, Any]]


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
    from qpsearch.study import queries
    from qpsearch.study.opening import environment
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    detail = queries.trial_detail(database, study, number)
    recorded = recorded_conditions(detail)
    chosen = chosen_runs(detail, replicate)
    there = queries.summary(database, study).environment
    dataset = detail.record.config.data.dataset
    folder = data_folder(dataset)
    prepare_data(dataset, folder)
    here = replace(recorded, device=_device(recorded))
    differing = changes(_world(there, detail, recorded), _world(environment(), None, here))
    planned = len([row for row in detail.epochs if row["replicate"] in {run.replicate for run in chosen}])
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("epochs", total=planned)
        found = list(repeat(detail, chosen, here, folder, lambda: bar.advance(task)))
    matches = all(run.matches for run in found)
    if as_json:
        print_json(_document(study, number, found, recorded, here, differing, matches=matches))
    else:
        _print(study, number, found, here, differing, matches=matches)
    if not matches:
        raise typer.Exit(DIFFERS)


def _device(recorded: Conditions) -> str:
    """Return the device to train on: the recorded kind, or the CPU where there is no GPU."""
    import torch

    return "cuda" if recorded.device != "cpu" and has_gpu() and torch.cuda.is_available() else "cpu"


def _world(environment: Mapping[str, Any], detail: TrialDetail | None, conditions: Conditions) -> dict[str, Any]:
    """Return versions, machine and host, of the record or of this process (without a record)."""
    first = next((each.place for each in detail.attempts if each.place), None) if detail is not None else None
    host = socket.gethostname() if detail is None else (first or "").split()[0]
    known = {name: environment.get(name, {}) for name in ("versions", "machine")}
    return {**known, "host": host, "device": conditions.device}


def _document(
    study: str,
    number: int,
    found: list[Repeated],
    recorded: Conditions,
    here: Conditions,
    differing: Changes,
    *,
    matches: bool,
) -> dict[str, Any]:
    return {
        "study": study,
        "trial": number,
        "matches": matches,
        "device": here.device,
        "threads": recorded.threads,
        "memory_format": recorded.memory_format,
        "runs": [
            {
                "replicate": run.replicate,
                "seed": run.seed,
                "epochs": run.epochs,
                "matches": run.matches,
                "differs_from_epoch": run.first,
                "largest_difference": run.differences,
                "failed_then": run.then,
                "failed_now": run.now,
                "detail": run.detail or None,
            }
            for run in found
        ],
        "environment": [{"what": name, "then": then, "now": now} for name, (then, now) in differing.items()],
    }


def _print(
    study: str, number: int, found: list[Repeated], here: Conditions, differing: Changes, *, matches: bool
) -> None:
    threads = f"{here.threads} thread{'s' * (here.threads != 1)}"
    say(f"trial {number} of study {study}, trained again on {here.device} with {threads}, {here.memory_format}")
    for run in found:
        say(f"run {run.replicate}, seed {run.seed}: {_said(run)}")
    for name, (then, now) in differing.items():
        say(f"differs from the record: {name.rpartition('.')[2]}: {_or_none(then)} then, {_or_none(now)} now")
    if not differing:
        say("versions, machine and host are those of the record")
    say("it matches the record to the bit" if matches else "it does not match the record to the bit")


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
