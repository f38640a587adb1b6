"""Sinks that prompt, block, fail or die: told once, while the driver goes on."""

import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from qpsearch.architecture.candidates import sample
from qpsearch.errors import UserError
from qpsearch.protocol import EpochReport, Place
from qpsearch.runner import sink_process
from qpsearch.runner.sink_process import Sinks, open_sinks
from qpsearch.space import Space
from qpsearch.study.trials.events import Closed, Paused, Reported, Started, StudyOpened

# A module wandb with one part that does what a test says.
FAKE = """
import getpass, os, time

def login(**options):
    {login}

class Settings:
    def __init__(self, **options):
        pass

class Run:
    summary = {{}}
    def log(self, values):
        {log}
    def finish(self, exit_code=0):
        {finish}

def init(**options):
    {init}
    return Run()
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a module wandb in which one function does something else than nothing."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    monkeypatch.chdir(tmp_path)

    def make(**parts: str) -> None:
        text = FAKE.format(**({"login": "pass", "init": "pass", "log": "pass", "finish": "pass"} | parts))
        (tmp_path / "wandb.py").write_text(text)

    return make


def pass_a_trial(sinks: Sinks, space: Space, number: int = 0) -> None:
    """Three calls: a trial begins, reports and ends."""
    config = sample(space, 1)[0].config
    report = EpochReport(epoch=1, train_loss=1.0, val_loss=None, val_accuracy=0.5)
    place = Place(host="here", device="cpu", threads=1, memory_format="contiguous")
    sinks.see(Started(number=number, attempt=1, blocks=("additive",), config=config, epochs=1, resumed_at=0))
    sinks.see(Reported(number=number, replicate=0, value=0.5, report=report, place=place))
    sinks.see(Closed(number=number, state="COMPLETE", value=0.5, reason=None, detail=None, seconds=1.0))


def test_everything_arrives_in_order(fake: Callable[..., None], space: Space, tmp_path: Path) -> None:
    write = "print({}, file=open('log', 'a'))"
    fake(init=write.format("options['name']"), log=write.format("values"), finish=write.format("'end', exit_code"))
    said: list[str] = []
    sinks = Sinks(open_sinks(["wandb:mine"], "s"), said.append)
    for number in (3, 4):
        pass_a_trial(sinks, space, number)
    sinks.close()
    assert said == []
    name, values, end, *other = (tmp_path / "log").read_text().splitlines()
    assert (name, end, other[0], len(other)) == ("s-3", "end 0", "s-4", 3)
    assert "'val_accuracy': 0.5" in values
    assert "val_loss" not in values


def test_a_sink_does_not_know_the_database(
    fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is somebody else's program, and the URL may hold a password."""
    monkeypatch.setenv("QPSEARCH_STORAGE", "postgresql://user:secret@host/db")
    monkeypatch.setenv("OTHER", "inherited")
    fake(login="print(*os.environ.items(), file=open('known', 'w'))")
    Sinks(open_sinks(["wandb"], "s"), print).close()
    known = (tmp_path / "known").read_text()
    assert "inherited" in known
    assert "secret" not in known


def opened(space: Space, uid: str) -> StudyOpened:
    """This driver opens a study."""
    return StudyOpened(space=space, ended={}, best=None, left=space.search.budget, uid=uid)


def test_a_trial_that_continues_goes_on_in_its_run(fake: Callable[..., None], space: Space, tmp_path: Path) -> None:
    """Paused and promoted, by another driver too; a study of the same name that is made later has other runs."""
    fake(init="print(options['id'], options['resume'], file=open('log', 'a'))")
    for uid in ("abc", "abc", "def"):
        sinks = Sinks(open_sinks(["wandb"], "s"), print)
        sinks.see(opened(space, uid))
        for number in (3, 3, 4):
            pass_a_trial(sinks, space, number)
        sinks.close()
    runs = [f"{uid}-{number} allow" for uid in ("abc", "abc", "def") for number in (3, 3, 4)]
    assert (tmp_path / "log").read_text().splitlines() == runs


def test_a_trial_goes_on_in_its_folder_of_tensorboard_and_each_epoch_comes_once(space: Space, tmp_path: Path) -> None:
    place = Place(host="here", device="cpu", threads=1, memory_format="contiguous")
    config = sample(space, 1)[0].config
    for first, last, again in ((1, 2, 0), (2, 3, 2)):  # the second epoch is trained again
        sinks = Sinks(open_sinks([f"tensorboard:{tmp_path}"], "s"), print)
        sinks.see(opened(space, "abc"))
        sinks.see(Started(number=3, attempt=1, blocks=("additive",), config=config, epochs=3, resumed_at=0))
        for epoch in range(first, last + 1):
            report = EpochReport(epoch=epoch, train_loss=1.0, val_loss=None, val_accuracy=0.5)
            is_new = epoch != again
            sinks.see(Reported(number=3, replicate=0, value=0.5, report=report, place=place, is_new=is_new))
        sinks.see(Paused(number=3, epoch=last))
        sinks.close()
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["trial-00003"]
    assert sorted(steps_of(tmp_path / "s/trial-00003", "val_accuracy")) == [1, 2, 3]


