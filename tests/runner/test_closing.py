"""What a program opens, it closes: a call that reads or runs a study does not leave handles of the database."""

from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest

import qpsearch
from qpsearch.analysis.report import Material, state_of
from qpsearch.analysis.subject import Subject
from qpsearch.errors import StudyExists, StudyMismatch, UserError
from qpsearch.runner import driving, looks
from qpsearch.runner.driving import Placement
from qpsearch.runner.looks import Trained
from qpsearch.runner.overrides import Overrides
from qpsearch.space import Space, edited, parse_space
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.evaluations import Evaluated
from tests.helpers import new_ledger, train_all

INLINE = Placement(dispatcher="inline")  # type: ignore[arg-type]  # its value will do


@pytest.fixture
def study(sqlite_url: str, unpruned: Space) -> str:
    """The URL of a database with a study of three trials."""
    with new_ledger(sqlite_url, unpruned) as ledger:
        for _ in range(3):
            assignment = ledger.ask()
            assert assignment is not None
            train_all(ledger, assignment)
    return sqlite_url


@pytest.fixture
def opened(study: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Database]]:
    """Every database that is opened, kept so that it is not freed; afterwards they must be closed."""
    databases, make = list[Database](), Database.__init__

    def watched(self: Database, url: str, *, is_scratch: bool = False) -> None:
        make(self, url, is_scratch=is_scratch)
        databases.append(self)

    monkeypatch.setattr(Database, "__init__", watched)
    yield databases
    assert databases
    assert not any(each._engine.pool.checkedin() for each in databases)  # type: ignore[attr-defined]  # a queue has it


def other(space: Space) -> Space:
    return parse_space(edited(space.source, {"training.batch_size": 7}))


READERS: dict[str, Callable[[str], object]] = {
    "names": driving.existing_studies,
    "subject": lambda url: Subject.at(url, "scripted"),
    "report": lambda url: Material.at(url, "scripted"),
    "state": lambda url: state_of(url, "scripted"),
    "a study that is dropped": lambda url: qpsearch.load_study("scripted", storage=url).summary,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_reads_a_study(study: str, opened: list[Database], read: Callable[[str], object]) -> None:
    read(study)


def test_what_reads_the_test_images(study: str, opened: list[Database], monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluated(run: Trained, *given: object) -> list[Evaluated]:
        found = {"images": 1, "accuracy": 1.0, "loss": 0.1, "nonfinite": 0, "correct": b"\x80"}
        return [Evaluated(replicate=run.replicate, checkpoint=run.checkpoint, noise=0.0, **found)]

    monkeypatch.setattr(looks, "evaluated", evaluated)
    looks.read_test_images(study, "scripted", [0, 1], print)
    assert len(opened) == 2


def test_what_is_refused(study: str, opened: list[Database], unpruned: Space) -> None:
    with pytest.raises(StudyExists):
        driving.run(unpruned, storage=study, placement=INLINE)
    with pytest.raises(StudyMismatch):
        driving.run(other(unpruned), storage=study, placement=INLINE, join=True)
    with pytest.raises(StudyMismatch):
        driving.resume("scripted", storage=study, placement=INLINE, space=other(unpruned))
    with pytest.raises(UserError):
        driving.resume("scripted", storage=study, placement=INLINE, overrides=Overrides(trials=1))


def test_what_fails_while_a_study_is_opened(
    study: str, opened: list[Database], unpruned: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object, **options: object) -> None:
        raise UserError("not now")

    monkeypatch.setattr("qpsearch.study.opening.resume", fail)
    with pytest.raises(UserError, match="not now"):
        driving.resume("scripted", storage=study, placement=INLINE)
    with pytest.raises(UserError, match="not now"):
        driving.run(unpruned, storage=study, placement=INLINE, join=True)


def test_a_study_of_another_program(opened: list[Database], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/theirs.db"
    theirs = optuna.create_study(study_name="theirs", storage=url)
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert Subject.at(url, "theirs").trials
