"""What tests of the study and of dispatch do again and again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from qpsearch.display.budget import spent_text
from qpsearch.errors import StorageError
from qpsearch.protocol import Assignment, EpochReport, Place, Progress
from qpsearch.space import Space
from qpsearch.study import opening
from qpsearch.study.drivers.clock import SYSTEM, Clock
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Event

HERE = Place(host="here", device="cpu", threads=1, memory_format="contiguous")
SPACES = sorted((Path(__file__).parent.parent / "spaces").glob("*.yaml"))


def ready_database(url: str) -> Database:
    """Open a database for writing; making or checking its tables takes longer than most tests, and most have them."""
    try:
        return Database.open(url)
    except StorageError:
        return Database.create(url)


def new_ledger(
    url: str, space: Space, listener: Callable[[Event], None] = lambda event: None, clock: Clock = SYSTEM
) -> Ledger:
    return Ledger(opening.create(ready_database(url), space, source="test", clock=clock), listener)


def resumed_ledger(
    url: str, name: str = "scripted", listener: Callable[[Event], None] = lambda event: None, **options: Any
) -> Ledger:
    bounds = {"trials": options.pop("asked", None), "epochs": options.pop("epochs", None)}
    database = ready_database(url)
    try:
        return Ledger(opening.resume(database, name, budget=lambda b: b.updated(**bounds), **options), listener)
    except BaseException:
        database.close()
        raise


def spent_of(ledger: Ledger) -> str | None:
    """Return which bound of the budget is reached, as users are told it."""
    return ledger.spent and spent_text(ledger.spent).removeprefix("the budget of ").removesuffix(" is spent")


def abandon(ledger: Ledger) -> None:
    """Leave a ledger as a killed driver does: its lease stands, but its process is gone."""
    ledger._database.write(
        lambda c: c.execute(text("UPDATE qpsearch_leases SET process_started = process_started - 1000"))
    )
    ledger._database.close()


def progress(epoch: int, accuracy: float, replicate: int = 0, checkpoint: str = "", **fields: Any) -> Progress:
    report = EpochReport(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, checkpoint=checkpoint)
    return Progress(replicate=replicate, report=report, place=HERE)


def accuracy_of(assignment: Assignment) -> float:
    """An accuracy that is a function of the configuration, so that samplers have something to learn."""
    config = assignment.config
    bonus = {"additive": 0.1, "quotient": 0.2, "product_unit": 0.0}[config.network.stages[0].block]
    return 0.3 + bonus + config.recipe.optimizer.lr / 2


def train_all(ledger: Ledger, assignment: Assignment, first: int | None = None, until: int | None = None) -> bool:
    """Report the epochs of a one-run trial from its next one to ``until``; return whether it shall go on."""
    epochs = assignment.config.recipe.epochs
    first = first or ledger._running[assignment.trial].epochs_done + 1
    for epoch in range(first, (until or epochs) + 1):
        value = accuracy_of(assignment) * epoch / epochs
        if not ledger.report(assignment.trial, assignment.attempt, progress(epoch, value)):
            return False
    return True


def release(storage: object) -> None:
    """Close every connection of one of Optuna's storages."""
    storage = getattr(storage, "_backend", storage)
    storage.remove_session()  # type: ignore[attr-defined]
    storage.engine.dispose()  # type: ignore[attr-defined]


def rows(url: str, query: str, **values: Any) -> list[Any]:
    """Run SQL on a database."""
    database = Database(url)
    try:
        return database.read(lambda c: list(c.execute(text(query), values)))
    finally:
        database.close()
