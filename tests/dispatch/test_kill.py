"""kill -9 of the driver, again and again, through the real command line.

Afterwards: as many trials as asked, none running, none twice, at most one epoch repeated for each trial that
ran at a kill, and the same configurations as in a run that nobody killed.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.dispatch.study import log_lines, records_of
from tests.helpers import rows
from tests.scripted import Behaviour, space_text

TRIALS, EPOCHS = 16, 6


class Driver:
    """A study in a folder of its own, run by a process that can be killed."""

    def __init__(self, folder: Path, *options: str, trials: int = TRIALS) -> None:
        folder.mkdir()
        self.folder, self.options = folder, options
        self.url = f"sqlite:///{folder}/studies/q.db"
        text = space_text(Behaviour.IMPROVES, trials=trials, epochs=EPOCHS, pruner="asha", seed=11)
        (folder / "s.yaml").write_text(text)

    def start(self, command: str, epoch_s: float = 0.15) -> subprocess.Popen[bytes]:
        what = str(self.folder / "s.yaml") if command == "run" else "scripted"
        environment = os.environ | {
            "SCRIPTED_LOG": str(self.folder),
            "SCRIPTED_EPOCH_S": str(epoch_s),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        arguments = [sys.executable, "-m", "tests.driver", command, what, "--storage", self.url, *self.options]
        with (self.folder / "output").open("ab") as output:
            return subprocess.Popen(arguments, cwd=self.folder, env=environment, stdout=output, stderr=output)

    def epochs_begun(self) -> int:
        return len(log_lines(self.folder)) if (self.folder / "log").exists() else 0

    def finish(self, command: str) -> None:
        """Let it come to its end, in no time: it is not killed any more."""
        assert self.start(command, epoch_s=0).wait(timeout=200) == 0, (self.folder / "output").read_text()[-3000:]

    def kill_at_random(self, command: str, generator: random.Random) -> int:
        """Kill it some time after its first epoch; return how many trials were running."""
        before, process = self.epochs_begun(), self.start(command)
        deadline = time.monotonic() + 100
        while self.epochs_begun() == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(generator.uniform(0, 1.5))
        assert process.poll() is None, (self.folder / "output").read_text()[-3000:]
        process.kill()
        process.wait()
        return len(rows(self.url, "SELECT * FROM qpsearch_attempts WHERE ending IS NULL"))

    def configurations(self) -> list[str]:
        return [record.config_json for record in records_of(self.url)]


def check(driver: Driver, running_at_kills: int) -> None:
    found = records_of(driver.url)
    assert [record.number for record in found] == list(range(TRIALS))
    assert Counter(record.state for record in found)["RUNNING"] == 0
    assert {record.state for record in found} <= {"COMPLETE", "PRUNED"}
    for record in found:
        assert (record.epochs == EPOCHS) == (record.state == "COMPLETE")
    begun = Counter((line[0], int(line[2])) for line in log_lines(driver.folder))
    recorded = sum(record.epochs for record in found)
    repeated = sum(begun.values()) - recorded
    assert repeated <= running_at_kills, begun
    assert (
        Counter(row[0] for row in rows(driver.url, "SELECT ending FROM qpsearch_attempts"))["lost"] == running_at_kills
    )
    assert rows(driver.url, "SELECT * FROM qpsearch_leases WHERE state = 'held'") == []
    left = [path.name for path in driver.folder.rglob("*.partial")]
    assert left == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """A run that nobody killed."""
    driver = Driver(tmp_path_factory.mktemp("whole") / "whole", "--dispatch", "inline")
    driver.finish("run")
    return driver


@pytest.mark.parametrize(
    ("options", "kills"),
    [
        pytest.param(("--dispatch", "inline"), 4, id="inline"),
        pytest.param(("--concurrent", "1"), 2, id="tune-one-slot", marks=pytest.mark.ray),
    ],
)
def test_a_driver_killed_again_and_again_loses_and_repeats_nothing_and_asks_the_same(
    tmp_path: Path, whole: Driver, options: tuple[str, ...], kills: int
) -> None:
    """Tune's restore ran 172 trials of a budget of 150, and left some RUNNING."""
    seed = random.SystemRandom().randrange(10_000)
    print("seed", seed)
    generator, killed = random.Random(seed), Driver(tmp_path / "killed", *options)
    running = sum(killed.kill_at_random("run" if kill == 0 else "resume", generator) for kill in range(kills))
    killed.finish("resume")
    check(killed, running)
    assert killed.configurations() == whole.configurations()
    assert [r.value for r in records_of(killed.url)] == [r.value for r in records_of(whole.url)]


@pytest.mark.ray
def test_the_trial_of_a_killed_worker_goes_on_in_another(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "study", "--concurrent", "1", trials=6)
    process = driver.start("run")
    while driver.epochs_begun() < 3 and process.poll() is None:
        time.sleep(0.02)
    worker = int(log_lines(driver.folder)[-1][4].removeprefix("pid="))
    psutil.Process(worker).kill()
    assert process.wait(timeout=200) == 0
    found = records_of(driver.url)
    assert rows(driver.url, "SELECT count(*) FROM qpsearch_attempts WHERE ending = 'lost'") == [(1,)]
    assert {record.state for record in found} <= {"COMPLETE", "PRUNED"}
    assert len(found) == 6
    begun = Counter((line[0], int(line[2])) for line in log_lines(driver.folder))
    assert sum(begun.values()) - sum(record.epochs for record in found) <= 1
