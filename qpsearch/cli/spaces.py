"""``qpsearch space ...``: files, without running anything."""

import json
import os
import re
import textwrap
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from qpsearch.architecture.candidates import check_feasible
from qpsearch.architecture.notes import notes
from qpsearch.cli.check import check as check_and_print
from qpsearch.cli.completion import space_and_study_names, space_names
from qpsearch.cli.options import Json, Settings, SpaceArgument, Storage, checked_name, print_json, write_new
from qpsearch.display.console import open_console
from qpsearch.display.plain import say
from qpsearch.display.shown import scalar
from qpsearch.errors import SpaceError, StorageError, StudyNotFound, UserError, command, counted
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.space import Space, diff, find_space, json_schema, shipped
from qpsearch.space.file.loader import load_space

app = typer.Typer(help="Look at space files.", no_args_is_help=True)


@app.command("check")
def check(space: SpaceArgument, as_json: Json = False) -> None:
    """Check a space file: every problem at once, each with its place and the nearest fix.

    Examples:
        qpsearch space check mine.yaml
    """
    if not as_json:
        check_and_print(space)
        return
    try:
        loaded = load_space(space)
        for each in (loaded,) if loaded.compare is None else loaded.compare.arms.values():
            check_feasible(each)
    except SpaceError as error:
        print_json({"valid": False, "problems": error.problems})
        raise typer.Exit(error.exit_code) from None
    found = {"study": loaded.study, "fingerprint": loaded.fingerprint, "parameters": list(loaded.searched)}
    arms = {} if loaded.compare is None else {name: list(arm.searched) for name, arm in loaded.compare.arms.items()}
    converted = [] if loaded.data.own is None else [*loaded.data.own.converted]
    print_json({"valid": True} | found | ({"arms": arms} if arms else {}) | {"notes": notes(loaded) + converted})


@app.command("plan")
def plan(
    space: SpaceArgument,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time three networks on this machine, for some seconds.")
    ] = True,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Show a search before it runs: what is searched and when, how large the networks are, what it will cost.

    Examples:
        qpsearch space plan digits
        qpsearch space plan mine.yaml --no-measure
    """
    from qpsearch.cli.plan import show_plan

    show_plan(load_space(space, settings or []), measure=measure, as_json=as_json)


@app.command("sample")
def sample(
    space: SpaceArgument,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=100_000, help="How many.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same.")] = 0,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Draw configurations that may be trained, evenly, each resolved with every default.

    Examples:
        qpsearch space sample digits -n 3
    """
    from qpsearch.architecture.candidates import sample as draw
    from qpsearch.architecture.cost import cost

    points = draw(load_space(space, settings or []), count, seed)
    if as_json:
        rows = [
            {"params": point.draw.params, "config": json.loads(point.config.to_json())}
            | {"cost": {name: getattr(cost(point.config.network), name) for name in ("parameters", "macs")}}
            for point in points
        ]
        print_json({"samples": rows})
        return
    for index, point in enumerate(points):
        network, total = point.config.network, cost(point.config.network)
        blocks = ", ".join(f"{stage.depth} x {stage.block} {stage.width}" for stage in network.stages)
        say(f"{index}: {blocks}; {total.parameters:,} parameters, {total.macs / 1e6:,.1f}M MACs")
        for name, value in point.draw.params.items():
            say(f"     {name} = {scalar(value)}")


