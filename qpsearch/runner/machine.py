"""The data sets and GPUs of this machine, found without loading torch."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from qpsearch.errors import DataError
from qpsearch.registry.datasets import DATASETS, DatasetName

DATA_VARIABLE: Final = "QPSEARCH_DATA"
SAFE_PYTHON: Final = (sys.executable, "-P")  # without -P, a ./torch.py would be imported in place of torch
DEFAULT_STORAGE: Final = "sqlite:///studies/qpsearch.db"  # below the working directory


def data_folder(name: DatasetName) -> Path | None:
    """Return the folder of archives and downloads; None for a data set that does not need a folder.

    Raises:
        DataError: QPSEARCH_DATA names something that is not a folder.
    """
    if DATASETS[name].bundled:
        return None
    given = os.environ.get(DATA_VARIABLE)
    if given is None:
        return Path.home() / ".cache" / "qpsearch"
    folder = Path(given).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(
            f"{DATA_VARIABLE}={given}: is not a folder. Make it, or unset {DATA_VARIABLE} to use ~/.cache/qpsearch."
        )
    return folder


def prepare_data(name: DatasetName, folder: Path | None) -> None:
    """Fetch missing data in a separate process, since this process must not load torch.

    Raises:
        DataError: The data set cannot be fetched or read.
    """
    if folder is None:
        return
    command = [*SAFE_PYTHON, "-m", "qpsearch.training.prepare", name.value, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # its progress bar is on stderr
    if done.returncode == DataError.exit_code:
        raise DataError(done.stdout.strip().splitlines()[-1])
    if done.returncode != 0:
        raise DataError(f"{name}: preparing it in {folder} failed; see above.")


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU, found without loading torch."""
    return any(Path("/dev").glob("nvidia[0-9]*"))
