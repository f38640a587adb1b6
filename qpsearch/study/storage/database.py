"""Opening the study database: schema, transactions, and every way in which that fails."""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import optuna
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from qpsearch.errors import (
    QpsearchError,
    StorageAway,
    StorageConflict,
    StorageDamaged,
    StorageError,
    command,
    first_line,
    hidden,
)
from qpsearch.study.storage.engine import (
    BUSY_S,
    begin,
    connect_args_of,
    make_engine,
    parse_url,
    resolved_url,
    secrets_of,
    shown_url,
)
from qpsearch.study.storage.schema import check_not_foreign, check_optuna, check_revision, check_tables, migrate
from qpsearch.study.storage.sqlite_file import SqliteFile, identity_of

LOCK_KEY: Final = 0x717073  # "qps"
SNAPSHOT: Final = {"isolation_level": "REPEATABLE READ"}  # one state for all queries

FULL: Final = "database or disk is full"
HINTS: Final = {
    "password authentication failed": "Check user and password of --storage or QPSEARCH_STORAGE",
    "permission denied for": "The database user may read but not write",
    "Connection refused": "Is the server running, and are host and port right?",
}

# Classes of SQLSTATE that pass: connections, serialization, resources, a lock or a stop, a disk; and single codes: a
# server that is read-only while another takes over, and a transaction that it ended.
PASSING: Final = ("08", "40", "53", "55", "57", "58", "25006", "25P03")
DAMAGED: Final = ("disk image is malformed", "Could not decode to UTF-8", "invalid page in", "could not convert string")

T = TypeVar("T")