def steps_of(folder: Path, name: str) -> list[int]:
    """Return the steps of a curve in all event files of a folder: records with a length, two checksums and an event."""
    found = []
    for path in folder.iterdir():
        content, begin = path.read_bytes(), 0
        while begin < len(content):
            (length,) = struct.unpack_from("<Q", content, begin)
            event = Event.FromString(content[begin + 12 : begin + 12 + length])
            found += [event.step for value in event.summary.value if value.tag == name]
            begin += length + 16
    return found


@pytest.mark.parametrize("blocking", ["init", "log", "finish"])
def test_a_sink_that_blocks_is_told_with_what_was_not_delivered(
    fake: Callable[..., None], space: Space, monkeypatch: pytest.MonkeyPatch, blocking: str
) -> None:
    fake(**{blocking: "time.sleep(600)"})
    monkeypatch.setattr(sink_process, "CLOSE_S", 0.5)
    monkeypatch.setattr(sink_process, "NOTICE_S", 0.2)
    said: list[str] = []
    sinks = Sinks(open_sinks(["wandb"], "s"), said.append)
    pass_a_trial(sinks, space)
    sinks.close()
    left = {"init": 3, "log": 2, "finish": 1}[blocking]
    assert said == [
        "waiting for WandB, 0 s at most",
        f"WandB: it did not end within 0 s; {left} of 3 updates were not delivered",
    ]


def test_a_sink_that_is_silent_or_too_slow_is_left_out(
    fake: Callable[..., None], space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(init="time.sleep(600)")
    for setting, value, why in (
        ("SILENT_S", 0.0, "no answer for 0 s"),
        ("MOST_WAITING", 0, "too slow for this study"),
    ):
        said: list[str] = []
        sinks = Sinks(open_sinks(["wandb"], "s"), said.append)
        with monkeypatch.context() as patch:
            patch.setattr(sink_process, setting, value)
            pass_a_trial(sinks, space)
            pass_a_trial(sinks, space)
        sinks.close()
        assert said == [f"WandB is left out from here on: {why}; 1 of 1 updates were not delivered"]


@pytest.mark.parametrize(
    ("raising", "why"),
    [
        ("raise ValueError('no room\\nat all')", "no room"),
        ("raise KeyError", "KeyError"),
        ("os._exit(3)", "its process has ended with code 3"),
    ],
)
def test_a_sink_that_fails_or_dies_is_told_once(
    fake: Callable[..., None], space: Space, raising: str, why: str
) -> None:
    fake(log=raising)
    said: list[str] = []
    sinks = Sinks(open_sinks(["wandb"], "s"), said.append)
    pass_a_trial(sinks, space)
    sinks._sinks[0].has_ended(10)
    for number in (1, 2):
        pass_a_trial(sinks, space, number)
    sinks.close()
    assert said == [f"WandB is left out from here on: {why}; 2 of 3 updates were not delivered"]


@pytest.mark.parametrize("prompt", ["input('key: ')", "getpass.getpass()", "raise ValueError('no key. Get one')"])
def test_a_sink_that_would_prompt_is_refused_with_how_to_log_in(fake: Callable[..., None], prompt: str) -> None:
    fake(login=prompt)
    with pytest.raises(
        UserError, match=r"^--sink wandb: not logged in \(.+\)\. Log in: wandb login, or set WANDB_API_KEY\."
    ):
        open_sinks(["wandb"], "s")


def test_a_sink_that_does_not_start_is_refused(fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    fake(login="time.sleep(600)")
    monkeypatch.setattr(sink_process, "START_S", 0.1)
    with pytest.raises(UserError, match="--sink wandb: it did not start within 0 s"):
        open_sinks(["wandb"], "s")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_of_tensorboard_is_told_once(small_disk: Path, space: Space) -> None:
    said: list[str] = []
    sinks = Sinks(open_sinks([f"tensorboard:{small_disk}"], "s"), said.append)
    (small_disk / "ballast").write_bytes(b"x" * 56 * 1024)
    for number in range(20):
        pass_a_trial(sinks, space, number)
    sinks.close()
    (line,) = (line for line in said if not line.startswith("waiting for"))
    assert "No space left on device; " in line
