"""A report that is served to browsers of this machine and follows its study."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTP_PORT
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import QpsearchError, UserError

if TYPE_CHECKING:
    from qpsearch.analysis.page import HtmlPage

HOST: Final = "127.0.0.1"
EVERY_S: Final = 2.0  # between two questions of a page whether the study has moved on
JSON, TEXT = "application/json", "text/plain; charset=utf-8"
SAFE: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
REST: Final = 4.0  # times what making a page took, before it is made again


@dataclass(kw_only=True)
class LiveReport:
    """A report and its newest page.

    Attributes:
        study: The study's name, for messages.
        state: Returns a word that changes with what the report shows, and whether the study runs.
        make: Returns the page.
        clock: Returns seconds.
    """

    study: str
    state: Callable[[], tuple[str, bool]]
    make: Callable[[], "HtmlPage"]
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _made: "tuple[str, HtmlPage] | None" = None
    _is_running: bool = False
    _next: float = 0.0

    def current(self) -> "tuple[str, HtmlPage]":
        """Return the newest page with its revision; a study that moves fast does not keep the machine busy."""
        with self._lock:
            now = self.clock()
            if self._made is None or now >= self._next:
                word, self._is_running = self.state()
                revision = hashlib.sha256(f"{word} {self._is_running}".encode()).hexdigest()[:16]
                if self._made is None or self._made[0] != revision:
                    self._made = revision, self.make()
                self._next = self.clock() + max(EVERY_S / 2, REST * (self.clock() - now))
            return self._made

    def revision(self) -> dict[str, Any]:
        """Return what a page asks for again and again."""
        return {"revision": self.current()[0], "is_running": self._is_running}

    def content(self) -> str:
        """Return, as JSON, what a page replaces when the revision has changed."""
        from qpsearch.analysis.page import embedded

        revision, page = self.current()
        return embedded(page.content() | {"revision": revision})

    def html(self) -> str:
        """Return the whole page."""
        revision, page = self.current()
        return page.html(live={"revision": revision, "every_s": EVERY_S})


def make_server(report: LiveReport, port: int | None) -> ThreadingHTTPServer:
    """Return a server of a report on the loopback interface.

    Args:
        report: What is served.
        port: The port; None for a free one.

    Raises:
        UserError: The port is in use, or may not be used.
    """
    try:
        server = ThreadingHTTPServer((HOST, port or 0), _handler(report))
    except OSError as error:
        hint = f" Another one: --port {port + 1}." if port is not None and port < 65535 else ""
        raise UserError(f"--port {port}: cannot be used at {HOST} ({error.strerror}).{hint}") from None
    server.daemon_threads = True
    return server


def address(server: ThreadingHTTPServer) -> str:
    """Return where a server's page is."""
    return f"http://{HOST}:{server.server_port}/"


def _handler(report: LiveReport) -> type["Handler"]:
    return type("ReportHandler", (Handler,), {"report": report})


class Handler(BaseHTTPRequestHandler):
    """Answers GET for the three paths of a report, to this machine alone.

    Attributes:
        report: What is served.
    """

    report: LiveReport
    server_version, sys_version = "qpsearch", ""

    def do_GET(self) -> None:
        """Answer a request."""
        if not self._is_for_us():
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, TEXT, "This address is not served here.\n")
            return
        match self.path:
            case "/":
                self._made("text/html; charset=utf-8", self.report.html)
            case "/revision":
                self._made(JSON, lambda: json.dumps(self.report.revision()))
            case "/content":
                self._made(JSON, self.report.content)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, TEXT, "There is no such page.\n")

    def log_message(self, *given: object) -> None:
        """Say nothing: a page asks every few seconds."""

    def _made(self, kind: str, make: Callable[[], str]) -> None:
        try:
            said, status = make(), HTTPStatus.OK
        except QpsearchError as error:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            said, kind = (json.dumps({"problem": str(error)}), JSON) if kind == JSON else (f"{error}\n", TEXT)
        self._answer(status, kind, said)

    def _is_for_us(self) -> bool:
        """Whether the address names this machine: a page of another site may not read through its own name."""
        port = self.connection.getsockname()[1]
        names = (HOST, "localhost")
        served = {f"{name}:{port}" for name in names} | (set(names) if port == HTTP_PORT else set())
        return self.headers.get("Host") in served

    def _answer(self, status: HTTPStatus, kind: str, said: str) -> None:
        body = said.encode("utf-8", "backslashreplace")
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body))} | SAFE
        for name, each in headers.items():
            self.send_header(name, each)
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError, TimeoutError):  # the browser has gone on
            self.wfile.write(body)
