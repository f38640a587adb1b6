"""What is done to a running study, and how many epochs it may cost: one for each trial that ran, if any."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.dispatch.study import log_lines
from tests.faults.world import CONT, KILL, LEASE_S, STOP, TERM, Study, stop
from tests.postgres import Postgres

Action = Callable[[Study, random.Random], int]


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


def kill_ray(study: Study, generator: random.Random) -> int:
    """kill -9 of the Ray node that a driver has started for itself; the driver ends with it."""
    process = generator.choice(study.processes)
    running = study.running(process.pid)
    for child in psutil.Process(process.pid).children():
        if child.name() == "raylet":
            child.kill()
    process.wait(timeout=100)
    return max(len(running), len(study.running(process.pid)))


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


def jump_clock(study: Study, generator: random.Random) -> int:
    """Set the drivers' clocks wrong by up to a day."""
    (study.log_folder / "clock").write_text(str(generator.uniform(-86_400, 86_400)))
    time.sleep(1)
    return 0


def corrupt_checkpoint(study: Study, generator: random.Random) -> int:
    """Damage the newest checkpoint of every open trial, then kill -9 the driver: the one before it serves."""
    process = generator.choice(study.processes)
    process.send_signal(STOP)
    running = set(study.running(process.pid))
    newest: dict[str, Path] = {}
    for path in sorted(study.folder.rglob("trial-*/r0-*.pt"), key=lambda path: path.name.split("-e")[1]):
        newest[path.parent.name] = path
    for path in newest.values():
        if int(path.parent.name.removeprefix("trial-")) in running:
            content = bytearray(path.read_bytes())
            content[generator.randrange(len(content))] ^= 0xFF
            path.write_bytes(bytes(content[: generator.randrange(1, len(content) + 1)]))
    stop(process, KILL)
    return 2 * len(running)


def fill_disk(study: Study, generator: random.Random) -> int:
    """Fill the small disk on which database and checkpoints lie, until the driver gives up; then make room."""
    filler = study.folder / "filler"
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
    assert code in (1, 2), (code, study.output()[-2000:])
    assert "Traceback" not in study.output(), study.output()[-4000:]
    return 1  # one trial at a time; it may have let its attempt go, or have been between two trials


def stop_database(server: Postgres, seconds: float) -> Action:
    """Take the server down as a crash does, for so many seconds."""

    def action(study: Study, generator: random.Random) -> int:
        server.stop()
        time.sleep(seconds)
        server.start()
        return 0

    return action


def break_connections(server: Postgres) -> Action:
    """End every connection in the middle of whatever it does."""

    def action(study: Study, generator: random.Random) -> int:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        for _ in range(5):
            server.execute(query)
            time.sleep(generator.uniform(0, 0.3))
        return 0

    return action
