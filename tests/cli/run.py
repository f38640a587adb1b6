"""Calling the command line as a user does: in a separate process and a separate folder."""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 250
Done = subprocess.CompletedProcess[str]


def qpsearch(folder: Path, *arguments: str, scripted: bool = False, **environment: str) -> Done:
    """Run ``qpsearch ARGUMENTS`` in a folder, with the scripted trainer if asked, in a fork of a warm process.

    That is a process as any other, whose libraries are imported already; ``started`` is for what this could hide.
    """
    return _warm().run(_module(scripted), folder, arguments, _environment(environment))


def started(folder: Path, *arguments: str, scripted: bool = False, **environment: str) -> Done:
    """Run ``qpsearch ARGUMENTS`` as ``qpsearch`` does, but in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-m", "tests.driver" if scripted else "qpsearch", *arguments],
        cwd=folder,
        env=_environment(environment),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def set_traps(folder: Path) -> None:
    """Put files into a folder that end whatever process imports them in place of installed modules."""
    for name in ("torch", "numpy", "optuna", "pydantic", "psutil", "random", "multiprocessing", "tempfile", "socket"):
        (folder / f"{name}.py").write_text("raise SystemExit(f'{__file__} was imported')")


def reply(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a command with ``--json`` and return its document: nothing else may be printed, and no NaN be in it."""
    done = qpsearch(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert isinstance(document, dict)
    return document


def documented(kind: type, document: dict[str, Any]) -> None:
    """Check a document against its JSON Schema, which the reference shows; it has no other keys."""
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            part["additionalProperties"] = False
            part["required"] = list(part["properties"])
    jsonschema.validate(document, schema)


class Warm:
    """The other end of ``tests/cli/warm.py``."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="qpsearch-warm-")
        self._connection, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.warm", str(theirs.fileno())],
            env=_environment({}),
            cwd=self._folder.name,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # so that a command that hangs is killed with it
        )
        theirs.close()
        self._connection.settimeout(TIMEOUT_S)
        self._lines = self._connection.makefile("rw")
        self._count = 0

    def run(self, module: str, folder: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> Done:
        self._count += 1  # what an earlier command has left running does not write here
        out, err = (Path(self._folder.name) / f"{name}-{self._count}" for name in ("out", "err"))
        for path in (out, err):
            path.write_text("")
        asked = {"module": module, "folder": str(folder), "arguments": arguments, "environment": environment}
        print(json.dumps(asked | {"out": str(out), "err": str(err)}), file=self._lines, flush=True)
        try:
            code = int(self._lines.readline())
        except (TimeoutError, ValueError):
            self.close()
            _warm.cache_clear()
            raise RuntimeError(f"no end of {arguments}: {out.read_text()}{err.read_text()}") from None
        return Done([module, *arguments], code, out.read_text(), err.read_text())

    def close(self) -> None:
        self._connection.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()


@cache
def _warm() -> Warm:
    warm = Warm()
    atexit.register(warm.close)
    return warm


def _module(scripted: bool) -> str:
    return "tests.driver" if scripted else "qpsearch.cli.main"


def _environment(given: dict[str, str]) -> dict[str, str]:
    own = ("QPSEARCH_", "COLUMNS", "LINES")  # a pipe is as wide as a test says
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    return inherited | {"PYTHONPATH": str(ROOT)} | given
