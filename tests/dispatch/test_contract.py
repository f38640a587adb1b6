"""What every dispatcher promises, with a trainer that improves, stalls, diverges, raises, dies, hangs."""

import contextlib
import errno
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from qpsearch.architecture.config import TrialConfig
from qpsearch.dispatch import inline
from qpsearch.dispatch.environment import WAITING, for_worker
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.private_folder import new_key
from qpsearch.dispatch.worker import Trainer, WorkerSetup
from qpsearch.errors import DispatchError, StorageError
from qpsearch.protocol import EpochReport, RunSettings
from qpsearch.space import parse_space
from qpsearch.study.ledger import Ledger
from qpsearch.study.trials.events import Closed, Event, Reported
from tests import scripted
from tests.dispatch.study import dispatch, log_lines, records_of, run_study
from tests.helpers import new_ledger, resumed_ledger, rows, spent_of
from tests.scripted import LATE, Behaviour, space_text

# Each dispatcher and each database once; Ray on a server, with an object store beside it, is test_store.py's.
PLACES = ["inline-postgresql", pytest.param("tune-sqlite", marks=pytest.mark.ray)]
KINDS = ["inline", pytest.param("tune", marks=pytest.mark.ray)]
REASONS = {
    Behaviour.DIVERGES: "diverged",
    Behaviour.RAISES: "error",
    Behaviour.DIES: "worker_lost",
    Behaviour.HANGS: "timeout",
    Behaviour.OUT_OF_MEMORY: "out_of_memory",
    Behaviour.ENDS_EARLY: "error",
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    kind, database = request.param.split("-")
    return kind, database


@pytest.fixture
def kind(place: tuple[str, str], request: pytest.FixtureRequest) -> str:
    if place[0] == "tune":
        request.getfixturevalue("local_ray")
    return place[0]


@pytest.fixture
def url(place: tuple[str, str], request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    if place[1] == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    return str(request.getfixturevalue("postgres").new_study_database())


@pytest.fixture(autouse=True)
def log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trainers log; workers that a shared Ray started earlier do not have it."""
    monkeypatch.setenv("SCRIPTED_LOG", str(tmp_path))
    return tmp_path


def test_every_trial_ends_as_it_must_and_the_sweep_goes_on(kind: str, url: str) -> None:
    """No zombie after any kind of end, and nothing is tried again behind our back."""
    every = list(Behaviour)[:8]  # each twice at least
    text = space_text(*every, trials=18, sampler="random", seed=71, timeout="3s", pruner=LATE)
    found = run_study(kind, url, text)
    assert [record.number for record in found] == list(range(18))
    assert {record.state for record in found} == {"FAIL", "PRUNED", "COMPLETE"}
    behaviours = [Behaviour(int(str(record.params["training.batch_size"]))) for record in found]
    assert set(behaviours) == set(every)
    assert min(Counter(behaviours).values()) >= 2
    for record, behaviour in zip(found, behaviours, strict=True):
        reason, is_complete = REASONS.get(behaviour), record.state == "COMPLETE"
        assert (record.reason, record.state == "FAIL") == (reason, reason is not None), record
        if reason is None:
            assert (record.epochs, record.attempts) in ([(4, 1), (4, 2)] if is_complete else [(3, 1)]), record
        else:
            assert record.epochs == (2 if behaviour is Behaviour.ENDS_EARLY else 1)
            assert record.attempts == (
                3 if behaviour is Behaviour.DIES else 1
            )  # a worker may die by no fault of its trial
    details = {behaviour: record.detail or "" for record, behaviour in zip(found, behaviours, strict=True)}
    assert "ZeroDivisionError: as the script says" in details[Behaviour.RAISES]
    assert "in _misbehave" in details[Behaviour.HANGS]  # the stack says where it hung
    assert "nan in epoch 2" in details[Behaviour.DIVERGES]


def test_a_trial_that_lacks_memory_is_trained_as_another_recipe(kind: str, url: str) -> None:
    """With batch normalisation half as many images at once are one."""
    found = run_study(kind, url, space_text(Behaviour.LACKS_MEMORY, trials=3))
    assert [(each.number, each.is_retried) for each in found] == [(0, True), (1, True), (2, True)]
    assert {(each.state, each.epochs) for each in found} <= {("COMPLETE", 4), ("PRUNED", 1), ("PRUNED", 3)}
    assert "COMPLETE" in {each.state for each in found}
    assert Counter(rows(url, "SELECT ending FROM qpsearch_attempts"))[("retried",)] == 3
    assert {each.config.recipe.gradient_accumulation for each in found} == {2}


def test_a_stopped_trial_is_pruned_and_keeps_its_last_report(kind: str, url: str) -> None:
    """With OptunaSearch and ASHA stopped trials were COMPLETE, and the deciding report was lost."""
    found = run_study(kind, url, space_text(Behaviour.IMPROVES, trials=24, epochs=9, pruner="asha", sampler="random"))
    states = Counter(record.state for record in found)
    assert states["PRUNED"] >= 3
    assert states["COMPLETE"] >= 3
    assert sum(states.values()) == 24
    for record in found:
        assert (record.epochs == 9) == (record.state == "COMPLETE")
        values = rows(
            url,
            "SELECT step, intermediate_value FROM trial_intermediate_values JOIN trials USING (trial_id) WHERE number = :n ORDER BY step",
            n=record.number,
        )
        assert [step for step, _ in values] == list(range(1, record.epochs + 1))
        assert values[-1][1] == record.value


def test_workers_are_reused(kind: str, url: str, log_folder: Path) -> None:
    """A new process for each trial costs a second and an import of torch."""
    found = run_study(kind, url, space_text(Behaviour.IMPROVES, trials=8), trainer=log_pids)
    assert len(found) == 8
    pids = {row[0] for row in rows(url, "SELECT CAST(val_loss AS INTEGER) FROM qpsearch_epochs")}
    assert len(pids) <= (1 if kind == "inline" else 4)
    own = os.getpriority(os.PRIO_PROCESS, 0)  # Ray's own default is 15: on a busy machine workers would get nothing
    assert rows(url, "SELECT DISTINCT CAST(train_loss AS INTEGER) FROM qpsearch_epochs") == [(own + 1,)]


def log_pids(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    import os

    for epoch in range(1, config.recipe.epochs + 1):
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        yield EpochReport(epoch=epoch, train_loss=1 + nice, val_loss=os.getpid(), val_accuracy=0.5)


def slow_to_close(config: TrialConfig, run: RunSettings, close_s: float) -> Iterator[EpochReport]:
    try:
        for epoch in range(1, config.recipe.epochs + 1):
            yield EpochReport(epoch=epoch, train_loss=1, val_loss=1, val_accuracy=1 / (1 + int(run.seed) % 97))
    finally:
        time.sleep(close_s)


def test_a_trainer_that_is_slow_to_close_stalls_nothing(kind: str, url: str) -> None:
    """With function trainables a slow `finally` leaked the slot, and the sweep hung."""
    text = space_text(Behaviour.IMPROVES, trials=5, epochs=9, pruner="asha", sampler="random")
    trainer = partial(slow_to_close, close_s=2.5 if kind == "tune" else 0.5)
    found = run_study(kind, url, text, trainer=trainer)
    assert Counter(record.state for record in found)["PRUNED"] >= 2
    assert {record.state for record in found} == {"PRUNED", "COMPLETE"}


def test_replicates_are_trained_one_after_another_and_averaged(kind: str, url: str) -> None:
    found = run_study(kind, url, space_text(Behaviour.IMPROVES, trials=3, replicates=2))
    assert {(record.state, record.epochs) for record in found} <= {("COMPLETE", 8), ("PRUNED", 1), ("PRUNED", 3)}
    assert ("COMPLETE", 8) in {(record.state, record.epochs) for record in found}
    assert len({row[0] for row in rows(url, "SELECT seed FROM qpsearch_runs")}) == 6


def test_an_interrupt_ends_attempts_softly_and_resuming_repeats_nothing(kind: str, url: str) -> None:
    text = space_text(Behaviour.SLOW, trials=6, epochs=4)
    interrupt = Interrupt(grace_s=60)

    def stop_at_the_third_epoch(event: Event) -> None:
        if isinstance(event, Reported) and event.report.epoch == 2:
            interrupt.request()

    found = run_study(kind, url, text, interrupt=interrupt, listener=stop_at_the_third_epoch)
    assert {record.state for record in found} <= {"RUNNING", "COMPLETE"}
    endings = {row[0] for row in rows(url, "SELECT ending FROM qpsearch_attempts")}
    assert endings == {"interrupted", "paused"}  # a promoted trial, in its first epoch after the rung
    with resumed_ledger(url) as ledger:
        assert not ledger.finished
        dispatch(kind, ledger)
        assert ledger.finished
    found = records_of(url)
    assert {(record.state, record.epochs) for record in found} <= {("COMPLETE", 4), ("PRUNED", 1), ("PRUNED", 3)}
    assert Counter(record.state for record in found)["COMPLETE"] >= 1
    endings = {row[0] for row in rows(url, "SELECT ending FROM qpsearch_attempts")}
    assert endings == {"interrupted", "paused", "finished"}


def test_a_budget_that_is_spent_ends_the_sweep_and_a_larger_one_goes_on(kind: str, url: str) -> None:
    plain = space_text(Behaviour.IMPROVES, trials=6, pruner="none")  # else only paused trials are left
    text = plain.replace("replicates: 1", "replicates: 1, budget: {epochs: 6}")
    with new_ledger(url, parse_space(text)) as ledger:
        dispatch(kind, ledger)
        assert ledger.finished
        assert spent_of(ledger) == "6 epochs"
    assert sum(record.epochs for record in records_of(url)) in (6, 7)  # one more may be under way in another slot
    assert "RUNNING" in {record.state for record in records_of(url)}
    with resumed_ledger(url, epochs=1000) as ledger:
        dispatch(kind, ledger)
    assert [(record.state, record.epochs) for record in records_of(url)] == [("COMPLETE", 4)] * 6
    assert max(record.attempts for record in records_of(url)) == 2


def broken_report(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    yield EpochReport(epoch=1, train_loss=float("nan"), val_loss=1, val_accuracy=0.5)


def unprintable(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    yield EpochReport(epoch=1, train_loss=1, val_loss=1, val_accuracy=0.5)
    raise ValueError("nul \0 and half a surrogate \udcff")


@pytest.mark.parametrize(("trainer", "reason"), [(broken_report, "diverged"), (unprintable, "error")])
def test_what_no_database_takes_fails_its_trial_alone(kind: str, url: str, trainer: Trainer, reason: str) -> None:
    found = run_study(kind, url, space_text(Behaviour.IMPROVES, trials=2, pruner=LATE), trainer=trainer)
    assert [(record.state, record.reason) for record in found] == [("FAIL", reason)] * 2


class OwnError(BaseException):
    """What a user derives from BaseException."""


QUITS = (
    KeyboardInterrupt("stopped by hand"),
    SystemExit("not enough images"),
    OwnError("own words"),
    GeneratorExit("closed"),
)


def quits(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    yield EpochReport(epoch=1, train_loss=1, val_loss=1, val_accuracy=0.5)
    raise QUITS[int(str(run.checkpoint_folder).rpartition("-")[2])]


def test_a_trainer_that_quits_is_an_error_with_its_text_once(kind: str, url: str) -> None:
    """Only a signal interrupts a worker: whatever a trainer raises is the trainer's own."""
    found = run_study(kind, url, space_text(Behaviour.IMPROVES, trials=len(QUITS), pruner=LATE), trainer=quits)
    for record, raised in zip(found, QUITS, strict=True):
        assert (record.state, record.reason, record.attempts, record.epochs) == ("FAIL", "error", 1, 1), record
        assert f"{type(raised).__name__}: {raised}" in str(record.detail)


def signalled(config: TrialConfig, run: RunSettings, folder: Path) -> Iterator[EpochReport]:
    """Gets a SIGTERM in its first attempt, as from an administrator."""
    yield EpochReport(epoch=1, train_loss=1, val_loss=1, val_accuracy=0.5)
    with contextlib.suppress(FileExistsError):
        (folder / f"{config.recipe.optimizer.lr}").mkdir()
        signal.raise_signal(signal.SIGTERM)
    for epoch in range(2, config.recipe.epochs + 1):
        yield EpochReport(epoch=epoch, train_loss=1, val_loss=1, val_accuracy=0.5)


@pytest.mark.ray
def test_a_signal_to_a_worker_still_interrupts_it(local_ray: str, sqlite_url: str, tmp_path: Path) -> None:
    """Ray answers SIGTERM with a SystemExit: the worker is lost, and its trial goes on in another."""
    found = run_study(
        "tune", sqlite_url, space_text(Behaviour.IMPROVES, trials=1), trainer=partial(signalled, folder=tmp_path)
    )
    assert [(record.state, record.attempts) for record in found] == [("COMPLETE", 2)]
    endings = [row[0] for row in rows(sqlite_url, "SELECT ending FROM qpsearch_attempts ORDER BY number")]
    assert endings == ["lost", "finished"]


def test_an_interrupt_waits_no_longer_than_its_grace(kind: str, url: str) -> None:
    interrupt = Interrupt(grace_s=0.5)

    def stop_at_once(event: Event) -> None:
        if isinstance(event, Reported):
            interrupt.request()

    began = time.monotonic()
    text = space_text(Behaviour.HANGS, trials=4, pruner=LATE)
    found = run_study(kind, url, text, interrupt=interrupt, listener=stop_at_once)
    assert time.monotonic() - began < 60  # the trainer hangs for ten minutes
    assert {record.state for record in found} == {"RUNNING"}
    assert {row[0] for row in rows(url, "SELECT ending FROM qpsearch_attempts")} == {"interrupted"}


def rename(ledger: Ledger, table: str, name: str) -> None:
    ledger._database.write(lambda c: c.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}"))


def test_a_database_that_fails_stops_the_sweep_with_its_own_error(kind: str, url: str) -> None:
    """Tune takes an exception in a callback for the trial's fault and goes on."""

    def break_it(event: Event) -> None:
        if isinstance(event, Closed):
            rename(ledger, "qpsearch_epochs", "gone")

    ledger = new_ledger(url, parse_space(space_text(Behaviour.IMPROVES, trials=6)), break_it)
    with pytest.raises(StorageError, match="qpsearch_epochs"), ledger:
        dispatch(kind, ledger, slots=1)
    rename(ledger, "gone", "qpsearch_epochs")
    ledger._database.close()
    assert Counter(record.state for record in records_of(url)) == {"COMPLETE": 1, "RUNNING": 5}  # the others are paused


def test_the_trainers_log_is_complete(sqlite_url: str, log_folder: Path) -> None:
    """The log that the kill tests count by holds each epoch once."""
    found = run_study("inline", sqlite_url, space_text(Behaviour.IMPROVES, trials=3), trainer=scripted.train)
    assert Counter((line[0], line[2]) for line in log_lines(log_folder)) == {
        (f"trial-{record.number:05d}", str(epoch)): 1 for record in found for epoch in range(1, record.epochs + 1)
    }


def frozen(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    yield EpochReport(epoch=1, train_loss=1, val_loss=1, val_accuracy=0.5)
    os.kill(os.getpid(), signal.SIGSTOP)
    yield EpochReport(epoch=2, train_loss=1, val_loss=1, val_accuracy=0.5)


def stuck_in_c(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    """Holds the interpreter lock for ever."""
    yield EpochReport(epoch=1, train_loss=1, val_loss=1, val_accuracy=0.5)
    re.match(r"(a+)+$", "a" * 60 + "b")


@pytest.mark.parametrize(
    ("trainer", "seen"), [(frozen, "the process did not run (state T"), (stuck_in_c, "stuck_in_c")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_worker_is_ended_from_outside(
    kind: str,
    sqlite_url: str,
    trainer: Trainer,
    seen: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = new_key()
    monkeypatch.setattr(
        "qpsearch.dispatch.private_folder.secrets.token_hex", lambda size: key.removeprefix("qpsearch-")
    )
    if kind == "tune":
        request.getfixturevalue("local_ray")
    (record,) = run_study(kind, sqlite_url, space_text(Behaviour.IMPROVES, trials=1, timeout="1s"), trainer=trainer)
    assert (record.state, record.reason, record.epochs) == ("FAIL", "timeout", 1), record
    assert seen in str(record.detail)
    assert not (Path(tempfile.gettempdir()) / key).exists()


def out_of_handles(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    yield EpochReport(epoch=1, train_loss=1, val_loss=1, val_accuracy=0.5)
    try:
        raise OSError(errno.EMFILE, "Too many open files")
    except OSError as error:
        raise RuntimeError("unable to open shared memory") from error


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_of_the_machine_stops_the_study_and_is_not_booked_to_a_trial(
    kind: str, sqlite_url: str, request: pytest.FixtureRequest
) -> None:
    if kind == "tune":
        request.getfixturevalue("local_ray")
    with pytest.raises(DispatchError, match=r"Too many open files: the machine is at fault.*qpsearch resume scripted"):
        run_study(kind, sqlite_url, space_text(Behaviour.IMPROVES, trials=6, pruner=LATE), trainer=out_of_handles)
    assert {record.state for record in records_of(sqlite_url)} == {"RUNNING"}


@pytest.mark.parametrize("planted", ["open to others", "a link", "a file"])
def test_what_is_planted_in_the_folder_for_temporary_files_harms_nothing(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    """Somebody has guessed the private folder's name: the study stops before anything is written there."""
    target = tmp_path / "target"
    target.mkdir()
    victim = target / "trial-0-1.txt"
    victim.write_text("precious")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("qpsearch.dispatch.private_folder.secrets.token_hex", lambda size: "guessed")
    folder = tmp_path / "qpsearch-guessed"
    if planted == "a link":
        folder.symlink_to(target)
    elif planted == "a file":
        folder.write_text("in the way")
    else:
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
    with pytest.raises(DispatchError, match=r"is somebody else's, or open to others: the machine is at fault"):
        run_study("inline", sqlite_url, space_text(Behaviour.IMPROVES, trials=2, timeout="9s"))
    assert [record.state for record in records_of(sqlite_url)] == ["RUNNING"]
    assert victim.read_text() == "precious"


class NoWorkerAtAll:
    """A trainer that ends the process which reads it."""

    def __reduce__(self) -> tuple[object, ...]:
        return sys.exit, (3,)

    def __call__(self, config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
        raise NotImplementedError


def test_a_worker_that_cannot_start_stops_the_study(sqlite_url: str) -> None:
    with pytest.raises(DispatchError, match=r"a worker cannot start \(exit code 3\)"):
        run_study("inline", sqlite_url, space_text(Behaviour.IMPROVES, trials=2), trainer=NoWorkerAtAll())
    assert [record.state for record in records_of(sqlite_url)] == ["RUNNING"]


def knows_nothing(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    assert "QPSEARCH_STORAGE" not in os.environ
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"  # threads that wait leave their core to others
    for epoch in range(1, config.recipe.epochs + 1):
        yield EpochReport(epoch=epoch, train_loss=1, val_loss=1, val_accuracy=0.5)


def test_a_worker_does_not_know_the_database(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPSEARCH_STORAGE", sqlite_url)
    (record,) = run_study("inline", sqlite_url, space_text(Behaviour.IMPROVES, trials=1), trainer=knows_nothing)
    assert record.state == "COMPLETE", record.detail
    assert os.environ["QPSEARCH_STORAGE"] == sqlite_url
    assert "OMP_WAIT_POLICY" not in os.environ


def test_a_worker_is_started_without_a_change_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads of a program read its environment meanwhile: they looked for studies in another database."""
    monkeypatch.setenv("QPSEARCH_STORAGE", "sqlite:///mine.db")
    program, before = sys.modules["__main__"], (dict(os.environ), list(sys.path))
    named = dict(vars(program))

    def start(*command: object, env: dict[str, str], **rest: object) -> None:
        assert (dict(os.environ), sys.path) == before
        assert vars(program) == named
        assert env == {name: value for name, value in for_worker().items() if name != "QPSEARCH_STORAGE"}
        raise NotImplementedError

    monkeypatch.setattr(inline.subprocess, "Popen", start)
    with pytest.raises(NotImplementedError):
        inline._Child(
            WorkerSetup(
                trainer=scripted.train, checkpoints="", data_folder=None, device="cpu", threads=1, report_timeout_s=None
            )
        )


@pytest.mark.parametrize("name", WAITING)
def test_what_the_user_says_of_waiting_threads_is_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "5")
    assert for_worker() == dict(os.environ)


def test_a_worker_whose_driver_is_gone_before_it_is_ready_ends_without_a_word() -> None:
    ours, theirs = multiprocessing.Pipe()
    setup = WorkerSetup(
        trainer=scripted.train, checkpoints="", data_folder=None, device="cpu", threads=1, report_timeout_s=None
    )
    ours.send(setup)
    ours.close()
    inline.serve(theirs)
