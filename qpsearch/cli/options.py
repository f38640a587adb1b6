"""Options that several commands share, and what they mean."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from qpsearch.datasets import DATASETS
from qpsearch.errors import DataError, StorageEmpty, StorageOutdated, UserError
from qpsearch.vocabulary import DatasetName

DEFAULT_STORAGE = "sqlite:///studies/qpsearch.db"
DATA_VARIABLE = "QPSEARCH_DATA"

Storage = Annotated[
    str,
    typer.Option(
        envvar="QPSEARCH_STORAGE",
        metavar="URL",
        help="Study database: sqlite:///FILE or postgresql+psycopg://...",
        show_default=True,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
StudyName = Annotated[str, typer.Argument(help="Name of a study in the database.", metavar="STUDY")]


def data_folder(name: DatasetName) -> Path | None:
    """Return the folder of archives and downloads; None for a data set that needs none.

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
    """Fetch what is missing, in a process of its own: this one must not load torch.

    Raises:
        DataError: It cannot be fetched or read.
    """
    if folder is None:
        return
    command = [sys.executable, "-m", "qpsearch.training.prepare", name.value, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # its progress bar is on stderr
    if done.returncode == DataError.exit_code:
        raise DataError(done.stdout.strip().splitlines()[-1])
    if done.returncode != 0:
        raise DataError(f"{name}: preparing it in {folder} failed; see above.")


def existing_studies(storage: str) -> list[str]:
    """Return the names of the studies in a database; none where it is not there yet, or has no tables of ours.

    Raises:
        StorageError: It is there and cannot be used.
    """
    from qpsearch.study.reading import study_names
    from qpsearch.study.storage import Database

    database = Database(storage)
    if database.file is not None and not database.file.exists():
        return []
    try:
        return study_names(Database.open(storage))
    except (StorageEmpty, StorageOutdated):
        return []  # opening it for writing makes or migrates the tables, and looks again


def checked_name(study: str | None, given: str = "--study") -> str | None:
    """Return a name that can be a study's; raises UserError, naming where it was given."""
    from qpsearch.space.kinds import StudyName as Kind

    try:
        return None if study is None else str(Kind().parse(study, "study"))
    except ValueError as error:
        raise UserError(f"{given}: {error}") from None


def has_gpu() -> bool:
    """Whether this machine shows an NVIDIA GPU, found out without loading torch."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def print_json(document: dict[str, Any]) -> None:
    """Print one document; a number that is not finite becomes null, since JSON has none."""
    print(json.dumps(_finite(document), indent=2, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
