"""Writing a study as a plain Optuna study, without the tables of qpsearch."""

from pathlib import Path

import optuna

from qpsearch.errors import StudyExists
from qpsearch.study.drivers.stored import find_study
from qpsearch.study.search.optuna_logging import quiet_optuna
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.engine import file_url
from qpsearch.study.storage.sqlite_file import whole_file


def export_optuna(database: Database, name: str, folder: Path) -> Path:
    """Copy a study into a new SQLite file that Optuna can open; return the file.

    Raises:
        StudyExists: The file already exists.
        StudyNotFound: There is no such study.
        OSError: The file cannot be written.
    """
    path = folder / f"{name}.db"
    if path.exists():
        raise StudyExists(f"{path}: already exists and is not overwritten. Choose another folder: --output FOLDER.")
    database.read(lambda c: find_study(c, name))
    with whole_file(path) as partial:

        def copy(ours: optuna.storages.RDBStorage) -> None:
            def into(theirs: optuna.storages.RDBStorage) -> None:
                with quiet_optuna():
                    optuna.copy_study(from_study_name=name, from_storage=ours, to_storage=theirs)

            Database(file_url(partial)).with_optuna(into)

        database.with_optuna(copy)
    return path
