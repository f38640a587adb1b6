"""What is done to the processes of a running study, and how many epochs it may cost: one for each trial that ran."""

import contextlib
import os
import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.dispatch.study import log_lines
from tests.faults.trainer import EATEN_BYTES
from tests.faults.world import CONT, KILL, LEASE_S, STOP, TERM, TIMEOUT_S, Study, stop, until

MEMORY_BYTES = 200_000_000  # what a worker may use beyond what it has when it is put into the group
# Version 1 and 2 of the kernel's groups: where they are, and the file that limits the memory and the one that counts the killed.
GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.oom_control"),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.events"),
)
TIMEOUTS = "SELECT count(*) FROM qpsearch_attempts WHERE ending = 'failed' AND reason = 'timeout'"


def kill_driver(study: Study, generator: random.Random) -> int:
    """kill -9 of a driver."""
    process = generator.choice(study.processes)
    running = study.running(process.pid)
    stop(process, KILL)
    return max(len(running), len(study.running(process.pid)))


def terminate_driver(study: Study, generator: random.Random) -> int:
    """SIGTERM, as a batch system sends it: nothing may be repeated."""
    stop(generator.choice(study.processes), TERM)
    return 0


def kill_worker(study: Study, generator: random.Random) -> int:
    """kill -9 of the process that trained last."""
    worker = int(log_lines(study.log_folder)[-1][4].removeprefix("pid="))
    try:
        psutil.Process(worker).kill()
    except psutil.NoSuchProcess:
        return 0
    return 1


def freeze_worker(study: Study, generator: random.Random) -> int | None:
    """SIGSTOP of a worker in an epoch, for good: it is ended when its time to report is over; its trial fails."""
    epoch = study.next_epoch()
    if epoch is None:
        return None
    before = study.ask(TIMEOUTS)
    worker = psutil.Process(epoch.pid)
    worker.suspend()
    until(lambda: study.ask(TIMEOUTS) > before, TIMEOUT_S + 20, "a frozen worker is not ended", study)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    study.timed_out.add(epoch.trial)
    return 1


def freeze_driver(study: Study, generator: random.Random) -> int:
    """SIGSTOP past the lease, then SIGCONT: with others about, they take over, and this one must notice."""
    process = generator.choice(study.processes)
    running = len(study.running(process.pid))
    process.send_signal(STOP)
    running = max(running, len(study.running(process.pid)))  # it may have taken a trial in between
    time.sleep(2 * LEASE_S + generator.uniform(0, 1))
    process.send_signal(CONT)
    if len(study.processes) == 1:
        return 0
    try:
        process.wait(timeout=20)  # superseded
    except Exception:
        assert not study.running(process.pid) or process.poll() is None  # nobody was there to take over
    return running


def kill_in_a_write(study: Study, generator: random.Random) -> int | None:
    """kill -9 of a worker while a checkpoint is half written."""
    order = study.log_folder / "checkpoint-bytes"
    order.write_text(str(generator.randrange(5_000_000, 30_000_000)))
    deadline = time.monotonic() + 30
    try:
        while time.monotonic() < deadline and not study.finished():
            for _ in range(2000):
                for partial in study.stored("*.partial"):
                    if _kill_writer(study, partial):
                        return 1
        return None
    finally:
        order.unlink()


def _kill_writer(study: Study, partial: Path) -> bool:
    """Stop the process that writes a file; kill it if it is still writing, else let it go on."""
    workers = [line[4] for line in log_lines(study.log_folder) if line[0] == partial.parent.name]
    with contextlib.suppress(psutil.NoSuchProcess, IndexError):
        worker = psutil.Process(int(workers[-1].removeprefix("pid=")))
        worker.suspend()
        if partial.exists():
            worker.kill()
            return True
        worker.resume()
    return False


def eat_memory(study: Study, generator: random.Random) -> int | None:
    """Let a worker use more and more memory until the kernel kills it, and nothing but it.

    Where this process may not limit a group's memory, the worker takes 1 GiB and is then killed from outside.
    """
    epoch = study.next_epoch()
    if epoch is None:
        return None
    worker = psutil.Process(epoch.pid)
    with memory_group() as group:
        if group is not None:
            (group / "cgroup.procs").write_text(str(epoch.pid))
        (study.log_folder / f"eat-{epoch.pid}").touch()
        if group is None:
            until(lambda: worker.memory_info().rss > EATEN_BYTES, 60, "a worker does not eat", study)
            worker.kill()
        gone = lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE  # noqa: E731
        until(gone, 60, "a worker that eats memory lives", study)
        if group is not None:
            assert _killed_by_kernel(group) == 1, "a worker that eats memory ended before the kernel killed it"
    return 1


@contextlib.contextmanager
def memory_group(most_bytes: int = MEMORY_BYTES) -> Iterator[Path | None]:
    """Make a group of processes whose memory the kernel limits; None where this process may not."""
    for root, limit, _ in GROUPS:
        group = root / f"qpsearch-fault-{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(OSError):
            group.mkdir()
            try:
                (group / "cgroup.procs").stat()  # else a folder as any other
                descriptor = os.open(group / limit, os.O_WRONLY)
                os.write(descriptor, str(most_bytes).encode())
                os.close(descriptor)
            except OSError:
                group.rmdir()
                continue
            try:
                yield group
            finally:
                _remove(group)
            return
    yield None


def _remove(group: Path) -> None:
    for _ in range(100):  # until its processes are gone
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.05)


def _killed_by_kernel(group: Path) -> int:
    """Return how many processes of a group the kernel killed since they used too much memory."""
    counts = next(group / count for _, _, count in GROUPS if (group / count).exists())
    return next(int(line.split()[1]) for line in counts.read_text().splitlines() if line.startswith("oom_kill "))


def resume_twice(study: Study, generator: random.Random) -> int:
    """kill -9 of every driver, then two resumes at one instant: both join, or one says why it does not."""
    running: set[int] = set(study.running())
    for process in study.processes:
        process.send_signal(KILL)
    for process in study.processes:
        process.wait()
    running |= set(study.running())
    said = len(study.output())
    study.processes = [study.launch("resume", "scripted", *study.options) for _ in range(2)]
    study.wait_for_drivers()
    codes = [process.poll() for process in study.processes]
    assert set(codes) <= {None, 0}, (codes, study.output()[said:])
    time.sleep(generator.uniform(0, 1))
    for surplus in study.processes[study.drivers :]:
        stop(surplus, TERM)
    return len(running)


def jump_clock(study: Study, generator: random.Random) -> int:
    """Set the drivers' clocks wrong by up to a day."""
    (study.log_folder / "clock").write_text(str(generator.uniform(-86_400, 86_400)))
    time.sleep(1)
    return 0
