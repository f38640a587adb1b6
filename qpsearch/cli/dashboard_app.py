"""Optuna's dashboard, whose buttons do with a study of qpsearch what qpsearch itself does.

The dashboard renames a study by copying Optuna's tables and deleting the study, which would take everything else with
it; and its bin leaves checkpoints behind. So requests that change a study or trial of qpsearch are answered here.
"""

import json
import re
import socket
from collections.abc import Callable, Iterable
from contextlib import closing
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from qpsearch.errors import QpsearchError, UserError, command
from qpsearch.space.schema.value_types import StudyName
from qpsearch.study import manage
from qpsearch.study.storage.database import Database

STUDIES: Final = "/api/studies"
STUDY: Final = re.compile(rf"{STUDIES}/(\d+)")
RENAME: Final = re.compile(rf"{STUDIES}/(\d+)/rename")
TELL: Final = re.compile(r"/api/trials/(\d+)/tell")

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]


class DashboardApp:
    """A WSGI application around the dashboard's own.

    Args:
        storage: URL of the study database.
        inner: The dashboard.
    """

    def __init__(self, storage: str, inner: Application) -> None:
        self._storage, self._inner = storage, inner
        self._database = Database.open(storage)

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Answer a request that would change what is qpsearch's; pass on all others."""
        try:
            answer = self._answer(environ)
        except QpsearchError as error:
            answer = HTTPStatus.BAD_REQUEST, {"reason": str(error)}
        if answer is None:
            return self._inner(environ, start)
        status, document = answer
        body = b"" if document is None else json.dumps(document).encode()
        start(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [body]

    def _answer(self, environ: Environ) -> tuple[HTTPStatus, dict[str, Any] | None] | None:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method == "POST" and (match := RENAME.fullmatch(path)):
            return self._rename(int(match[1]), environ)
        if method == "DELETE" and (match := STUDY.fullmatch(path)):
            name = manage.name_of(self._database, int(match[1]))
            if name is None:
                return None
            with closing(Database.create(self._storage)) as writer:
                manage.delete(writer, name)
            return HTTPStatus.NO_CONTENT, None
        if method == "POST" and (match := TELL.fullmatch(path)) and manage.is_own_trial(self._database, int(match[1])):
            raise UserError(
                f"this trial is qpsearch's, whose drivers end it. To continue its study: {command('resume', 'STUDY')}."
            )
        return None

    def _rename(self, study: int, environ: Environ) -> tuple[HTTPStatus, dict[str, Any]] | None:
        name = manage.name_of(self._database, study)
        if name is None:
            return None
        try:
            sent = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
            given = sent["study_name"]
            if not isinstance(given, str):
                raise ValueError(f"{given!r} is not text")
            new = str(StudyName().parse(given, "study"))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"study_name: {error}") from None
        with closing(Database.create(self._storage)) as writer:
            manage.rename(writer, name, new)
        shown = self._studies(environ)
        return HTTPStatus.CREATED, next(each for each in shown if each["study_id"] == study)

    def _studies(self, environ: Environ) -> list[dict[str, Any]]:
        """Ask the dashboard for all studies, as its page does."""
        asked = environ | {"REQUEST_METHOD": "GET", "PATH_INFO": STUDIES, "CONTENT_LENGTH": "0"}
        body = b"".join(self._inner(asked, lambda *answer: None))
        found: list[dict[str, Any]] = json.loads(body)["study_summaries"]
        return found


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing: a page asks every few seconds."""


def serve(app: DashboardApp, host: str, port: int) -> None:
    """Answer requests until Ctrl-C."""
    if ":" in host:
        _Server.address_family = socket.AF_INET6
    with _Server((host, port), _Handler) as server:
        server.set_app(app)
        server.serve_forever()
