"""``qpsearch best``: the best configuration, its weights, and a space file that trains it again."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from qpsearch.cli.options import Json, Storage, StudyArgument, print_json, write_new
from qpsearch.display.console import Column, open_console, print_rows
from qpsearch.display.plain import say
from qpsearch.display.shown import cost_title, from_here, further_cells, in_words, numbers_of, scalar, score, standing
from qpsearch.errors import ArtifactError, UserError, command, counted
from qpsearch.runner.documents import BestConfiguration, BestDocument
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.space.leaves import short_paths
from qpsearch.space.search import Objective
from qpsearch.space.space import Space
from qpsearch.study.records import ConfigurationRecord, TrialRecord

if TYPE_CHECKING:
    from qpsearch.study.storage.database import Database

MOST_NAMED: Final = 5  # checkpoints that the text names
MOST_NAME: Final = 100  # characters of a study's name


def best(
    study: StudyArgument,
    output: Annotated[
        Path | None, typer.Argument(help="With --as-space, the new file; default print it.", metavar="FILE")
    ] = None,
    as_space: Annotated[
        bool,
        typer.Option("--as-space", help="Write the configuration as a space file, which trains it on fresh seeds."),
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Show the best configuration so far; of several objectives, the Pareto front.

    Complete trials of one configuration count as its seeds: its score is the mean over all their runs.

    Examples:
        qpsearch best digits
        qpsearch best tradeoff --json
        qpsearch best digits --as-space again.yaml
    """
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    if as_space and as_json:
        raise UserError("--as-space writes a space file, which is not JSON. Leave --json or --as-space out.")
    if output is not None and not as_space:
        again = command("best", study, "--as-space", output)
        raise UserError(f"{output}: only --as-space writes a file. Write: {again}.")
    database = Database.open(storage)
    space = queries.space_of(database, study)
    objectives = space.search.objectives
    objective = objectives[0]
    best_ones = queries.best_configurations(database, study)
    found = next(iter(best_ones), None)
    front = best_ones if len(objectives) > 1 else []
    if as_json:
        document = BestDocument(
            study=study,
            objective=objective,
            objectives=objectives,
            best=None if found is None else _printed(database, study, found),
            front=tuple(_printed(database, study, record) for record in front),
        )
        print_json(document.to_dict())
        return
    if found is None:
        raise UserError(
            f"study {study!r} does not have a complete trial with a finite value yet. "
            f"Show its progress: {command('status', study)}."
        )
    complete = queries.count_complete(database, study)
    if as_space:
        _write_space(found, space, output, complete)
        return
    if front:
        _print_front(study, front, objectives, complete)
        return
    one = len(found.trials) == 1
    spread = "" if found.sd is None else f" (sd {score(found.sd)})"
    named = f"trial{'' if one else 's'} {numbers_of(found.trials)}"
    say(f"{named}: {objective.metric} {found.value:.4f}{spread} on {objective.metric.measured_on},")
    what = "the best" if one else "one configuration, by the mean over its runs the best"
    say(f"{what} of {complete} complete trials, n = {found.n}: {standing(found)}")
    if found.confirmed is None and not found.is_fresh:
        say(f"confirm it: {command('confirm', study)}")
    elif (other := _better_on_fresh_seeds(database, study, found)) is not None:
        more = command("trials", study, other.number)
        say(f"on fresh seeds trial {other.number} has a better mean, {standing(other)}: {more}")
    if found.seeds:
        say(f"seeds: {numbers_of(found.seeds)}")
    _say_checkpoints(database, study, found)
    width = max(len(name) for name in found.params) if found.params else 0
    for name, value in found.params.items():
        say(f"  {name:<{width}}  {scalar(value)}")


def _better_on_fresh_seeds(database: "Database", study: str, best: ConfigurationRecord) -> ConfigurationRecord | None:
    """Return the configuration with the best mean over fresh seeds where that is not the best of the search."""
    from qpsearch.study import queries

    known = [
        (each.confirmed.sign * each.confirmed.mean, each)
        for each in queries.top_configurations(database, study, sys.maxsize)
        if each.confirmed is not None and each.confirmed.mean is not None
    ]
    _, found = max(known, key=lambda pair: pair[0], default=(0.0, best))
    return None if found.number == best.number else found


