"""From a worker's message to the ledger, the same for every dispatcher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.worker import Message
from qpsearch.records import Assignment, Failed, Progress

if TYPE_CHECKING:  # a worker imports this file, and has no use for the database
    from qpsearch.study.ledger import Ledger


def deliver(ledger: Ledger, assignment: Assignment, message: Message, interrupt: Interrupt) -> bool:
    """Hand a message to the ledger; return whether the worker shall go on with this attempt."""
    match message:
        case Failed():
            ledger.fail(assignment.trial, assignment.attempt, message)
            return False
        case Progress():
            go_on = ledger.report(assignment.trial, assignment.attempt, message)
    if go_on and interrupt.requested:
        ledger.interrupt(assignment.trial, assignment.attempt)
        return False
    return go_on


def lost(ledger: Ledger, assignment: Assignment, failed: Failed, interrupt: Interrupt) -> None:
    """Record that a worker is gone: its trial fails, unless the user stops the study and the worker with it."""
    if interrupt.requested:
        ledger.interrupt(assignment.trial, assignment.attempt)
    else:
        ledger.fail(assignment.trial, assignment.attempt, failed)
