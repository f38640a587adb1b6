"""From a worker's message to the ledger, the same for every dispatcher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.errors import DispatchError, command
from qpsearch.protocol import Assignment, Failed, Halted, Message, Progress, Underway
from qpsearch.vocabulary import FailReason

if TYPE_CHECKING:  # a worker imports this file and does not need the database
    from qpsearch.study.ledger import Ledger


def handle_message(ledger: Ledger, assignment: Assignment, message: Message, interrupt: Interrupt) -> bool:
    """Hand a message to the ledger; return whether the worker should continue this attempt.

    Raises:
        DispatchError: The worker's machine cannot continue.
    """
    match message:
        case Halted():
            ledger.interrupt(assignment.trial, assignment.attempt)
            again = command("resume", ledger.name)
            raise DispatchError(f"{message.detail} The trial stays open. After the fix: {again}")
        case Failed():
            ledger.fail(assignment.trial, assignment.attempt, message)
            return False
        case Underway():
            return ledger.hear(assignment.trial, assignment.attempt, message)
        case Progress():
            go_on = ledger.report(assignment.trial, assignment.attempt, message)
            if message.more:  # what is done is recorded
                return go_on
    if go_on and (interrupt.requested or ledger.is_over):
        ledger.interrupt(assignment.trial, assignment.attempt)
        return False
    return go_on


def handle_lost_worker(ledger: Ledger, assignment: Assignment, failed: Failed, interrupt: Interrupt) -> None:
    """Record that a worker is lost: its trial continues in another worker, unless it hung or raised an error."""
    if interrupt.requested:  # it may be the user who stops the worker too
        ledger.interrupt(assignment.trial, assignment.attempt)
    elif failed.reason in (FailReason.WORKER_LOST, FailReason.OUT_OF_MEMORY):  # perhaps by another program's fault
        ledger.lose(assignment.trial, assignment.attempt, failed)
    else:
        ledger.fail(assignment.trial, assignment.attempt, failed)
