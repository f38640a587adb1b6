"""Connections to a study database: its URL, and what each kind of database is told.

SQLite runs in WAL mode with a busy timeout, and each writing transaction takes the write lock when it
begins, so that it waits for a lock only at its beginning. Readers do not hold a lock that a
driver could wait for.
"""

import os
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from qpsearch.artifacts import local_path
from qpsearch.errors import StorageError, hidden

BUSY_S: Final = 60
STILL: Final = {"mode": "ro", "immutable": "1", "uri": "true"}
# A driver that freezes inside a transaction, or whose host is gone, must not hold the study's row from the others.
# These are of one transaction, and statements are not prepared: a pooler such as PgBouncer may give each transaction
# another of the server's connections, and refuses to pass on options at the start.
BOUNDS: Final = (
    "SELECT set_config('idle_in_transaction_session_timeout', '20000', true), set_config('lock_timeout', '30000', true)"
)
# Whether a transaction may write is the server's word. SQLAlchemy's own switch for a reading transaction would leave a
# connection that begins every later one with READ WRITE.
READING: Final = ", set_config('transaction_read_only', 'on', true)"
POSTGRES: Final = {
    "prepare_threshold": None,
    "connect_timeout": 15,  # a server that does not answer, or a host that is not there
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20000,
}
FILE_NAMES: Final = (".db", ".sqlite", ".sqlite3")
# What is meant as a URL, also with a slash or colon too few: a path that begins like that is written ./sqlite:x.db.
URL_BEGINS: Final = re.compile(
    r"\s*(?:[\w.+-]+:\s*//|(?:sqlite|postgres|postgresql|mysql|mariadb|oracle|mssql)(?:\+\w+)?(?::|\s*//))",
    re.IGNORECASE,
)
SQLITE: Final = re.compile(r"sqlite(?:\+pysqlite)?://(?P<path>[^?]*)", re.IGNORECASE)


def parse_url(word: str) -> URL:
    """Parse what a user calls a database: a URL, or the path of an SQLite file.

    A URL writes ``?``, ``%`` and what else a URL must quote as ``%3F``, ``%25``; a path is written as it is.

    Raises:
        StorageError: The text is neither a URL nor such a path, or the database would be in memory alone.
    """
    if not URL_BEGINS.match(word):
        if not _is_path(word) or hidden(word) != word:
            raise _not_a_url(word)
        return _file_url(word, word)
    if re.match("sqlite", word, re.IGNORECASE):
        return _sqlite_url(word)
    try:
        parsed = make_url(word)
        place = word if parsed.username is None else word.partition("@")[2]
        if "@" in place.partition("?")[0]:
            raise ValueError("write an @ in a password as %40")
    except (ArgumentError, ValueError):
        raise _not_a_url(word) from None
    return parsed.set(drivername=parsed.drivername.lower())


def file_url(path: Path) -> str:
    """Return the URL of an SQLite file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def shown_url(url: URL) -> str:
    """Return a URL as it is printed: without user and password, and without options, which may hold them too."""
    return hidden(url.set(query={}).render_as_string())


def secrets_of(url: URL) -> tuple[str, ...]:
    """Return what the messages of a driver must not say, as it is and as the URL spells it."""
    said = [url.password, *(value for values in url.normalized_query.values() for value in values)]
    return tuple(spelled for secret in said if secret for spelled in {str(secret), quote(str(secret))})


def resolved_url(url: URL) -> URL:
    """Return the URL of an SQLite file itself, not of a link to it: its log and checkpoints lie beside the file."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return url
    return url.set(database=str(local_path(url.database).resolve()))


