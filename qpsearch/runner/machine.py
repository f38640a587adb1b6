"""The data sets and GPUs of this machine, found without loading torch."""

import contextlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from qpsearch.artifacts import local_path
from qpsearch.errors import DataError, DispatchError
from qpsearch.registry.datasets import Data
from qpsearch.registry.own.decoding import GIB, MOST, free_bytes, is_large, is_streamed, kept_at, prepare_own
from qpsearch.registry.own.record import OWN, SAYS, STREAMED
from qpsearch.vocabulary import Variable

HIDDEN: Final = ("", "-1", "NoDevFiles")  # of CUDA_VISIBLE_DEVICES: no GPU at all
SAFE_PYTHON: Final = (sys.executable, "-P")  # without -P, a ./torch.py would be imported in place of torch
DEFAULT_STORAGE: Final = "sqlite:///studies/qpsearch.db"  # below the working directory


def data_folder(data: Data) -> Path | None:
    """Return the folder of archives and downloads; None for a data set that does not need a folder.

    Raises:
        DataError: QPSEARCH_DATA names something that is not a folder.
    """
    if data.facts.bundled:
        return None
    given = Variable.DATA.given
    if given is None:
        return Path.home() / ".cache" / "qpsearch"
    with contextlib.suppress(ValueError):
        folder = local_path(given).absolute()
        if folder.is_dir():
            return folder
    raise DataError(
        f"{Variable.DATA}={given}: is not a folder. Make it, or unset {Variable.DATA} to use ~/.cache/qpsearch."
    )


def prepare_data(data: Data, folder: Path | None) -> None:
    """Fetch or decode missing data; where that needs torch, in a separate process, since this one must not load it.

    Raises:
        DataError: The data set cannot be fetched or read, or the user's own images have changed.
    """
    if folder is None:
        return
    streamed = data.own is not None and is_streamed(data.own, folder, data.stream)
    if data.own is not None and not is_large(data.own, folder, streamed=streamed):
        prepare_own(data.own, folder, streamed=streamed)
        return
    name = data.dataset if data.own is None else OWN
    facts = "" if data.own is None else data.own.to_text()
    command = [*SAFE_PYTHON, "-m", "qpsearch.training.prepare", name, str(folder), *([STREAMED] if streamed else [])]
    done = subprocess.run(  # its progress bar is on stderr
        command, input=facts, stdout=subprocess.PIPE, text=True, check=False, env=Variable.for_child()
    )
    if done.returncode == DataError.exit_code:
        raise DataError(done.stdout.rpartition(SAYS)[2].strip())
    if done.returncode != 0:
        raise DataError(f"{data.dataset}: preparing it in {folder} failed; see above.")


def as_kept(data: Data) -> Data:
    """Return a study's data as they are read on this machine: in the one form in which a run left the images here.

    A study may go on with another ``data.stream`` than that of its own file, which decides where images are kept here
    in both forms, as arrays and as tables of files, or in neither.

    Raises:
        DataError: QPSEARCH_DATA names something that is not a folder.
    """
    own, folder = data.own, data_folder(data)
    if own is None or folder is None:
        return data
    found = [streamed for streamed in (False, True) if kept_at(own, folder, streamed=streamed).is_dir()]
    return replace(data, stream=found[0]) if len(found) == 1 else data


def prepare_kept(data: Data) -> Path | None:
    """Make sure that a study's images can be read, in the form in which a run left them; return the data's folder.

    Raises:
        DataError: The data set cannot be fetched or read, or the user's own images have changed.
    """
    folder = data_folder(data)
    prepare_data(as_kept(data), folder)
    return folder


def about_images(data: Data, folder: Path | None, cpus: int) -> list[str]:
    """Say what a user should know about images of their own before they are trained on; arguments as ``how_streamed``.

    Raises:
        DataError: The disk does not say how much of it is free.
    """
    how = how_streamed(data, folder, cpus)
    told = [*(() if data.own is None else data.own.converted), *([how] if how else [])]
    return [f"images {data.dataset}: {each}" for each in told]


def how_streamed(data: Data, folder: Path | None, cpus: int) -> str:
    """Say that images are decoded while networks train, and why where ``data.stream`` is ``auto``; empty where not.

    Args:
        data: The data.
        folder: The folder of the data sets; None for a set that does not need one.
        cpus: CPUs of a trial, each of which decodes.

    Raises:
        DataError: The disk does not say how much of it is free.
    """
    own = data.own
    if own is None or folder is None or not is_streamed(own, folder, data.stream):
        return ""
    how = f"decoded while networks train, by {cpus} process{'es' * (cpus > 1)} a trial"
    if data.stream:
        return how
    free = "" if own.kept_bytes > MOST else f", and {free_bytes(folder) / GIB:,.1f} GiB are free in {folder}"
    return f"{how}: as arrays they would take {own.kept_bytes / GIB:,.1f} GiB{free}"


def has_gpu() -> bool:
    """Whether this process may use an NVIDIA GPU of this machine, found without loading torch."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (shown is None or shown.strip() not in HIDDEN) and any(Path("/dev").glob("nvidia[0-9]*"))


def check_gpu() -> None:
    """Ask torch, in a separate process, whether it can use this machine's GPU.

    Raises:
        DispatchError: It cannot; every trial would fail for the same reason.
    """
    code = "from qpsearch.runner.trainer import gpu_fault; print(gpu_fault() or '')"
    done = subprocess.run(
        [*SAFE_PYTHON, "-c", code], capture_output=True, text=True, check=False, env=Variable.for_child()
    )
    why = done.stdout.strip() or (done.returncode != 0 and (done.stderr.strip().splitlines() or ["it ended"])[-1])
    if why:
        raise no_gpu(why)


def no_gpu(why: str) -> DispatchError:
    """Return the error that says that torch cannot use a GPU."""
    return DispatchError(f"torch cannot use the GPU: {why}. Repair its driver, or train without it: --gpus 0.")
