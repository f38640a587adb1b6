"""What a machine has for studies, and what would go wrong: versions, cores, GPUs, data, storage, disks."""

import contextlib
import importlib.metadata
import os
import platform
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import psutil

from qpsearch.dispatch.environment import WAITING, own_cores
from qpsearch.errors import DataError, DispatchError, StorageError, UserError, counted
from qpsearch.registry.datasets import DATASETS, Data
from qpsearch.registry.own.decoding import free_bytes, most_kept
from qpsearch.runner.machine import SAFE_PYTHON, check_gpu, data_folder, has_gpu
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.engine import parse_url, shown_url
from qpsearch.vocabulary import Variable, WithWords

PACKAGES: Final = ("torch", "torchvision", "optuna", "ray", "sqlalchemy", "plotly")
GIB: Final = 2**30
SMALL_SHM: Final = GIB // 2  # Docker's default is 64 MiB; Ray then keeps its objects on a disk
FULL: Final = 0.95  # share of a disk in use from which on Ray does not start tasks any more
LITTLE_DISK: Final = 2 * GIB
LITTLE_MEMORY: Final = 2 * GIB  # a worker with torch takes about half a GiB before it trains
FEW_FILES: Final = 1024
GPU_S: Final = 120.0  # how long torch may take to name the GPUs
QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of CPU, and of which time
SHM: Final = Path("/dev/shm")
ANY: Final = Data(dataset="cifar10", validation=0)  # a data set that needs a folder
GPU_CODE: Final = (
    "import torch; print(*(f'{p.name}, {p.total_memory / 2**30:.0f} GiB' for p in "
    "map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))), sep='; ')"
)


