"""``qpsearch report``: a study as one page for a colleague who was not there."""

import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from qpsearch.analysis.anova.ahead import checked_meanwhile
from qpsearch.cli.options import Storage, StudyArgument
from qpsearch.display.plain import say
from qpsearch.errors import UserError
from qpsearch.runner.machine import DEFAULT_STORAGE


def report(
    study: StudyArgument,
    output: Annotated[
        Path | None, typer.Option(help="The HTML page; default studies/STUDY.html.", metavar="FILE")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Serve the page on this machine, and refresh it while the study runs.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="With --live, the port; default a free one.")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Write a study as one page that opens offline: what was searched, what came out, how sure that is, what it cost.

    Also of a plain Optuna study. With --live the page is served at 127.0.0.1; Ctrl-C ends it.

    Examples:
        qpsearch report digits
        qpsearch report digits --output digits.html
        qpsearch report digits --live
    """
    if port is not None and not live:
        raise UserError(f"--port {port}: only a page that is served has a port. Add --live.")
    if output is not None and live:
        raise UserError(f"--output {output}: --live serves the page and does not write a file. Leave one of them out.")
    if live:
        _serve(storage, study, port)
        return
    with checked_meanwhile():
        from qpsearch.analysis.report import default_path, write_report

        path = output or default_path(study)
        write_report(storage, study, path)
    say(f"page: {path}")


def _serve(storage: str, study: str, port: int | None) -> None:
    from qpsearch.analysis.report import Material, report_of, state_of
    from qpsearch.cli.report_server import LiveReport, address, make_server

    served = LiveReport(
        study=study,
        state=lambda: state_of(storage, study),
        make=lambda: report_of(Material.at(storage, study)),
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores in what it starts with &
    served.current()  # a study that is not there is a message, before anything is served
    with make_server(served, port) as server, suppress(KeyboardInterrupt):
        say(f"report of {study}: {address(server)} (Ctrl-C ends it)", flush=True)
        server.serve_forever()
