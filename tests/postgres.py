"""A real PostgreSQL server in a folder, started and stopped by tests."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from qpsearch.study.storage.database import Database

PASSWORD = "top-secret-word"
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(shutil.which("pg_ctl") or "pg_ctl").parent]


class Postgres:
    """A server with its own data folder; it needs the Debian package ``postgresql``, or pg_ctl in the path."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="qpsearch-postgres-"))
        self._template: str | None = None
        self._user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            shutil.chown(secret, self._user)
        self._run("initdb", "-D", self._data, "-U", "qp", "--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop; ``immediate`` is what a crash looks like to its clients."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def url(self, database: str, user: str = "qp", password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template1") -> str:
        """Make an empty database, or a copy of another; return its URL."""
        name = f"q{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def new_study_database(self) -> str:
        """Make a database with all tables and no study; return its URL."""
        if self._template is None:
            made = self.new_database()
            Database.create(made).close()
            self._template = made.rsplit("/", 1)[1]
        return self.new_database(self._template)

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="qp", password=PASSWORD, dbname=database, autocommit=True
        ) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    @contextmanager
    def bouncer(self, mode: str) -> Iterator[Callable[[str], str]]:
        """Run a PgBouncer before this server; gives what turns a URL of the server into one of the bouncer."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        file = self._folder / f"{mode}.ini"
        file.write_text(
            f"[databases]\n* = host=127.0.0.1 port={self.port} user=qp password={PASSWORD}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode = {mode}\n"
            f"unix_socket_dir =\nlogfile = {self._folder}/{mode}.log\ndefault_pool_size = 5\n"
        )
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"  # the Debian package pgbouncer
        process = subprocess.Popen([program, "-q", str(file)], user=self._user, cwd=self._folder)
        try:
            for _ in range(100):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield lambda url: url.replace(f":{self.port}/", f":{port}/")
        finally:
            process.terminate()
            process.wait()

    def _run(self, program: str, *arguments: str) -> None:
        path = next((folder / program for folder in reversed(BINARIES) if (folder / program).exists()), Path(program))
        for attempt in range(5):
            done = subprocess.run(
                [str(path), *arguments],
                user=self._user,
                cwd=self._folder,
                stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,  # a server would keep the pipe
                stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return
            time.sleep(attempt)
        raise RuntimeError(f"{program} failed: {done.stderr}")