def _sqlite_url(word: str) -> URL:
    match = SQLITE.fullmatch(word)
    slash, path = (match["path"][:1], match["path"][1:]) if match else ("", "")
    if match and path in ("", ":memory:"):
        raise StorageError(
            f"{word}: is a database in memory, which no later command could open. Expected a file, such as "
            "sqlite:///studies/qpsearch.db."
        )
    if slash != "/":
        raise StorageError(
            "--storage: is not the URL of an SQLite file. Expected sqlite:/// and a path, such as "
            "sqlite:///studies/qpsearch.db. A ? in the path is written %3F; or give the path alone."
        )
    try:
        return _file_url(unquote_to_bytes(path).decode(), word)
    except UnicodeDecodeError:
        raise StorageError(f"{word}: the name of its file is not UTF-8. Name another: --storage DATABASE.") from None


def _file_url(path: str, shown: str) -> URL:
    try:
        local_path(path)
    except ValueError as error:
        raise StorageError(f"{shown}: cannot be a database ({error}). Name another: --storage DATABASE.") from None
    return URL.create("sqlite", database=path)


def _is_path(given: str) -> bool:
    """Whether a text names an SQLite file that exists or could be created under that name."""
    path = os.path.expanduser(given)
    is_new = Path(path).suffix in FILE_NAMES or os.path.isabs(path)
    return (is_new and not os.path.isdir(path)) or os.path.isfile(path)


def _not_a_url(word: str) -> StorageError:
    shown = repr(word) if _is_harmless(word) else "--storage"
    return StorageError(
        f"{shown}: is not a database URL. Expected a file such as studies/qpsearch.db, or postgresql+psycopg://... "
        "A name or password writes @, : and / as %40, %3A and %2F."
    )


def _is_harmless(url: str) -> bool:
    """Whether a text that is not a URL may be printed: it cannot hold a password."""
    return "@" not in url and "password" not in url and url.count(":") <= 1


def make_engine(url: URL, *, is_scratch: bool = False) -> Engine:
    """Return what connects to a database.

    Args:
        url: The database.
        is_scratch: Whether an SQLite file is thrown away: a crash may damage it.

    Raises:
        StorageError: The driver for such a database is not installed.
    """
    if url.get_backend_name() != "sqlite":
        try:
            return create_engine(url, pool_pre_ping=True, connect_args=connect_args_of(url))
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise StorageError(
                f"{shown_url(url)}: the driver for such a database is missing ({error}). "
                "For PostgreSQL: pip install 'qpsearch[postgres]', and a URL postgresql+psycopg://..."
            ) from None
    if url.database and _is_still(Path(url.database)):  # SQLite would try to make files beside the database
        still = URL.create("sqlite", database=f"file:{quote(url.database)}", query=STILL)
        engine = create_engine(still)
    else:
        engine = create_engine(url, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _configure_scratch if is_scratch else _configure_sqlite)
    return engine


def begin(connection: Connection, *, is_writing: bool) -> None:
    """Begin a transaction of a new connection with what its kind of database is told.

    A listener of SQLAlchemy's own event would have it look for listeners at each statement.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(BOUNDS if is_writing else BOUNDS + READING)
    elif connection.dialect.name == "sqlite" and is_writing:
        if not connection.info.get("has_journal"):
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.info["has_journal"] = True
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")


def connect_args_of(url: URL) -> dict[str, Any]:
    """Return what a server's driver is told beside the URL; only psycopg knows of preparing."""
    if url.get_backend_name() != "postgresql":
        return {}
    return {
        name: value
        for name, value in POSTGRES.items()
        if name != "prepare_threshold" or url.get_driver_name() == "psycopg"
    }


def _configure_sqlite(connection: Any, _record: object) -> None:
    _tell(connection, "synchronous = FULL")  # one fsync per commit: a recorded epoch survives a power cut


def _configure_scratch(connection: Any, record: Any) -> None:
    _tell(connection, "synchronous = OFF", "journal_mode = MEMORY")
    record.info["has_journal"] = True


def _tell(connection: Any, *pragmas: str) -> None:
    connection.isolation_level = None  # ``begin`` sends BEGIN
    cursor = connection.cursor()
    for pragma in ("foreign_keys = ON", *pragmas):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _is_still(path: Path) -> bool:
    """Whether a database's folder cannot be written and another process is not writing the database either."""
    return path.exists() and not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
