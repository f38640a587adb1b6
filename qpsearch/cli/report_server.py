"""A report that is served to browsers of this machine and follows its study."""

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import QpsearchError, UserError

if TYPE_CHECKING:
    from qpsearch.analysis.page import Page

HOST: Final = "127.0.0.1"
EVERY_S: Final = 2.0  # between two questions of a page whether the study has moved on
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
    make: Callable[[], "Page"]
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _made: "tuple[str, Page] | None" = None
    _is_running: bool = False
    _next: float = 0.0

    def current(self) -> "tuple[str, Page]":
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

    def content(self) -> dict[str, Any]:
        """Return what a page replaces when the revision has changed."""
        revision, page = self.current()
        return page.content() | {"revision": revision}

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


def _handler(report: LiveReport) -> type[BaseHTTPRequestHandler]:
    from qpsearch.analysis.page import embedded

    class Handler(BaseHTTPRequestHandler):
        """Answers GET for the three paths of a report, to this machine alone."""

        server_version, sys_version = "qpsearch", ""

        def do_GET(self) -> None:
            paths: dict[str, tuple[str, Callable[[], str]]] = {
                "/": ("text/html; charset=utf-8", report.html),
                "/revision": ("application/json", lambda: json.dumps(report.revision())),
                "/content": ("application/json", lambda: embedded(report.content())),
            }
            if not self._is_for_us():
                self._answer(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", "This address is not served here.\n")
            elif self.path not in paths:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", "There is no such page.\n")
            else:
                kind, make = paths[self.path]
                self._made(kind, make)

        def _made(self, kind: str, make: Callable[[], str]) -> None:
            try:
                said = make()
            except QpsearchError as error:
                said = json.dumps({"problem": str(error)}) if kind == "application/json" else f"{error}\n"
                kind = kind if kind == "application/json" else "text/plain; charset=utf-8"
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, kind, said)
                return
            self._answer(HTTPStatus.OK, kind, said)

        def _is_for_us(self) -> bool:
            """Whether the address names this machine: a page of another site may not read through its own name."""
            port = self.server.server_address[1]
            return self.headers.get("Host") in {f"{name}:{port}" for name in (HOST, "localhost")}

        def _answer(self, status: HTTPStatus, kind: str, said: str) -> None:
            body = said.encode("utf-8", "backslashreplace")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cross-Origin-Resource-Policy", "same-origin")
            self.send_header("X-Frame-Options", "DENY")
            self.end_headers()
            try:
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError, socket.timeout):
                self.close_connection = True  # the browser has gone on

        def log_message(self, *given: object) -> None:
            """Say nothing: a page asks every few seconds."""

    return Handler