def _printed(database: "Database", study: str, found: ConfigurationRecord) -> BestConfiguration:
    return BestConfiguration.of(found, *_checkpoints(database, study, found))


def _checkpoints(database: "Database", study: str, found: ConfigurationRecord) -> tuple[list[str], str | None]:
    """Return where the weights of each run lie, of the epoch that counts, or why that cannot be said.

    A result can be read where its store cannot be reached.
    """
    from qpsearch.study import queries

    try:
        kept = queries.kept_runs(database, study, found.trials)
    except ArtifactError as error:
        return [], str(error)
    return [run.path for run in kept if run.checkpoint], None


def _say_checkpoints(database: "Database", study: str, found: ConfigurationRecord) -> None:
    checkpoints, problem = _checkpoints(database, study, found)
    for path in checkpoints[:MOST_NAMED]:
        say(f"checkpoint: {from_here(path)}")
    if len(checkpoints) > MOST_NAMED:
        say(f"and {len(checkpoints) - MOST_NAMED} more, of the other seeds; all of them: --json")
    if not checkpoints:
        say(f"checkpoint: {problem or 'none: the trial was imported, without weights'}")


def _write_space(found: ConfigurationRecord, space: Space, output: Path | None, complete: int) -> None:
    """Write the configuration as a space file, or print it."""
    from qpsearch.architecture.one_point import own_words, point_text

    objective, ending = space.search.objective, "-again"
    name = f"{space.study[: MOST_NAME - len(ending)]}{ending}"
    about = [
        f"Trains the best configuration of study {space.study} on fresh seeds.",
        f"Trial {found.number}, the best of {complete} complete trials: {objective.metric} {score(found.value)} on "
        f"{objective.metric.measured_on} (n = {found.n}), {standing(found)}.",
    ]
    if own := own_words(found.config, space.search):
        about.append(f"Needs --import, with the module of: {', '.join(own)}.")
    text = "".join(f"# {line}\n" for line in about) + point_text(found.config, space, name)
    if output is None:
        say(text.rstrip("\n"))
        return
    write_new(output, text)
    say(f"{output}: written. Train it: {command('run', output)}")


def _print_front(
    study: str, front: list[ConfigurationRecord], objectives: tuple[Objective, ...], complete: int
) -> None:
    console = open_console()
    of = f"of {counted(complete, 'complete trial')}"
    if any(len(each.trials) > 1 for each in front):
        console.print(f"Pareto front: {counted(len(front), 'configuration')} {of}, by the means over their runs")
    else:
        console.print(f"Pareto front: {len(front)} {of}")
    first, *costs = objectives
    columns = [
        Column(title="trial", is_number=True),
        Column(title=first.metric, is_number=True),
        *(Column(title=cost_title(each.metric), is_number=True) for each in costs),
        Column(title="what was chosen"),
    ]
    searched = dict.fromkeys(name for each in front for name in each.first.params if not name.endswith(".block"))
    names = short_paths(searched)
    rows = [
        [
            numbers_of(each.trials),
            score(each.value),
            *further_cells(objectives, each.values),
            _choices(each.first, names),
        ]
        for each in front
    ]
    print_rows(console, columns, rows)
    console.print(f"all of one trial: {command('trials', study, front[0].number)}", soft_wrap=True)
    for each in front:
        if each.confirmed is not None and each.confirmed.n:
            console.print(f"trial {each.number}: {standing(each)}")
    if not all(each.is_fresh or each.confirmed for each in front):
        console.print(
            f"Scores are of one search on {first.metric.measured_on}: optimistic until trained again on fresh seeds."
        )


def _choices(record: TrialRecord, names: Mapping[str, str]) -> str:
    """Return the kinds of block of a network, then its other parameters by their short names."""
    others = [f"{names[name]} {scalar(value)}" for name, value in record.params.items() if name in names]
    return "; ".join(filter(None, (in_words(record.stages), ", ".join(others))))
