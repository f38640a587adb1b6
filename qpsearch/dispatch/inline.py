"""One trial at a time in one child process, without Ray: for tests, for debugging, for machines without Ray.

The child is reused from trial to trial and replaced when it dies, hangs or runs out of memory. Parent and
child take turns: after each message the child waits for the word to go on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from qpsearch.dispatch.deliver import deliver
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.worker import Bench, Message, cause_of_death, messages
from qpsearch.errors import OutOfMemory
from qpsearch.records import Assignment, Failed
from qpsearch.vocabulary import FailReason

if TYPE_CHECKING:  # a worker imports this file, and has no use for the database
    from qpsearch.study.ledger import Ledger

POLL_S = 0.1


def run(ledger: Ledger, bench: Bench, interrupt: Interrupt) -> None:
    """Run a study until its budget is spent or the user stops it."""
    child: _Child | None = None
    try:
        while not interrupt.requested and (assignment := ledger.ask()) is not None:
            child = child or _Child(bench)
            if not _attend(ledger, child, assignment, interrupt):
                child.kill()
                child = None
    finally:
        if child is not None:
            child.kill()


def _attend(ledger: Ledger, child: _Child, assignment: Assignment, interrupt: Interrupt) -> bool:
    """See one attempt through; return whether the child can take another."""
    child.begin(assignment)
    while True:
        try:
            message = child.receive(interrupt)
        except EOFError:
            died = cause_of_death(ledger.checkpoints, assignment, f"the worker process died ({child.exit_text()})")
            ledger.fail(assignment.trial, assignment.attempt, died)
            return False
        if message is None:
            ledger.interrupt(assignment.trial, assignment.attempt)
            return False
        if not deliver(ledger, assignment, message, interrupt):
            child.stop_attempt()
            return not (isinstance(message, Failed) and message.reason is FailReason.OUT_OF_MEMORY)
        child.go_on()


class _Child:
    def __init__(self, bench: Bench) -> None:
        context = multiprocessing.get_context("spawn")  # a forked child would inherit threads and locks
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(theirs, bench), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, assignment: Assignment) -> None:
        self._send(assignment)

    def go_on(self) -> None:
        self._send(True)

    def stop_attempt(self) -> None:
        self._send(False)

    def receive(self, interrupt: Interrupt) -> Message | None:
        """Return the next message; None when waiting is over."""
        while not self._pipe.poll(POLL_S):
            if interrupt.expired:
                return None
        try:
            message: Message = self._pipe.recv()
        except ConnectionResetError:
            raise EOFError from None
        return message

    def exit_text(self) -> str:
        self._process.join()
        code = self._process.exitcode
        return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _send(self, word: Assignment | bool) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: the next receive says so
            self._pipe.send(word)


def _serve(pipe: Connection, bench: Bench) -> None:
    """Body of the child: take assignments until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    while True:
        try:
            assignment: Assignment = pipe.recv()
            for message in _guarded(assignment, bench):
                pipe.send(message)
                if not pipe.recv():
                    break
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _guarded(assignment: Assignment, bench: Bench) -> Iterator[Message]:
    try:
        yield from messages(assignment, bench, bench.device)
    except OutOfMemory as error:
        yield Failed(reason=FailReason.OUT_OF_MEMORY, detail=str(error))
