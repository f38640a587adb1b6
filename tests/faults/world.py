"""A study that runs in real processes, to which things are done, and what must hold when it is over."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from qpsearch.errors import StorageError
from tests.dispatch.study import log_lines, records_of
from tests.helpers import rows
from tests.scripted import Behaviour, space_text

ROOT = Path(__file__).parents[2]
TRIALS, EPOCHS, EPOCH_S, LEASE_S = 24, 6, 0.25, 4.0
RUNNING = """
SELECT trials.number, qpsearch_attempts.number, qpsearch_leases.pid FROM qpsearch_attempts
JOIN trials USING (trial_id) JOIN qpsearch_leases USING (lease_id) WHERE qpsearch_attempts.ending IS NULL
"""


@dataclass
class Injection:
    """What was done to a study."""

    kind: str
    world: str
    running: int
    allowed: int


@dataclass
class Study:
    """A study in a folder, with its drivers as child processes.

    Attributes:
        folder: Everything of the study lies there.
        url: Its database.
        options: Flags of every driver.
        drivers: How many work on it at once.
        environment: Of the drivers.
        allowed: Epochs that may be repeated, for what was done so far.
    """

    folder: Path
    url: str
    options: tuple[str, ...]
    drivers: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    allowed: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    log_folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log_folder = self.folder / "outside"
        self.log_folder.mkdir(parents=True)
        seed = random.SystemRandom().randrange(10_000)
        print("seed of the study", seed)
        text = space_text(
            Behaviour.IMPROVES, trials=TRIALS, epochs=EPOCHS, pruner="hyperband", sampler="random", seed=seed
        )
        (self.folder / "s.yaml").write_text(text)

    def start(self) -> None:
        """Start as many drivers as are missing; ``--join`` serves the first, a further one and a restart alike."""
        self.processes = [process for process in self.processes if process.poll() is None]
        environment = os.environ | {
            "SCRIPTED_LOG": str(self.log_folder),
            "SCRIPTED_EPOCH_S": str(EPOCH_S),
            "TEST_LEASE_S": str(LEASE_S),
            "TEST_CLOCK": str(self.log_folder / "clock"),
            "PYTHONPATH": str(ROOT),
            "QPSEARCH_STORAGE": self.url,
        }
        arguments = [sys.executable, "-m", "tests.driver", "run", "s.yaml", "--join", *self.options]
        while len(self.processes) < self.drivers:
            with (self.log_folder / "output").open("ab") as output:
                process = subprocess.Popen(
                    arguments, cwd=self.folder, env=environment | self.environment, stdout=output, stderr=output
                )
            self.processes.append(process)

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

    def wait_for_work(self, generator: random.Random, timeout_s: float = 90.0) -> bool:
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

    def finish(self, timeout_s: float = 240.0) -> None:
        """Keep the drivers up until the study is over and they have ended by themselves."""
        deadline = time.monotonic() + timeout_s
        while not self.finished():
            assert time.monotonic() < deadline, f"{self.folder} does not end:\n{self.output()[-4000:]}"
            self.start()
            time.sleep(0.2)
        for process in self.processes:
            process.wait(timeout=100)

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
        epochs = self.ask(
            "SELECT trials.number, epoch FROM qpsearch_epochs JOIN trials USING (trial_id) ORDER BY trials.number, epoch"
        )
        for record in found:
            own = [epoch for number, epoch in epochs if number == record.number]
            assert own == list(range(1, len(own) + 1)), f"trial {record.number}: epochs {own}"
            assert (len(own) == EPOCHS) == (record.state == "COMPLETE")
        endings = Counter(row[0] for row in self.ask("SELECT ending FROM qpsearch_attempts"))
        assert endings[None] == 0, endings
        assert endings["finished"] + endings["pruned"] == TRIALS, endings
        assert self.ask("SELECT * FROM qpsearch_leases WHERE state = 'held'") == []
        repeated = self.epochs_begun() - len(epochs)
        assert 0 <= repeated <= self.allowed, f"{repeated} epochs repeated, {self.allowed} allowed"
        return {"trials": TRIALS, "epochs": len(epochs), "repeated": repeated, "allowed": self.allowed}

    def remove(self) -> None:
        self.kill_all()
        shutil.rmtree(self.folder, ignore_errors=True)


def stop(process: subprocess.Popen[bytes], number: int, timeout_s: float = 60.0) -> None:
    """Send a signal and wait for the end."""
    process.send_signal(number)
    process.wait(timeout=timeout_s)


KILL, TERM, STOP, CONT = signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGCONT
