"""What is done to the files of a running study: its database, copies of it, its checkpoints, the disks they lie on."""

import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qpsearch.study.storage.database import Database
from tests.faults.world import CONT, KILL, STOP, TERM, Study, stop, until

STOPS_S = 30.0  # a driver's epoch, its end, and Ray's


def move_database(study: Study, generator: random.Random) -> int | None:
    """Move the database, or the folder with it and the checkpoints, and move it back to where the message says it was."""
    path = study.database
    archive = path.parent.with_name("archive")

    def move_folder() -> None:
        path.parent.rename(archive)

    def move_file() -> None:
        archive.mkdir()
        path.rename(archive / path.name)

    def move_back(said: str) -> None:
        assert f"was moved to {archive / path.name}, with every trial up to here" in said, said
        if path.parent.exists() and (archive / "checkpoints").exists():
            shutil.rmtree(path.parent)  # what a worker wrote in its last epoch, of which no row tells
        if path.parent.exists():
            for file in archive.iterdir():
                file.rename(path.parent / file.name)
            archive.rmdir()
        else:
            archive.rename(path.parent)

    return _without_database(study, generator.choice([move_folder, move_file]), "the file is gone", move_back)


def remove_database(study: Study, generator: random.Random) -> int | None:
    """Remove the database, and put the copy in its place that the message names."""

    def remove() -> None:
        for file in sorted(study.database.parent.glob(f"{study.database.name}*")):
            file.unlink()

    def restore(said: str) -> None:
        assert not study.database.exists()
        _saved(said).rename(study.database)

    return _without_database(study, remove, "the file is gone", restore)


def replace_database(study: Study, generator: random.Random) -> int | None:
    """Put another database in the place of this one, then the copy that the message names."""
    path, other = study.database, study.folder / "other.db"
    Database.create(f"sqlite:///{other}").close()
    content = other.read_bytes()

    def restore(said: str) -> None:
        assert path.read_bytes() == content, "the other database was written to"
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        _saved(said).rename(path)

    return _without_database(study, lambda: other.replace(path), "another file is in its place", restore)


def _without_database(study: Study, lose: Callable[[], None], says: str, restore: Callable[[str], None]) -> int | None:
    """Lose the database; assert that every driver says so and ends within an epoch; restore the database.

    Returns:
        How many trials ran; None, with nothing done, where none does: the drivers are about to end.
    """
    study.wait_for_drivers()
    running, said = set(study.running()), len(study.output())
    if not running:
        return None
    lose()
    begun = study.epochs_begun()
    for process in study.processes:
        assert process.wait(timeout=STOPS_S) == 2, study.output()[said:]
    message = study.output()[said:]
    assert message.count(says) == len(study.processes), message
    more = study.epochs_begun() - begun
    restore(message)
    running |= set(study.running())
    assert more <= len(running), f"{more} epochs were begun without a database, of trials {running}"
    return len(running)


def _saved(said: str) -> Path:
    """Return the copy that a message names: the last one, where several drivers saved it."""
    return Path(re.findall(r"Every trial up to here is saved in (\S+\.db)", said)[-1])


def resume_a_copy(study: Study, generator: random.Random) -> int:
    """Resume the study in a copy of its database, in vain; continue the copy under another name, and delete it."""
    running = study.running()
    with _copied(study) as copy:
        assert "This database is a copy" in study.said("resume", "scripted", *study.options, url=copy, code=2)
        study.said("studies", "copy", "scripted", "--as", "fork", url=copy)
        elsewhere = Path(tempfile.mkdtemp(prefix="qpsearch-fault-log-"))
        fork = study.launch("resume", "fork", *study.options, url=copy, log_folder=elsewhere)
        until(lambda: (elsewhere / "log").exists() or fork.poll() is not None, 60, "a copy does not begin", study)
        stop(fork, TERM)
        study.said("studies", "delete", "fork", "--yes", url=copy)
        shutil.rmtree(elsewhere)
    return len(running) if study.drivers > 1 else 0  # they stood still for longer than a lease: one may take over


def delete_in_a_copy(study: Study, generator: random.Random) -> int:
    """Delete the study in a copy of its database: in vain first; kill -9 its drivers, then without its checkpoints."""
    delete = ("studies", "delete", "scripted", "--yes")
    running = set(study.running())
    with _copied(study) as copy:
        assert "This database is a copy" in study.said(*delete, url=copy, code=2)
        for process in study.processes:
            stop(process, KILL)  # the copy, too, names them as those who run the study
        study.said(*delete, "--keep-checkpoints", url=copy)
    return len(running | set(study.running()))


@contextmanager
def _copied(study: Study) -> Iterator[str]:
    """Copy the database while the drivers stand still; assert at the end that all checkpoints are as they were."""
    copy = study.database.with_name("copy.db")
    for process in study.processes:
        process.send_signal(STOP)
    try:
        for suffix in ("", "-wal"):
            file = study.database.with_name(f"{study.database.name}{suffix}")
            if file.exists():
                shutil.copyfile(file, copy.with_name(f"{copy.name}{suffix}"))
        before = _contents(study.checkpoints)
        yield f"sqlite:///{copy}"
        after = _contents(study.checkpoints)
        assert before.items() <= after.items(), before.keys() - after.keys()  # a worker may have written one more
        assert [path.name for path in study.checkpoints.parent.iterdir()] == [study.checkpoints.name]
    finally:
        for process in study.processes:
            process.send_signal(CONT)
    for file in copy.parent.glob("copy.db*"):
        file.unlink()


def _contents(folder: Path) -> dict[Path, bytes]:
    """Return every whole file of a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".partial"}


def corrupt_checkpoint(study: Study, generator: random.Random) -> int:
    """Damage the newest checkpoint of every open trial, then kill -9 the driver: the one before it serves."""
    process = generator.choice(study.processes)
    process.send_signal(STOP)
    running = set(study.running(process.pid))
    newest: dict[str, Path] = {}
    for path in sorted(study.stored("r0-*.pt"), key=lambda path: path.name.split("-e")[1]):
        newest[path.parent.name] = path
    for path in newest.values():
        if int(path.parent.name.removeprefix("trial-")) in running:
            content = bytearray(path.read_bytes())
            content[generator.randrange(len(content))] ^= 0xFF
            path.write_bytes(bytes(content[: generator.randrange(1, len(content) + 1)]))
    stop(process, KILL)
    return 2 * len(running)


def fill_disk(of: Callable[[Study], Path]) -> Callable[[Study, random.Random], int]:
    """Fill the small disk on which a folder of a study lies, until the driver gives up; then make room."""

    def action(study: Study, generator: random.Random) -> int:
        filler, said = of(study) / "filler", len(study.output())
        deadline = time.monotonic() + 60
        while study.processes[0].poll() is None and time.monotonic() < deadline:
            try:
                with filler.open("ab", buffering=0) as file:
                    while True:
                        file.write(b"x" * 4096)
            except OSError:
                time.sleep(0.1)
        code = study.processes[0].wait(timeout=30)
        filler.unlink()
        assert code in (1, 2), (code, study.output()[said:])
        return 1  # one trial at a time; it may have let its attempt go, or have been between two trials

    return action
