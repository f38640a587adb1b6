"""How far an epoch is: told by the worker to displays, and with the driver's heartbeat to ``status``."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from qpsearch.architecture.config import TrialConfig
from qpsearch.dispatch.handlers import handle_message
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.worker import WorkerSetup, messages
from qpsearch.display.progress import LiveDisplay
from qpsearch.protocol import Assignment, EpochReport, Progress, RunSettings, StepCount, Underway
from qpsearch.space import Space
from qpsearch.study import queries
from qpsearch.study.drivers import lease
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Event, Stepped, StudyOpened
from qpsearch.study.trials.underway import StepsRecord, from_text, to_text
from tests.cli.run import qpsearch
from tests.helpers import new_ledger, progress


def told(done: int, epoch: int = 1) -> Underway:
    return Underway(replicate=0, steps=StepCount(epoch=epoch, done=done, of=391))


def asked(ledger: Ledger) -> Assignment:
    assignment = ledger.ask()
    assert assignment is not None
    return assignment


def test_a_worker_passes_the_steps_of_a_trainer_on(url: str, unpruned: Space, tmp_path: Path) -> None:
    def trainer(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport | StepCount]:
        for epoch in range(1, config.recipe.epochs + 1):
            yield StepCount(epoch=epoch, done=1, of=2)
            yield EpochReport(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5)

    setup = WorkerSetup(
        trainer=trainer, checkpoints=str(tmp_path), data_folder=None, device="cpu", threads=1, report_timeout_s=None
    )
    with new_ledger(url, unpruned) as ledger, Interrupt(lambda: None) as interrupt:
        assignment = asked(ledger)
        seen = list(messages(assignment, setup, "cpu"))
        assert [type(message) for message in seen] == [Underway, Progress] * 4
        assert [handle_message(ledger, assignment, message, interrupt) for message in seen] == [True] * 7 + [False]


def test_the_steps_of_running_trials_are_told_with_the_heartbeat(url: str, space: Space) -> None:
    events: list[Event] = []
    with new_ledger(url, space, events.append) as ledger:
        first, other = asked(ledger), asked(ledger)
        ledger.report(first.trial, first.attempt, progress(1, 0.5))
        assert ledger.hear(first.trial, first.attempt, told(120, epoch=2))
        assert not ledger.hear(first.trial, first.attempt + 1, told(130, epoch=2))
        database = Database.open(url)

        def known() -> dict[int, StepsRecord]:
            database.write(ledger._heart._beat)
            return queries.steps_of(database, space.study, queries.running_records(database, space.study))

        assert {number: found.steps for number, found in known().items()} == {first.trial: told(120, 2).steps}
        assert [event.steps.done for event in events if isinstance(event, Stepped)] == [120]
        ledger.hear(other.trial, other.attempt, told(3))
        ledger.report(first.trial, first.attempt, progress(2, 0.5))
        assert list(known()) == [other.trial]
        ledger.interrupt(other.trial, other.attempt)
        assert known() == {}
        database.close()


def test_steps_of_an_epoch_that_has_been_recorded_since_are_not_shown(url: str, space: Space) -> None:
    """The heartbeat comes every few seconds; a report may come in between."""
    with new_ledger(url, space) as ledger:
        trial = asked(ledger)
        ledger.hear(trial.trial, trial.attempt, told(390))
        database = Database.open(url)
        database.write(ledger._heart._beat)
        ledger.report(trial.trial, trial.attempt, progress(1, 0.5))
        assert queries.steps_of(database, space.study, queries.running_records(database, space.study)) == {}
        database.close()


def test_status_says_how_far_an_epoch_is(sqlite_url: str, space: Space, tmp_path: Path) -> None:
    with new_ledger(sqlite_url, space) as ledger:
        trial = asked(ledger)
        ledger.report(trial.trial, trial.attempt, progress(1, 0.5))
        ledger.hear(trial.trial, trial.attempt, told(120, epoch=2))
        database = Database.open(sqlite_url)
        database.write(ledger._heart._beat)
        database.close()
        done = qpsearch(tmp_path, "status", space.study, "--storage", sqlite_url)
    assert f"trial {trial.trial} running: 1 epoch so far, step 120 of 391 of the next" in done.stdout


def test_the_live_table_shows_steps_where_an_epoch_takes_long(url: str, space: Space) -> None:
    display = LiveDisplay()

    def drawn() -> str:
        console = Console(width=79, file=StringIO())
        for line in display._draw(79, 23):
            console.print(line)
        return str(console.file.getvalue())  # type: ignore[attr-defined]  # a StringIO

    with new_ledger(url, space, display.tally.see) as ledger:
        left = space.search.budget
        display.tally.see(StudyOpened(space=space, ended={}, best=None, left=left))
        trial = asked(ledger)
        assert "step" not in drawn()
        ledger.hear(trial.trial, trial.attempt, told(120))
        heads, row = drawn().splitlines()[-2:]
        assert heads.split()[:3] == ["trial", "epoch", "step"]
        assert row.split()[:3] == ["0", "0/4", "120/391"]
        ledger.report(trial.trial, trial.attempt, progress(1, 0.5))
        assert "391" not in drawn()


@pytest.mark.parametrize("text", [None, "", "[]", "nonsense", '{"1": {}}', '{"a": 1}', '{"1": {"steps": {"far": 1}}}'])
def test_a_text_of_another_version_tells_nothing(text: str | None) -> None:
    assert from_text(text) == {}


def test_a_text_is_read_as_it_was_written() -> None:
    known = {7: StepsRecord(recorded=3, replicate=1, steps=StepCount(epoch=2, done=5, of=9))}
    assert from_text(to_text(known)) == known


def test_a_driver_is_superseded_whatever_its_steps_are(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        database = Database.open(url)
        with pytest.raises(lease.Superseded):
            database.write(lambda connection: lease.hold(connection, 10**6, "no such study", 0.0, "{}"))
        database.close()
        assert ledger.running == []
