"""``qpsearch dashboard``: Optuna's own dashboard on the study database."""

import errno
import socket
from typing import Annotated

import typer

from qpsearch.cli.options import Storage
from qpsearch.display.plain import say
from qpsearch.errors import UserError
from qpsearch.runner.machine import DEFAULT_STORAGE


def dashboard(
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 shows it to the whole network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8080,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Open Optuna's dashboard on the database, also while studies run. Ctrl-C ends it.

    Examples:
        qpsearch dashboard
        qpsearch dashboard --port 8081 --storage other.db
    """
    from qpsearch.cli.dashboard_app import DashboardApp, serve
    from qpsearch.study.queries.dashboard import ShownStorage
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    try:
        import optuna_dashboard
    except ModuleNotFoundError:
        raise UserError("the dashboard is missing. pip install 'qpsearch[dashboard]'.") from None
    check_free(host, port)
    shown = f"[{host}]" if ":" in host else host
    say(f"dashboard of {database.shown}: http://{shown}:{port}/ (Ctrl-C ends it)", flush=True)
    serve(DashboardApp(storage, optuna_dashboard.wsgi(ShownStorage.of(database))), host, port)


def check_free(host: str, port: int) -> None:
    """Raise UserError if the host is not an address of this machine, or this process may not use the port."""
    try:
        family, *_ = socket.getaddrinfo(host, port, socket.AF_INET6 if ":" in host else socket.AF_INET)[0]
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a name"
        raise UserError(
            f"--host {host}: is not an address of this machine ({why}). Expected one as 127.0.0.1."
        ) from None
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            if error.errno == errno.EADDRNOTAVAIL:
                raise UserError(
                    f"--host {host}: is not an address of this machine. Expected one as 127.0.0.1."
                ) from None
            another = port + 1 if port < 65535 else port - 1
            raise UserError(f"--port {port}: {why} at {host}. Another one: --port {another}.") from None
