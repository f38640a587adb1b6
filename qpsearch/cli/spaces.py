"""``qpsearch space ...``: files, without running anything."""

from pathlib import Path
from typing import Annotated

import typer

from qpsearch.cli.options import Json, print_json
from qpsearch.errors import SpaceError
from qpsearch.space import load_space

app = typer.Typer(help="Look at space files.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("check")
def check(
    space: Annotated[Path, typer.Argument(help="A space file.", metavar="SPACE")],
    as_json: Json = False,
) -> None:
    """Check a space file: every problem at once, each with its line and the nearest fix."""
    try:
        loaded = load_space(space)
    except SpaceError as error:
        if not as_json:
            raise
        print_json({"valid": False, "problems": error.problems})
        raise typer.Exit(error.exit_code) from None
    meaning = loaded.meaning()
    searched = [path for path, leaf in meaning.items() if leaf.startswith("{")]
    if as_json:
        print_json({"valid": True, "study": loaded.study, "fingerprint": loaded.fingerprint, "parameters": searched})
        return
    what = (
        f"{len(searched)} parameters:"
        if searched
        else "nothing is searched: each trial is another seed of one network."
    )
    print(f"{space}: fine. Study {loaded.study}, {loaded.search.budget.trials} trials, {what}")
    width = max((len(path) for path in searched), default=0)
    for path in searched:
        print(f"  {path:<{width}}  {meaning[path]}")
