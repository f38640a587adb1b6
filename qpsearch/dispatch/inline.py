"""One trial at a time in one child process, without Ray: for tests, for debugging, for machines without Ray.

The child is reused from trial to trial and replaced when it dies, hangs or runs out of memory. Parent and
child take turns: after each message the child waits until the parent tells it to continue.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from qpsearch.architecture.plugins import safe_path
from qpsearch.dispatch import private_folder
from qpsearch.dispatch.environment import for_workers
from qpsearch.dispatch.handlers import handle_lost_worker, handle_message
from qpsearch.dispatch.interrupt import SIGNALS, Interrupt
from qpsearch.dispatch.watchdog import FROZEN, SLACK_S, cause_of_death, hang_file, read_hang
from qpsearch.dispatch.worker import WorkerMustRestart, WorkerSetup, messages
from qpsearch.errors import DispatchError
from qpsearch.protocol import Assignment, Message

if TYPE_CHECKING:  # a worker imports this file and does not need the database
    from qpsearch.study.ledger import Ledger

SAFE_PATH = "PYTHONSAFEPATH"  # Python's own
READY = "ready"
POLL_S = 0.1
IDLE_S = 0.5
KILL_S = 10.0  # how long a killed child may take to end; one that waits for a disk may take for ever


def run(ledger: Ledger, setup: WorkerSetup, interrupt: Interrupt) -> None:
    """Run a study until its budget is spent or the user stops it."""
    with private_folder.held(setup.key):
        _run(ledger, setup, interrupt)


def _run(ledger: Ledger, setup: WorkerSetup, interrupt: Interrupt) -> None:
    child: _Child | None = None
    try:
        while not interrupt.requested:
            assignment = ledger.ask()
            if assignment is None and ledger.finished:
                break
            if assignment is None:
                time.sleep(IDLE_S)  # another driver may leave an open trial
                continue
            child = child or _Child(setup)
            if not _attend(ledger, setup, child, assignment, interrupt):
                child.kill()
                child = None
    finally:
        if child is not None:
            child.kill()


def _attend(ledger: Ledger, setup: WorkerSetup, child: _Child, assignment: Assignment, interrupt: Interrupt) -> bool:
    """Handle the messages of one attempt to its end; return whether the child can take another attempt."""
    child.begin(assignment)
    while True:
        try:
            message = child.receive(interrupt)
        except TimeoutError:  # its own watchdog did not end it
            handle_lost_worker(ledger, assignment, cause_of_death(FROZEN, ""), interrupt)
            return False
        except EOFError:
            if not child.is_ready:
                raise DispatchError(f"a worker cannot start ({child.exit_text()}); what it said is above") from None
            text = f"the worker process died ({child.exit_text()})"  # once it has exited, its file is complete
            died = cause_of_death(read_hang(hang_file(setup.key, assignment)), text)
            handle_lost_worker(ledger, assignment, died, interrupt)
            return False
        if message is None:
            ledger.interrupt(assignment.trial, assignment.attempt)
            return False
        if isinstance(message, WorkerMustRestart):
            handle_message(ledger, assignment, message.failed, interrupt)
            return False
        if not handle_message(ledger, assignment, message, interrupt):
            child.stop_attempt()
            return True
        child.go_on()


class _Child:
    def __init__(self, setup: WorkerSetup) -> None:
        context = multiprocessing.get_context("spawn")  # a forked child would inherit threads and locks
        self.is_ready = False
        self._patience_s = setup.report_timeout_s and setup.report_timeout_s + SLACK_S
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(theirs, setup, os.environ.get(SAFE_PATH)), daemon=True
        )
        with _unseen_program(), _safe_imports(), for_workers():
            # Ctrl-C and a SIGTERM to the group reach the child too; the parent decides, and kills it by SIGKILL.
            resource_tracker.ensure_running()  # its own start would unblock the signals again
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            try:
                self._process.start()  # inherits the mask, from its first instruction on
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()

    def begin(self, assignment: Assignment) -> None:
        self._send(assignment)

    def go_on(self) -> None:
        self._send(True)

    def stop_attempt(self) -> None:
        self._send(False)

    def receive(self, interrupt: Interrupt) -> Message | WorkerMustRestart | None:
        """Return the next message; None when the grace period of an interrupt is over.

        Raises:
            EOFError: The child is gone.
            TimeoutError: The child neither reports nor ends.
        """
        while True:
            began = time.monotonic()
            while not self._pipe.poll(POLL_S):
                if interrupt.expired:
                    return None
                if self.is_ready and self._patience_s is not None and time.monotonic() - began > self._patience_s:
                    raise TimeoutError
            try:
                message: Message | WorkerMustRestart | str = self._pipe.recv()
            except OSError:  # it was killed, perhaps in the middle of a message
                raise EOFError from None
            if message != READY:
                assert not isinstance(message, str)
                return message
            self.is_ready = True

    def exit_text(self) -> str:
        self._process.join()
        code = self._process.exitcode
        return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"

    def kill(self) -> None:
        self._process.kill()
        self._process.join(KILL_S)
        self._pipe.close()

    def _send(self, word: Assignment | bool) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the child died: the next receive says so
            self._pipe.send(word)


@contextlib.contextmanager
def _unseen_program() -> Iterator[None]:
    """Start a process that does not run the user's program again.

    A spawned process runs the file of ``__main__`` to find its definitions. Our worker does not need them, and a
    program or notebook that calls ``qpsearch.run`` at its top level would start another study in each worker.
    """
    program = sys.modules["__main__"]
    hidden: dict[str, object] = {
        name: vars(program)[name] for name in ("__file__", "__spec__") if name in vars(program)
    }
    vars(program).pop("__file__", None)
    program.__spec__ = None
    try:
        yield
    finally:
        vars(program).update(hidden)


@contextlib.contextmanager
def _safe_imports() -> Iterator[None]:
    """Start processes that do not import files of the current folder in place of installed modules."""
    path, given = sys.path, os.environ.get(SAFE_PATH)
    sys.path, os.environ[SAFE_PATH] = safe_path(), "1"  # a spawned process takes over sys.path after its first imports
    try:
        yield
    finally:
        sys.path = path
        _set_safe_path(given)


def _set_safe_path(given: str | None) -> None:
    """Set or unset the variable for the programs that this process starts."""
    if given is None:
        os.environ.pop(SAFE_PATH, None)
    else:
        os.environ[SAFE_PATH] = given


def _serve(pipe: Connection, setup: WorkerSetup, given_safe_path: str | None) -> None:
    """Body of the child: take assignments until the parent closes the pipe."""
    _set_safe_path(given_safe_path)  # what a trainer starts finds modules as the user wants
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        pipe.send(READY)
        try:
            while True:
                assignment: Assignment = pipe.recv()
                for message in messages(assignment, setup, setup.device):
                    pipe.send(message)
                    if not pipe.recv():
                        break
        except WorkerMustRestart as restart:
            pipe.send(restart)
