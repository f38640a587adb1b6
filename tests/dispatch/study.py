"""Running a scripted study on either dispatcher."""

from collections.abc import Callable
from pathlib import Path

from qpsearch.dispatch import inline, tune
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.worker import Bench, Trainer
from qpsearch.records import TrialRecord
from qpsearch.space import parse_space
from qpsearch.study import reading
from qpsearch.study.events import Event
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage import Database
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
    bench = Bench(
        trainer=trainer,
        checkpoints=str(ledger.checkpoints.root),
        data_folder=None,
        device="cuda" if gpus else "cpu",
        threads=1,
        report_timeout_s=ledger.space.resources.report_timeout_s,
    )
    if kind == "inline":
        inline.run(ledger, bench, interrupt or Interrupt())
    else:
        tune.run(ledger, bench, interrupt or Interrupt(), cpus=1, gpus=gpus, slots=slots)


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
    found = reading.trial_records(database, name)
    database.close()
    return found


def log_lines(folder: Path) -> list[list[str]]:
    """What the scripted trainers logged: trial, run, epoch, stem, process."""
    return [line.split() for line in (folder / "log").read_text().splitlines()]