class Database:
    """A study database.

    ``write`` and ``read`` run a function inside one transaction; the data cannot be reached in any other way.
    Safe to use from several threads.
    """

    def __init__(self, url: str, *, is_scratch: bool = False) -> None:
        given = parse_url(url)
        self._url = resolved_url(given)
        self.shown, self._secrets = shown_url(given), secrets_of(given)
        self._engine = make_engine(self._url, is_scratch=is_scratch)
        self._in_use: SqliteFile | None = None  # once it was opened
        self._reading = self._engine.execution_options(**SNAPSHOT) if self.file is None else self._engine

    @classmethod
    def create(cls, url: str) -> "Database":
        """Open for writing; make the file and the tables if they are missing, migrate the tables if they are old.

        Raises:
            StorageError: The database cannot be reached or written, or belongs to another version.
        """
        database = cls(url)
        if (path := database.file) is not None:
            _make_folder(path)
            _check_writable(path)
        return database._ready(database._upgrade)

    @classmethod
    def open(cls, url: str, *, is_scratch: bool = False) -> "Database":
        """Open an existing database as it is, without creating or migrating anything.

        Args:
            url: Its URL, or a file.
            is_scratch: Whether it is an SQLite file that is thrown away, which a crash may damage, and so is faster.

        Raises:
            StorageError: The database does not exist, cannot be reached, or does not belong to qpsearch.
        """
        database = cls(url, is_scratch=is_scratch)
        if database.file is not None and not database.file.exists():
            raise StorageError(
                f"{database.file.absolute()}: no study database there. Make one: {command('run', 'SPACE')}. "
                "Or name another: --storage DATABASE."
            )
        return database._ready(database._check)

    @property
    def file(self) -> Path | None:
        """The database's file if it is an SQLite database, else None; symbolic links are followed."""
        return Path(self._url.database) if self._url.get_backend_name() == "sqlite" and self._url.database else None

    @property
    def identity(self) -> str:
        """What tells this database from a copy of it: the file's path, or the server's number and the database's."""
        if self.file is not None:
            return str(self.file)
        if self._url.get_backend_name() != "postgresql":
            return self._url.set(query={}).render_as_string(hide_password=True)
        query = "SELECT system_identifier, oid FROM pg_control_system(), pg_database WHERE datname = current_database()"
        server, database = self.read(lambda connection: connection.execute(text(query)).one())
        return f"postgresql:{server}/{database}"

    def write(self, step: Callable[[Connection], T]) -> T:
        """Run a step in one transaction: either the whole step is stored, or nothing.

        Raises:
            StorageError: The database failed; whatever ``step`` raised goes through unchanged.
        """
        return self._look_for_damage(lambda: self._run(step, writing=True))

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run queries on one snapshot, without a write lock; raises as ``write`` does."""
        return self._look_for_damage(lambda: self._run(query, writing=False))

    def optuna_storage(
        self, kind: type[optuna.storages.RDBStorage] = optuna.storages.RDBStorage
    ) -> optuna.storages.RDBStorage:
        """Return Optuna's own view of the database; Optuna's tables are made if they are missing.

        Args:
            kind: Optuna's storage, or one made from it.
        """
        connect_args = {"timeout": BUSY_S} if self.file is not None else connect_args_of(self._url)
        return kind(
            self._url.render_as_string(hide_password=False),
            engine_kwargs={"connect_args": connect_args, "poolclass": NullPool},
            skip_compatibility_check=True,
        )

    def with_optuna(self, action: Callable[[optuna.storages.RDBStorage], T]) -> T:
        """Do something that Optuna does itself; raises as ``write`` does."""
        storage = self._guard(self.optuna_storage)
        try:
            return self._look_for_damage(lambda: action(storage))
        finally:
            storage.remove_session()
            storage.engine.dispose()

    def check_optuna_version(self) -> None:
        """Refuse tables that another version of Optuna made; to be called before Optuna adds what they lack.

        Raises:
            StorageError: The message says what to upgrade.
        """
        self._look_for_damage(lambda: self._run(partial(check_revision, shown=self.shown), writing=False))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def backup(self, target: Path) -> None:
        """Write a consistent copy of an SQLite database to a new file, also while drivers use it.

        Raises:
            StorageError: The file cannot be written, or the database is on a server, which has its own tools.
        """
        if self._in_use is None:
            raise StorageError(f"{self.shown}: is on a server. Back it up with the server's own tool, such as pg_dump.")
        self._in_use.check()
        self._in_use.backup(target)

    def _run(self, step: Callable[[Connection], T], *, writing: bool) -> T:
        if self._in_use is not None:
            self._in_use.check()
        try:
            with (self._engine if writing else self._reading).begin() as connection:
                begin(connection, is_writing=writing)
                result = step(connection)
        except SQLAlchemyError:
            if self._in_use is not None:
                self._in_use.check()  # a file that was lost meanwhile explains the error better
            raise
        if writing and self._in_use is not None:
            self._in_use.tidy()
        return result

    def _ready(self, check: Callable[[], None]) -> "Database":
        """Return this database once a check has passed; close all connections if the check fails."""
        identity = None if self.file is None else identity_of(self.file)
        try:
            self._look_for_damage(check)
            if self.file is not None:
                self._in_use = SqliteFile(self.file, self._engine, identity)
                self._in_use.check()  # else it was lost while it was opened
        except BaseException:
            self.close()
            raise
        return self

    def _look_for_damage(self, action: Callable[[], T]) -> T:
        """Do something with what is stored; if that fails because it cannot be read, say where the damage is."""
        try:
            return self._guard(action)
        except QpsearchError as error:
            if not any(sign in str(error) for sign in DAMAGED):
                raise
            raise StorageDamaged(f"{self.shown}: {self._damage() or error}") from None
        except Exception as error:
            damage = self._damage()
            if damage is None:
                raise  # a fault of the program, not of what is stored
            raise StorageDamaged(f"{self.shown}: {damage}") from error

    def _damage(self) -> str | None:
        from qpsearch.study.storage.damage import damaged, find_damage

        try:
            with self._reading.begin() as connection:
                begin(connection, is_writing=False)
                return find_damage(connection)
        except SQLAlchemyError as error:  # not even a connection can be made to a file that was cut off
            return damaged(error) if any(sign in str(error) for sign in DAMAGED) else None

    def _guard(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except IntegrityError as error:
            raise StorageConflict(f"{self.shown}: {self._said(error)}") from None
        except (OperationalError, InterfaceError) as error:
            may_return = self.file is None or "database is locked" in _cause(error)
            kind = StorageAway if may_return else StorageError
            raise kind(f"{self.shown}: {self._said(error)}{_hint(error)}") from None
        except SQLAlchemyError as error:
            kind = StorageAway if _may_return(error) else StorageError
            raise kind(f"{self.shown}: {self._said(error)}{_hint(error)}") from None
        except optuna.exceptions.StorageInternalError as error:
            raise StorageError(f"{self.shown}: {self._said(error.__cause__ or error)}") from None

    def _said(self, error: BaseException) -> str:
        """Return what a driver said, without the password that it may repeat."""
        return hidden(_cause(error), *self._secrets)

    def _upgrade(self) -> None:
        """Make Optuna's tables through Optuna, then qpsearch's through Alembic; one process at a time."""
        from filelock import FileLock  # loads asyncio; readers need neither

        lock = None if self.file is None else FileLock(f"{self.file}.lock")
        try:
            self._check_not_foreign()  # before a lock is put beside another program's database
        except StorageError:
            if lock is None or not Path(lock.lock_file).exists():
                raise  # else another process may be making Optuna's tables, one after another
        with lock or self._server_lock():
            self._check_not_foreign()
            self._make_tables()

    @contextlib.contextmanager
    def _server_lock(self) -> Iterator[None]:
        """Hold a lock on the server while tables are made; the lock ends with the transaction."""
        with self._engine.begin() as connection:
            begin(connection, is_writing=True)
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))  # others make the tables
                connection.execute(select(func.pg_advisory_xact_lock(LOCK_KEY)))
            yield

    def _make_tables(self) -> None:
        self._run(partial(check_revision, shown=self.shown), writing=False)
        storage = self.optuna_storage()
        storage.remove_session()
        storage.engine.dispose()
        self._run(partial(check_optuna, shown=self.shown), writing=False)
        self._run(migrate, writing=True)

    def _check_not_foreign(self) -> None:
        """Refuse another program's database before anything is written into it."""
        if not self.file or not self.file.exists():
            return
        self._run(partial(check_not_foreign, shown=str(self.file)), writing=False)

    def _check(self) -> None:
        self._run(partial(check_tables, shown=self.shown), writing=False)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path.parent}: cannot be made ({error.strerror}). Name another place: --storage DATABASE."
        ) from None


def _check_writable(path: Path) -> None:
    """Raise StorageError where a database, or the folder in which SQLite keeps its log, cannot be written."""
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            raise StorageError(
                f"{path}: can be read but not written ({place}). Name another database: --storage DATABASE."
            )


def _may_return(error: BaseException) -> bool:
    """Whether a server's error says that it is busy, stopping or read-only for now, as while another one takes over."""
    state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
    return state.startswith(PASSING)


def _cause(error: BaseException) -> str:
    return first_line(getattr(error, "orig", None) or error)


def _hint(error: BaseException) -> str:
    """Return what to do about common faults."""
    cause = _cause(error)
    if FULL in cause:
        return f". Free some space, then: {command('resume', 'STUDY')}"
    return next((f". {hint}" for sign, hint in HINTS.items() if sign in cause), "")