@app.command("diff")
def diff_(
    context: typer.Context,
    old: Annotated[
        str,
        typer.Argument(
            help="A space file, the name of a shipped space, or of a study.",
            metavar="A",
            autocompletion=space_and_study_names,
        ),
    ],
    new: Annotated[str, typer.Argument(help="Another one.", metavar="B", autocompletion=space_and_study_names)],
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Say what differs in meaning between two spaces; comments, order and spelling do not count.

    A name that a shipped space and a study have is that of the space; with --storage, of the study.

    Examples:
        qpsearch space diff digits mine.yaml
        qpsearch space diff mine.yaml mine --storage studies/qpsearch.db
    """
    source = context.get_parameter_source("storage")
    is_study_first = source is not None and source.name == "COMMANDLINE"
    found = diff(*(_space_of(each, storage, is_study_first=is_study_first) for each in (old, new)))
    if as_json:
        print_json({"same": not found, "differences": found})
        return
    for line in found or ["no difference in meaning: one study can run on either"]:
        say(line)


def _space_of(name: str, storage: str, *, is_study_first: bool) -> Space:
    """Return the space of a file, a shipped space or a study."""
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    is_shipped = name in shipped()
    if Path(name).suffix in (".yaml", ".yml") or os.path.isfile(name) or (is_shipped and not is_study_first):
        return load_space(name)
    try:
        with closing(Database.open(storage)) as database:
            return queries.space_of(database, name)
    except (StudyNotFound, StorageError) as error:
        try:
            return load_space(name)
        except SpaceError as missing:
            also = [f"As a study: {error}"] if is_study_first or isinstance(error, StudyNotFound) else []
            raise SpaceError([*missing.problems, *also]) from None


@app.command("schema")
def schema(
    output: Annotated[Path | None, typer.Option(help="Write it here instead of printing it.", metavar="FILE")] = None,
) -> None:
    """Write a JSON Schema, with which editors complete, explain and check space files while you type.

    Examples:
        qpsearch space schema --output space.schema.json
    """
    text = json.dumps(json_schema(), indent=1)
    if output is None:
        say(text)
        return
    write_new(output, text + "\n")
    say(f"{output}: written. First line of a space file: # yaml-language-server: $schema={output}")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show the spaces that come with qpsearch.

    Examples:
        qpsearch space list
    """
    found = {name: (load_space(path), path) for name, path in shipped().items()}
    if as_json:
        rows = [
            {"name": name, "study": space.study, "dataset": space.data.dataset, "trials": space.search.budget.trials}
            | {"parameters": len(space.searched), "about": _about(path)}
            for name, (space, path) in found.items()
        ]
        print_json({"spaces": rows})
        return
    console = open_console()
    width = max(map(len, found))
    for name, (space, path) in found.items():
        size = f"{counted(len(space.searched), 'parameter')}, {counted(space.search.budget.trials, 'trial')}"
        console.print(f"{name:<{width}}  data {space.data.dataset}, {size}", soft_wrap=True)
        for line in textwrap.wrap(_about(path), min(console.width, 100) - 4):
            console.print(f"    {line}")
    console.print("one of them: qpsearch space plan NAME, space copy NAME, run NAME")


@app.command("copy")
def copy(
    name: Annotated[str, typer.Argument(help="Name of a shipped space.", metavar="NAME", autocompletion=space_names)],
    output: Annotated[Path | None, typer.Argument(help="The new file; default NAME.yaml.", metavar="FILE")] = None,
) -> None:
    """Write a shipped space into a file of your own, to edit; its study has the name of the file.

    Examples:
        qpsearch space copy digits mine.yaml
    """
    source = find_space(name)
    path = output or Path(f"{source.stem}.yaml")
    path = path / source.name if path.is_dir() else path
    text = source.read_text()
    with suppress(UserError):  # a file may have a name that a study cannot have
        text = re.sub(r"^study: .*$", f"study: {checked_name(path.stem)}", text, count=1, flags=re.MULTILINE)
    write_new(path, text)
    say(f"{path}: written. Edit it, then: {command('run', path)}")


def _about(path: Path) -> str:
    """Return how a space file's leading comment begins, up to the first line that ends a sentence."""
    told: list[str] = []
    for line in path.read_text().splitlines():
        if not line.startswith("#") or (told and told[-1].endswith((".", "?"))):
            break
        told.append(line.removeprefix("#").strip())
    return " ".join(told)
