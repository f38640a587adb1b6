"""A study that runs in real processes, to which things are done, and what must hold when it is over."""

import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from qpsearch.errors import StorageError
from qpsearch.study.trials.checkpoints import FOLDER, NAME
from qpsearch.study.trials.owner import MARKER
from tests.dispatch.study import log_lines, records_of
from tests.helpers import rows
from tests.scripted import Behaviour, space_text

ROOT = Path(__file__).parents[2]
TRIALS, EPOCHS, EPOCH_S, LEASE_S = 24, 6, 0.25, 4.0
# Ray lets its workers run at niceness 15: on a machine that is busy with other things they start in a minute or two, and seconds pass
# in which a worker that does not hang gets no processor.
START_S, TIMEOUT_S = 300.0, 20
RUNNING = """
SELECT trials.number, qpsearch_attempts.number, qpsearch_leases.pid FROM qpsearch_attempts
JOIN trials USING (trial_id) JOIN qpsearch_leases USING (lease_id) WHERE qpsearch_attempts.ending IS NULL
"""
RECORDED = "SELECT trials.number, epoch, checkpoint FROM qpsearch_epochs JOIN trials USING (trial_id) ORDER BY 1, 2"
HELD = "SELECT pid FROM qpsearch_leases WHERE state = 'held'"
FAILED = "SELECT number FROM trials WHERE state = 'FAIL'"


@dataclass(frozen=True)
class Epoch:
    """An epoch that a worker has just begun."""

    trial: int
    pid: int


