"""The command line: every command with its file, which is imported only when the command is used."""

from importlib import import_module
from typing import Annotated, Final

import typer

import qpsearch
from qpsearch.cli.commands import Commands, add, add_group
from qpsearch.display.plain import say

# The command or group of commands, the file that holds it, and its name there; ``app`` is a group.
COMMANDS: Final = (
    ("run", "run", "run"),
    ("resume", "run", "resume"),
    ("status", "results", "status"),
    ("trials", "trials", "trials"),
    ("best", "best", "best"),
    ("importance", "answers", "importance"),
    ("effects", "answers", "effects"),
    ("compare", "compare", "compare"),
    ("plot", "answers", "plot"),
    ("report", "report", "report"),
    ("evaluate", "evaluate", "evaluate"),
    ("confirm", "confirm", "confirm"),
    ("train", "train", "train"),
    ("simulate", "simulate", "simulate"),
    ("rerun", "rerun", "rerun"),
    ("enqueue", "enqueue", "enqueue"),
    ("export", "studies", "export"),
    ("import", "studies", "import_"),
    ("dashboard", "dashboard", "dashboard"),
    ("studies", "studies", "app"),
    ("doctor", "doctor", "doctor"),
    ("space", "spaces", "app"),
    ("model", "models", "app"),
)

EPILOG: Final = (
    "Examples:",
    "qpsearch run digits                 search a space that comes with qpsearch",
    "qpsearch status digits              how far it is, also while it runs",
    "qpsearch trials digits --top 5      the best five",
    "qpsearch run --help                 more about a command, and examples",
    "qpsearch --install-completion       let the shell complete commands and names",
)


def _version(asked: bool) -> None:
    if asked:
        say(f"qpsearch {qpsearch.__version__}")
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
    ] = None,  # main has already removed the option; here it is only documented
) -> None:
    pass


def make_app(asked: str | None = None) -> typer.Typer:
    """Return the command line with one command, or with all commands if that command is unknown."""
    app = typer.Typer(
        help="Search residual, quotient and product-unit networks: does a block help, where, and how sure is that.",
        epilog="\n".join(EPILOG),
        no_args_is_help=True,
        cls=Commands,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    known = [command for command in COMMANDS if command[0] == asked]
    for name, file, function in known or COMMANDS:
        found = getattr(import_module(f"qpsearch.cli.{file}"), function)
        (add_group if function == "app" else add)(app, name, found)
    return app
