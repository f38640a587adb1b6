"""The command line: every command with the file that holds it, imported only when it is asked for."""

from importlib import import_module
from typing import Annotated, Final

import typer

import qpsearch

# The command or group of commands, the file that holds it, and its name there; ``app`` is a group.
COMMANDS: Final = (
    ("run", "run", "run"),
    ("resume", "run", "resume"),
    ("status", "results", "status"),
    ("trials", "results", "trials"),
    ("best", "results", "best"),
    ("importance", "results", "importance"),
    ("evaluate", "evaluate", "evaluate"),
    ("export", "studies", "export"),
    ("import", "studies", "import_"),
    ("dashboard", "dashboard", "dashboard"),
    ("studies", "studies", "app"),
    ("space", "spaces", "app"),
    ("model", "models", "app"),
)


def _version(asked: bool) -> None:
    if asked:
        print(f"qpsearch {qpsearch.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    imports: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            metavar="MODULE",
            help="A module, or a .py file, with blocks of your own; may stand anywhere. Or QPSEARCH_IMPORT.",
        ),
    ] = None,  # main has taken it out of the words already; here it is explained
) -> None:
    pass


def make_app(asked: str | None = None) -> typer.Typer:
    """Return the command line with one command, or with all where that one is not known."""
    app = typer.Typer(
        help="Search residual, quotient and product-unit networks: does a block help, where, and how sure is that.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    known = [command for command in COMMANDS if command[0] == asked]
    for name, file, function in known or COMMANDS:
        found = getattr(import_module(f"qpsearch.cli.{file}"), function)
        if function == "app":
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app
