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

from tests.faults import files, processes, promotion, servers
from tests.faults.world import EPOCH_S, ROOT, Action, Study
from tests.postgres import Postgres

INLINE, TUNE = ("--dispatch", "inline"), ("--concurrent", "2")
SMALL_DISK_BYTES = 16_000_000  # 24 trials' checkpoints of 0.2 MB and a journal of 4 MB leave room until it is filled
OUTAGE_S, FORBIDDEN_S = 30.0, 6.0
with processes.memory_group() as _group:
    EATEN = "worker that eats memory, " + (
        "killed by the kernel" if _group is not None else "killed from outside at 1 GiB (the kernel imitated)"
    )


@dataclass(frozen=True)
class World:
    """A way to run a study, what is done to it there, and what must hold at its end beside what always must."""

    name: str
    new_study: Callable[[], Study]
    actions: dict[str, Action]
    check: Callable[[Study], None] = lambda study: None


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
        return Study(folder, server.new_database(), options, drivers, artifacts=folder / "artifacts")

    return new


def on_small_disks(database: Path, artifacts: Path | None = None) -> Callable[[], Study]:
    """SQLite on a disk of a few megabytes, the checkpoints there too or on another, the scripts' own log elsewhere."""

    def new() -> Study:
        name = uuid.uuid4().hex[:8]
        folder = database / name
        study = Study(folder, f"sqlite:///{folder}/studies/q.db", INLINE)
        study.artifacts = None if artifacts is None else artifacts / name
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

        actions = {"kill -9 of a Ray node": kill_node, "kill -9 of a driver": processes.kill_driver}
        try:
            yield World("Ray cluster of 2 nodes, SQLite", on_cluster(made.address, log_folder), actions)
        finally:
            made.shutdown()


def on_cluster(address: str, log_folder: Path) -> Callable[[], Study]:
    """A driver that joins a running cluster."""

    def new() -> Study:
        study = local(("--address", address))()
        log_folder.mkdir(exist_ok=True)
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
    "kill -9 of a driver": processes.kill_driver,
    "kill -9 of a worker": processes.kill_worker,
    "kill -9 of a worker that writes a checkpoint": processes.kill_in_a_write,
    EATEN: processes.eat_memory,
    "SIGTERM of a driver": processes.terminate_driver,
    "worker frozen": processes.freeze_worker,
    "newest checkpoint damaged, kill -9": files.corrupt_checkpoint,
    "clock jumps": processes.jump_clock,
}
FILE: dict[str, Action] = {
    "database moved": files.move_database,
    "database removed": files.remove_database,
    "database replaced": files.replace_database,
}
COPY: dict[str, Action] = {
    "copied database resumed": files.resume_a_copy,
    "study deleted in a copied database": files.delete_in_a_copy,
}
INLINE_ONLY: dict[str, Action] = {
    "driver frozen past its lease": processes.freeze_driver,
    "kill -9 of all drivers, two resumes at once": processes.resume_twice,
}
RAY: dict[str, Action] = {
    "kill -9 of the driver's raylet": servers.kill_ray("raylet"),
    "kill -9 of the driver's control store": servers.kill_ray("gcs_server"),
}


def inline_world() -> World:
    """One driver, one trial at a time, SQLite."""
    return World("inline, SQLite", local(INLINE), COMMON | FILE | COPY | INLINE_ONLY)


def tune_world() -> World:
    """One driver on a Ray of its own, two trials at a time, SQLite."""
    return World("Ray Tune, 2 slots, SQLite", local(TUNE), COMMON | FILE | RAY)


def pair_world() -> World:
    """Two drivers of one host on SQLite."""
    return World("2 drivers inline, SQLite", local(INLINE, 2), COMMON | FILE | COPY | INLINE_ONLY)


def promotion_world() -> World:
    """One driver, one trial at a time: with the kills at promotions, every trial ends as without them."""
    return World("promotion: inline", local(INLINE), promotion.kinds(), promotion.check_undisturbed)


def promotion_pair_world() -> World:
    """Two drivers, which promote each other's trials."""
    return World("promotion: 2 drivers inline", local(INLINE, 2), promotion.kinds(), promotion.check_rule)


def promotion_tune_world() -> World:
    """Ray Tune with two trials at a time."""
    return World("promotion: Ray Tune, 2 slots", local(TUNE), promotion.kinds(), promotion.check_rule)


@contextmanager
def server_world(outage_s: float, forbidden_s: float = FORBIDDEN_S) -> Iterator[World]:
    """Two drivers on a PostgreSQL server that goes away, or lets nobody write, for so many seconds."""
    server = Postgres()
    server.start()
    away: dict[str, Action] = {
        f"PostgreSQL down for {outage_s:g} s": servers.stop_database(server, outage_s),
        f"PostgreSQL read-only for {forbidden_s:g} s": servers.forbid_writing(server, forbidden_s),
        "connections broken": servers.break_connections(server),
    }
    try:
        yield World("2 drivers inline, PostgreSQL", on_server(server, INLINE, 2), COMMON | INLINE_ONLY | away)
    finally:
        server.remove()


@contextmanager
def disk_world() -> Iterator[World]:
    """A disk with database and checkpoints that fills up."""
    with small_disk() as disk:
        actions = {"disk full": files.fill_disk(lambda study: study.folder)}
        yield World("inline, SQLite, small disk", on_small_disks(disk), actions)


@contextmanager
def disks_world() -> Iterator[World]:
    """A disk with the database and one with the checkpoints, each of which fills up."""
    with small_disk() as one, small_disk() as other:
        actions = {
            "disk of the database full": files.fill_disk(lambda study: study.folder),
            "disk of the checkpoints full": files.fill_disk(lambda study: study.checkpoints.parent),
        }
        yield World("inline, SQLite, 2 small disks", on_small_disks(one, other), actions)


# World and its share of the full form's injections; those that take longest are first.
WORLDS: dict[str, tuple[Callable[[], AbstractContextManager[World]], float]] = {
    "tune": (lambda: nullcontext(tune_world()), 0.16),
    "promotion-tune": (lambda: nullcontext(promotion_tune_world()), 0.06),
    "server": (lambda: server_world(OUTAGE_S), 0.16),
    "inline": (lambda: nullcontext(inline_world()), 0.2),
    "cluster": (cluster_world, 0.06),
    "pair": (lambda: nullcontext(pair_world()), 0.16),
    "promotion": (lambda: nullcontext(promotion_world()), 0.07),
    "promotion-pair": (lambda: nullcontext(promotion_pair_world()), 0.07),
    "disk": (disk_world, 0.02),
    "disks": (disks_world, 0.04),
}
