"""Reading a study that some other program made with Optuna, from a database or from a journal file.

Nothing is written where the study is read: Optuna itself would add the tables that an older database lacks.
"""

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import inspect

from qpsearch.errors import StorageError, StudyNotFound, nearest
from qpsearch.study.storage.database import Database

SQLITE: Final = b"SQLite format 3\0"  # the first bytes of each such file
FIRST_BYTES: Final = 2**16  # the first line of a journal makes a study, and is shorter
UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, AssertionError)  # of a journal that is damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A study that some other program made with Optuna."""

    name: str
    directions: list[StudyDirection]
    trials: list[FrozenTrial]

    @property
    def ended(self) -> list[FrozenTrial]:
        """The trials that are complete, pruned or failed."""
        return [trial for trial in self.trials if trial.state.is_finished()]


def read_foreign(source: str, name: str) -> Foreign:
    """Read a study from an Optuna database, or from a journal of Optuna's ``JournalStorage``.

    Args:
        source: URL of the database, or the path of an SQLite file or of a journal, which are told apart by what they
            hold.
        name: The study's name.

    Raises:
        StudyNotFound: There is no such study.
        StorageError: There is no such database or journal, or it cannot be read, or another version of Optuna made it.
    """
    is_path = not {":", "@"} & set(source)  # else a URL, which may hold a password
    given = Path(source).expanduser()
    if is_path and not given.exists():
        raise StorageError(f"{given.absolute()}: there is no database or journal at this path.")
    if is_path and _is_journal(given):
        return _read_journal(given, name)
    with closing(Database(source)) as database:
        if database.file is not None and not database.file.exists():
            raise StorageError(f"{database.file.absolute()}: there is no database at this path.")
        if database.file is not None and _is_journal(database.file):
            return _read_journal(database.file, name)
        if not {"studies", "version_info"} <= set(database.read(lambda c: inspect(c).get_table_names())):
            raise StudyNotFound(f"{database.shown}: does not hold Optuna studies.")  # and must not get Optuna's tables
        database.check_optuna_version()
        return database.with_optuna(lambda storage: _read(storage, name, database.shown))


def _is_journal(path: Path) -> bool:
    """Whether a file is a journal of Optuna's; raise StorageError where it is not a database either."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            line = file.readline(FIRST_BYTES)
    except OSError as error:
        raise StorageError(f"{path.absolute()}: cannot be read ({error.strerror}).") from None
    if not line or line.startswith(SQLITE[: len(line)]):
        return False
    try:
        first = json.loads(line)
    except ValueError:
        first = None
    if isinstance(first, dict) and "op_code" in first:
        return True
    raise StorageError(f"{path.absolute()}: is neither an SQLite database nor a journal of Optuna's JournalStorage.")


def _read_journal(path: Path, name: str) -> Foreign:
    try:
        return _read(JournalStorage(JournalFileBackend(str(path))), name, str(path.absolute()))
    except UNREADABLE as error:
        raise StorageError(
            f"{path.absolute()}: this journal cannot be read ({type(error).__name__}: {error}). It is damaged, or "
            f"another version of Optuna than the installed {optuna.__version__} wrote it."
        ) from None


def _read(storage: BaseStorage, name: str, shown: str) -> Foreign:
    known = {study.study_name: study for study in storage.get_all_studies()}
    if name not in known:
        hint = nearest(name, list(known)) if known else "It does not hold a study."
        raise StudyNotFound(f"{shown}: no study {name!r}. {hint}")
    trials = storage.get_all_trials(known[name]._study_id, deepcopy=False)
    return Foreign(name=name, directions=list(known[name].directions), trials=trials)
