"""Entry of the ``qpsearch`` command: commands are collected, errors become one message and an exit code."""

import sys
from typing import Annotated

import typer

import qpsearch
from qpsearch.cli import answers, dashboard, housekeeping, spaces, studies
from qpsearch.cli.studies import INTERRUPTED
from qpsearch.errors import QpsearchError

app = typer.Typer(
    help="Search residual, quotient and product-unit networks: does a block help, where, and how sure is that.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(studies.run)
app.command("resume")(studies.resume)
app.command("status")(answers.status)
app.command("trials")(answers.trials)
app.command("best")(answers.best)
app.command("importance")(answers.importance)
app.command("export")(housekeeping.export)
app.command("import")(housekeeping.import_)
app.command("dashboard")(dashboard.dashboard)
app.add_typer(housekeeping.app, name="studies")
app.add_typer(spaces.app, name="space")


def _version(asked: bool) -> None:
    if asked:
        print(f"qpsearch {qpsearch.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; exit 0 done, 1 the run failed, 2 your file or flag, 130 interrupted."""
    try:
        app()
    except QpsearchError as error:
        print(f"qpsearch: {error}" if "\n" not in str(error) else str(error), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # `qpsearch trials | head` is no fault
        sys.exit(0)


if __name__ == "__main__":
    main()
