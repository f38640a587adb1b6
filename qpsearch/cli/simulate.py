"""``qpsearch simulate``: which sampler and pruner would have found the best of known curves soonest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qpsearch.cli.completion import study_names
from qpsearch.cli.options import Json, Storage, print_json
from qpsearch.display.console import Cell, Column, open_console, print_rows
from qpsearch.display.shown import score
from qpsearch.errors import UserError
from qpsearch.runner.machine import DEFAULT_STORAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpsearch.runner.curve_tables import CurveTable
    from qpsearch.runner.simulating import Outcomes, Simulation
    from qpsearch.space import Space


def simulate(
    source: Annotated[
        str,
        typer.Argument(
            help="A study whose curves are replayed, or with --tables a space.",
            metavar="STUDY|SPACE",
            autocompletion=study_names,
        ),
    ],
    tables: Annotated[
        Path | None, typer.Option(help="A folder of tables NAME.csv of learning curves.", metavar="FOLDER")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method", help="Sampler and pruner as a space file spells them; repeatable.", metavar="SAMPLER+PRUNER"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=100_000, help="Workers that train at once.")] = 4,
    trainings: Annotated[
        float, typer.Option(min=1, max=1e6, help="The budget of a search, in whole trainings of mean length.")
    ] = 40.0,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Searches of each method.")] = 5,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Compare samplers and pruners in simulated time, on learning curves that are known.

    Each search is a real one, with its own database, but its workers read curves in place of training: the curve of a
    configuration is that of the nearest known one. Without --method, the space's own sampler and pruner and the default
    are compared with random search. A table has a row for each epoch of a configuration: a column for each parameter by
    its path, epoch, value (of the objective) and, if known, seconds.

    Examples:
        qpsearch simulate digits --method gp+asha --method tpe+median
        qpsearch simulate mine.yaml --tables curves --method gp+none --workers 16
    """
    from qpsearch.runner.simulating import default_method, simulate_searches
    from qpsearch.runner.tool_documents import SimulateDocument

    space, found = _tables(source, tables, storage)
    if len(space.search.objectives) > 1:
        raise UserError(f"{source}: has several objectives. Only searches with one are simulated.")
    methods = method or [default_method(space), "gp+asha"]
    simulations = []
    with _telling(as_json=as_json) as tell:
        for table in found:
            simulations.append(
                simulate_searches(table, space, methods, seeds=seeds, workers=workers, trainings=trainings, tell=tell)
            )
    if as_json:
        print_json(SimulateDocument.of(simulations).to_dict())
        return
    for simulation in simulations:
        _print(simulation)


def _tables(source: str, folder: Path | None, storage: str) -> "tuple[Space, list[CurveTable]]":
    from qpsearch.runner import curve_tables
    from qpsearch.space import load_space
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    if folder is not None:
        space = load_space(source)
        return space, curve_tables.of_folder(folder, space)
    if source.endswith((".yaml", ".yml")):
        raise UserError(f"{source}: is a space file. Name a study, or give the curves too: --tables FOLDER.")
    database = Database.open(storage)
    space = queries.space_of(database, source)
    return space, [curve_tables.of_study(database, source, space)]


@contextmanager
def _telling(*, as_json: bool) -> "Iterator[Callable[[str], None]]":
    """Show which search runs."""
    if as_json:
        yield lambda text: None
        return
    with open_console().status("simulating") as status:
        yield lambda text: status.update(f"simulating {text}")


def _print(simulation: "Simulation") -> None:
    console, objective = open_console(), simulation.space.search.objective
    console.print(
        f"{simulation.table}: {simulation.curves} curves, {simulation.whole} of them to the end; searches of "
        f"{simulation.trainings:g} trainings by {simulation.workers} workers ({simulation.hours:.2g} h)",
        soft_wrap=True,
    )
    columns = [
        Column(title="method"),
        *(Column(title=f"{objective.metric} at {share}", is_number=True) for share in ("25%", "50%", "100%")),
        Column(title="share", is_number=True),
        Column(title="trials", is_number=True, spare=1),
        Column(title="epochs", is_number=True, spare=2),
        Column(title="complete", is_number=True, spare=3),
    ]
    print_rows(console, columns, [_row(simulation, outcomes) for outcomes in simulation.outcomes])
    console.print(
        f"median over {len(simulation.outcomes[0].best)} seeds [quartiles]; share: of the budget until the value that "
        "random search has at its end",
        soft_wrap=True,
    )


def _row(simulation: "Simulation", outcomes: "Outcomes") -> list[Cell]:
    from qpsearch.runner.simulating import AT

    cells: list[Cell] = [outcomes.method]
    for at in AT:
        found = outcomes.at(at)
        cells.append("-" if found is None else f"{score(found[0])} [{score(found[1])} {score(found[2])}]")
    share = simulation.share(outcomes)
    cells.append("never" if share is None else f"{share:.0%}")
    return [*cells, f"{outcomes.trials:.0f}", f"{outcomes.epochs:.0f}", f"{outcomes.complete:.0f}"]