class Health(StrEnum):
    """How a finding stands: nothing to do, a study would suffer, or a study could not run."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(WithWords):
    """One thing that was looked at.

    Attributes:
        subject: What it is about, in a word or two.
        health: How it stands.
        text: What was found.
        fix: What to do; empty where there is nothing to do.
    """

    subject: str
    health: Health
    text: str
    fix: str = ""


def examine(storage: str) -> Iterator[Finding]:
    """Yield what the machine has, one finding after the other.

    Args:
        storage: URL of the study database.
    """
    for check in (_versions, _cores, _threads, _memory, _gpus, _data):
        yield check()
    yield from _data_disk()
    yield _storage(storage)
    yield from (_shared_memory(), _disk("disk here", Path()), _disk("temporary disk", _of_ray()))
    yield _open_files()


def _versions() -> Finding:
    found, missing = [f"python {platform.python_version()}"], []
    for name in ("qpsearch", *PACKAGES):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        fix = f"pip install {' '.join(missing)}"
        return Finding(subject="versions", health=Health.BROKEN, text=f"{', '.join(missing)} missing", fix=fix)
    return Finding(subject="versions", health=Health.GOOD, text=", ".join(found))


def _cores() -> Finding:
    usable = own_cores()
    granted = _quota()
    if granted is not None and granted < usable:
        text = f"{usable} cores, but this container may use {granted:g} of them"
        fix = f"run with --concurrent {max(int(granted), 1)}, or give the container more"
        return Finding(subject="cores", health=Health.DOUBTFUL, text=text, fix=fix)
    load = os.getloadavg()[0]
    busy = f"; other programs keep about {load:.1f} of them busy" if load > usable / 2 else ""
    return Finding(
        subject="cores", health=Health.DOUBTFUL if busy else Health.GOOD, text=f"{usable}{busy}",
        fix="end them, or expect trials to take longer than a plan says" if busy else "",
    )  # fmt: skip


def _quota() -> float | None:
    """Return how many cores a container may use; None for all."""
    try:
        most, of = QUOTA.read_text().split()
        return None if most == "max" else int(most) / int(of)
    except (OSError, ValueError):
        return None


def _threads() -> Finding:
    """Say how many threads a trial computes with, and whether those that wait yield their core."""
    given = next((f"{name}={os.environ[name]}" for name in WAITING if name in os.environ), None)
    text = "one for each core of a trial: resources.cpus, or --cpus"
    if given is not None and os.environ.get(WAITING[0], "").upper() == "ACTIVE":
        return Finding(
            subject="threads", health=Health.DOUBTFUL, text=f"{text}; waiting ones keep their core: {given}",
            fix=f"unset {WAITING[0]}, unless nothing else runs here",
        )  # fmt: skip
    text += f"; waiting ones as {given} says" if given else "; waiting ones yield their core"
    if (own := os.environ.get("OMP_NUM_THREADS")) is not None:
        text += f"; OMP_NUM_THREADS={own} does not change that"
    return Finding(subject="threads", health=Health.GOOD, text=text)


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    text = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    little = memory.available < LITTLE_MEMORY
    fix = "end other programs, or run fewer trials at once: --concurrent 1" if little else ""
    return Finding(subject="memory", health=Health.DOUBTFUL if little else Health.GOOD, text=text, fix=fix)


def _gpus() -> Finding:
    if not has_gpu():
        return Finding(subject="GPUs", health=Health.GOOD, text="none; trials train on cores")
    try:
        check_gpu()
    except DispatchError as error:
        return _broken("GPUs", error)
    command = [*SAFE_PYTHON, "-c", GPU_CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=GPU_S, env=Variable.for_child())
    return Finding(subject="GPUs", health=Health.GOOD, text=done.stdout.strip() or "found")


def _data() -> Finding:
    try:
        folder = data_folder(ANY)
    except DataError as error:
        return _broken("data", error)
    assert folder is not None
    there = [name for name, facts in DATASETS.items() if not facts.bundled and _is_there(folder, name)]
    bundled = [name for name, facts in DATASETS.items() if facts.bundled]
    text = f"{', '.join(there) or 'nothing yet'} in {folder}; {', '.join(bundled)} needs no folder"
    return Finding(subject="data", health=Health.GOOD, text=text)


def _data_disk() -> Iterator[Finding]:
    """Say how much room there is for data, unless their folder is not there, which ``_data`` says."""
    with contextlib.suppress(DataError):
        folder = data_folder(ANY)
        assert folder is not None
        text = (
            f"{free_bytes(folder) / GIB:.1f} GiB free in {folder}; a folder of images of your own that takes more than "
            f"{most_kept(folder) / GIB:.1f} GiB as arrays is streamed"
        )
        yield Finding(subject="disk for data", health=Health.GOOD, text=text)


def _is_there(folder: Path, name: str) -> bool:
    return (folder / f"{name}.npz").exists() or (folder / name).is_dir()


def _storage(url: str) -> Finding:
    try:
        parsed = parse_url(url)
        shown = shown_url(parsed)
        if parsed.drivername.startswith("sqlite") and parsed.database and not Path(parsed.database).exists():
            return _new_file(Path(parsed.database), shown)
        database = Database.open(url)
    except StorageError as error:
        return _broken("storage", error)
    try:
        count = len(queries.study_names(database))
    except StorageError as error:
        return _broken("storage", error)
    finally:
        database.close()
    return Finding(subject="storage", health=Health.GOOD, text=f"{shown}: {_counted(count)}")


def _new_file(path: Path, shown: str) -> Finding:
    """Return whether an SQLite file could be made where there is none yet."""
    above = next(each for each in path.absolute().parents if each.exists())
    if os.access(above, os.W_OK | os.X_OK):
        text = f"{shown}: not there yet; the first study makes it"
        return Finding(subject="storage", health=Health.GOOD, text=text)
    fix = f"name another place: --storage, or {Variable.STORAGE}"
    return Finding(subject="storage", health=Health.BROKEN, text=f"{above}: cannot be written", fix=fix)


def _counted(count: int) -> str:
    return counted(count, "study", "studies")


def _shared_memory() -> Finding:
    subject = "shared memory"
    if not SHM.is_dir():
        return Finding(subject=subject, health=Health.GOOD, text="this system does not have /dev/shm")
    usage = shutil.disk_usage(SHM)
    text = f"{usage.free / GIB:.1f} of {usage.total / GIB:.1f} GiB of /dev/shm free"
    if usage.free < SMALL_SHM:
        fix = "Ray will be slow: give the container more, docker run --shm-size=2g"
        return Finding(subject=subject, health=Health.DOUBTFUL, text=text, fix=fix)
    return Finding(subject=subject, health=Health.GOOD, text=text)


def _disk(subject: str, folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    text = f"{usage.free / GIB:.1f} GiB free in {folder.absolute()}"
    if usage.used > FULL * usage.total:
        fix = f"Ray starts nothing on a disk that is over {FULL:.0%} full: make room, or set RAY_TMPDIR"
        return Finding(subject=subject, health=Health.BROKEN, text=text, fix=fix)
    if usage.free < LITTLE_DISK:
        fix = "checkpoints may fill it: make room, or name another place with --artifacts"
        return Finding(subject=subject, health=Health.DOUBTFUL, text=text, fix=fix)
    return Finding(subject=subject, health=Health.GOOD, text=text)


def _of_ray() -> Path:
    """Return where Ray keeps its files."""
    given = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    return given if given.is_dir() else Path(tempfile.gettempdir())


def _open_files() -> Finding:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = most != resource.RLIM_INFINITY and most < FEW_FILES
    fix = "Ray opens many: ulimit -n 65536" if few else ""
    return Finding(
        subject="open files", health=Health.DOUBTFUL if few else Health.GOOD, text=f"at most {most}", fix=fix
    )


def _broken(subject: str, error: UserError) -> Finding:
    """Return an error as a finding; its message ends with the fix."""
    return Finding(subject=subject, health=Health.BROKEN, text=str(error))