@dataclass
class Study:
    """A study in a folder, with its drivers as child processes.

    Attributes:
        folder: Everything of the study lies there.
        url: Its database.
        options: Flags of every driver.
        drivers: How many work on it at once.
        environment: Of the drivers.
        artifacts: Where its checkpoints are; None for beside the database.
        allowed: Epochs that may be repeated, for what was done so far.
        timed_out: Numbers of the trials whose time to report was over: they fail, and are tried again at the end.
        lost: How often each trial ran when a kill was aimed at a promotion.
    """

    folder: Path
    url: str
    options: tuple[str, ...]
    drivers: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    artifacts: Path | None = None
    allowed: int = 0
    timed_out: set[int] = field(default_factory=set)
    lost: Counter[int] = field(default_factory=Counter)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    log_folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log_folder = self.folder / "outside"
        self.log_folder.mkdir(parents=True)
        seed = random.SystemRandom().randrange(10_000)
        print("seed of the study", seed)
        text = space_text(
            Behaviour.IMPROVES,
            trials=TRIALS,
            epochs=EPOCHS,
            pruner="asha",
            sampler="random",
            seed=seed,
            timeout=f"{TIMEOUT_S}s",
        )
        (self.folder / "s.yaml").write_text(text)

    @property
    def database(self) -> Path:
        """The file of its SQLite database."""
        return Path(self.url.removeprefix("sqlite:///"))

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints."""
        root = self.artifacts or self.database.parent / "checkpoints"
        return next((path for path in root.glob("scripted-*") if path.is_dir()), root)

    def stored(self, pattern: str) -> list[Path]:
        """Return the files in its trials' folders; what goes while this looks is left out, where ``Path.glob`` would raise."""
        return [self.checkpoints / name for name in glob.glob(f"trial-*/{pattern}", root_dir=self.checkpoints)]

    def start(self) -> None:
        """Start as many drivers as are missing; ``--join`` serves the first, a further one and a restart alike."""
        self.processes = [process for process in self.processes if process.poll() is None]
        while len(self.processes) < self.drivers:
            self.processes.append(self.launch("run", "s.yaml", "--join", *self.options))

    def launch(self, *arguments: str, url: str = "", log_folder: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a command, which writes to this study's output.

        Args:
            arguments: Of the command line.
            url: Another database.
            log_folder: Another folder for the log of the epochs.
        """
        environment = os.environ | {
            "SCRIPTED_LOG": str(log_folder or self.log_folder),
            "SCRIPTED_EPOCH_S": str(EPOCH_S),
            "TEST_TRAINER": "tests.faults.trainer",
            "TEST_LEASE_S": str(LEASE_S),
            "TEST_CLOCK": str(self.log_folder / "clock"),
            "PYTHONPATH": str(ROOT),
            "QPSEARCH_STORAGE": url or self.url,
        }
        if self.artifacts is not None:
            environment["QPSEARCH_ARTIFACTS"] = str(self.artifacts)
        with (self.log_folder / "output").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.driver", *arguments],
                cwd=self.folder,
                env=environment | self.environment,
                stdout=output,
                stderr=output,
            )

    def said(self, *arguments: str, url: str = "", code: int = 0) -> str:
        """Run a command to its end; assert its exit code and return what it said."""
        before = len(self.output())
        process = self.launch(*arguments, url=url)
        assert process.wait(timeout=100) == code, (arguments, process.returncode, self.output()[before:])
        return self.output()[before:]

    def output(self) -> str:
        return (self.log_folder / "output").read_text(errors="replace")

    def epochs_begun(self) -> int:
        return len(log_lines(self.log_folder)) if (self.log_folder / "log").exists() else 0

    def ask(self, query: str) -> list[Any]:
        """Run SQL; nothing while the database is away or not made yet."""
        try:
            return rows(self.url, query)
        except StorageError:
            return []

    def running(self, pid: int | None = None) -> list[int]:
        """Numbers of the trials that attempts run, of one driver or of all."""
        return [number for number, _, driver in self.ask(RUNNING) if pid in (None, driver)]

    def finished(self) -> bool:
        states = Counter(row[0] for row in self.ask("SELECT state FROM trials"))
        return sum(states.values()) >= TRIALS and states["RUNNING"] == 0

    def wait_for_work(self, generator: random.Random, timeout_s: float = START_S) -> bool:
        """Keep the drivers up until epochs have begun since now, then some more; False when the study is over."""
        before, deadline = self.epochs_begun(), time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.finished():
                return False
            self.start()
            if self.epochs_begun() > before and self.running():
                time.sleep(generator.uniform(0, 1.0))
                return not self.finished()
            time.sleep(0.05)
        raise AssertionError(f"nothing happens in {self.folder}:\n{self.output()[-4000:]}")

    def wait_for_drivers(self, timeout_s: float = 60.0) -> None:
        """Wait until each driver that has been started works on the study, or has ended."""

        def have_begun() -> bool:
            held = {row[0] for row in self.ask(HELD)}
            return all(process.pid in held or process.poll() is not None for process in self.processes)

        until(have_begun, timeout_s, "a driver neither begins nor ends", self)

    def next_epoch(self, timeout_s: float = 60.0) -> Epoch | None:
        """Wait until a worker begins an epoch, with the drivers as they are; None when the study is over."""
        before, deadline = self.epochs_begun(), time.monotonic() + timeout_s
        while self.epochs_begun() == before:
            if time.monotonic() > deadline or self.finished():
                return None
            time.sleep(0.01)
        trial, _, _, _, process = log_lines(self.log_folder)[-1]
        return Epoch(int(trial.removeprefix("trial-")), int(process.removeprefix("pid=")))

    def finish(self, timeout_s: float = 240.0) -> None:
        """Keep the drivers up until the study is over and they have ended by themselves; give frozen trials a chance."""
        self._run_to_its_end(timeout_s)
        assert {row[0] for row in self.ask(FAILED)} == self.timed_out
        if self.timed_out:  # from their first epoch on: a failed trial does not keep checkpoints
            self.allowed += sum(number in self.timed_out for number, _, _ in self.ask(RECORDED))
            self.processes = [self.launch("resume", "scripted", "--retry-failed", "timeout", *self.options)]
            until(lambda: self.ask(FAILED) == [], 60, "failed trials are not tried again", self)
            self._run_to_its_end(timeout_s)
        if self.orphans() or self.ask(HELD):  # of a driver that was killed at its end: the next one tidies up
            self.said("resume", "scripted", *self.options)

    def _run_to_its_end(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.finished():
            assert time.monotonic() < deadline, f"{self.folder} does not end:\n{self.output()[-4000:]}"
            self.start()
            time.sleep(0.2)
        for process in self.processes:
            process.wait(timeout=100)

    def orphans(self) -> list[str]:
        """Return what lies in its folder of checkpoints and belongs to no trial that has ended COMPLETE."""
        complete = {record.number for record in records_of(self.url) if record.state == "COMPLETE"}
        recorded = {(number, name) for number, _, name in self.ask(RECORDED) if number in complete}
        found = []
        for path in self.checkpoints.rglob("*"):
            match = FOLDER.fullmatch(path.name) or FOLDER.fullmatch(path.parent.name)
            number = int(match[1]) if match else None
            is_kept = number in complete if path.is_dir() else (number, path.name) in recorded or path.name == MARKER
            if not is_kept:
                found.append(str(path.relative_to(self.checkpoints)))
        return found

    def kill_all(self) -> None:
        """End what is left, when a test has failed."""
        for process in self.processes:
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
                child.kill()
            process.kill()
            process.wait()

    def check(self) -> dict[str, int]:
        """Assert every promise; return the counts."""
        found = records_of(self.url)
        assert [record.number for record in found] == list(range(TRIALS)), "a trial is lost, or there are too many"
        states = Counter(record.state for record in found)
        assert set(states) <= {"COMPLETE", "PRUNED"}, [record for record in found if record.state == "FAIL"]
        epochs = self.ask(RECORDED)
        for record in found:
            own = [epoch for number, epoch, _ in epochs if number == record.number]
            assert own == list(range(1, len(own) + 1)), f"trial {record.number}: epochs {own}"
            assert (len(own) == EPOCHS) == (record.state == "COMPLETE")
        endings = Counter(row[0] for row in self.ask("SELECT ending FROM qpsearch_attempts"))
        assert endings[None] == 0, endings
        assert endings["finished"] == states["COMPLETE"], endings
        assert endings["paused"] >= states["PRUNED"], endings  # each was pruned while it was paused
        assert endings["failed"] == len(self.timed_out), endings
        assert self.ask(HELD) == []
        self._check_checkpoints(epochs, [record.number for record in found if record.state == "COMPLETE"])
        said, traceback, rest = self.output().partition("Traceback")
        assert not traceback, said[-2000:] + traceback + rest[:4000]
        repeated = self.epochs_begun() - len(epochs)
        assert 0 <= repeated <= self.allowed, f"{repeated} epochs repeated, {self.allowed} allowed"
        return {
            "trials": TRIALS,
            "epochs": len(epochs),
            "repeated": repeated,
            "allowed": self.allowed,
            "lost": TRIALS - len(found),
            "orphans": len(self.orphans()),
        }

    def _check_checkpoints(self, epochs: list[Any], complete: list[int]) -> None:
        """Assert that each complete trial has its last checkpoint, that nobody has another, and that there is one study."""
        assert self.orphans() == []
        assert [path.name for path in self.checkpoints.parent.iterdir()] == [self.checkpoints.name]
        assert (self.checkpoints / MARKER).exists()
        last = {number: name for number, epoch, name in epochs if epoch == EPOCHS}
        for number in complete:
            kept = [path.name for path in (self.checkpoints / f"trial-{number:05d}").iterdir()]
            assert last[number] in kept, (number, last[number], kept)
            assert len(kept) <= 2, (number, kept)
            assert all(NAME.fullmatch(name) for name in kept)

    def remove(self) -> None:
        self.kill_all()
        for folder in filter(None, (self.folder, self.log_folder, self.artifacts)):
            shutil.rmtree(folder, ignore_errors=True)


def stop(process: subprocess.Popen[bytes], number: int, timeout_s: float = 60.0) -> None:
    """Send a signal and wait for the end."""
    process.send_signal(number)
    process.wait(timeout=timeout_s)


def until(holds: Callable[[], bool], timeout_s: float, otherwise: str, study: Study) -> None:
    """Wait for something; raise AssertionError if it does not come."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"{otherwise}:\n{study.output()[-4000:]}"
        time.sleep(0.05)


Action = Callable[[Study, random.Random], int | None]
"""Does something to a study; returns how many epochs it may cost, None where the study was over before it was done."""

KILL, TERM, STOP, CONT = signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGCONT
