"""``qpsearch evaluate``: trained networks on the test split, clean and noisy, and how fast they learned."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from qpsearch.cli.evaluation_table import Tested, print_table, row, together
from qpsearch.cli.options import (
    Json,
    Storage,
    StudyArgument,
    print_json,
)
from qpsearch.display.plain import say
from qpsearch.display.shown import WORDS, moment, scalar, standing, state_of
from qpsearch.errors import UserError, command, counted
from qpsearch.runner.documents import FreshSeeds
from qpsearch.runner.evaluate_documents import EvaluateDocument, NotTested
from qpsearch.runner.machine import DEFAULT_STORAGE, prepare_kept
from qpsearch.space.space import Space
from qpsearch.study.records import ConfigurationRecord, TrialRecord

if TYPE_CHECKING:
    from qpsearch.study.queries import KeptRun
    from qpsearch.study.storage.database import Database


def evaluate(
    study: StudyArgument,
    trial: Annotated[
        list[int] | None,
        typer.Option(
            "--trial",
            metavar="N",
            help="Which trial; repeatable; default: those of the best configuration, or every point of a grid.",
        ),
    ] = None,
    noise: Annotated[
        list[str] | None,
        typer.Option(
            metavar="poisson:LEVEL", help="Noise of variance LEVEL x brightness, such as poisson:0.05; repeatable."
        ),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="ACCURACY", help="Count the epochs to this accuracy on validation images."),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Evaluate trained networks on the test images: for the last word about what is chosen, not for choosing.

    Without --trial that is the best configuration, with the runs of all its complete trials; of a grid, which chooses
    nothing, every point. The study keeps a record of each look at the test images.

    Examples:
        qpsearch evaluate digits
        qpsearch evaluate quotient-table
        qpsearch evaluate digits --trial 3 --trial 7 --noise poisson:0.05 --target 0.9
    """
    from qpsearch.runner.evaluating import Log
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    levels = list(dict.fromkeys([0.0, *map(_level, noise or [])]))
    database = Database.open(storage)
    space = queries.space_of(database, study)
    if target is not None and space.data.validation == 0:
        raise UserError(f"--target: study {study!r} holds out no validation images, on which epochs are counted.")
    every = queries.trial_records(database, study)
    records = {record.number: record for record in every if record.state == "COMPLETE" and record.epochs > 0}
    is_grid, best = space.search.is_grid, None
    if trial:
        groups = [[number] for number in dict.fromkeys(trial)]
    elif is_grid:
        groups = [[number] for number in _points(records.values(), space)]
    else:
        best = next(iter(queries.best_configurations(database, study, trained=True)), None)
        groups = [[number for number in best.trials if number in records]] if best else []
    numbers = [number for group in groups for number in group]
    _check(study, numbers, records)
    folder = prepare_kept(space.data)
    runs, looks, tested = queries.kept_runs(database, study, numbers), queries.looks(database, study), []
    with closing(Log(storage, study)) as log:
        for group in track(groups, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()):
            parts, known = [], set[int]()
            for number in group:
                own = [run for run in runs if run.trial == number and run.seed not in known]
                known.update(run.seed for run in own)
                if not own:  # a repeated configuration on the same seeds: the same networks
                    continue
                parts.append(_tested(own, records[number], folder, levels, target, space.search.extra))
                log.write(number, parts[-1].evaluated)
            tested.append(replace(together(parts, None if best is None else best.value), trials=tuple(group)))
    left_out = _not_tested(every) if is_grid and not trial else []
    untried = max(space.search.budget.trials - len(every), 0) if is_grid and not trial else 0
    if as_json:
        document = EvaluateDocument(
            study=study,
            dataset=space.data.dataset,
            target=target,
            looks_before=looks,
            recorded=log.problem is None,
            trials=tuple(row(each, levels) for each in tested),
            not_tested=tuple(left_out),
            not_trained=untried,
            confirmed=None if best is None else FreshSeeds.of(best.confirmed),
        )
        print_json(document.to_dict())
        return
    say(f"study {study}: accuracy on test images, mean (sd over runs)")
    print_table(tested, levels, target, is_grid=is_grid)
    for text in map(_why, left_out):
        say(text)
    if untried:
        say(f"not trained yet: {counted(untried, 'point')} of the grid")
    if best is not None and (first := _passed_over(database, study, best)) is not None:
        say(f"trial {first}, the best, was imported without weights; trial {numbers[0]} is the best trained here.")
    if best is not None:
        say(f"{space.search.objective.metric} {best.value:.4f} (n = {best.n}), {standing(best)}")
    say(_said(looks, log.problem))


