"""Which tables a database has: Optuna's and our own, of which version; and how ours become those of today."""

from pathlib import Path
from typing import Final

import optuna
from optuna.storages._rdb.models import SCHEMA_VERSION
from sqlalchemy import Connection, Inspector, inspect, text

from qpsearch.errors import StorageEmpty, StorageError, StorageOutdated, command, first_line
from qpsearch.study.storage.tables import OPTUNA, VERSION_TABLE

OPTUNAS: Final = "alembic_version"  # where Alembic keeps the revision of Optuna's tables
MIGRATIONS: Final = Path(__file__).parent / "migrations"
READABLE: Final = "0002"  # the oldest schema that has all columns that are read; later schemas dropped columns


def check_tables(connection: Connection, shown: str) -> None:
    """Refuse a database whose tables cannot be read, which ``shown`` names; raises StorageError, by kind."""
    tables = set(inspect(connection).get_table_names())
    if not {"version_info", VERSION_TABLE} <= tables:
        raise StorageEmpty(
            f"{shown}: does not hold qpsearch studies. Make one there: qpsearch run SPACE --storage DATABASE."
        )
    check_optuna(connection, shown)
    ours = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    known = sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    if ours in known[known.index(READABLE) :]:
        return
    if ours not in known:
        raise StorageError(f"{shown}: was made by a newer qpsearch (schema {ours}). Upgrade qpsearch.")
    raise StorageOutdated(
        f"{shown}: its tables have the older qpsearch schema {ours}. Migrate them: {command('resume', 'STUDY')}."
    )


def check_not_foreign(connection: Connection, shown: str) -> None:
    """Refuse another program's database; that of an Optuna that was killed while it made its first tables is none."""
    inspector = inspect(connection)
    found = set(inspector.get_table_names())
    if found & {"version_info", VERSION_TABLE}:
        return
    others = [name for name in sorted(found) if name not in OPTUNA.tables or not _is_optunas(inspector, name)]
    if others:
        raise StorageError(
            f"{shown}: is another program's database (its tables: {', '.join(others[:3])}). "
            "Name another file: --storage DATABASE."
        )


def _is_optunas(inspector: Inspector, table: str) -> bool:
    return {column["name"] for column in inspector.get_columns(table)} == set(OPTUNA.tables[table].columns.keys())


def check_revision(connection: Connection, shown: str) -> None:
    """Compare the revision of Optuna's tables, if there are any, with the one that the installed Optuna needs."""
    tables = inspect(connection).get_table_names()
    if "version_info" not in tables:
        return
    own = connection.execute(text(f"SELECT version_num FROM {OPTUNAS}")).scalar() if OPTUNAS in tables else None
    row = connection.execute(text("SELECT schema_version, library_version FROM version_info")).first()
    if row is None or (own is None and row.schema_version == SCHEMA_VERSION):
        return  # Optuna was killed while it made its tables, and goes on with that
    revisions = _optunas_revisions()
    if own == revisions[0]:
        return
    made = f"{shown}: its tables were made by Optuna {row.library_version}"
    needs = f"{made}; the installed Optuna {optuna.__version__} needs"
    if own is None or own in revisions:
        raise StorageError(
            f"{needs} newer ones. Make a backup, then upgrade them: optuna storage upgrade --storage {shown}"
        )
    raise StorageError(f"{needs} older ones. Upgrade Optuna: pip install -U optuna")


def check_optuna(connection: Connection, shown: str) -> None:
    """Refuse a database whose tables of Optuna are not those of the installed Optuna."""
    found = connection.execute(text("SELECT schema_version FROM version_info")).scalar()
    if found != SCHEMA_VERSION:
        raise StorageError(f"{shown}: has Optuna schema {found}, but the installed Optuna needs {SCHEMA_VERSION}.")


def _optunas_revisions() -> list[str]:
    """Return the revisions of Optuna's tables that the installed Optuna knows, the newest first."""
    from alembic.script import ScriptDirectory  # takes a fifth of a second, for which readers need not wait

    scripts = ScriptDirectory(str(Path(optuna.storages.__file__).parent / "_rdb" / "alembic"))
    return [script.revision for script in scripts.walk_revisions()]


def migrate(connection: Connection) -> None:
    """Make our tables where they are missing, and bring older ones to today's form."""
    from alembic import command  # takes a fifth of a second, for which readers need not wait
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StorageError(
            f"the study database was made by a newer qpsearch ({first_line(error)}). Upgrade qpsearch."
        ) from None
