"""A process that has imported everything and forks a child for each command: ``python -m tests.cli.warm``.

A command takes half a second to import its libraries, two with torch; a fork of this process has them already, and so
has the worker that it starts. It is a process of its own all the same: no state of one command reaches the next, or the
test. Ray is not imported here: it starts threads, which a fork does not keep.
"""

import atexit
import gc
import json
import multiprocessing
import os
import pkgutil
import runpy
import socket
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from qpsearch.architecture.blocks import BLOCKS
from qpsearch.registry.metrics import METRICS
from qpsearch.registry.own.custom import CUSTOM
from qpsearch.registry.samplers import OWN
from qpsearch.space.schema.data import DATASET
from qpsearch.space.schema.network import RULES, STAGE
from qpsearch.space.schema.rules import BLOCK
from qpsearch.space.schema.search import SAMPLERS

# What modules of a user's own add to, and what it holds without them.
TABLES: list[tuple[Any, dict[str, Any]]] = [
    (table, dict(table)) for table in (BLOCKS, CUSTOM, OWN, METRICS, SAMPLERS, RULES.fields, STAGE.fields)
]
LISTS = [(words, list(words)) for words in (BLOCK.words, DATASET.words)]
WITH_RAY = tuple(
    f"qpsearch.dispatch.{name}" for name in ("tune", "cluster", "packing", "deaths", "node", "tokens", "tune_patches")
)
WORKERS = "qpsearch.dispatch.preloaded"  # loads Ray and torch as a worker does
LIBRARIES = (
    *("alembic.command", "alembic.config", "alembic.migration", "optuna", "psycopg", "sqlalchemy.dialects.sqlite"),
    *("plotly.graph_objects", "pyarrow.parquet", "sklearn.datasets", "sklearn.ensemble"),
    *("pydantic.dataclasses", "rich.markdown", "torch._dynamo", "typer._adapters", "typer._click.decorators", "typer.rich_utils"),
)  # fmt: skip


def import_everything() -> None:
    """Import what commands import; a block of a user's own is none of it."""
    import qpsearch

    for library in LIBRARIES:
        with suppress(ModuleNotFoundError):  # other versions do not have it
            import_module(library)
    for module in pkgutil.walk_packages(qpsearch.__path__, "qpsearch."):
        if module.name not in (*WITH_RAY, WORKERS) and "migrations" not in module.name:
            import_module(module.name)
    sys.modules["plotly.graph_objects"].Figure(layout_template="plotly_white").to_json()  # imports what a figure needs
    assert "ray" not in sys.modules
    gc.collect()
    gc.freeze()  # what no child collects needs no copy


def serve(connection: socket.socket) -> None:
    """Run one command after another, until the other end hangs up."""
    with connection.makefile("rw") as lines:
        for line in lines:
            command: dict[str, Any] = json.loads(line)
            child = os.fork()
            if child == 0:
                connection.close()
                _run(command)
            lines.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
            lines.flush()


def _run(command: dict[str, Any]) -> None:
    """Be the command, to the end of this process."""
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), (command["out"], os.O_WRONLY), (command["err"], os.O_WRONLY))
    ):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    _fork_workers()
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    sys.argv[1:] = command["arguments"]
    code = _exit_code(command["module"])
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(code)


def _fork_workers() -> None:
    """Let a worker, too, be a fork that has its libraries: it takes two seconds to import torch.

    What a fork could hide, such as a worker that cannot be sent what it needs, shows where workers are started: tests of
    ``started`` commands and of dispatchers.
    """
    vars(import_module("qpsearch.dispatch.inline"))["_started"] = _ForkedWorker


class _ForkedWorker:
    """What ``subprocess.Popen`` is to a dispatcher."""

    def __init__(self, pipe: Connection) -> None:
        self._process = multiprocessing.get_context("fork").Process(target=_work, args=(pipe,), daemon=True)
        self._process.start()
        self.kill = self._process.kill

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode


def _work(pipe: Connection) -> None:
    from qpsearch.dispatch import environment, inline

    own = environment.for_worker()
    os.environ.clear()
    os.environ.update(own)
    sys.path = pipe.recv()
    for table, known in TABLES:  # as in a new interpreter, nothing of the user's own is there yet
        table.clear()
        table.update(known)
    for words, first in LISTS:
        words[:] = first
    inline.serve(pipe)


def _exit_code(module: str) -> int:
    """Run a module as ``python -m`` does; return what the interpreter would exit with."""
    try:
        if module == "qpsearch.cli.main":
            import_module(module).main()
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        print(left.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    import_everything()
    serve(socket.socket(fileno=int(sys.argv[1])))
