"""What a killed driver leaves in the folder for temporary files goes with the next driver; what may be anything else stays."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from qpsearch.dispatch.private_folder import LOCK, SCRATCH, held, new_key, path_of, scratch
from tests.cli.run import ROOT

HOLD = "import sys\nfrom qpsearch.dispatch.private_folder import held\nwith held(sys.argv[1]):\n    print(flush=True); sys.stdin.read()"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def driver(key: str) -> "subprocess.Popen[str]":
    """Start a driver, and wait until it holds its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, key],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def left(mode: int = 0o700, *, name: str = "", lock: bool = True) -> Path:
    """A folder as a driver that is gone has left it, with the stack of a trial that hung."""
    folder = path_of(name or new_key())
    folder.mkdir()
    (folder / "trial-0-1.txt").write_text("a stack")
    if lock:
        (folder / LOCK).touch()
    folder.chmod(mode)
    return folder


def test_the_next_driver_sweeps_the_folder_of_a_killed_one_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key()
    process = driver(key)
    (path_of(key) / "trial-0-1.txt").write_text("a stack")
    (scratch(key) / "of a library").mkdir()
    (scratch_file := Path(f"{path_of(key)}{SCRATCH}") / "of a library" / "state.json").write_text("{}")
    monkeypatch.setattr(psutil, "pid_exists", lambda pid: False)  # of a container that shares the folder
    own = new_key()
    with held(own):
        assert (path_of(key) / "trial-0-1.txt").exists()  # its driver lives
        assert scratch_file.exists()
        assert path_of(own).stat().st_mode & 0o777 == 0o700
    process.kill()
    process.communicate()
    assert path_of(key).exists()
    with held(own):
        assert not path_of(key).exists()
        assert not scratch_file.parents[1].exists()
        assert path_of(own).exists()
    assert not path_of(own).exists()


def test_what_may_be_something_else_stays(temporary: Path) -> None:
    gone = left()
    stays = [
        left(0o755),
        left(0o750),
        left(lock=False),
        left(name="qpsearch-tune-12-abc"),
        left(name="qpsearch-warm-0123456789abcdef0123456789abcdef"),
        left(name="elsewhere"),
    ]
    link, linked_lock = path_of(new_key()), left(lock=False)
    link.symlink_to(temporary / "elsewhere")
    (linked_lock / LOCK).symlink_to(temporary / "elsewhere" / LOCK)
    in_the_way = path_of(new_key())
    in_the_way.write_text("a file")
    mixed = left()
    (mixed / "notes.txt").write_text("mine")
    with held(new_key()):
        pass
    assert not gone.exists()
    for folder in (*stays, linked_lock, link):
        assert (folder / "trial-0-1.txt").read_text() == "a stack", folder
    assert in_the_way.read_text() == "a file"
    assert sorted(path.name for path in mixed.iterdir()) == [LOCK, "notes.txt"]


def test_a_folder_of_somebody_else_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = left()
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with held(new_key()):
        pass
    assert folder.exists()


def test_without_room_for_a_folder_nothing_is_held(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "none"))
    with held(new_key()):
        pass
    assert list(temporary.iterdir()) == []


def test_files_of_a_library_are_not_put_into_a_folder_that_is_open_to_others(temporary: Path) -> None:
    other = new_key()
    path_of(other).mkdir()
    path_of(other).chmod(0o777)
    with pytest.raises(OSError, match="is somebody else's, or open to others"):
        scratch(other)
    key = new_key()
    with held(key):
        (scratch(key) / "state.json").write_text("{}")
    assert [path.name for path in temporary.iterdir()] == [path_of(other).name]
