"""The data sets and GPUs of this machine, found without loading torch."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from qpsearch.artifacts import local_path
from qpsearch.dispatch.environment import without_storage
from qpsearch.errors import DataError, DispatchError
from qpsearch.registry.datasets import DATASETS, DatasetName
from qpsearch.vocabulary import Variable

HIDDEN: Final = ("", "-1", "NoDevFiles")  # of CUDA_VISIBLE_DEVICES: no GPU at all
SAFE_PYTHON: Final = (sys.executable, "-P")  # without -P, a ./torch.py would be imported in place of torch
DEFAULT_STORAGE: Final = "sqlite:///studies/qpsearch.db"  # below the working directory


def data_folder(name: DatasetName) -> Path | None:
    """Return the folder of archives and downloads; None for a data set that does not need a folder.

    Raises:
        DataError: QPSEARCH_DATA names something that is not a folder.
    """
    if DATASETS[name].bundled:
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


def prepare_data(name: DatasetName, folder: Path | None) -> None:
    """Fetch missing data in a separate process, since this process must not load torch.

    Raises:
        DataError: The data set cannot be fetched or read.
    """
    if folder is None:
        return
    command = [*SAFE_PYTHON, "-m", "qpsearch.training.prepare", name.value, str(folder)]
    with without_storage():
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # its progress bar is on stderr
    if done.returncode == DataError.exit_code:
        raise DataError(done.stdout.strip().splitlines()[-1])
    if done.returncode != 0:
        raise DataError(f"{name}: preparing it in {folder} failed; see above.")


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
    done = subprocess.run([*SAFE_PYTHON, "-c", code], capture_output=True, text=True, check=False)
    why = done.stdout.strip() or (done.returncode != 0 and (done.stderr.strip().splitlines() or ["it ended"])[-1])
    if why:
        raise no_gpu(why)


def no_gpu(why: str) -> DispatchError:
    """Return the error that says that torch cannot use a GPU."""
    return DispatchError(f"torch cannot use the GPU: {why}. Repair its driver, or train without it: --gpus 0.")
