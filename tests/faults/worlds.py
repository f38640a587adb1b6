"""The worlds in which a study must survive: dispatchers, databases, numbers of drivers, a cluster."""

import os
import random
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.faults import injections as do
from tests.faults.injections import Action
from tests.faults.world import EPOCH_S, ROOT, Study
from tests.postgres import Postgres

INLINE, TUNE = ("--dispatch", "inline"), ("--concurrent", "2")
SMALL_DISK_BYTES = 16_000_000  # 24 trials' checkpoints of 0.2 MB and a journal of 4 MB leave room until it is filled
OUTAGE_S = 30.0


@dataclass(frozen=True)
class World:
    """A way to run a study, and what is done to it there."""

    name: str
    new_study: Callable[[], Study]
    actions: dict[str, Action]


def local(options: tuple[str, ...], drivers: int = 1) -> Callable[[], Study]:
    """SQLite on this machine."""

    def new() -> Study:
        folder = Path(tempfile.mkdtemp(prefix="qpsearch-fault-"))
        return Study(folder, f"sqlite:///{folder}/studies/q.db", options, drivers)

    return new


def on_server(server: Postgres, options: tuple[str, ...], drivers: int) -> Callable[[], Study]:
    """Several drivers on PostgreSQL."""

    def new() -> Study:
        folder = Path(tempfile.mkdtemp(prefix="qpsearch-fault-"))
        return Study(folder, server.new_database(), (*options, "--artifacts", str(folder / "artifacts")), drivers)

    return new


def on_small_disk(disk: Path) -> Callable[[], Study]:
    """SQLite on a disk of a few megabytes, the scripts' own log elsewhere."""

    def new() -> Study:
        folder = disk / uuid.uuid4().hex[:8]
        study = Study(folder, f"sqlite:///{folder}/studies/q.db", INLINE)
        study.log_folder = Path(tempfile.mkdtemp(prefix="qpsearch-fault-log-"))
        study.environment = {"SCRIPTED_CHECKPOINT_BYTES": "100000"}
        return study

    return new


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of a few megabytes; it takes the right to mount."""
    folder = Path(tempfile.mkdtemp(prefix="qpsearch-fault-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def cluster_world() -> Iterator[World]:
    """Two worker nodes beside a head without cores, one of which is killed and replaced."""
    from ray.cluster_utils import Cluster

    log_folder = Path(tempfile.mkdtemp(prefix="qpsearch-fault-log-"))  # the nodes know one for all studies
    with patched_path(log_folder):
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        nodes = [made.add_node(num_cpus=1), made.add_node(num_cpus=1)]

        def kill_node(study: Study, generator: random.Random) -> int:
            """kill -9 of a Ray node with all its workers; another joins."""
            index = generator.randrange(2)
            made.remove_node(nodes[index], allow_graceful=False)
            time.sleep(generator.uniform(0, 1))
            nodes[index] = made.add_node(num_cpus=1)
            return 1

        actions = {"kill -9 of a Ray node": kill_node, "kill -9 of a driver": do.kill_driver}
        try:
            yield World("Ray cluster of 2 nodes, SQLite", on_cluster(made.address, log_folder), actions)
        finally:
            made.shutdown()


def on_cluster(address: str, log_folder: Path) -> Callable[[], Study]:
    """A driver that joins a running cluster."""

    def new() -> Study:
        study = local(("--address", address))()
        for path in log_folder.iterdir():
            path.unlink()
        study.log_folder = log_folder
        return study

    return new


@contextmanager
def patched_path(log_folder: Path) -> Iterator[None]:
    """Let the nodes' workers find the scripted trainer and its log."""
    before = dict(os.environ)
    os.environ.update({"PYTHONPATH": str(ROOT), "SCRIPTED_EPOCH_S": str(EPOCH_S), "SCRIPTED_LOG": str(log_folder)})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


COMMON: dict[str, Action] = {
    "kill -9 of a driver": do.kill_driver,
    "kill -9 of a worker": do.kill_worker,
    "SIGTERM of a driver": do.terminate_driver,
    "newest checkpoint damaged, kill -9": do.corrupt_checkpoint,
    "clock jumps": do.jump_clock,
}


def inline_world() -> World:
    """One driver, one trial at a time, SQLite."""
    return World("inline, SQLite", local(INLINE), COMMON | {"driver frozen past its lease": do.freeze_driver})


def tune_world() -> World:
    """One driver on a Ray of its own, two trials at a time, SQLite."""
    return World("Ray Tune, 2 slots, SQLite", local(TUNE), COMMON | {"kill -9 of the driver's Ray node": do.kill_ray})


def pair_world() -> World:
    """Two drivers of one host on SQLite."""
    actions = COMMON | {"driver frozen past its lease": do.freeze_driver}
    return World("2 drivers inline, SQLite", local(INLINE, 2), actions)


@contextmanager
def server_world(outage_s: float) -> Iterator[World]:
    """Two drivers on a PostgreSQL server that goes away for so many seconds."""
    server = Postgres()
    server.start()
    actions = COMMON | {
        "driver frozen past its lease": do.freeze_driver,
        f"PostgreSQL down for {outage_s:g} s": do.stop_database(server, outage_s),
        "connections broken": do.break_connections(server),
    }
    try:
        yield World("2 drivers inline, PostgreSQL", on_server(server, INLINE, 2), actions)
    finally:
        server.remove()


@contextmanager
def disk_world() -> Iterator[World]:
    """A disk that fills up."""
    with small_disk() as disk:
        yield World("inline, SQLite, small disk", on_small_disk(disk), {"disk full": do.fill_disk})


# World and its share of the full form's injections.
WORLDS: dict[str, tuple[Callable[[], AbstractContextManager[World]], float]] = {
    "server": (lambda: server_world(OUTAGE_S), 0.25),
    "inline": (lambda: nullcontext(inline_world()), 0.22),
    "tune": (lambda: nullcontext(tune_world()), 0.2),
    "cluster": (cluster_world, 0.13),
    "pair": (lambda: nullcontext(pair_world()), 0.15),
    "disk": (disk_world, 0.05),
}
