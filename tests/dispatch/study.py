"""Running a scripted study on either dispatcher."""

from collections.abc import Callable
from pathlib import Path

from qpsearch.dispatch import inline, tune
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.worker import Trainer, WorkerSetup
from qpsearch.space import parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.records import TrialRecord
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Event
from tests import scripted
from tests.helpers import new_ledger


def dispatch(
    kind: str,
    ledger: Ledger,
    interrupt: Interrupt | None = None,
    *,
    slots: int = 2,
    gpus: float = 0,
    trainer: Trainer = scripted.train,
) -> None:
    setup = WorkerSetup(
        trainer=trainer,
        checkpoints=str(ledger.checkpoints.root),
        data_folder=None,
        device="cuda" if gpus else "cpu",
        threads=1,
        report_timeout_s=ledger.space.resources.report_timeout_s,
    )
    if kind == "inline":
        inline.run(ledger, setup, interrupt or Interrupt())
    else:
        tune.run(ledger, setup, interrupt or Interrupt(), cpus=1, gpus=gpus, slots=slots)


def run_study(
    kind: str,
    url: str,
    text: str,
    *,
    interrupt: Interrupt | None = None,
    listener: Callable[[Event], None] = lambda event: None,
    slots: int = 2,
    gpus: float = 0,
    trainer: Trainer = scripted.train,
) -> list[TrialRecord]:
    """Run a new study to its end; return its trials."""
    with new_ledger(url, parse_space(text), listener) as ledger:
        dispatch(kind, ledger, interrupt, slots=slots, gpus=gpus, trainer=trainer)
    return records_of(url)


def records_of(url: str, name: str = "scripted") -> list[TrialRecord]:
    database = Database.open(url)
    found = queries.trial_records(database, name)
    database.close()
    return found


def log_lines(folder: Path) -> list[list[str]]:
    """What the scripted trainers logged: trial, run, epoch, stem, process."""
    return [line.split() for line in (folder / "log").read_text().splitlines()]