def _points(records: Iterable[TrialRecord], space: Space) -> list[int]:
    """Return the numbers of a grid's trials, in the order of the space."""
    domains = {site.parameter: list(site.domain.values or ()) for site in space.sites if site.domain is not None}

    def place(record: TrialRecord) -> list[int]:
        return [values.index(record.params[name]) if name in record.params else -1 for name, values in domains.items()]

    return [record.number for record in sorted(records, key=place)]


def _passed_over(database: "Database", study: str, tested: ConfigurationRecord) -> int | None:
    """Return the first trial of the best configuration of all if that is not the one that was tested."""
    from qpsearch.study import queries

    first = queries.best_configurations(database, study)[0].number
    return first if first not in tested.trials else None


def _check(study: str, numbers: list[int], records: Mapping[int, TrialRecord]) -> None:
    for number in numbers:
        if number not in records:
            raise UserError(
                f"study {study!r} does not have a complete trial {number} that was trained here. "
                f"List its trials: {command('trials', study)}."
            )
    if not numbers:
        raise UserError(
            f"study {study!r} does not have a complete trial that was trained here. "
            f"Show its progress: {command('status', study)}."
        )


def _not_tested(records: list[TrialRecord]) -> list[NotTested]:
    """Return the trials of a grid that have no network to test, and why."""
    return [
        NotTested(trial=record.number, state=state_of(record), reason=record.reason, params=dict(record.params))
        for record in records
        if record.state != "COMPLETE" or record.epochs == 0
    ]


def _why(left: NotTested) -> str:
    point = ", ".join(f"{name} {scalar(value)}" for name, value in left.params.items())
    how = "imported" if left.state == "COMPLETE" else WORDS[left.state][0]
    reason = f" ({left.reason})" if left.reason else ""
    return f"not tested: trial {left.trial}, {how}{reason}: {point}"


def _said(looks: list[float], problem: str | None) -> str:
    last = f" (the last: {moment(looks[-1])})" if looks else ""
    look = f"look {len(looks) + 1} of this study at test images{last}."
    recorded = f"Recorded: {look}" if problem is None else f"Not recorded: {look} {problem}"
    return f"{recorded}\nEach look at the test images for choosing makes them validation images."


def _level(text: str) -> float:
    match = re.fullmatch(r"poisson:(\d*\.?\d+(?:[eE][-+]?\d+)?)", text)
    if match is None or not 1e-9 <= float(match[1]) <= 100:
        raise UserError(
            f"--noise: cannot parse noise {text!r}. Expected poisson:LEVEL with a level from 1e-9 to 100, such as "
            "poisson:0.05."
        )
    return float(match[1])


def _tested(
    runs: Sequence["KeptRun"],
    record: TrialRecord,
    folder: Any,
    levels: list[float],
    target: float | None,
    metrics: Sequence[str],
) -> Tested:
    from qpsearch.runner.evaluating import evaluated

    found = [each for run in runs for each in evaluated(run, record.config, folder, levels, metrics)]
    return Tested(
        record=record,
        trials=(record.number,),
        value=record.value,
        seeds=tuple(run.seed for run in runs),
        evaluated=tuple(found),
        to_target=tuple(None if target is None else _epochs_to(target, run.accuracies) for run in runs),
    )


def _epochs_to(target: float, accuracies: Sequence[float | None]) -> int | None:
    return next((epoch for epoch, value in enumerate(accuracies, 1) if value is not None and value >= target), None)
