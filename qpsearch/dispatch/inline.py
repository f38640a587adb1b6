"""One trial at a time in one child process, without Ray: for tests, for debugging, for machines without Ray.

The child is reused from trial to trial and replaced when it dies, hangs or runs out of memory. Parent and
child take turns: after each message the child waits until the parent tells it to continue.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection, Pipe
from typing import TYPE_CHECKING

from qpsearch.architecture.plugins import safe_path
from qpsearch.dispatch import private_folder
from qpsearch.dispatch.environment import for_worker
from qpsearch.dispatch.handlers import handle_lost_worker, handle_message
from qpsearch.dispatch.interrupt import SIGNALS, Interrupt
from qpsearch.dispatch.watchdog import FROZEN, SLACK_S, cause_of_death, hang_file, read_hang
from qpsearch.dispatch.worker import WorkerMustRestart, WorkerSetup, messages
from qpsearch.errors import DispatchError
from qpsearch.protocol import Assignment, Message

if TYPE_CHECKING:  # a worker imports this file and does not need the database
    from qpsearch.study.ledger import Ledger

# A worker finds modules where this process does, but a file of the current folder stands in for none of them.
PROGRAM = (
    "import sys; from multiprocessing.connection import Connection; pipe = Connection(int(sys.argv[1])); "
    "sys.path = pipe.recv(); from qpsearch.dispatch.inline import serve; serve(pipe)"
)
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
        self.is_ready = False
        self._patience_s = setup.report_timeout_s and setup.report_timeout_s + SLACK_S
        self._pipe, theirs = Pipe()
        self._pipe.send(safe_path())
        # Ctrl-C and a SIGTERM to the group reach the child too; the parent decides, and kills it by SIGKILL.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._process = _started(theirs)  # inherits the mask, from its first instruction on
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
        self._send(setup)

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
        code = self._process.wait()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_S)
        self._pipe.close()

    def _send(self, word: WorkerSetup | Assignment | bool) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the child died: the next receive says so
            self._pipe.send(word)


def _started(pipe: Connection) -> subprocess.Popen[bytes]:
    """Start a worker: neither a fork, which would inherit threads and locks, nor a child of ``multiprocessing``.

    A start of those runs the user's program once more, which may call ``qpsearch.run``, and takes its environment from
    this process, where other threads read it.
    """
    number = pipe.fileno()
    command = [sys.executable, "-P", "-c", PROGRAM, str(number)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[number], env=for_worker())


def serve(pipe: Connection) -> None:
    """Be the worker: take its setup, and assignments until the parent closes the pipe."""
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        setup: WorkerSetup = pipe.recv()
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
